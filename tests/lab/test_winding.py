"""The spiral against the mathematics of spirals, and the warp against its inverse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from vaeflash.errors import DataError
from vaeflash.lab.volumes.volume import Box, whole
from vaeflash.lab.volumes.winding import Spiral, Warp, turn

SHAPE = (24, 150, 140)
SCALES = ((7.5, 64), (1.0, 20))
SPIRAL = Spiral(15.0, 6.0)
LENGTHS = st.floats(-500, 500, width=32)


def warp(seed: int = 0) -> Warp:
    return Warp(SHAPE, SCALES, np.random.default_rng(seed))


@pytest.mark.slow
@given(LENGTHS, LENGTHS)
def test_a_turn_is_the_arc_tangents(y: float, x: float):
    if abs(y) + abs(x) < 1e-3:
        return

    found = turn(np.full(1, y, np.float32), np.full(1, x, np.float32))[0]

    off = (found - (math.atan2(y, x) / math.tau + 0.5)) % 1
    assert min(off, 1 - off) < 1e-5


def test_a_point_on_the_sheet_has_no_distance_from_it():
    turns = np.linspace(1.2, 9.0, 500)
    angle = math.tau * (turns - 0.5)
    y, x = (SPIRAL.radius(turns) * f(angle) for f in (np.sin, np.cos))

    distance, _, found = SPIRAL.nearest(y.astype(np.float32), x.astype(np.float32))

    assert np.abs(distance).max() < 1e-3
    np.testing.assert_allclose(found, turns, atol=1e-4)


def test_a_point_outside_of_the_sheet_has_a_positive_distance():
    distance, winding, _ = SPIRAL.nearest(
        np.zeros(2, np.float32), np.array([38.5, 46.5], np.float32)
    )

    np.testing.assert_allclose(distance, [-5, 3], atol=1e-3)  # the sheet passes at 43.5
    assert winding.tolist() == [2, 2]


def test_lengths_along_the_sheet_are_those_of_the_curve():
    """Up to the little that a spiral is longer than circles: the curve's arc length, integrated."""

    def speed(turns: float) -> float:
        return math.hypot(math.tau * float(SPIRAL.radius(np.float64(turns))), SPIRAL.pitch)

    exact = quad(speed, 1, 10)[0]

    begin, end = SPIRAL.length(np.array([1, 10], np.float32))

    assert end - begin == pytest.approx(exact, rel=2e-3)


@given(st.floats(1, 1e6))
def test_turns_undo_lengths(length: float):
    turns = SPIRAL.turns(np.array([length]))

    assert SPIRAL.length(turns.astype(np.float32))[0] == pytest.approx(length, rel=1e-4)


@settings(max_examples=30)
@given(st.data())
def test_displacements_of_a_box_are_those_of_the_whole(data: st.DataObject):
    ends = [sorted(data.draw(st.tuples(st.integers(0, n - 1), st.integers(1, n)))) for n in SHAPE]
    box = Box(*zip(*((a, max(a + 1, b)) for a, b in ends)))  # type: ignore[arg-type]  # noqa: B905

    np.testing.assert_array_equal(
        warp().within(box), warp().within(whole(SHAPE))[(slice(None), *box.slices)]
    )


def test_displacements_of_single_points_are_those_of_the_box():
    dense = warp().within(whole(SHAPE))
    rng = np.random.default_rng(0)
    y, x = (rng.integers(0, n, (24, 50)) for n in SHAPE[1:])

    found = warp().at(range(24), y.astype(np.float32), x.astype(np.float32))

    np.testing.assert_allclose(found, dense[:, np.arange(24)[:, None], y, x], atol=1e-5)


def test_an_undone_warp_leads_back():
    rng = np.random.default_rng(1)
    y, x = (rng.uniform(30, n - 30, (24, 200)).astype(np.float32) for n in SHAPE[1:])

    for seed in range(5):
        bent = warp(seed)
        back = bent.undo(range(24), y, x)
        again = bent.at(range(24), y + back[0], x + back[1])

        assert np.abs(again + back).max() < 0.1


def test_the_steepest_warp_folds_nothing():
    """The area that four neighbouring voxels span stays positive."""
    scales = ((0.1249 * 64, 64),)
    for seed in range(20):
        y, x = Warp((8, 256, 256), scales, np.random.default_rng(seed)).within(whole((8, 256, 256)))
        down, right = np.diff(y, axis=1)[:, :, :-1] + 1, np.diff(x, axis=2)[:, :-1] + 1
        across = np.diff(y, axis=2)[:, :-1], np.diff(x, axis=1)[:, :, :-1]

        assert (down * right - across[0] * across[1]).min() > 0


def test_no_point_moves_farther_than_the_reach():
    for seed in range(5):
        bent = warp(seed)

        assert np.hypot(*bent.within(whole(SHAPE))).max() <= bent.reach


@pytest.mark.parametrize("scale", [(8.0, 64), (2.5, 20), (-1.0, 20), (float("nan"), 20)])
def test_a_warp_that_would_fold_the_scroll_is_refused(scale: tuple[float, int]):
    with pytest.raises(DataError, match=r"phantom: a warp of .* would fold it\.\n  .*below 0\.125"):
        Warp(SHAPE, ((1.0, 64), scale), np.random.default_rng(0))
