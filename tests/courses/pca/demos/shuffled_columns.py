r"""Shuffling each column on its own destroys what PCA found; shuffling the rows changes nothing.

**The data.** Three hidden factors, each seen by four of twelve features, and noise:

    feature = factor + noise,       x of shape (N, 12), each column standardised

PCA of it has three large eigenvalues. The twelve add up to 12, the trace of a correlation matrix.

**The control.** Shuffle every column by itself. Each feature keeps all its values, so means,
variances, histograms are as before; but which values stand in one row is now chance. What PCA finds
from then on is what it finds in no structure at all, and that is not nothing: of N random rows some
direction always has more variance than the others, by about (1 + sqrt(D / N))^2.

**The use.** This gives a yardstick for "how many components?": keep those whose eigenvalue is
larger than any that shuffled copies of the same data have at the same rank. The older rule keeps
eigenvalues above 1, the average. But some eigenvalues are always above their average.

Rows have no order for PCA: the covariance is a sum over them.

Source: Horn (1965), A rationale and test for the number of factors in factor analysis; Kaiser
(1960), The application of electronic computers to factor analysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vaeflash.demo import Curves, Lab, Result

FACTORS, SEEN_BY = 3, 4  # hidden factors, and the features that each is seen by
FEATURES = FACTORS * SEEN_BY
COPIES = 99  # shuffled ones, so that noise passes for a component once in a hundred times


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    examples: int = 200
    noise: float = 0.7  # standard deviation, beside factors of standard deviation 1
    shuffle: Literal["none", "rows", "columns"] = "none"  # the data, before PCA sees them
    rule: Literal["shuffled", "one"] = "shuffled"  # what an eigenvalue must exceed to count


def observe(params: Params, g: torch.Generator) -> Tensor:
    """`(N, 12)` features: each factor four times, each time with noise of its own."""
    factors = torch.randn(params.examples, FACTORS, dtype=torch.float64, generator=g)
    noise = torch.randn(params.examples, FEATURES, dtype=torch.float64, generator=g)
    return factors.repeat_interleave(SEEN_BY, 1) + params.noise * noise


def shuffled_columns(x: Tensor, copies: int, g: torch.Generator) -> Tensor:
    """Copies of `(N, D)` with every column in an order of its own, `(copies, N, D)`."""
    order = torch.rand(copies, *x.shape, generator=g).argsort(1)
    return x.expand(copies, -1, -1).gather(1, order)


def eigenvalues(x: Tensor) -> Tensor:
    """Eigenvalues of the correlation matrix, largest first: `(..., N, D)` to `(..., D)`."""
    x = x - x.mean(-2, keepdim=True)
    x = x / x.square().mean(-2, keepdim=True).sqrt()
    ascending: Tensor = torch.linalg.eigvalsh(x.mT @ x / x.shape[-2])
    return ascending.flip(-1)


def run(params: Params, lab: Lab) -> Result:
    """Find components, in the data or in what shuffling left of them."""
    x, g = observe(params, lab.generator("data")), lab.generator("shuffle")
    if params.shuffle == "rows":
        x = x[torch.randperm(len(x), generator=g)]
    elif params.shuffle == "columns":
        x = shuffled_columns(x, 1, g)[0]

    found = eigenvalues(x)
    by_chance = eigenvalues(shuffled_columns(x, COPIES, lab.generator("copies"))).amax(0)
    limit = by_chance if params.rule == "shuffled" else torch.ones_like(found)
    return Result(
        metrics={
            "first_share": (found[0] / found.sum()).item(),
            # From the first on, up to the first that fails.
            "components": int((found > limit).long().cumprod(0).sum()),
        },
        figures={
            "eigenvalues": Curves(
                "Eigenvalues of the data, and the largest among shuffled copies. Where the first "
                "line is above the second there is something to find.",
                x=list(range(1, FEATURES + 1)),
                lines={"data": found, "shuffled copies": by_chance, "average": [1.0] * FEATURES},
                x_label="component",
                y_label="eigenvalue",
            )
        },
    )
