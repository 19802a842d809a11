r"""The mean of n independent draws errs by sigma / sqrt(n): half the error takes four times the n.

**The law.** Draws x_1, ..., x_n with mean m and variance sigma^2 are averaged. The average has the
mean m, and if the draws are independent, their variances add up:

    Var[ (x_1 + ... + x_n) / n ] = n sigma^2 / n^2 = sigma^2 / n

The error is the root of it, sigma / sqrt(n).

**What breaks it.** The law is about independent draws.

- *copied*: each draw is counted four times, as if mirrored and turned copies of a picture were new
  pictures. That makes n numbers with the error of n / 4 draws: twice the predicted one.
- *stratified*: one draw from each of n slices of equal width. Within a slice the deviation is
  sigma / n, so the error is sigma / n^1.5, which falls to 0.35 of itself when n doubles.

**What is measured.** The draws are uniform between 0 and 1, where m = 1/2 and sigma = sqrt(1/12).
We average n of them, many times over, and take the root mean square of the errors.

Source: any book on statistics; Cochran (1977), Sampling techniques, chapter 5, for the slices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vaeflash.demo import Curves, Lab, Result

MEAN, SIGMA = 1 / 2, math.sqrt(1 / 12)  # of the uniform distribution between 0 and 1
COPIES = 4
SIZES = (25, 50, 100, 200, 400)  # for the figure


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    n: int = 100
    draws: Literal["independent", "copied", "stratified"] = "independent"
    tries: int = 2000  # means that are taken; rms_error itself is good to 1 in sqrt(2 tries)


def draw(how: str, tries: int, n: int, generator: torch.Generator) -> Tensor:
    """`(tries, n)` numbers between 0 and 1."""
    if how == "copied":
        distinct = torch.rand(tries, math.ceil(n / COPIES), generator=generator)
        return distinct.repeat(1, COPIES)[:, :n]
    uniform = torch.rand(tries, n, generator=generator)
    if how == "stratified":
        return (torch.arange(n) + uniform) / n
    return uniform


def measure(params: Params, n: int, lab: Lab) -> float:
    """Root mean square, over the tries, of how far the mean of n draws is from the true one."""
    # A generator follows from the run's seed and a name; nothing else here may be random.
    x = draw(params.draws, params.tries, n, lab.generator(f"{n} draws"))
    return (x.mean(1) - MEAN).square().mean().sqrt().item()


def run(params: Params, lab: Lab) -> Result:
    """Measure the error of the mean of n draws, and how it falls with n."""
    return Result(
        # What claims may name, written out here so that `vaeflash lint` can check their spelling.
        metrics={
            "rms_error": measure(params, params.n, lab),
            "predicted_error": SIGMA / math.sqrt(params.n),
        },
        # Data with a caption; vaeflash draws them.
        figures={
            "error": Curves(
                "On logarithmic axes sigma / sqrt(n) is a line: n grows sixteenfold, and the error "
                "falls to a quarter. Copied draws lie above it, stratified ones fall faster.",
                x=SIZES,
                lines={
                    params.draws: [measure(params, n, lab) for n in SIZES],
                    "sigma / sqrt(n)": [SIGMA / math.sqrt(n) for n in SIZES],
                },
                x_label="n",
                y_label="root mean square error",
                log_x=True,
                log_y=True,
            )
        },
    )
