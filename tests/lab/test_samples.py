"""Measures of samples against matrix roots, brute force, and what is known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from vaeflash.errors import DataError
from vaeflash.lab import samples

SEEDS = st.integers(0, 2**31)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def features(seed: int, n: int = 60, dimensions: int = 5) -> Tensor:
    """Correlated, off the origin."""
    mixing, offset = (
        normal(dimensions, dimensions, seed=seed + 1),
        normal(dimensions, seed=seed + 2),
    )
    return normal(n, dimensions, seed=seed) @ mixing + offset


def by_matrix_root(a: Tensor, b: Tensor) -> float:
    """The formula as it is written, with SciPy's matrix root."""
    cov_a, cov_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    return float((a.mean(0) - b.mean(0)).square().sum()) + np.trace(cov_a + cov_b - 2 * root)


@given(SEEDS, SEEDS)
def test_the_frechet_distance_is_the_one_by_matrix_roots(one, other):
    a, b = features(one), features(other, n=40)

    assert samples.frechet_distance(a, b) == pytest.approx(by_matrix_root(a, b), abs=1e-6)


def test_of_diagonal_gaussians_it_is_the_difference_of_means_and_deviations():
    """Whitened, so that the sample covariance is the identity exactly."""
    centred = normal(100, 3) - normal(100, 3).mean(0)
    white = torch.linalg.qr(centred).Q * math.sqrt(99)
    a, b = white * torch.tensor([1.0, 2, 3]), white * torch.tensor([2.0, 2, 1]) + 1

    assert samples.frechet_distance(a, b) == pytest.approx(3 + (1 + 0 + 4))


@given(SEEDS, st.integers(2, 70))
def test_a_set_is_at_distance_zero_from_itself_even_with_fewer_items_than_features(seed, n):
    a = features(seed, n, dimensions=30)

    assert samples.frechet_distance(a, a.flip(0)) == pytest.approx(0, abs=1e-9 * a.var().item())


@given(SEEDS)
def test_turning_both_sets_leaves_the_distance(seed):
    a, b = features(1), features(2)
    turn, move = torch.linalg.qr(normal(5, 5, seed=seed)).Q, normal(5, seed=seed + 1)

    turned = samples.frechet_distance(a @ turn + move, b @ turn + move)

    assert turned == pytest.approx(samples.frechet_distance(a, b))


@given(SEEDS, SEEDS)
def test_the_distance_is_symmetric(one, other):
    a, b = features(one), features(other)

    assert samples.frechet_distance(a, b) == pytest.approx(samples.frechet_distance(b, a))


def test_one_picture_has_no_frechet_distance():
    with pytest.raises(DataError, match="1 pictures have no covariance"):
        samples.frechet_distance(features(0), features(0)[:1])


def test_the_nearest_training_picture_is_found_among_all():
    train, test = normal(90, 1, 4, 4), normal(30, 1, 4, 4, seed=1)
    tree = scipy.spatial.KDTree(train.flatten(1))

    expected, _ = tree.query(test.flatten(1))

    assert samples.nearest_distance(test, train).numpy() == pytest.approx(expected)


def test_copies_are_copies():
    train, unseen = normal(500, 8), normal(300, 8, seed=1)

    assert samples.copied_share(train[:50], train, unseen) == 1


def test_a_perfect_sampler_copies_as_little_as_unseen_pictures_do():
    train, unseen, fresh = (normal(2_000, 8, seed=seed) for seed in range(3))

    assert samples.copied_share(fresh, train, unseen) == pytest.approx(0.01, abs=0.01)


def test_sharpness_is_the_energy_of_the_differences():
    images = normal(5, 3, 6, 7)
    down, right = np.diff(images.numpy(), axis=2), np.diff(images.numpy(), axis=3)

    expected = (down**2).mean((1, 2, 3)) + (right**2).mean((1, 2, 3))

    assert samples.sharpness(images).numpy() == pytest.approx(expected)


def test_a_ramp_is_as_sharp_as_its_slope():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8) / 10

    assert samples.sharpness(ramp).item() == pytest.approx(0.01)


@given(SEEDS)
def test_blur_lowers_the_sharpness(seed):
    images = normal(1, 1, 12, 12, seed=seed)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)

    assert samples.sharpness(blurred) < samples.sharpness(images)


def test_diversity_is_the_mean_over_all_pairs():
    images = normal(20, 1, 3, 3)

    pairs = scipy.spatial.distance.pdist(images.flatten(1), "sqeuclidean")

    assert samples.diversity(images) == pytest.approx(pairs.mean() / 9)


def test_samples_that_are_all_the_same_have_no_diversity():
    assert samples.diversity(normal(1, 9).expand(10, -1)) == 0


def test_the_entropy_of_classes_is_that_of_scipy():
    labels = torch.tensor([0, 0, 0, 2, 2, 7])

    assert samples.class_entropy(labels) == pytest.approx(scipy.stats.entropy([3, 2, 1]))


def test_equally_frequent_classes_have_the_log_of_their_number():
    assert samples.class_entropy(torch.arange(10).repeat(5)) == pytest.approx(math.log(10))
