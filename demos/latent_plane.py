r"""Thirty kilobytes hold a plane in which every digit can be found, and no step is a jump.

**The decoder of a VAE with two numbers** is a map of the plane to pictures:

    z (2) -> 32 -> 32 -> 32 -> 784, sigmoid -> x_hat        SiLU between, W x + b each

So small it has 28,080 parameters, nine in ten of them in the last layer. Depth does the work: it
bends the plane, and bending costs 32 x 32 numbers, where a wider layer before the pixels costs 784
for every unit. `shape=wide`, 2 -> 64 -> 784, has nearly twice the parameters and bends once.

**In bytes.** Each row w of a weight matrix is rounded to whole numbers from -127 to 127, in units
of its own, since rows differ in size:

    s = max |w| / 127        w ~ s q        |w - s q| <= s / 2

q takes 8 bits a weight, s 16 bits a row. What the rounding does to the pictures is measured over a
grid of the plane, against the decoder as it was trained. With 4 bits, -7 to 7, s is 18 times as
coarse.

**Why the plane can be walked.** In training z = mu + sigma * eps, so a code is decoded not at one
point but all around it, and the KL keeps the clouds near N(0, I), where they touch. An autoencoder
with the same decoder has neither: between two codes nothing was ever asked of it. Its codes mean
nothing in scale and place, so they are first brought to mean 0 and covariance I. Then both planes
are walked along the same lines, in equal steps, and each line is asked how uneven it is:

    largest step / mean step        Euclidean, between neighbouring pictures        1: steady

**All ten?** A classifier of pictures, trained on real digits, looks at 40 x 40 points of the plane.
A digit counts as found if somewhere it is surer of that digit than not.

Source: Kingma and Welling (2014), Auto-encoding variational Bayes, figure 4b; Jacob et al. (2018),
Quantization and training of neural networks, section 2.1.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Decoder, Dense, Images, Lab, Plane, Result
from vaeflash.lab.classifier import Classifier, train_classifier
from vaeflash.lab.codes import aggregate, largest_step
from vaeflash.lab.elbo import kl_to_prior
from vaeflash.lab.metrics import parameter_count
from vaeflash.lab.networks import reparameterize, start_at_mean
from vaeflash.lab.quantised import decode, quantise, size
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import train
from vaeflash.widget.packing import to_json
from vaeflash.widget.page import to_script

NEEDS = ("digits",)
SHAPES = {"deep": (32, 32, 32), "wide": (64,)}
SHOWN = 300
"""Codes of training digits in the figure."""
ENDS = (1, 8)
"""Digits between which the card walks."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    bits: int = 8  # of a weight, 2 to 8
    shape: Literal["deep", "wide"] = "deep"  # of the decoder: 2-32-32-32-784 or 2-64-784
    beta: float = 1.0  # weight of the KL
    steps: int = 1_500


class PlaneVAE(nn.Module):
    """784 -> 128 -> mu and logvar of two numbers; the small decoder back.

    Args:
        hidden: Widths inside the decoder.
    """

    def __init__(self, hidden: Sequence[int]) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 128), nn.SiLU(), nn.Linear(128, 4))
        layers: list[nn.Module] = []
        for k, n in itertools.pairwise((2, *hidden)):
            layers += [nn.Linear(k, n), nn.SiLU()]
        self.decoder = nn.Sequential(*layers, nn.Linear(hidden[-1], 784))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures `(N, 784)` to the posterior's mu and logvar, `(N, 2)` each."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar


class Objective:
    """Cross-entropy, summed over pixels, plus beta times the KL; nats, mean over the batch.

    Args:
        beta: None for an autoencoder: no KL, and no noise in the code.
        noise: Draws the codes.
    """

    def __init__(self, beta: float | None, noise: torch.Generator) -> None:
        self.beta = beta
        self.noise = noise

    def __call__(self, model: PlaneVAE, x: Tensor) -> Tensor:
        """Of a batch `(N, 784)`."""
        mu, logvar = model.encode(x)
        z = mu if self.beta is None else reparameterize(mu, logvar, self.noise)
        bce = F.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum") / len(x)
        return bce if self.beta is None else bce + self.beta * kl_to_prior(mu, logvar).mean()


def fit(
    x: Tensor, beta: float | None, steps: int, lab: Lab, hidden: Sequence[int] = SHAPES["deep"]
) -> PlaneVAE:
    """Train on pictures `(N, 784)`; equal weights at the start and equal batches for every beta."""
    torch.manual_seed(lab.seed)
    model = PlaneVAE(hidden).to(lab.device)
    start_at_mean(model.encoder, model.decoder, x)
    train(
        model,
        Objective(beta, lab.generator("noise")),
        x,
        steps=steps,
        batch_size=64,
        optimizer=torch.optim.Adam(model.parameters(), 12e-3, (0.9, 0.99), fused=True),
        generator=lab.generator("batches"),
        schedule=linear(steps),
        track=lab.track,
    )
    return model


def grid(side: int, reach: float) -> Tensor:
    """Points at equal distances, from the top left; `(side, side, 2)`."""
    along = torch.linspace(-reach, reach, side)
    y, x = torch.meshgrid(along.flip(0), along, indexing="ij")
    return torch.stack([x, y], dim=-1)


@torch.no_grad()
def walked(decoder: nn.Module, mean: Tensor, axes: Tensor) -> Tensor:
    """The plane decoded at equal distances; `(25, 25, 784)`.

    Args:
        decoder: Codes to logits.
        mean: Where the plane's middle lies among the codes, `(2,)`.
        axes: Its unit vectors, in columns, `(2, 2)`.
    """
    pictures: Tensor = decoder(mean + grid(25, 2.0).to(mean) @ axes.T).sigmoid()
    return pictures


def unevenness(plane: Tensor) -> float:
    """Largest over mean step, mean over the lines along the rows and columns of `(S, S, P)`."""
    lines = [*plane, *plane.transpose(0, 1)]
    return sum(map(largest_step, lines)) / len(lines)


def step_lengths(plane: Tensor) -> Tensor:
    """Of the middle row of `(S, S, P)`, as multiples of their mean; `(S - 1,)`."""
    steps: Tensor = plane[len(plane) // 2].diff(dim=0).norm(dim=1).cpu()
    return steps / steps.mean()


def found(judge: Classifier, layers: Sequence[Dense], device: torch.device) -> int:
    """How many digits the judge sees somewhere within 3 of the middle, surer than not."""
    x_hat = decode(layers, grid(40, 3.0).flatten(0, 1).to(device))
    sure, shown = judge.logits(x_hat.view(-1, 1, 28, 28)).softmax(1).max(1)
    return len(shown[sure > 0.5].unique())


def as_decoder(
    layers: Sequence[Dense], mu: Tensor, labels: Tensor, judge: Classifier, ends: tuple[int, int]
) -> Decoder:
    """What a card needs of a VAE.

    Args:
        layers: Of its decoder, rounded.
        mu: Codes of digits, `(N, 2)`.
        labels: Of the same, `(N,)`.
        judge: Says which code of a digit, not too far out, decodes most surely to that digit.
        ends: The digits between which to walk.
    """
    sure = judge.logits(decode(layers, mu).view(-1, 1, 28, 28)).log_softmax(1)
    far = mu.abs().amax(1) > 3
    codes = [mu[(sure[:, end] - 1e9 * (far | (labels != end))).argmax()].tolist() for end in ends]
    first, last = ((x, y) for x, y in codes)
    return Decoder(layers, mu[:SHOWN].cpu(), labels[:SHOWN].cpu(), (first, last))


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Train the VAE and its rival, round the decoder, and look at the plane."""
    digits = lab.data("digits")
    images, labels = digits.train[:4_000].to(lab.device), digits.train_labels[:4_000].to(lab.device)
    x = images.flatten(1)
    with torch.enable_grad():
        vae = fit(x, params.beta, params.steps, lab, SHAPES[params.shape])
        plain = fit(x, None, params.steps, lab, SHAPES[params.shape])
        judge = train_classifier(images[:2_000], labels[:2_000], lab.generator("judge"), steps=150)

    layers = quantise(vae.decoder, params.bits)
    points = grid(20, 2.5).flatten(0, 1).to(lab.device)
    exact, rounded = vae.decoder(points).sigmoid(), decode(layers, points)

    unseen = digits.test[:1_000].flatten(1).to(lab.device)
    loss = Objective(1.0, lab.generator("unseen"))(vae, unseen)

    mu, _ = vae.encode(x)
    moments = aggregate(plain.encode(x)[0])
    values, vectors = torch.linalg.eigh(moments.covariance)
    whitening = (vectors * values.sqrt()).float()
    vae_plane = walked(vae.decoder, torch.zeros_like(mu[0]), torch.eye(2, device=lab.device))
    ae_plane = walked(plain.decoder, moments.mean.float(), whitening)

    plane = Plane(
        "What a VAE with two numbers decodes, all over its plane. Regions of one digit pass into "
        "each other, and on the way there are pictures of no digit.",
        {"VAE": as_decoder(layers, mu, labels, judge, ENDS)},
        ("1", "8"),
    )
    ten = torch.stack([(labels == digit).nonzero()[0, 0] for digit in range(10)])
    rows = [vae.decoder(mu[ten]).sigmoid()]
    rows += [decode(quantise(vae.decoder, bits), mu[ten]) for bits in (8, 4)]
    return Result(
        metrics={
            "parameters": parameter_count(vae.decoder),
            "decoder_bytes": size(layers, params.bits),
            "script_bytes": len(to_script(to_json(plane), "latent-plane/plane")),
            "rounding_mse": F.mse_loss(rounded, exact).item(),
            "loss_nats": loss.item(),
            "digits_found": found(judge, layers, lab.device),
            "vae_unevenness": unevenness(vae_plane),
            "ae_unevenness": unevenness(ae_plane),
        },
        figures={
            "plane": plane,
            "rounded": Images(
                "Ten codes through the decoder as it was trained, and rounded. Eight bits a weight "
                "cannot be told from 32; four can.",
                torch.stack(rows).unflatten(-1, (28, 28)).cpu(),
                rows=["32 bits", "8 bits", "4 bits"],
            ),
            "steps": Curves(
                "How far the picture moves with each of 24 equal steps along the middle of the "
                "plane, as a multiple of the mean step.",
                torch.linspace(-2, 2, 24),
                {"VAE": step_lengths(vae_plane), "autoencoder": step_lengths(ae_plane)},
                x_label="first number of the code",
                y_label="step / mean step",
            ),
        },
    )
