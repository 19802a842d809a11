"""Constants, thresholds and scores against closed forms and scikit-learn's definitions."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.lab.volumes.surface import Surface
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "ink_constants.py"
SOURCE = read_demo("ink-constants", PATH, "demos/ink_constants.py")
DEMO = import_demo(SOURCE)
RARE = torch.zeros(100, dtype=torch.float64)
RARE[:9] = 1


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(DEMO, "SHEET", (16, 64, 192))


@cache
def measured(**params: Any) -> Result:
    """One run on small sheets."""
    return DEMO.run(DEMO.Params(**params), Bench(0, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def test_the_figures_have_their_sizes():
    figures = measured().figures

    assert figures["sheet"].pixels.shape == (1, 3, 64, 112)
    assert {len(line) for line in figures["constants"].lines.values()} == {120}


@pytest.mark.parametrize(
    ("loss", "weight", "best"),
    [("mse", 1, 0.09), ("bce", 1, 0.09), ("l1", 1, 0.0), ("bce", 10, 0.9 / 1.81), ("mse", 0, 0.0)],
)
def test_the_best_constant_is_that_of_its_closed_form(loss, weight, best):
    c = DEMO.lowest(lambda c: DEMO.constant_loss(c, RARE, loss, weight))

    assert c == pytest.approx(best, abs=1e-4)


def test_where_most_is_ink_the_absolute_error_wants_ink():
    assert DEMO.lowest(lambda c: DEMO.constant_loss(c, 1 - RARE, "l1", 1)) > 0.999


@given(st.floats(0, 1))
def test_the_least_of_a_parabola_is_found(c):
    assert DEMO.lowest(lambda x: (x - c) ** 2) == pytest.approx(c, abs=1e-6)


def test_the_threshold_that_is_never_reached_wins_where_brightness_says_nothing():
    places = DEMO.Places(RARE > 0, torch.full((100,), 80, dtype=torch.uint8))

    assert DEMO.best_threshold(places, DEMO.accuracy) == 255


def test_a_threshold_parts_what_can_be_parted():
    grey = torch.where(RARE > 0, 120, 80).to(torch.uint8)
    level = DEMO.best_threshold(DEMO.Places(RARE > 0, grey), DEMO.accuracy)

    assert 80 <= level < 120


def test_balanced_accuracy_counts_both_kinds_alike():
    said = torch.tensor([True, False, False, False, True])
    ink = torch.tensor([True, True, False, False, False])

    assert DEMO.balanced_accuracy(said, ink) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_evened_places_hold_as_much_ink_as_blank_and_all_of_the_ink():
    places = DEMO.Places(RARE > 0, torch.arange(100, dtype=torch.uint8))
    even = DEMO.balanced(places, torch.Generator().manual_seed(0))

    assert even.ink.sum() == 9
    assert len(set(even.grey.tolist())) == len(even.ink) == 18


def test_air_lies_beside_the_sheet_and_holds_no_ink():
    voxels = np.stack([np.full((4, 6), grey, np.uint8) for grey in (10, 90)])
    ink = np.zeros((4, 6), bool)
    ink[0] = True
    sheet = Surface(voxels, ink, np.ones((4, 6), bool))
    places = DEMO.places_of(sheet, 1, 0.5, torch.Generator().manual_seed(0))

    assert places.grey.tolist() == [90] * 24 + [10] * 12
    assert places.ink.tolist() == [True] * 6 + [False] * 30


@pytest.mark.slow
def test_without_air_the_scan_is_the_sheet():
    metrics = measured(air=0.0).metrics

    assert metrics["scan_bright_auc"] == metrics["bright_auc"]
    assert metrics["scan_nothing_accuracy"] == metrics["nothing_accuracy"]


def test_no_ink_is_wrong_where_there_is_ink():
    metrics = measured().metrics

    assert metrics["nothing_accuracy"] == pytest.approx(1 - metrics["ink_share"])
    assert metrics["nothing_overlap"] == 0


# What both demos on ink share


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_the_auc_is_the_share_of_pairs_in_order(places):
    ink = [score for score, held in places if held]
    blank = [score for score, held in places if not held]
    won = sum((a > b) + (a == b) / 2 for a in ink for b in blank)
    expected = won / (len(ink) * len(blank)) if ink and blank else math.nan
    score, held = (torch.tensor(part) for part in zip(*places, strict=True))

    assert DEMO.auc(score, held) == pytest.approx(expected, nan_ok=True)


def test_the_best_layer_is_the_one_that_shows_the_ink():
    rng = np.random.default_rng(0)
    voxels = rng.integers(0, 99, (3, 8, 8), dtype=np.uint8)
    ink = rng.random((8, 8)) < 0.2
    voxels[1][ink] = 200

    assert DEMO.best_layer(Surface(voxels, ink, np.ones_like(ink))) == 1


@pytest.mark.parametrize(
    ("said", "ink", "share"), [("1100", "0110", 1 / 3), ("0000", "0110", 0), ("0000", "0000", 1)]
)
def test_overlap_is_intersection_over_union(said, ink, share):
    sets = (torch.tensor([place == "1" for place in text]) for text in (said, ink))

    assert math.isclose(DEMO.overlap(*sets), share)


def test_figures_show_where_most_is_written():
    ink = np.zeros((128, 300), bool)
    ink[100:120, 250:260] = True
    rows, columns = DEMO.most_written(ink)

    assert ink[rows, columns].shape == (96, 112)
    assert ink[rows, columns].sum() == ink.sum()
