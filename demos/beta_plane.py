r"""A small beta spreads a plane of codes beyond the prior, a large one folds it to a line.

**One plane, three prices.** The VAE with two numbers of `latent_plane`, trained on

    cross-entropy + beta * KL        nats, summed over pixels and over the two numbers

at beta = 0.1, 1 and 10, from equal weights and on equal batches. What it pays for is *place*. A
code at distance r from the middle, with a posterior of deviation s in each number, costs

    KL = r^2 / 2 + s^2 - 1 - 2 log s

so it is dear to lie far out, and dear to be sharp (small s). Digits are told apart by lying apart
in units of s: either further out, or sharper.

**Beta 0.1.** Both are cheap. Codes move out, until many lie where the prior hardly ever draws: of
N(0, I) in the plane only exp(-r^2 / 2) lies beyond r, which is 1.1% at r = 3. Draw from the prior,
and the outskirts of the map are never seen.

**Beta 10.** Both are dear. A number earns its place only if what it tells is worth ten times its
nats. The one that tells more survives. The other one is given up: mu = 0 and s = 1 whatever the
picture, at no cost, and the decoder stops to look at it. The plane is a line.

Measured are draws from the posteriors of digits (how many lie beyond 3), the spread of their means
along the plane's two principal directions, and how many digits a classifier finds in the square
from -3 to 3.

Source: Higgins et al. (2017), beta-VAE, eq. 4; Kingma and Welling (2014), figure 4b.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaeflash.demo import Curves, Decoder, Lab, Plane, Result
from vaeflash.lab.classifier import Classifier, train_classifier
from vaeflash.lab.codes import aggregate
from vaeflash.lab.elbo import kl_to_prior
from vaeflash.lab.networks import reparameterize
from vaeflash.lab.quantised import quantise

from .latent_plane import as_decoder, fit, found

NEEDS = ("digits",)
BETAS = (0.1, 1.0, 10.0)
ENDS = (1, 0)
"""Digits between which the card walks: the two that every beta keeps."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    same: bool = False  # all three at beta = 1 instead
    steps: int = 800


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A VAE's plane.

    Attributes:
        kl: Nats, sum over the two numbers, mean over pictures.
        outside: Share of draws from the posteriors beyond 3.
        spread: Deviations of the means along their principal directions, the smaller first; `(2,)`.
        digits: How many the judge finds.
        radii: Distances of the draws from the middle, `(N,)`.
        decoder: For the card.
    """

    kl: float
    outside: float
    spread: Tensor
    digits: int
    radii: Tensor
    decoder: Decoder


@torch.no_grad()
def look(
    x: Tensor, labels: Tensor, beta: float, steps: int, judge: Classifier, lab: Lab
) -> Trained:
    """Train on pictures `(N, 784)` and measure on the same: it is their map that is asked about."""
    with torch.enable_grad():
        model = fit(x, beta, steps, lab)
    mu, logvar = model.encode(x)
    radii = reparameterize(mu, logvar, lab.generator("codes")).norm(dim=1)
    layers = quantise(model.decoder)
    return Trained(
        kl=kl_to_prior(mu, logvar).mean().item(),
        outside=(radii > 3).float().mean().item(),
        spread=torch.linalg.eigvalsh(aggregate(mu).covariance).clamp(min=0).sqrt(),
        digits=found(judge, layers, lab.device),
        radii=radii.cpu(),
        decoder=as_decoder(layers, mu, labels, judge, ENDS),
    )


def beyond(radii: Tensor, distances: Tensor) -> Tensor:
    """The share of `(N,)` radii above each of `(R,)` distances; `(R,)`."""
    return (radii[:, None] > distances).float().mean(0)


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Train at three betas and compare their planes."""
    digits = lab.data("digits")
    images, labels = digits.train[:4_000].to(lab.device), digits.train_labels[:4_000].to(lab.device)
    x = images.flatten(1)
    with torch.enable_grad():
        judge = train_classifier(images[:2_000], labels[:2_000], lab.generator("judge"), steps=150)
    small, one, large = (
        look(x, labels, 1.0 if params.same else beta, params.steps, judge, lab) for beta in BETAS
    )
    trained = dict(zip(("β 0.1", "β 1", "β 10"), (small, one, large), strict=True))
    distances = torch.linspace(0, 6, 61)
    return Result(
        metrics={
            "kl_01_nats": small.kl,
            "kl_1_nats": one.kl,
            "kl_10_nats": large.kl,
            "outside_01": small.outside,
            "outside_1": one.outside,
            "outside_10": large.outside,
            "narrow_01": (small.spread[0] / small.spread[1]).item(),
            "narrow_1": (one.spread[0] / one.spread[1]).item(),
            "narrow_10": (large.spread[0] / large.spread[1]).item(),
            "digits_01": small.digits,
            "digits_1": one.digits,
            "digits_10": large.digits,
        },
        figures={
            "plane": Plane(
                "The planes of VAEs at three betas. At 0.1 the map goes on beyond what is shown, "
                "at 10 only one direction of it is left.",
                {name: each.decoder for name, each in trained.items()},
                ("1", "0"),
            ),
            "radii": Curves(
                "How many codes lie further out than a distance. At beta 10 as many as in a prior "
                "of both numbers, although only one of them says anything: the other is noise.",
                distances,
                {name: beyond(each.radii, distances) for name, each in trained.items()}
                | {"prior": (-0.5 * distances.square()).exp()},
                x_label="distance from the middle",
                y_label="share of the codes beyond",
            ),
        },
    )
