r"""Two terms make one loss, and their reductions decide what it is a loss for.

**The scale.** Whatever a VAE's code averages or sums, up to a constant its loss is

    loss = b * error + a * KL        error: summed over a picture's P numbers; KL: over D latents

as a mean over pictures. A factor common to both is a matter of the learning rate. What the VAE
learns depends on the ratio alone, `beta = a / b`:

    error                    KL                               beta
    sum over pixels          sum over latents                 1
    mean over pixels         sum over latents                 P
    mean over pixels         mean over latents                P / D
    mean over pixels         sum over latents and batch       P N

**Finding it** takes three calls, with made-up arguments. Change the posterior alone and see how
much the loss changes for a change of the KL: that is a. Change the reconstruction alone: that is b.

**What it means.** A squared error is a Gaussian likelihood in disguise,

    -log N(x; x_hat, s^2 I) = error / (2 s^2) + P/2 log(2 pi s^2)

so b * error + a * KL is, divided by a, the negative ELBO of a decoder whose pixels have the
variance s^2 = a / (2 b). Summed: 1/2. Averaged over 784 pixels: 392, a deviation of 20 for pixels
that live between 0 and 1. Such a decoder calls every picture a plausible sample of every code.

**The size of the picture** is part of the scale. The same digit at 112 x 112 has sixteen times the
pixels of 28 x 28, hence about sixteen times the summed error, for the same visible difference. The
KL knows nothing of pixels. Whoever carries a loss from large pictures to small ones, say from faces
at 256 x 256 to 64 x 64, has raised beta sixteen times and changed no line.

Source: notes on digits and faces, cards on the losses of a VAE and of the faces; Lucas et al.
(2019), Don't blame the ELBO!, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Curves, Figure, Lab, Result
from vaeflash.lab.elbo import kl_terms
from vaeflash.lab.linear import surviving_directions

NEEDS = ("digits",)

ERRORS: dict[str, Callable[..., Tensor]] = {"mse": F.mse_loss, "bce": F.binary_cross_entropy}


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    error: Literal["mse", "bce"] = "mse"
    reduction: Literal["sum", "mean"] = "mean"  # of the error, over the pixels of a picture
    # Of the KL: its sum over latents or the mean over them, or the sum over latents and batch.
    kl: Literal["sum", "mean", "batch_sum"] = "sum"
    weight: float = 1.0  # of the KL
    pixels: int = 784
    latent: int = 20
    batch: int = 64
    side: int = 112  # of the enlarged digits, whose loss is carried to the digits as they are
    digits: int = 500


def loss(params: Params, x_hat: Tensor, x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """A VAE's loss with the reductions of `params`; the error is averaged over the batch."""
    error = ERRORS[params.error]
    reconstruction = error(x_hat, x)
    if params.reduction == "sum":
        reconstruction = error(x_hat, x, reduction="sum") / len(x)
    kl = kl_terms(mu, logvar)  # (N, D)
    match params.kl:
        case "mean":
            return reconstruction + params.weight * kl.mean()
        case "batch_sum":
            return reconstruction + params.weight * kl.sum()
    return reconstruction + params.weight * kl.sum(1).mean()


@dataclass(frozen=True, slots=True)
class Weights:
    """What a loss gives to each term of a picture, beside the other."""

    error: float  # b, of the error summed over pixels
    kl: float  # a, of the KL summed over latents

    @property
    def beta(self) -> float:
        """The weight of the KL beside a summed error."""
        return self.kl / self.error


def weigh(params: Params, g: torch.Generator) -> Weights:
    """Both weights, from three calls of the loss: a start, another x_hat, another posterior."""

    def pictures() -> Tensor:
        return 0.05 + 0.9 * torch.rand(params.batch, params.pixels, dtype=torch.double, generator=g)

    def codes() -> Tensor:
        return torch.randn(params.batch, params.latent, dtype=torch.double, generator=g)

    def summed_error(x_hat: Tensor) -> Tensor:
        if params.error == "bce":
            return F.binary_cross_entropy(x_hat, x, reduction="none").sum(1).mean()
        return (x_hat - x).square().sum(1).mean()

    x, x_hat, other_x_hat = (pictures() for _ in range(3))
    mu, other_mu, logvar = (codes() for _ in range(3))
    start = loss(params, x_hat, x, mu, logvar)
    by_error = loss(params, other_x_hat, x, mu, logvar) - start
    by_kl = loss(params, x_hat, x, other_mu, logvar) - start
    error_change = summed_error(other_x_hat) - summed_error(x_hat)
    kl_change = (kl_terms(other_mu, logvar) - kl_terms(mu, logvar)).sum(1).mean()
    return Weights((by_error / error_change).item(), (by_kl / kl_change).item())


def gaussian_variance(params: Params, g: torch.Generator) -> float:
    """The variance of a pixel at which the loss is a negative ELBO: where densities agree with it.

    A Gaussian's log density changes by 1 / s^2 as much as that of variance 1. So s^2 is how much
    -log N(x; x_hat, I) changes with x_hat, over how much the loss does, in units of its KL.
    """
    x, x_hat, other = torch.rand(3, params.batch, params.pixels, dtype=torch.double, generator=g)
    code = torch.zeros(params.batch, params.latent, dtype=torch.double)
    change = loss(params, other, x, code, code) - loss(params, x_hat, x, code, code)
    near, far = (Normal(mean, 1.0).log_prob(x).sum(1).mean() for mean in (x_hat, other))
    variance: Tensor = (near - far) / change * weigh(params, g).kl
    return variance.item()


def lowest_curvature(error: str) -> float:
    """How sharply a pixel's expected error rises around its best answer, at least.

    The second derivative of E error(p, x) with respect to p at p = m = E x, over m.
    """
    m = torch.linspace(0.02, 0.98, 97, dtype=torch.double)
    p = m.clone().requires_grad_()
    expected = F.binary_cross_entropy(p, m, reduction="sum")
    if error == "mse":
        expected = (m * (p - 1) ** 2 + (1 - m) * p**2).sum()
    (slope,) = torch.autograd.grad(expected, p, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), p)
    return curvature.min().item()


def spectrum(images: Tensor) -> Tensor:
    """Variances along the principal directions of pictures `(N, ...)`: `(N,)`, downwards.

    The covariance is P x P; its eigenvalues are those of the N x N matrix of inner products.
    """
    x = images.flatten(1)
    x = x - x.mean(0)
    eigenvalues: Tensor = torch.linalg.eigvalsh(x @ x.T / len(x))
    return eigenvalues.flip(0).clamp(min=0)


def of_one_answer(params: Params, images: Tensor) -> float:
    """The loss of the mean picture as the answer to all `(N, 1, H, W)`, without any KL."""
    x = images.flatten(1)
    code = torch.zeros(len(x), params.latent)
    return loss(params, x.mean(0).expand_as(x), x, code, code).item()


def run(params: Params, lab: Lab) -> Result:
    """Weigh a loss, and carry it from large portraits to small ones."""
    weights = weigh(params, lab.generator("probe"))
    variance = gaussian_variance(params, lab.generator("density"))

    small = lab.data("digits").train[: params.digits]
    size = (params.side, params.side)
    big = F.interpolate(small, size=size, mode="bicubic").clamp(0, 1)
    of_big, of_small = spectrum(big), spectrum(small)
    threshold = weights.beta / 2

    table = {
        f"error {r}, KL {k}": weigh(
            Params(reduction=r, kl=k, batch=params.batch), lab.generator("table")
        ).beta
        for r in ("sum", "mean")
        for k in ("sum", "mean", "batch_sum")
    }
    figures: dict[str, Figure] = {
        "betas": Bars(
            "log10 of the beta that six pairs of reductions amount to: 784 pixels, 20 latents, 64 "
            "pictures. Nobody means all of these.",
            {name: math.log10(beta) for name, beta in table.items()},
            y_label="log10 beta",
        ),
        "spectra": Curves(
            "Variance of the same digits along their principal directions, at two sizes. Smaller "
            "pictures have less of it, and the threshold of the summed error stays at 1/2.",
            x=range(1, 101),
            lines={
                f"{params.side} x {params.side}": of_big[:100],
                "28 x 28": of_small[:100],
                "summed error: 1/2": [0.5] * 100,
            },
            x_label="principal direction",
            y_label="variance",
            log_y=True,
        ),
    }
    return Result(
        metrics={
            "beta": weights.beta,
            "error_weight": weights.error,
            "kl_weight": weights.kl,
            "gaussian_variance": variance,
            "lowest_curvature": lowest_curvature(params.error),
            "error_ratio": of_one_answer(params, big) / of_one_answer(params, small),
            "surviving_big": surviving_directions(of_big, threshold),
            "surviving": surviving_directions(of_small, threshold),
        },
        figures=figures,
    )
