"""Measures of codes against scikit-learn, SciPy and closed forms."""

from __future__ import annotations

import math

import pytest
import scipy.linalg
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, recall_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from vaeflash.lab import codes

SEEDS = st.integers(0, 2**31)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def blobs(n: int, dimensions: int = 3, classes: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Overlapping classes, one Gaussian each."""
    labels = torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))
    return normal(classes, dimensions, seed=99)[labels] + normal(n, dimensions, seed=seed), labels


def rotation(dimensions: int, seed: int) -> Tensor:
    return torch.linalg.qr(normal(dimensions, dimensions, seed=seed)).Q


TRAIN, LABELS = blobs(400)
TEST, ANSWERS = blobs(150, seed=1)


@pytest.mark.parametrize("k", [1, 2, 15])
def test_neighbours_vote_as_in_scikit_learn(k):
    theirs = KNeighborsClassifier(k).fit(TRAIN, LABELS)

    predicted = codes.knn_predict(TRAIN, LABELS, TEST, k)

    assert predicted.tolist() == theirs.predict(TEST).tolist()


def test_the_accuracy_of_neighbours_is_that_of_scikit_learn():
    theirs = KNeighborsClassifier(15).fit(TRAIN, LABELS)

    accuracy = codes.knn_accuracy(TRAIN, LABELS, TEST, ANSWERS)

    assert accuracy == pytest.approx(theirs.score(TEST, ANSWERS))


@pytest.mark.slow
@given(SEEDS, st.floats(0.01, 100))
def test_neighbours_do_not_mind_turning_moving_and_scaling(seed, scale):
    turn, move = scale * rotation(3, seed), normal(3, seed=seed + 1)

    turned = codes.knn_predict(TRAIN @ turn + move, LABELS, TEST @ turn + move)

    assert torch.equal(turned, codes.knn_predict(TRAIN, LABELS, TEST))


def test_a_tie_goes_to_the_smallest_label():
    ends, middle = torch.tensor([[1.0], [-1.1]]), torch.tensor([[0.0]])

    assert codes.knn_predict(ends, torch.tensor([3, 2]), middle, k=2).tolist() == [2]


def test_active_units_are_those_whose_mean_varies():
    stds = torch.tensor([1.0, 0.11, 0.09, 0.0], dtype=torch.float64)
    mu = scipy.stats.zscore(normal(50, 4).numpy()) * stds.numpy() + 7

    assert codes.active_units(torch.from_numpy(mu)) == 2


@pytest.fixture
def predicted() -> Tensor:
    return codes.knn_predict(TRAIN, LABELS, TEST)


def test_the_confusion_matrix_is_that_of_scikit_learn(predicted):
    matrix = codes.confusion(ANSWERS, predicted, classes=4)

    assert matrix.tolist() == confusion_matrix(ANSWERS, predicted).tolist()


def test_classes_that_do_not_come_up_have_rows_too():
    assert codes.confusion(torch.tensor([1, 1]), torch.tensor([2, 1]), 4).tolist() == [
        [0, 0, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_recall_is_that_of_scikit_learn(predicted):
    found = codes.recall(codes.confusion(ANSWERS, predicted, 4))

    assert found.numpy() == pytest.approx(recall_score(ANSWERS, predicted, average=None))


def test_the_most_confused_pair_comes_first_as_a_share_of_its_classes():
    matrix = torch.tensor([[90, 10, 0], [0, 90, 0], [0, 8, 12]])

    assert codes.confused_pairs(matrix) == [(1, 2), (0, 1), (0, 2)]


def test_either_way_of_confusing_a_pair_counts():
    matrix = torch.tensor([[10, 3, 5], [3, 10, 0], [0, 0, 10]])

    assert codes.confused_pairs(matrix)[0] == (0, 1)


def test_every_pair_is_listed_once(predicted):
    pairs = codes.confused_pairs(codes.confusion(ANSWERS, predicted, 4))

    assert sorted(pairs) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


@pytest.mark.parametrize("penalty", [0.1, 1.0, 100.0])
def test_the_probe_is_scikit_learns_logistic_regression(penalty):
    logistic = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=1_000)
    theirs = make_pipeline(StandardScaler(), logistic).fit(TRAIN, LABELS)

    predicted = codes.linear_probe(TRAIN, LABELS, TEST, penalty)

    assert predicted.tolist() == theirs.predict(TEST).tolist()


def with_a_dead_unit(x: Tensor) -> Tensor:
    return torch.cat([x.float(), torch.zeros(len(x), 1)], 1)


@torch.no_grad()
def test_the_probe_takes_float32_codes_with_a_dead_unit_and_needs_no_gradients():
    predicted = codes.linear_probe(with_a_dead_unit(TRAIN), LABELS, with_a_dead_unit(TEST))

    assert predicted.tolist() == codes.linear_probe(TRAIN, LABELS, TEST).tolist()


def test_centroids_are_the_means_of_the_classes():
    means = torch.stack([TRAIN[label == LABELS].mean(0) for label in range(4)])

    assert torch.allclose(codes.centroids(TRAIN, LABELS), means)


def test_the_nearest_centroid_is_that_of_scikit_learn():
    theirs = NearestCentroid().fit(TRAIN, LABELS)

    predicted = codes.nearest_centroid(TRAIN, LABELS, TEST)

    assert predicted.tolist() == theirs.predict(TEST).tolist()


def test_a_class_without_members_is_nobodys_nearest():
    some = LABELS != 1

    predicted = codes.nearest_centroid(TRAIN[some], LABELS[some], TEST)

    assert predicted.unique().tolist() == [0, 2, 3]


def test_moments_are_those_of_samples_from_the_posteriors():
    mu, logvar = normal(30, 2), normal(30, 2, seed=1)
    z = mu + (0.5 * logvar).exp() * normal(40_000, 30, 2, seed=2)

    moments = codes.aggregate(mu, logvar)

    assert torch.allclose(moments.mean, z.flatten(0, 1).mean(0), atol=0.01)
    assert torch.allclose(moments.covariance, z.flatten(0, 1).T.cov(), atol=0.01)


def gaussian_distance(mean: Tensor, covariance: Tensor) -> float:
    """By SciPy's matrix root, 2-Wasserstein to N(0, I)."""
    root = scipy.linalg.sqrtm(covariance.numpy())
    bures = covariance.trace() + len(mean) - 2 * root.trace().real
    return math.sqrt(mean.square().sum() + bures)


@given(SEEDS)
def test_the_distance_to_the_prior_is_the_one_by_matrix_roots(seed):
    moments = codes.aggregate(TRAIN @ normal(3, 3, seed=seed) + normal(3, seed=seed + 1))

    expected = gaussian_distance(moments.mean, moments.covariance)

    assert moments.wasserstein_to_prior() == pytest.approx(expected, rel=1e-6)


def test_in_one_dimension_the_distance_is_that_of_sorted_samples():
    z = 3 + 2 * normal(2_000, 1)
    quantiles = torch.special.ndtri((torch.arange(2_000.0).double() + 0.5) / 2_000)

    expected = (z[:, 0].sort().values - quantiles).square().mean().sqrt().item()

    assert codes.aggregate(z).wasserstein_to_prior() == pytest.approx(expected, rel=0.01)


def test_the_prior_is_at_distance_zero_from_itself():
    prior = codes.Moments(torch.zeros(4), torch.eye(4))

    assert prior.wasserstein_to_prior() == 0


def test_samples_of_a_fitted_gaussian_have_its_moments():
    moments = codes.aggregate(TRAIN)

    again = codes.aggregate(moments.sample(200_000, torch.Generator().manual_seed(0)))

    assert torch.allclose(again.mean, moments.mean, atol=0.02)
    assert torch.allclose(again.covariance, moments.covariance, atol=0.03)


@pytest.mark.parametrize(
    ("path", "largest"), [([0, 1, 2, 3, 4], 1), ([0, 0, 9, 9, 9], 4), ([0, 3, 4, 4, 4], 3)]
)
def test_the_largest_step_is_measured_in_mean_steps(path, largest):
    assert codes.largest_step(torch.tensor(path).float()[:, None, None]) == pytest.approx(largest)


def test_a_path_that_goes_nowhere_has_no_largest_step():
    assert math.isnan(codes.largest_step(torch.zeros(4, 2)))


@pytest.mark.parametrize("round_to", [1, 100])
def test_rank_correlation_is_that_of_scipy_ties_too(round_to):
    a, b = ((normal(200, seed=seed) * round_to).round() / round_to for seed in (0, 1))
    b = a + b

    assert codes.rank_correlation(a, b) == pytest.approx(scipy.stats.spearmanr(a, b).statistic)
