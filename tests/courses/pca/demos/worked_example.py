r"""Four points in the plane: variance 9 along the diagonal, variance 1 across it.

**By hand.** The points (6, 0), (0, -6), (4, -4), (2, -2) have the mean m = (3, -3). What is left
after subtracting it is

    (3, 3), (-3, -3), (1, -1), (-1, 1)

and the covariance, the average of the products of these deviations, is

    C = 1/4 [ 9 + 9 + 1 + 1   9 + 9 - 1 - 1 ]  =  [ 5  4 ]
            [ 9 + 9 - 1 - 1   9 + 9 + 1 + 1 ]     [ 4  5 ]

with C (1, 1) = 9 (1, 1) and C (1, -1) = 1 (1, -1). So the variance is 9 along the first direction
and 1 along the second, and one number for each point keeps 9/10 of it.

**By SVD.** Let X hold the deviations, one point a row. X = U S V^T gives C = V (S^2 / N) V^T: the
right singular vectors are the principal directions, and the eigenvalues are s^2 / N. Here the
singular values are 6 and 2. No covariance needs to be computed.

**Three ways to get something else.** Without subtracting the mean, the first direction is whatever
points at the mean. In other units it is whatever has the largest numbers. And N points, once their
mean is gone, point in N - 1 directions at most, since the deviations add up to zero.

Source: Pearson (1901), On lines and planes of closest fit to systems of points in space; Jolliffe
(2002), Principal component analysis, sections 2.3 and 3.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vaeflash.demo import Lab, Result, Scatter

DETERMINISTIC = True
POINTS = ((6.0, 0.0), (0.0, -6.0), (4.0, -4.0), (2.0, -2.0))


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    points: int = 4  # how many of the four, from the first
    keep: int = 1  # directions, and so numbers for each point
    unit: float = 1.0  # the second coordinate is multiplied by it: 1000 turns metres into mm
    centred: bool = True  # whether the mean is subtracted
    standardised: bool = False  # whether each coordinate is divided by its standard deviation
    divide_by: Literal["n", "n_minus_1"] = "n"  # the sums of products


def deviations(x: Tensor, params: Params) -> Tensor:
    """What PCA looks at, `(N, 2)`: the points less their mean, perhaps scaled.

    Raises:
        ValueError: So few points do not have as many directions as should be kept.
    """
    n, d = x.shape
    directions = min(n - 1 if params.centred else n, d)
    if params.keep > directions:
        raise ValueError(f"{n} points have {directions} directions, not {params.keep}")
    if params.centred:
        x = x - x.mean(0)
    return x / x.std(0, correction=0) if params.standardised else x


def principal(x: Tensor, divisor: int) -> tuple[Tensor, Tensor]:
    """Variances, largest first, `(D,)`, and directions as columns `(D, D)`, by eigenvectors."""
    variances, directions = torch.linalg.eigh(x.mT @ x / divisor)
    return variances.flip(0), directions.flip(1)


def run(params: Params, lab: Lab) -> Result:  # noqa: ARG001 -- nothing here is random
    """Work the example through, by eigenvectors and by SVD."""
    points = torch.tensor(POINTS[: params.points], dtype=torch.float64)
    points = points * torch.tensor([1.0, params.unit])
    x = deviations(points, params)
    n = len(x)

    variances, directions = principal(x, n if params.divide_by == "n" else n - 1)
    by_svd = torch.linalg.svdvals(x).square() / n
    first, kept = directions[:, 0], directions[:, : params.keep]
    mean = points.mean(0)

    line = torch.linspace(-4, 4, 9, dtype=torch.float64)[:, None] * first
    classes = [0] * n + [1] * len(line)
    return Result(
        metrics={
            "largest": variances[0].item(),
            "smallest": variances[1].item(),
            "first_share": (variances[0] / variances.sum()).item(),
            "svd_gap": (variances[: len(by_svd)] - by_svd).abs().max().item(),
            "loss": (x - x @ kept @ kept.mT).square().sum(1).mean().item(),
            "cosine_to_mean": (first @ mean / mean.norm()).abs().item(),
            "cosine_to_second_axis": first[1].abs().item(),
        },
        figures={
            "points": Scatter(
                "The points as PCA sees them (0), and steps along its first direction (1).",
                torch.cat([x, line]),
                classes,
            )
        },
    )
