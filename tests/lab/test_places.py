"""Windows never leave their region, and are as likely as their place says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from vaeflash.errors import DataError
from vaeflash.lab.volumes.places import Masked, Mixed, Uniform
from vaeflash.lab.volumes.volume import Box, whole

SMALL = 1e-3
"""A p-value below it is no chance: the seeds are fixed, and were not chosen."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def counts(corners: torch.Tensor, region: Box) -> np.ndarray:
    """How often each voxel of a region was a corner."""
    index = (corners - torch.tensor(region.start)).numpy().T
    flat = np.ravel_multi_index(tuple(index), region.shape)
    return np.bincount(flat, minlength=int(np.prod(region.shape))).reshape(region.shape)


@st.composite
def regions(draw):
    """A region somewhere, and a window that fits in."""
    start = draw(st.tuples(*[st.integers(0, 9)] * 3))
    shape = draw(st.tuples(*[st.integers(1, 12)] * 3))
    return Box.at(start, shape), tuple(draw(st.integers(1, side)) for side in shape)


def all_inside(corners, place) -> bool:
    boxes = [Box.at(tuple(corner), place.window) for corner in corners.tolist()]
    return all(box.within(place.region) for box in boxes)


@given(drawn=regions(), seed=st.integers(0, 2**40))
def test_no_uniform_window_leaves_its_region(drawn, seed):
    place = Uniform(*drawn)

    assert all_inside(place.draw(50, generator(seed)), place)


def test_every_uniform_window_is_as_likely():
    place = Uniform(Box((2, 0, 5), (8, 9, 13)), (3, 4, 2))
    corners = place.draw(60_000, generator())

    found = counts(corners, Box((2, 0, 5), (6, 6, 12)))

    assert found.sum() == 60_000
    assert chisquare(found.ravel()).pvalue > SMALL


def test_the_same_generator_draws_the_same_windows():
    place = Uniform(whole((9, 9, 9)), (2, 2, 2))

    assert place.draw(20, generator(3)).equal(place.draw(20, generator(3)))


@pytest.mark.slow
@given(
    drawn=regions(),
    block=st.tuples(*[st.integers(1, 5)] * 3),
    seed=st.integers(0, 2**30),
    share=st.floats(0.1, 1),
)
def test_every_masked_window_is_inside_with_its_centre_in_the_mask(drawn, block, seed, share):
    region, window = drawn
    grid = [-(-stop // b) for stop, b in zip(region.stop, block, strict=True)]
    mask = np.random.default_rng(seed).random(grid) < share
    try:
        place = Masked(region, window, mask, block)
    except DataError:
        return
    corners = place.draw(50, generator(seed))

    centres = (corners + torch.tensor(window) // 2) // torch.tensor(block)

    assert all_inside(corners, place)
    assert mask[tuple(centres.numpy().T)].all()


@pytest.mark.parametrize("block", [(1, 1, 1), (3, 2, 4)])
def test_every_window_whose_centre_is_in_the_mask_is_as_likely_and_none_else(block):
    region, window = Box((1, 0, 2), (9, 8, 11)), (3, 2, 4)
    mask = np.random.default_rng(1).random([-(-12 // b) for b in block]) < 0.4
    voxels = np.kron(mask, np.ones(block, bool))
    z, y, x = np.indices((6, 7, 6))
    allowed = voxels[z + 1 + 1, y + 1, x + 2 + 2]

    found = counts(
        Masked(region, window, mask, block).draw(60_000, generator()), Box((1, 0, 2), (7, 7, 8))
    )

    assert found[~allowed].sum() == 0
    assert chisquare(found[allowed]).pvalue > SMALL


def test_the_mask_of_a_surface_stands_for_all_its_layers():
    mask = np.zeros((20, 30), bool)
    mask[5:9, 11:25] = True
    place = Masked(whole((8, 20, 30)), (8, 4, 4), mask[None], (8, 1, 1))

    corners = place.draw(200, generator())

    assert mask[corners[:, 1] + 2, corners[:, 2] + 2].all()


def test_windows_of_a_smaller_region_are_those_of_the_larger_one_that_lie_in_it():
    mask = np.random.default_rng(2).random((4, 4, 4)) < 0.5
    large = Masked(whole((16, 16, 16)), (3, 3, 3), mask, (4, 4, 4))
    small = replace(large, region=Box((2, 4, 0), (9, 12, 7)))
    corners = large.draw(60_000, generator())
    low, high = torch.tensor((2, 4, 0)), torch.tensor((9, 12, 7)) - 3
    inside = ((corners >= low) & (corners <= high)).all(1)

    seen = counts(corners[inside], whole((16, 16, 16))) > 0

    assert np.array_equal(seen, counts(small.draw(60_000, generator()), whole((16, 16, 16))) > 0)


def two_places() -> tuple[Uniform, Uniform]:
    """Places whose windows are told apart by their layer."""
    return Uniform(whole((4, 4, 4)), (2,) * 3), Uniform(Box((9, 9, 9), (14, 14, 14)), (2,) * 3)


@given(share=st.floats(0, 1), n=st.integers(0, 40), seed=st.integers(0, 2**30))
def test_a_mixed_batch_has_its_share_to_within_one_window(share, n, seed):
    near, far = (
        Uniform(whole((4, 4, 4)), (2, 2, 2)),
        Uniform(Box((9, 9, 9), (14, 14, 14)), (2,) * 3),
    )

    corners = Mixed(near, far, share).draw(n, generator(seed))

    assert len(corners) == n
    assert abs(int((corners[:, 0] < 9).sum()) - share * n) <= 1


@pytest.mark.slow
def test_the_share_is_exact_in_the_mean_even_of_batches_of_one():
    near, far = (
        Uniform(whole((4, 4, 4)), (2, 2, 2)),
        Uniform(Box((9, 9, 9), (14, 14, 14)), (2,) * 3),
    )
    mixed, drawing = Mixed(near, far, 0.3), generator()

    share = sum(int(mixed.draw(1, drawing)[0, 0] < 9) for _ in range(4_000)) / 4_000

    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / 4_000) ** 0.5


def test_a_mixed_region_holds_both():
    first, second = (
        Uniform(Box((0, 4, 0), (4, 8, 4)), (2, 2, 2)),
        Uniform(whole((3, 3, 9)), (2,) * 3),
    )

    assert Mixed(first, second).region == whole((4, 8, 9))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(whole((4, 4, 4)), (4, 5, 4)), "holds no window of 4 x 5 x 4 voxels"),
        (lambda: Uniform(whole((4, 4, 4)), (0, 1, 1)), "holds no window of 0 x 1 x 1 voxels"),
        (lambda: Uniform(Box((3, 3, 3), (3, 4, 4)), (1, 1, 1)), "holds no window"),
        (lambda: Uniform(Box((-1, 0, 0), (4, 4, 4)), (1, 1, 1)), "holds no window"),
        (
            lambda: Masked(whole((4, 4, 4)), (2, 2, 2), np.zeros((4, 4, 4), bool)),
            "mask: no window of the region has its centre in it",
        ),
        (
            lambda: Masked(whole((4, 4, 4)), (2, 2, 2), np.ones((4, 3, 4), bool)),
            "mask: 4 x 3 x 4 voxels are covered, and the region goes up to 4 x 4 x 4",
        ),
        (
            lambda: Masked(whole((4, 4, 4)), (2, 2, 2), np.ones((4, 4), bool)),
            "mask: 2 axes, where 3 are expected",
        ),
        (
            lambda: Mixed(Uniform(whole((4,) * 3), (2,) * 3), Uniform(whole((4,) * 3), (1,) * 3)),
            "one batch cannot hold windows of 2 x 2 x 2 and 1 x 1 x 1",
        ),
        (
            lambda: Mixed(*[Uniform(whole((4,) * 3), (2,) * 3)] * 2, share=1.5),
            "share 1.5: it is not a share",
        ),
    ],
)
def test_a_place_without_windows_is_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_a_mask_that_is_true_only_where_no_centre_can_be_is_refused():
    mask = np.zeros((8, 8, 8), bool)
    mask[0] = True

    with pytest.raises(DataError, match="no window of the region has its centre in it"):
        Masked(whole((8, 8, 8)), (4, 4, 4), mask)
