"""What is judged, against counting pairs; and that the networks differ by their windows alone."""

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
from torch import nn

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.lab.volumes.surface import Surface
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "edge_sampling.py"
SOURCE = read_demo("edge-sampling", PATH, "demos/edge_sampling.py")
DEMO = import_demo(SOURCE)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(DEMO, "SHEET", (16, 96, 256))
    monkeypatch.setattr(DEMO, "JUDGED", 40)


@cache
def measured(**params: Any) -> Result:
    """One run; a short one."""
    settings = {"steps": 3, "batch": 8} | params
    return DEMO.run(DEMO.Params(**settings), Bench(0, needs=SOURCE.needs))


@pytest.fixture
def sheet():
    draw = np.random.default_rng(0)
    ink = np.zeros((64, 64), bool)
    ink[20:40, 10:30] = True
    voxels = draw.integers(256, size=(16, 64, 64), dtype=np.uint8)
    surface = Surface(voxels, ink, np.ones_like(ink))
    return DEMO.Sheet.of(surface, torch.device("cpu"))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.slow
def test_equal_windows_make_equal_networks():
    metrics = measured(edges=0.0, mixed=0.0).metrics

    for name in ("auc", "iou", "false_ink", "edge_auc", "edge_iou", "bce", "edge_bce"):
        assert metrics[f"edges_{name}"] == metrics[f"mixed_{name}"] == metrics[f"uniform_{name}"]


def test_other_windows_make_other_networks():
    metrics = measured().metrics

    assert len({metrics[f"{name}_bce"] for name in ("uniform", "mixed", "edges")}) == 3


@pytest.mark.slow
def test_where_the_ink_share_is_the_sheets_nothing_is_lowered():
    metrics = measured(edges=0.0).metrics

    assert metrics["lowered_false_ink"] == metrics["edges_false_ink"]


def test_a_network_that_says_ink_everywhere_paints_every_blank_tile(sheet):
    class Says(nn.Module):
        def forward(self, x):
            return x.new_full((len(x), 16, 16), 2.0)

    x, ink = torch.zeros(3, 1, 16, 16, 16), torch.tensor([0.0, 1.0]).repeat(3, 16, 8)

    found = DEMO.judged(Says(), sheet, (x, ink))

    assert found.false_ink == 1
    assert found.auc == found.edge_auc == pytest.approx(0.5)
    assert found.iou == pytest.approx(400 / 4096)
    assert found.edge_bce == pytest.approx(math.log1p(math.exp(2)) - 1, rel=1e-6)


def test_false_ink_is_counted_in_blank_tiles_alone():
    ink, logits = torch.zeros(32, 32).bool(), torch.full((32, 32), -1.0)
    ink[0, 0] = True
    logits[:16, :16] = 1  # the tile with ink
    logits[16:, 16:24] = 1

    assert DEMO.false_ink(logits, ink) == pytest.approx(128 / 768)


@pytest.mark.slow
@given(data=st.data(), n=st.integers(2, 30))
def test_the_auc_is_the_share_of_pairs_in_the_right_order(data, n):
    scores = data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n))
    truth = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    if all(truth) or not any(truth):
        return
    pairs = [
        (a > b) + 0.5 * (a == b)
        for a, ink in zip(scores, truth, strict=True)
        if ink
        for b, other in zip(scores, truth, strict=True)
        if not other
    ]

    found = DEMO.auc(torch.tensor(scores).float(), torch.tensor(truth))

    assert found == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.parametrize(("found", "expected"), [([1, 1, 0, 0], 1 / 3), ([0, 0, 0, 0], 0)])
def test_the_intersection_over_the_union(found, expected):
    truth = torch.tensor([1, 0, 1, 0])

    value = DEMO.intersection_over_union(torch.tensor(found), truth)

    assert value == pytest.approx(expected)


def test_tiles_are_cut_row_by_row():
    picture = torch.arange(6 * 9).view(6, 9)

    tiles = DEMO.tiles_of(picture, 3)

    torch.testing.assert_close(tiles[4], picture[3:6, 3:6])
    assert DEMO.tiles_of(picture[:, :8], 3).shape == (4, 3, 3)


def test_the_odds_of_a_half_are_even():
    assert DEMO.odds(0.5) == 0
    assert DEMO.odds(0.8) == pytest.approx(math.log(4))


def test_the_best_layer_is_found(sheet):
    sheet.voxels[5] = sheet.ink * 200

    assert DEMO.best_layer_auc(sheet) == 1
