r"""Cross-entropy is lopsided and never zero on grey pixels, and trains digits as well as MSE.

**One pixel** has brightness x in [0, 1] and gets the answer p:

    squared error    (p - x)^2
    cross-entropy    -x log p - (1 - x) log(1 - p)      nats

Both are smallest at p = x. There the squared error is 0, and the cross-entropy is the entropy of a
coin with bias x: 0 for black and white, log 2 = 0.693 for middle grey. What lies above that floor
is KL(x || p), and it is not symmetric: from x = 0.2, answering 0.1 costs more than answering 0.3,
since nearer to the end the logarithm is steeper. Only at x = 1/2 do both sides cost the same.

**Many pixels, one answer.** If the network cannot tell pixels apart and must give all the same p,
both losses choose their mean. (The absolute error chooses their median: black.)

**Slopes.** The answer comes from a sigmoid, p = 1 / (1 + e^-y), with dp/dy = p (1 - p), so

    d MSE / d y = 2 (p - x) p (1 - p)          d BCE / d y = p - x

A white pixel that is answered with near black is a large error. Cross-entropy pulls at it with all
its size; under the squared error the factor p (1 - p) has nearly closed the door.

**Logits** are the y, before the sigmoid. `F.binary_cross_entropy_with_logits` wants y and applies
the sigmoid itself. Whoever calls the sigmoid's output "logits" and passes it on gets the sigmoid
twice. Then the loss judges sigmoid(p), between 0.5 and 0.731, and asks for p = 0 wherever x is
below one half. As most pixels are black, the whole picture is driven there first; and there the
inner sigmoid is so flat that hardly a gradient leads back. The answer to a digit is black.

Whether a loss is worse is a matter of training: here dense autoencoders start from equal weights,
see equal batches, differ in the loss, and are judged by both on unseen digits.

Source: notes of a lecture on a convolutional autoencoder; Kingma and Welling (2014), Auto-encoding
variational Bayes, appendix C, for the Bernoulli decoder.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.training import train

NEEDS = ("digits",)


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    # One pixel: its brightness, how far the answer misses it, and by which loss that is judged.
    target: float = 0.2
    miss: float = 0.1
    loss: Literal["bce", "mse", "l1"] = "bce"
    answer: float = 0.01  # to a white pixel

    pixels: Literal["grey", "binary"] = "grey"  # binary: every pixel black or white, split at 1/2

    # Of the rival; the other autoencoder is trained on the squared error.
    rival: Literal["bce", "l1", "bce_twice"] = "bce"
    steps: int = 500
    lr: float = 2e-3
    examples: int = 4_000


def per_pixel(loss: str, p: Tensor, x: Tensor) -> Tensor:
    """The loss of answer `p` to brightness `x`, both in [0, 1], elementwise; BCE in nats."""
    match loss:
        case "mse":
            return (p - x).square()
        case "l1":
            return (p - x).abs()
    return F.binary_cross_entropy(p, x, reduction="none")


def excess(loss: str, target: float, miss: float) -> float:
    """What missing by a signed `miss` costs beyond the best answer; answers stay in [0, 1]."""
    x = torch.tensor(target, dtype=torch.float64)
    return (per_pixel(loss, (x + miss).clamp(0, 1), x) - per_pixel(loss, x, x)).item()


def best_answer(loss: str, x: Tensor) -> float:
    """The one answer, of 1,001 between 0 and 1, that costs all pixels `x` least."""
    answers = torch.linspace(0, 1, 1_001, dtype=torch.float64)[1:-1]
    shades, counts = x.double().unique(return_counts=True)
    costs = per_pixel(loss, answers[:, None].expand(-1, len(shades)), shades.expand(999, -1))
    return answers[(costs @ counts.double()).argmin()].item()


def slope(loss: str, p: float, x: float) -> float:
    """The derivative d loss / d y where p = sigmoid(y), by autograd."""
    y = torch.tensor(math.log(p / (1 - p)), dtype=torch.float64, requires_grad=True)
    per_pixel(loss, y.sigmoid(), torch.tensor(x, dtype=torch.float64)).backward()
    assert y.grad is not None
    return y.grad.item()


class Autoencoder(nn.Module):
    """784 -> 200 -> 20 -> 200 -> 784; returns logits, to which a sigmoid gives brightnesses."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 20))
        self.decoder = nn.Sequential(nn.Linear(20, 200), nn.ReLU(), nn.Linear(200, 784))

    def logits(self, x: Tensor) -> Tensor:
        """`(N, 784)` digits to the `(N, 784)` numbers before the sigmoid."""
        y: Tensor = self.decoder(self.encoder(x))
        return y

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 784)` digits to their reconstructions."""
        return self.logits(x).sigmoid()


Loss = Callable[[Autoencoder, Tensor], Tensor]

LOSSES: dict[str, Loss] = {
    "mse": lambda model, x: F.mse_loss(model(x), x),
    "l1": lambda model, x: F.l1_loss(model(x), x),
    "bce": lambda model, x: F.binary_cross_entropy_with_logits(model.logits(x), x),
    # The mistake: brightnesses where logits belong.
    "bce_twice": lambda model, x: F.binary_cross_entropy_with_logits(model(x), x),
}
"""Each a mean over pictures and pixels."""


def fit(loss: str, model: Autoencoder, x: Tensor, params: Params, lab: Lab) -> None:
    """Train on the same batches as any other."""
    train(
        model,
        LOSSES[loss],
        x,
        steps=params.steps,
        batch_size=64,
        optimizer=torch.optim.Adam(model.parameters(), lr=params.lr, fused=True),
        generator=lab.generator("batches"),
        track=lab.track,
    )


def bce_nats(x_hat: Tensor, x: Tensor) -> float:
    """Cross-entropy: nats, sum over pixels, mean over pictures; each answer kept off 0 and 1."""
    inside = x_hat.clamp(1e-6, 1 - 1e-6)
    return F.binary_cross_entropy(inside, x, reduction="sum").item() / len(x)


def cost_curves(target: float) -> Curves:
    """What each answer to one pixel costs, beyond the best one."""
    p = torch.linspace(0.005, 0.995, 199, dtype=torch.float64)
    x = torch.full_like(p, target)
    lines = {
        name: per_pixel(loss, p, x) - per_pixel(loss, x, x)
        for name, loss in (("cross-entropy, above its floor", "bce"), ("squared error", "mse"))
    }
    return Curves(
        f"What an answer to a pixel of brightness {target:g} costs above the best answer. Both "
        "losses agree on the best one; the cross-entropy is steeper towards the nearer end.",
        x=p,
        lines=lines,
        x_label="answer",
        y_label="excess loss",
    )


def slope_curves() -> Curves:
    """How hard each loss pulls at the logit of a white pixel."""
    y = torch.linspace(-8, 4, 121)
    p = y.sigmoid()
    return Curves(
        "How hard each loss pulls at the logit of a white pixel. Far to the left the answer is "
        "black and quite wrong: cross-entropy pulls with all its force, squared error no more.",
        x=y,
        lines={"cross-entropy": 1 - p, "squared error": 2 * (1 - p) ** 2 * p},
        x_label="logit y of the answer",
        y_label="-d loss / d y",
    )


def side_by_side(x: Tensor, models: dict[str, Autoencoder]) -> Images:
    """Ten digits `(10, 784)` and what each autoencoder makes of them."""
    rows = {"original": x}
    rows |= {f"trained on {name}": metrics.reconstruct(model, x) for name, model in models.items()}
    return Images(
        "Unseen digits from two autoencoders that differ in their loss alone.",
        torch.stack(list(rows.values())).unflatten(-1, (28, 28)).cpu(),
        rows=list(rows),
    )


def run(params: Params, lab: Lab) -> Result:
    """Look at one pixel, at all pixels, and at two trained autoencoders."""
    digits = lab.data("digits")
    parts = (digits.train[: params.examples], digits.test)
    x, x_test = (part.flatten(1).to(lab.device) for part in parts)
    if params.pixels == "binary":
        x, x_test = (x > 0.5).float(), (x_test > 0.5).float()

    model = Autoencoder().to(lab.device)
    models = {"mse": model, params.rival: copy.deepcopy(model)}
    for loss, network in models.items():
        fit(loss, network, x, params, lab)
    x_hat, rival_hat = (metrics.reconstruct(network, x_test) for network in models.values())

    figures: dict[str, Figure] = {"costs": cost_curves(params.target), "slopes": slope_curves()}
    if params.steps:
        figures["digits"] = side_by_side(x_test[:10], models)
    target = torch.tensor(params.target, dtype=torch.float64)
    return Result(
        metrics={
            "over": excess(params.loss, params.target, params.miss),
            "under": excess(params.loss, params.target, -params.miss),
            "perfect": per_pixel(params.loss, target, target).item(),
            "perfect_nats_a_digit": bce_nats(x_test, x_test),
            "best_answer": best_answer(params.loss, x_test),
            "mean_pixel": x_test.double().mean().item(),
            "bce_slope": slope("bce", params.answer, 1.0),
            "mse_slope": slope("mse", params.answer, 1.0),
            "mse": metrics.mse(x_hat, x_test),
            "rival_mse": metrics.mse(rival_hat, x_test),
            "bce_nats": bce_nats(x_hat, x_test),
            "rival_bce_nats": bce_nats(rival_hat, x_test),
            "brightest": x_hat.max().item(),
            "rival_brightest": rival_hat.max().item(),
            "mean_image_mse": metrics.mean_image_mse(x, x_test),
        },
        figures=figures,
    )
