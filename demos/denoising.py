r"""An autoencoder takes most of the noise off a digit; trained on noisy digits, even more.

**Two trainings.** Both networks are alike, 784 -> 128 -> 32 -> 128 -> 784, and both are asked for
the clean picture x. One is shown x itself. The other, a *denoising* autoencoder, is shown

    x~ = x + noise,  noise ~ N(0, 0.5^2) on every pixel, drawn anew for every batch; or
    x~ = x with a square of 14 x 14 pixels blackened, at a random place

    loss = 1 / (N D) * sum_n sum_d (x_hat(x~)_nd - x_nd)^2          against x, not against x~

**Why the plain one helps at all.** It answers with pictures near those that it knows. What lies in
the other directions is lost on the way through 32 numbers, and most of the noise does: it spreads
evenly over 784 directions. What is left of it shifts the code.

**How much is much?** Beside the error of a reconstruction stands that of the damaged picture as it
is, and that of the same network when nothing is damaged.

Source: notes on digits and faces, the card on the latent space; Vincent, Larochelle, Bengio and
Manzagol (2008), Extracting and composing robust features with denoising autoencoders, section 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.networks import DenseAutoencoder, start_at_mean
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import train

NEEDS = ("digits",)


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    damage: Literal["noise", "square"] = "noise"  # in training and in the test
    shown: Literal["damaged", "clean"] = "damaged"  # what the second network sees in training
    target: Literal["clean", "damaged"] = "clean"  # what the second network is asked for
    std: float = 0.5  # of the noise, where black is 0 and white is 1
    steps: int = 500


def damaged(x: Tensor, params: Params, g: torch.Generator) -> Tensor:
    """Noisy pictures, not cut off at 0 and 1; or with a black square; `(N, 784)`."""
    if params.damage == "noise":
        return x + params.std * torch.randn(x.shape, generator=g).to(x)
    top, left = torch.randint(0, 15, (2, len(x), 1), generator=g).to(x.device)
    place = torch.arange(28, device=x.device)
    rows = (place >= top) & (place < top + 14)
    columns = (place >= left) & (place < left + 14)
    hidden = (rows[:, :, None] & columns[:, None, :]).flatten(1)
    return x.masked_fill(hidden, 0.0)


class Denoise:
    """The loss of the second network; draws new damage for every batch."""

    def __init__(self, params: Params, g: torch.Generator) -> None:
        self.params = params
        self.g = g

    def __call__(self, model: DenseAutoencoder, x: Tensor) -> Tensor:
        """Squared error, mean over pictures `(N, 784)` and pixels."""
        broken = damaged(x, self.params, self.g)
        shown = broken if self.params.shown == "damaged" else x
        target = broken if self.params.target == "damaged" else x
        return F.mse_loss(model(shown), target)


def plain_loss(model: DenseAutoencoder, x: Tensor) -> Tensor:
    """Squared error, mean over pictures `(N, 784)` and pixels."""
    return F.mse_loss(model(x), x)


def run(params: Params, lab: Lab) -> Result:
    """Train both from the same weights, and show both the same damaged, unseen digits."""
    digits = lab.data("digits")
    x_train, x = (part.flatten(1).to(lab.device) for part in (digits.train, digits.test[:1_000]))
    plain, denoiser = (DenseAutoencoder(784, 128, 32).to(lab.device) for _ in range(2))
    start_at_mean(plain.encoder, plain.decoder, x_train)
    denoiser.load_state_dict(plain.state_dict())
    for model, loss in (
        (plain, plain_loss),
        (denoiser, Denoise(params, lab.generator("damage"))),
    ):
        train(
            model,
            loss,
            x_train,
            steps=params.steps,
            batch_size=64,
            optimizer=torch.optim.Adam(model.parameters(), 8e-3, (0.9, 0.99), fused=True),
            generator=lab.generator("batches"),
            schedule=linear(params.steps),
            track=lab.track,
        )
    broken = damaged(x, params, lab.generator("test damage"))
    of_plain, of_denoiser = (metrics.reconstruct(model, broken) for model in (plain, denoiser))
    errors = {
        "damaged": metrics.mse(broken, x),
        "plain": metrics.mse(of_plain, x),
        "denoising": metrics.mse(of_denoiser, x),
    }
    clean = [metrics.mse(metrics.reconstruct(model, x), x) for model in (plain, denoiser)]
    ten = torch.stack([(digits.test_labels == digit).nonzero()[0, 0] for digit in range(10)])
    rows = {"clean": x, "damaged": broken, "plain": of_plain, "denoising": of_denoiser}
    return Result(
        metrics={
            "damaged_mse": errors["damaged"],
            "plain_mse": errors["plain"],
            "denoiser_mse": errors["denoising"],
            "plain_clean_mse": clean[0],
            "denoiser_clean_mse": clean[1],
            "mean_image_mse": metrics.mean_image_mse(x_train, x),
        },
        figures={
            "digits": Images(
                "Unseen digits, damaged, and what two networks make of them. The plain one never "
                "saw damage and takes some of it for strokes.",
                torch.stack([row[ten] for row in rows.values()])
                .unflatten(-1, (28, 28))
                .clamp(0, 1)
                .cpu(),
                rows=list(rows),
            ),
            "errors": Bars(
                "Squared error against the clean digit: of the damaged picture itself, and of "
                "what the two networks make of it.",
                errors,
                y_label="MSE",
            ),
        },
    )
