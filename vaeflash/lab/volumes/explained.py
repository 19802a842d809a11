"""The share of the variance between cubes that a network reconstructs, beside untrained baselines.

Explained variance is 1 - MSE / MSE of the mean cube: 1 for copies, 0 for always answering with the
mean cube, below 0 for worse than that. Principal components with as many numbers in a code are the
line to beat: no linear network explains more of the cubes that they were found from.

Cubes of the scroll that was trained on flatter a network: what counts is another scroll's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vaeflash.errors import DataError, Problem
from vaeflash.lab.linear import PCA
from vaeflash.lab.metrics import mse

CHUNK = 256
"""Cubes that go through a network at once."""
_MORE = 32
"""Components that are found besides those asked for, so that those come out exact."""
_PASSES = 4


def mean_cube(cubes: Tensor) -> Tensor:
    """The mean over cubes `(N, 1, S, S, S)`, without the batch."""
    return cubes.mean(0)


def explained_variance(x_hat: Tensor, x: Tensor, mean: Tensor) -> float:
    """1 - MSE / MSE of the mean cube; means over cubes and voxels.

    Args:
        x_hat: `(N, ...)`, reconstructions.
        x: `(N, ...)`, cubes.
        mean: The mean cube of the training data: the best answer that ignores its input.

    Raises:
        DataError: The cubes do not differ from the mean cube.
    """
    least = mse(mean.expand_as(x), x)
    if least == 0:
        advice = "Draw cubes where there is papyrus."
        raise DataError(Problem("cubes", "all are equal: there is nothing to explain.", advice))
    return 1 - mse(x_hat, x) / least


@torch.no_grad()
def reconstructed(model: nn.Module, cubes: Tensor) -> Tensor:
    """`model(cubes)` in eval mode, a chunk at a time, on the device of the cubes."""
    training = model.training
    model.eval()
    x_hat = torch.cat([model(part) for part in cubes.split(CHUNK)])
    model.train(training)
    return x_hat


def quick_pca(cubes: Tensor, components: int) -> PCA:
    """Principal components of many voxels, found by random projection; the same every time.

    `fit_pca` solves an eigenproblem of all P voxels, at 16^3 of 4,096: a minute. This takes a
    second, and its components explain as much to four digits.

    Source: Halko, Martinsson and Tropp (2011), Finding structure with randomness.

    Args:
        cubes: `(N, ...)`, N at least `components`.
        components: How many to keep, at most the voxels of a cube.
    """
    x = cubes.flatten(1)
    mean = x.mean(0)
    count = min(components + _MORE, *x.shape)
    cuda = [x.device] if x.device.type == "cuda" else []
    with torch.random.fork_rng(cuda):
        torch.manual_seed(0)
        _, spread, axes = torch.svd_lowrank(x - mean, count, niter=_PASSES)
    kept = slice(None, components)
    return PCA(mean, axes[:, kept].contiguous(), (spread.square() / len(x))[kept])


def pca_reconstructed(pca: PCA, cubes: Tensor) -> Tensor:
    """Cubes through the components and back, in their own shape."""
    return pca.decode(pca.encode(cubes.flatten(1))).view_as(cubes)


@dataclass(frozen=True, slots=True)
class Explained:
    """Shares of the variance explained.

    Attributes:
        seen: By the network, of the scroll that it was trained on.
        unseen: By the network, of another.
        pca_seen: By as many principal components as a code has numbers, likewise.
        pca_unseen: Likewise.
    """

    seen: float
    unseen: float
    pca_seen: float
    pca_unseen: float


def explain(
    model: nn.Module, train: Tensor, seen: Tensor, unseen: Tensor, components: int
) -> Explained:
    """What a network explains, and what principal components do.

    Args:
        model: Cubes to reconstructions.
        train: `(N, 1, S, S, S)`; gives the mean cube and the components.
        seen: `(M, 1, S, S, S)`, other cubes of the same scroll.
        unseen: `(M, 1, S, S, S)`, of another scroll.
        components: As many as a code has numbers.
    """
    pca, mean = quick_pca(train, components), mean_cube(train)
    parts = (seen, unseen)
    network = [explained_variance(reconstructed(model, x), x, mean) for x in parts]
    linear = [explained_variance(pca_reconstructed(pca, x), x, mean) for x in parts]
    return Explained(*network, *linear)
