"""A reader of ink: its network, its losses, and the scores on the way."""

from __future__ import annotations

import math
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.lab.volumes.surface import Surface
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "ink_imbalance.py"
SOURCE = read_demo("ink-imbalance", PATH, "demos/ink_imbalance.py")
DEMO = import_demo(SOURCE)
SHARED = sys.modules[DEMO.sheets.__module__]


def drawn(lab: Bench) -> tuple[Any, ...]:
    """Two small sheets."""
    scroll = lab.data("scroll")
    return tuple(
        SHARED.in_windows(scroll.surface(part, (8, 64, 96), blank=0.0), lab.device)
        for part in ("train", "test")
    )


SHEETS = drawn(Bench(1, needs=SOURCE.needs))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(DEMO, "sheets", lambda *_: SHEETS)


@cache
def measured(**params: Any) -> Result:
    """One run; of no step unless the test asks for some."""
    settings = {"steps": 0, "batch": 4} | params
    return DEMO.run(DEMO.Params(**settings), Bench(1, needs=SOURCE.needs))


def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def test_a_window_gives_voxels_and_a_flat_picture_of_ink():
    x_hat, logits = DEMO.Network()(torch.rand(3, 1, 8, 16, 16))

    assert (x_hat.shape, logits.shape) == ((3, 1, 8, 16, 16), (3, 16, 16))


def test_the_joint_loss_is_the_weighted_sum():
    model, batch = DEMO.Network(), (torch.rand(2, 1, 8, 16, 16), torch.ones(2, 16, 16))
    ink, volume, joint = (
        DEMO.loss_of(target, 30.0, 2.0)(model, batch) for target in ("ink", "volume", "joint")
    )

    torch.testing.assert_close(joint, ink + 30 * volume)


def test_a_weight_counts_places_with_ink_as_often():
    model, x = DEMO.Network(), torch.rand(1, 1, 8, 16, 16)
    y = torch.zeros(1, 16, 16)
    y[0, :4] = 1
    p = model(x)[1].sigmoid()
    expected = -(10 * y * p.log() + (1 - y) * (1 - p).log()).mean()

    torch.testing.assert_close(DEMO.loss_of("ink", 0.0, 10.0)(model, (x, y)), expected)


@pytest.mark.parametrize("target", ["joint", "volume"])
def test_training_on_voxels_learns_voxels(target):
    before, after = (measured(target=target, steps=n).metrics for n in (0, 10))

    assert after["seen_volume_left"] < before["seen_volume_left"]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ink", "joint"])
def test_training_on_ink_learns_how_rare_it_is(target):
    before, after = (measured(target=target, steps=n).metrics for n in (0, 20))

    assert abs(math.log(after["answer_over_share"])) < math.log(before["answer_over_share"])


def test_without_a_volume_weight_joint_training_is_that_on_ink():
    alone, joint = (
        measured(steps=4, target=target, volume_weight=0.0).metrics for target in ("ink", "joint")
    )

    assert joint["auc"] == pytest.approx(alone["auc"], abs=1e-6)


def test_windows_drawn_for_their_ink_hold_some():
    batches = DEMO.windows_of(SHEETS[0], 1.0, 16, Bench(1))

    _, y = batches.next()
    assert y.amax((1, 2)).min() == 1
    assert batches.shares == [pytest.approx(y.mean().item())]


def test_watched_batches_go_on_where_they_stood():
    first, second = (DEMO.windows_of(SHEETS[0], 0.5, 4, Bench(1)) for _ in range(2))
    first.next()
    second.load_state_dict(first.state_dict())

    torch.testing.assert_close(first.next(), second.next())


def test_the_windows_lie_side_by_side_as_they_were_cut():
    sheet = SHEETS[1]

    picture = sheet.picture(sheet.y)
    np.testing.assert_array_equal(picture.numpy() > 0, sheet.surface.ink)


def test_what_does_not_fill_a_window_is_left_out():
    ink = np.zeros((20, 50), bool)
    sheet = SHARED.in_windows(
        Surface(np.zeros((8, 20, 50), np.uint8), ink, ~ink), torch.device("cpu")
    )

    assert (sheet.x.shape, sheet.columns) == ((3, 1, 8, 16, 16), 3)


def test_the_best_constant_leaves_all_and_the_truth_leaves_nothing():
    y = (torch.rand(8, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.1).float()

    assert DEMO.ink_left(torch.full_like(y, y.mean().item()), y) == pytest.approx(1, abs=1e-5)
    assert DEMO.ink_left(y, y) == 0


def test_found_looks_at_ink_and_false_ink_at_blank_windows():
    y, p = torch.zeros(2, 2, 2), torch.zeros(2, 2, 2)
    y[0, 0] = 1
    p[0, 0, 0] = p[1, 1, 1] = p[0, 1, 1] = 0.9

    assert (DEMO.found(p, y), DEMO.false_ink(p, y)) == (0.5, 0.25)


def test_the_entropy_is_the_cross_entropy_of_the_mean():
    y = torch.tensor([1.0] + [0.0] * 9, dtype=torch.float64)
    expected = F.binary_cross_entropy(y.mean().expand(10), y).item()

    assert DEMO.entropy(0.1) == pytest.approx(expected)
    assert DEMO.entropy(0.0) == 0


@pytest.mark.parametrize(
    ("aucs", "left"),
    [
        ([0.5, 0.6, 0.8, 0.6], (2, 15.0)),
        ([0.5, 0.5, 0.5, 0.6], (3, 30)),
        ([0.9, 0.5, 0.5, 0.5], (0, 0)),
        ([0.5], (0, 0)),
    ],
)
def test_the_plateau_is_left_where_the_line_crosses(aucs, left):
    steps = [0, 10, 20, 30][: len(aucs)]

    assert DEMO.leaving(steps, aucs) == (left[0], pytest.approx(left[1]))


def test_the_loss_of_a_constant_follows_the_share_of_ink():
    shares = torch.rand(50, generator=torch.Generator().manual_seed(0)) * 0.2
    losses = shares * math.log(1 / 0.09) + (1 - shares) * math.log(1 / 0.91)

    assert DEMO.correlation(losses, shares) == pytest.approx(1, abs=1e-5)


def test_of_two_batches_no_correlation_is_told():
    assert DEMO.correlation(torch.zeros(2), torch.zeros(2)) == 0


@pytest.mark.slow
def test_the_figures_have_their_sizes():
    figures = measured(steps=20).figures

    assert figures["map"].pixels.shape == (1, 4, 64, 96)
    assert {len(line) for line in figures["plateau"].lines.values()} == {3}
    assert figures["batches"].points.shape == (10, 2)


def test_a_run_of_no_steps_draws_its_figures():
    assert set(measured().figures) == {"map", "plateau"}
