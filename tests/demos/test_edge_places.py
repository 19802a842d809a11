"""Edges against scipy's morphology, and the slips of the sampler counted another way."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.lab.volumes.labelled import label_edges
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "edge_places.py"
SOURCE = read_demo("edge-places", PATH, "demos/edge_places.py")
DEMO = import_demo(SOURCE)
PICTURES = arrays(bool, st.tuples(st.integers(2, 12), st.integers(2, 12)))


@cache
def measured(**params: Any) -> Result:
    """One run."""
    return DEMO.run(DEMO.Params(**params), Bench(0, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.slow
@given(labels=PICTURES)
def test_the_gradient_is_scipys(labels):
    cross = ndimage.generate_binary_structure(2, 1)
    grown = ndimage.grey_dilation(labels.astype(int), footprint=cross, mode="nearest")
    shrunk = ndimage.grey_erosion(labels.astype(int), footprint=cross, mode="nearest")

    np.testing.assert_array_equal(DEMO.gradient(labels), grown != shrunk)


@pytest.mark.slow
@given(labels=PICTURES)
def test_the_difference_is_the_labs_but_for_the_last_row_and_column(labels):
    found = DEMO.difference(labels, "both_axes")

    np.testing.assert_array_equal(found[:-1, :-1], label_edges(labels)[:-1, :-1])
    assert not found[-1].any()
    assert not found[:, -1].any()


@pytest.mark.parametrize(("way", "pixels"), [("both_axes", 23), ("rows", 12), ("rising", 12)])
def test_the_edges_of_a_square(way, pixels):
    labels = np.zeros((20, 20), bool)
    labels[5:11, 5:11] = True  # a side of 6: 6 pixels on each of four sides, one of them shared

    assert DEMO.difference(labels, way).sum() == pixels


def test_both_axes_recall_the_whole_boundary_and_rows_do_not():
    labels = np.zeros((20, 20), bool)
    labels[:, 8:] = True
    boundary = DEMO.gradient(labels)

    assert DEMO.recall(DEMO.difference(labels, "both_axes"), boundary) == 1
    assert DEMO.recall(DEMO.difference(labels, "rows"), boundary) == 0


@pytest.mark.parametrize(
    ("v", "u", "square"), [(3, 10, False), (4, 10, True), (16, 10, True), (17, 10, False)]
)
def test_a_window_near_the_border_is_no_square(v, u, square):
    window = DEMO.centred(np.zeros((20, 20), bool), v, u, 8)

    assert (window.shape == (8, 8)) is square


@pytest.mark.slow
@given(labels=arrays(bool, (20, 24)))
def test_the_mask_keeps_all_that_fits_and_nothing_else(labels):
    v, u = np.indices(labels.shape)
    fits = (v >= 4) & (v <= 16) & (u >= 4) & (u <= 20)
    if not (labels & fits).any():
        return

    unused, used = (DEMO.bad_share(labels, labels, 8, mask) for mask in ("unused", "used"))

    assert unused == pytest.approx((labels & ~fits).sum() / labels.sum())
    assert used == 0


@pytest.mark.slow
def test_rows_and_columns_swapped_fail_as_often_as_counting_says():
    expected = 1 - (256 - 32 + 1) / (768 - 32 + 1)

    assert measured().metrics["random_bad_share"] == pytest.approx(expected, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"order": "row_first"}, {"sheet": "square"}])
def test_in_order_or_on_a_square_all_windows_fit(settings):
    assert measured(**settings).metrics["random_bad_share"] == 0


def test_centred_windows_are_inside_and_have_an_edge_in_the_middle():
    labels = np.zeros((40, 50), bool)
    labels[10:20, 15:30] = True

    corners = DEMO.centred_corners(labels, 16, 50, torch.Generator().manual_seed(0))
    windows = DEMO.cut(labels, corners, 16)

    middle = windows[:, 8:10, 8:10].flatten(1).mean(1)
    assert windows.shape == (50, 16, 16)
    assert ((middle > 0) & (middle < 1)).all()
