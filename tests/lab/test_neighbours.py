"""Nearest points against scikit-learn and brute force."""

from __future__ import annotations

import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from vaeflash.errors import DataError
from vaeflash.lab import neighbours


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def brute_force(points: Tensor, queries: Tensor) -> Tensor:
    return (queries[:, None] - points[None]).flatten(2).double().norm(dim=2).min(1).values


@pytest.mark.parametrize("dimensions", [1, 2, 20])
def test_the_nearest_are_those_of_scikit_learn_in_its_order(dimensions):
    points, queries = normal(300, dimensions), normal(50, dimensions, seed=1)
    theirs = NearestNeighbors(n_neighbors=7, algorithm="brute").fit(points)

    expected = torch.from_numpy(theirs.kneighbors(queries, return_distance=False))

    assert torch.equal(neighbours.nearest(points, queries, 7), expected)


def test_in_parts_the_answer_is_the_same(monkeypatch):
    points, queries = normal(300, 3), normal(50, 3, seed=1)
    whole = neighbours.nearest(points, queries, 4)
    monkeypatch.setattr(neighbours, "_CELLS", 2_000)

    assert torch.equal(neighbours.nearest(points, queries, 4), whole)


def test_far_from_the_origin_neighbours_are_still_told_apart():
    grid = 1_000 + torch.arange(60.0)[:, None] / 16

    assert torch.equal(neighbours.nearest(grid, grid)[:, 0], torch.arange(60))


def test_a_point_with_nan_in_it_comes_last():
    points = torch.tensor([[0.0], [torch.nan], [5.0]])

    assert neighbours.nearest(points, torch.tensor([[4.0]]), 3).tolist() == [[2, 0, 1]]


def test_distances_are_those_of_brute_force():
    points, queries = normal(200, 1, 6, 6), normal(70, 1, 6, 6, seed=1)

    found = neighbours.distances(points, queries)

    assert found.numpy() == pytest.approx(brute_force(points, queries).numpy(), rel=1e-5)


def test_a_copy_is_at_distance_zero():
    points = 100 * normal(100, 784)

    assert neighbours.distances(points, points[20:60]).eq(0).all()


@pytest.mark.parametrize(("n", "k", "advice"), [(3, 4, "1 to 3"), (3, 0, "1 to 3"), (0, 1, "no")])
def test_more_neighbours_than_points_are_refused(n, k, advice):
    with pytest.raises(DataError, match=rf"^k = {k}: {n} points are searched.\n.*{advice}"):
        neighbours.nearest(torch.zeros(n, 2), torch.zeros(5, 2), k)
