r"""A linear layer's output is a standard deviation only after an exponential.

**The head.** An encoder ends in linear layers, and a linear layer gives any number, negative ones
as often as not. mu may be any number. A standard deviation must be positive, so the second half of
the output is read as its logarithm, or as that of the variance:

    s = W h + b                 (2 L outputs for L latents, split in halves: mu and s)
    std = exp(s)                s is log std;   std = exp(s / 2)   if s is logvar = log std^2

`mu, std = head(h).chunk(2, dim=1)` leaves the exponential out. The draw z = mu + std * eps does not
mind, since eps and -eps are equally likely. Nor does log(std^2). log(std) is NaN, and
`torch.distributions.Normal` refuses.

**What to look for.** Before training, over twenty initialisations: how many of the stds that an
encoder gives real digits are negative, and for how many encoders the KL of some digit,

    sum_d (mu_d^2 + std_d^2 - 1) / 2 - log std_d            nats,

is not a number. One head of 2 outputs has one latent, not two.

**In place.** `exp_()` overwrites the tensor it is called on. On a fresh tensor, `logvar.mul(0.5)`,
that is as good as `exp()`. On `logvar.mul_(0.5)` it overwrites the encoder's own output: the
gradient still arrives, but whoever computes the KL from `logvar` afterwards computes it from std.

Source: notes on scroll cubes, the encoder's listing; notes on digits and faces, cards on the
encoder; Kingma and Welling (2014), Auto-encoding variational Bayes, appendix C.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Lab, Result

NEEDS = ("digits",)
HEADS = 20  # initialisations that are tried
HIDDEN = 128


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    head: Literal["exp", "softplus", "linear"] = "exp"  # what makes a std of the linear output
    outputs: int = 2  # of the head: half for mu, half for std
    kl: Literal["log_std", "log_square"] = "log_std"  # log std, or log(std^2) / 2
    scale: Literal["half", "whole"] = "half"  # std = exp(logvar / 2), or exp(logvar)
    dtype: Literal["float32", "float64"] = "float32"
    # Which tensor is overwritten: a fresh one, the encoder's output, or a leaf, or none.
    inplace: Literal["none", "fresh", "on_logvar", "on_leaf"] = "fresh"
    pixels: Literal["unit", "standardised"] = "unit"  # what the toy encoder sees


def to_std(head: str, s: Tensor) -> Tensor:
    """What the head makes of the linear layer's second half; `(N, L)`."""
    match head:
        case "exp":
            return s.exp()
        case "softplus":
            return F.softplus(s)
    return s


def kl_to_prior(form: str, mu: Tensor, std: Tensor) -> Tensor:
    """KL(N(mu, diag(std^2)) || N(0, I)): nats, sum over latents; `(N,)`. Nothing checks std."""
    log_std = std.log() if form == "log_std" else 0.5 * std.square().log()
    return ((mu.square() + std.square() - 1) / 2 - log_std).sum(1)


@dataclass(frozen=True, slots=True)
class Encoders:
    """What untrained encoders say of digits."""

    latents: int
    lowest_std: float
    negative: float  # share of all stds
    undefined: int  # encoders that give some digit a KL of NaN


@torch.no_grad()
def try_heads(params: Params, x: Tensor) -> Encoders:
    """Initialise encoders, send digits `(N, 784)` through each, and look at their stds."""
    stds, undefined = [], 0
    for _ in range(HEADS):
        body = nn.Sequential(nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, params.outputs))
        mu, s = body(x).chunk(2, dim=1)
        std = to_std(params.head, s)
        undefined += int(kl_to_prior(params.kl, mu, std).isnan().any())
        stds.append(std)
    every = torch.stack(stds)
    return Encoders(
        every.shape[-1], every.min().item(), (every < 0).float().mean().item(), undefined
    )


def std_from(logvar: Tensor, inplace: str, factor: float = 0.5) -> Tensor:
    """exp(factor * logvar), with or without overwriting something on the way.

    Raises:
        RuntimeError: `logvar` would be overwritten, and is a leaf that wants a gradient.
    """
    match inplace:
        case "none":
            return (factor * logvar).exp()
        case "fresh":
            return logvar.mul(factor).exp_()
    return logvar.mul_(factor).exp_()


def overwriting(inplace: str, factor: float = 0.5) -> tuple[float, float]:
    """At mu = 0, logvar = 0, the prior: d std / d logvar, and the KL computed after the draw."""
    leaf = torch.zeros(1, 1, requires_grad=True)
    logvar = leaf if inplace == "on_leaf" else leaf.clone()  # a clone, as an encoder's output
    std = std_from(logvar, inplace, factor)
    (gradient,) = torch.autograd.grad(std.sum(), leaf)
    kl = 0.5 * (logvar.exp() - 1 - logvar).sum()
    return gradient.item(), kl.item()


def toy_std(x: Tensor) -> Tensor:
    """The std of a published toy encoder, 0.1 (1 - x)."""
    return 0.1 * (1 - x)


def what_normal_says(std: Tensor) -> str:
    """`none`, or the name of what PyTorch's Normal raises for these standard deviations."""
    try:
        Normal(torch.zeros_like(std), std)
    except ValueError as error:
        return type(error).__name__
    return "none"


def run(params: Params, lab: Lab) -> Result:
    """Look at the stds of untrained encoders, and at ways to get one from a logvar."""
    factor = {"half": 0.5, "whole": 1.0}[params.scale]
    gradient, kl_after = overwriting(params.inplace, factor)

    digits = lab.data("digits")
    x = digits.test[:1_000].flatten(1)
    encoders = try_heads(params, x)

    logvar = torch.tensor(math.log(0.25))  # a variance of 1/4, a std of 1/2
    std = std_from(logvar, params.inplace, factor)
    draws = std * torch.randn(100_000, generator=lab.generator("draws"))
    far = torch.tensor(-104.0, dtype=getattr(torch, params.dtype))

    pixels = x if params.pixels == "unit" else (x - x.mean()) / x.std()
    toy = toy_std(pixels)
    grey = toy[pixels < pixels.max()]  # at the brightest pixel std may be 0, which Normal refuses

    s = torch.linspace(-3, 3, 121)
    figures: dict[str, Figure] = {
        "heads": Curves(
            "From any number to a standard deviation: exp and softplus are positive everywhere; "
            "without them, half of what a linear layer says is no standard deviation.",
            x=s,
            lines={head: to_std(head, s) for head in ("exp", "softplus", "linear")},
            x_label="output of the linear layer",
            y_label="std",
        ),
    }
    return Result(
        metrics={
            "latents": encoders.latents,
            "lowest_std": encoders.lowest_std,
            "negative_share": encoders.negative,
            "nan_encoders": encoders.undefined,
            "sample_std": draws.std().item(),
            "far_std": far.exp().item(),
            "std_gradient": gradient,
            "kl_after_nats": kl_after,
            "toy_lowest_std": toy.min().item(),
            "toy_highest_std": toy.max().item(),
            "normal_says": what_normal_says(grey),
        },
        figures=figures,
    )
