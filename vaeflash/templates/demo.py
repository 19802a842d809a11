r"""Samples mu + std * eps spread by std, if std is exp(logvar / 2): the one half matters.

This demo works, and is here to be rewritten. The line above is the claim in words, and the rest of
this text is the lesson: the formula, what its terms mean, what is measured, where it is from.

An encoder describes its posterior q(z|x) = N(mu, std^2) by mu and logvar = log std^2. A sample is

    z = mu + std * eps,   std = exp(logvar / 2),   eps ~ N(0, 1)

Without the one half, exp(logvar) is the variance, and z spreads by std^2. Nothing crashes: below
std = 1 the samples are only too narrow.

Source: Kingma and Welling (2014), Auto-encoding variational Bayes, section 2.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from vaeflash.demo import Lab, Result

# A demo may also say, in this place:
#   NEEDS = ("digits",)     a data set for lab.data("digits"), "cuda", or "extra:NAME" for a package
#   DETERMINISTIC = True    no seed changes a metric, so one run is enough


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    std: float = 0.5
    scale: Literal["std", "variance"] = "std"  # what multiplies eps; a mistake to control with
    samples: int = 10_000


def run(params: Params, lab: Lab) -> Result:
    """Measure how far the samples spread."""
    mu, logvar = 1.0, 2 * math.log(params.std)
    std = math.exp(logvar / 2 if params.scale == "std" else logvar)
    # Everything random comes from a generator of the lab, and so from the run's seed.
    eps = torch.randn(params.samples, generator=lab.generator("eps"))
    z = mu + std * eps
    # Claims name these. `vaeflash.demo` also has figures: Curves, Images, Bars, Scatter.
    return Result(metrics={"sample_std": z.std().item()})
