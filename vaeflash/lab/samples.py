"""How good samples are: near the data, no copies of it, sharp, and different from each other.

Each says little alone: a blurred mean image is near the data, and copies are sharp.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaeflash.errors import DataError, Problem
from vaeflash.lab import neighbours


def frechet_distance(a: Tensor, b: Tensor) -> float:
    r"""The squared Fréchet distance of the Gaussians fitted to two sets of features.

        |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)),    A, B the covariances

    With the features of Inception it is the FID; here they are those of a small classifier, and
    only distances by the same classifier compare. Few samples raise it: compare sets of equal size.
    No root of a nearly singular matrix is taken: with A = R'R and B = S'S from two QR
    factorisations the last trace is the sum of the singular values of RS'.

    Source: Heusel et al. (2017), GANs trained by a two time-scale update rule, eq. 6.

    Args:
        a: `(N, F)`.
        b: `(M, F)`.

    Raises:
        DataError: One of them has fewer than two items.
    """
    (mean_a, root_a), (mean_b, root_b) = _gaussian(a), _gaussian(b)
    overlap = torch.linalg.svdvals(root_a @ root_b.T).sum()
    spreads = root_a.square().sum() + root_b.square().sum()
    distance = (mean_a - mean_b).square().sum() + spreads - 2 * overlap
    return float(distance.clamp(min=0))  # rounding may leave a little less than 0


def _gaussian(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean `(F,)` and a root R of the covariance, R'R, of `(N, F)`; float64."""
    if len(features) < 2:
        what = f"{len(features)} pictures have no covariance."
        raise DataError(Problem("Fréchet distance", what, "Compare many pictures with many."))
    wide = features.double()
    mean = wide.mean(0)
    root = torch.linalg.qr(wide - mean, mode="r").R / math.sqrt(len(wide) - 1)
    return mean, root


def nearest_distance(samples: Tensor, train: Tensor) -> Tensor:
    """Euclidean distance of each sample to the nearest training picture; `(M,)`.

    Small is not good by itself: what unseen pictures come to is what to compare with.

    Args:
        samples: `(M, ...)`.
        train: `(N, ...)`.

    Raises:
        DataError: There are no training pictures.
    """
    return neighbours.distances(train, samples)


def copied_share(samples: Tensor, train: Tensor, unseen: Tensor) -> float:
    """The share of samples that are nearer to a training picture than 99% of unseen ones are.

    About 1% for a perfect sampler, 100% for one that recites what it was trained on. A sampler
    that shows the mean image again and again may have a large share too: look at the diversity.

    Args:
        samples: `(M, ...)`.
        train: `(N, ...)`.
        unseen: `(U, ...)`, from the same source as `train`.

    Raises:
        DataError: There are no training pictures.
    """
    limit = nearest_distance(unseen, train).double().quantile(0.01)
    return (nearest_distance(samples, train) < limit).double().mean().item()


def sharpness(images: Tensor) -> Tensor:
    """Energy of the gradient: squared difference of neighbouring pixels; `(N,)`.

    Mean over pixels and channels, vertical plus horizontal. Blur lowers it, and so does less
    contrast.

    Args:
        images: `(N, C, H, W)`, at least 2 x 2.
    """
    down, right = images.diff(dim=2), images.diff(dim=3)
    return down.square().mean((1, 2, 3)) + right.square().mean((1, 2, 3))


def diversity(samples: Tensor) -> float:
    """Squared difference of two samples: mean over pairs of different samples and over pixels.

    Twice the variance, so that no pair is looked at. 0 where all are the same.

    Args:
        samples: `(N, ...)`, at least two.
    """
    return 2 * samples.double().var(0).mean().item()


def class_entropy(labels: Tensor) -> float:
    """How evenly classes come up: nats; 0 if there is one, log C if C come up equally often.

    Args:
        labels: `(N,)`, int64, e.g. what a classifier says of samples.
    """
    shares = labels.bincount().double() / len(labels)
    return float(torch.special.entr(shares).sum())
