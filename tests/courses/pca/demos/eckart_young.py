r"""The best k directions lose exactly the variance along the others, and no k directions lose less.

**The question.** Every example x is to be described by k numbers, from which a linear map rebuilds
it. With the k directions as orthonormal columns of B, and the mean m,

    x_hat = m + B B^T (x - m),        loss = 1/N sum_n |x_n - x_hat_n|^2

summed over the D features, averaged over the N examples. Which B is best?

**The answer.** B^T B = I gives |x - x_hat|^2 = |x - m|^2 - |B^T (x - m)|^2: what is not kept is
lost. So the loss is trace(C) - trace(B^T C B) with the covariance C, and the second trace is
largest when B spans the eigenvectors of the k largest eigenvalues. Then

    loss = lambda_(k+1) + ... + lambda_D

the sum of the discarded eigenvalues. Eckart and Young proved it for matrices: the nearest matrix
of rank k keeps the k largest singular values. No other linear map of rank k does better either.

**Best for these examples.** C, m and B were all computed from the N examples at hand. Of others,
drawn from the same distribution, they are not the best; with few examples the loss on the others is
much larger, and the discarded eigenvalues do not tell.

Source: Eckart and Young (1936), The approximation of one matrix by another of lower rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vaeflash.demo import Curves, Lab, Result

from ._data import draw, rotation

FEATURES = 12
SPECTRA = {
    "falling": [2.0**-i for i in range(FEATURES)],  # each direction half as much as the last
    "flat": [1.0] * FEATURES,  # a round cloud: no direction is better than another
}
FRESH = 2_000  # examples that PCA did not see
NEIGHBOURS, STEP = 200, 0.1  # other bases to compare with, and how far away they are


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    keep: int = 3  # directions
    examples: int = 200
    spectrum: Literal["falling", "flat"] = "falling"
    basis: Literal["pca", "axes", "random"] = "pca"  # axes: the features of largest variance


def losses(x: Tensor, basis: Tensor) -> Tensor:
    """Squared distance to the plane, mean over N: `(N, D)` and `(..., D, k)` to `(...)`."""
    return (x.square().sum(1) - (x @ basis).square().sum(-1)).mean(-1)


def choose_basis(params: Params, directions: Tensor, x: Tensor, g: torch.Generator) -> Tensor:
    """Orthonormal columns, `(D, keep)`."""
    if params.basis == "pca":
        return directions[:, : params.keep]
    if params.basis == "axes":
        largest = x.square().mean(0).argsort(descending=True)[: params.keep]
        return torch.eye(FEATURES, dtype=x.dtype)[:, largest]
    return rotation(FEATURES, g)[:, : params.keep]


def neighbours(basis: Tensor, g: torch.Generator) -> Tensor:
    """Orthonormal bases a small random turn away, `(NEIGHBOURS, D, keep)`."""
    noise = torch.randn(NEIGHBOURS, *basis.shape, dtype=basis.dtype, generator=g)
    turned: Tensor = torch.linalg.qr(basis + STEP * noise).Q
    return turned


def run(params: Params, lab: Lab) -> Result:
    """Measure what k directions lose, on the examples they were computed from and on others."""
    turn, g = rotation(FEATURES, lab.generator("turn")), lab.generator("examples")
    variances = SPECTRA[params.spectrum]
    x, fresh = draw(params.examples, variances, turn, g), draw(FRESH, variances, turn, g)
    mean = x.mean(0)
    x, fresh = x - mean, fresh - mean

    eigenvalues, directions = torch.linalg.eigh(x.mT @ x / len(x))
    eigenvalues, directions = eigenvalues.flip(0), directions.flip(1)
    basis = choose_basis(params, directions, x, lab.generator("basis"))
    discarded = eigenvalues.sum() - eigenvalues.cumsum(0)

    counts = range(1, FEATURES)  # all directions lose nothing
    return Result(
        metrics={
            "loss": losses(x, basis).item(),
            "discarded": discarded[params.keep - 1].item(),
            "lowest_nearby_loss": losses(x, neighbours(basis, lab.generator("nearby")))
            .min()
            .item(),
            "fresh_loss": losses(fresh, basis).item(),
        },
        figures={
            "loss": Curves(
                "What k directions lose. On the examples that they were computed from it is the "
                "sum of the discarded eigenvalues; on others, the fewer the examples, the more: "
                "compare examples=15.",
                x=list(counts),
                lines={
                    "the same examples": discarded[:-1],
                    "other examples": [losses(fresh, directions[:, :k]).item() for k in counts],
                },
                x_label="k",
                y_label="loss",
                log_y=True,
            )
        },
    )
