"""Places that look at labels: edges are in their windows, ink is where it is promised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.stats import chisquare

from vaeflash.errors import DataError
from vaeflash.lab.volumes.labelled import Edges, Holding, balanced, label_edges, window_sums
from vaeflash.lab.volumes.volume import Box, whole

SMALL = 1e-3
"""A p-value below it is no chance: the seeds are fixed, and were not chosen."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def disc() -> np.ndarray:
    """Ink in a circle, the labels of a surface of 60 x 80 pixels."""
    v, u = np.indices((60, 80))
    return (v - 25) ** 2 + (u - 40) ** 2 < 15**2


def cut(labels, corners, window):
    """The labels of each window."""
    return [labels[v : v + window[1], u : u + window[2]] for _, v, u in corners.tolist()]


def labels_and_windows(draw):
    labels = draw(arrays(bool, st.tuples(st.integers(2, 15), st.integers(2, 15))))
    sides = [draw(st.integers(2, side)) for side in labels.shape]
    return labels, (2, *sides)


@pytest.mark.slow
@given(data=st.data(), seed=st.integers(0, 2**30))
def test_every_edge_window_is_inside_and_holds_both_sides_of_an_edge(data, seed):
    labels, window = labels_and_windows(data.draw)
    region = whole((3, *labels.shape))
    if labels.all() or not labels.any():
        return
    corners = Edges(region, window, labels).draw(40, generator(seed))

    inside = [Box.at(tuple(c), window).within(region) for c in corners.tolist()]

    assert all(inside)
    assert all(part.any() and not part.all() for part in cut(labels, corners, window))


def test_the_edge_may_be_anywhere_in_the_window():
    """Ink begins at row 20, so row 19 is the edge: its row in the window is uniform."""
    labels = np.zeros((40, 40), bool)
    labels[20:, :] = True
    corners = Edges(whole((4, 40, 40)), (4, 9, 9), labels).draw(20_000, generator())

    places = np.bincount(19 - corners[:, 1].numpy(), minlength=9)

    assert places[8:].sum() == 0  # there it would hold one side only
    assert chisquare(places[:8]).pvalue > SMALL


def test_edge_windows_hold_more_ink_than_uniform_ones():
    labels, window = disc(), (8, 16, 16)
    corners = Edges(whole((8, 60, 80)), window, labels).draw(2_000, generator())

    share = np.mean(cut(labels, corners, window))

    assert share > 2 * labels.mean()


def test_edge_windows_use_every_layer():
    corners = Edges(whole((9, 60, 80)), (4, 8, 8), disc()).draw(6_000, generator())

    assert chisquare(np.bincount(corners[:, 0].numpy(), minlength=6)).pvalue > SMALL


@pytest.mark.slow
@given(labels=arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_edges_are_where_a_two_by_two_cross_differs(labels):
    """Against morphology: dilation minus erosion with the element {here, below, right}."""
    element = np.array([[0, 0, 0], [0, 1, 1], [0, 1, 0]], bool)
    most = ndimage.maximum_filter(labels, footprint=element, mode="nearest")
    least = ndimage.minimum_filter(labels, footprint=element, mode="nearest")

    assert np.array_equal(label_edges(labels), most != least)


@pytest.mark.slow
@given(data=st.data())
def test_window_sums_are_the_sums_of_all_windows(data):
    labels, (_, h, w) = labels_and_windows(data.draw)
    views = np.lib.stride_tricks.sliding_window_view(labels, (h, w))

    assert np.array_equal(window_sums(labels, h, w), views.sum((2, 3)))


@pytest.mark.parametrize("ink", [True, False])
def test_every_window_that_holds_ink_or_none_is_as_likely_and_no_other(ink):
    labels, window, region = disc()[:30, 20:60], (2, 9, 8), Box((1, 2, 3), (4, 30, 40))
    place = Holding(region, window, labels, ink)
    corners = place.draw(60_000, generator()).numpy()
    views = np.lib.stride_tricks.sliding_window_view(labels[2:, 3:], (9, 8)).any((2, 3))
    allowed = np.broadcast_to(views == ink, (2, *views.shape))

    found = np.zeros(allowed.shape, int)
    np.add.at(found, tuple((corners - (1, 2, 3)).T), 1)

    assert found[~allowed].sum() == 0
    assert chisquare(found[allowed]).pvalue > SMALL


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_balanced_batch_has_its_share_of_windows_with_ink(share):
    labels, window = disc(), (8, 8, 8)
    place = balanced(whole((8, 60, 80)), window, labels, share)

    held = [part.any() for part in cut(labels, place.draw(64, generator()), window)]

    assert sum(held) == share * 64


BLANK, FULL = np.zeros((20, 20), bool), np.ones((20, 20), bool)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Edges(whole((4, 20, 20)), (4, 8, 8), BLANK), "labels: they have no edge in"),
        (
            lambda: Edges(whole((4, 20, 20)), (4, 8, 1), disc()[20:, 20:]),
            "one pixel wide holds no edge",
        ),
        (lambda: Edges(whole((4, 20, 21)), (4, 8, 8), FULL), "labels: 20 x 20 voxels are covered"),
        (lambda: Edges(whole((4, 20, 20)), (4, 8, 8), FULL[None]), "labels: 3 axes"),
        (lambda: Edges(whole((4, 20, 20)), (5, 8, 8), FULL), "holds no window of 5 x 8 x 8"),
        (lambda: Holding(whole((4, 20, 20)), (4, 8, 8), BLANK), "none of the region's windows"),
        (lambda: Holding(whole((4, 20, 20)), (4, 8, 8), FULL, ink=False), "all of the region's"),
        (lambda: balanced(whole((4, 20, 20)), (4, 8, 8), BLANK), "none of the region's windows"),
    ],
)
def test_labels_without_such_windows_are_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()
