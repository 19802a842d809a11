"""The matched pair: what is equal in it, and how a ratio of steps is read off two curves."""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "residual_3d.py"
SOURCE = read_demo("residual-3d", PATH, "demos/residual_3d.py")
DEMO = import_demo(SOURCE)
CUT = DEMO.papyrus
DATA = CUT(8, Bench(0, needs=SOURCE.needs))
SMALL = {"side": 8, "levels": 2, "base": 4, "batch": 4, "steps": 12}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(DEMO, "papyrus", lambda *_: DATA)


@cache
def measured(**params: Any) -> Result:
    return DEMO.run(DEMO.Params(**SMALL | params), Bench(0, needs=SOURCE.needs))


def training(*errors: float, every: int = 10) -> Any:
    return DEMO.Training(None, [every * k for k in range(len(errors))], [*errors])


def model(kind: str, **params: Any) -> Any:
    torch.manual_seed(0)
    return DEMO.Autoencoder(kind, DEMO.Params(**SMALL | params), 0.3)


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.slow
def test_the_figures_are_there_with_and_without_training():
    names = [set(measured(**params).figures) for params in ({}, {"steps": 0})]

    assert names == [{"slices", "training"}, {"slices"}]


@pytest.mark.slow
def test_without_a_difference_nothing_differs():
    metrics = measured(pair="same").metrics

    assert metrics["residual_mse"] == metrics["plain_mse"]
    assert metrics["mean_ratio"] == 1


@pytest.mark.slow
def test_the_fair_pair_has_equal_weights_and_the_notes_pair_has_not():
    fair, notes = (measured(pair=pair).metrics for pair in ("fair", "notes"))

    assert fair["residual_parameters"] == fair["plain_parameters"]
    assert notes["residual_parameters"] > notes["plain_parameters"]


@pytest.mark.parametrize("init", ["torch", "he"])
def test_the_fair_pair_starts_from_the_same(init):
    bridged, cut = (model(kind, init=init).state_dict() for kind in ("bridged", "cut"))

    assert all(torch.equal(bridged[name], cut[name]) for name in cut)


@pytest.mark.parametrize(
    ("side", "levels", "kind"),
    [(s, n, k) for (s, n), k in product([(8, 2), (16, 3), (32, 4)], ["residual", "cut"])],
)
def test_every_cube_comes_back_in_its_shape(side, levels, kind):
    x = torch.rand(2, 1, side, side, side)

    assert model(kind, side=side, levels=levels)(x).shape == x.shape


def test_a_fresh_network_answers_about_the_mean():
    x = torch.rand(4, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))

    assert model("cut", norm="none")(x).mean().item() == pytest.approx(0.3, abs=0.05)


def test_judging_moves_no_weight():
    network = model("residual")
    before = {name: p.clone() for name, p in network.named_parameters()}
    first = DEMO.answer(network, DATA.test[:8])

    assert torch.equal(first, DEMO.answer(network, DATA.test[:8]))
    assert all(torch.equal(before[name], p) for name, p in network.named_parameters())


@pytest.mark.parametrize(
    ("level", "step"),
    [(1.0, 0), (0.75, 5), (0.5, 10), (0.4, 15), (0.3, 20), (0.2, 20), (2.0, 0)],
)
def test_a_level_is_first_reached_on_the_line_between_two_looks(level, step):
    assert DEMO.first_below(training(1.0, 0.5, 0.3), level) == pytest.approx(step)


def test_an_error_that_rises_again_was_there_the_first_time():
    assert DEMO.first_below(training(1.0, 0.4, 0.8, 0.4), 0.7) == pytest.approx(5)


@pytest.mark.parametrize(
    ("slow", "fast", "times"),
    [
        ((1.0, 0.8, 0.6, 0.5), (1.0, 0.5, 0.3, 0.2), 3.0),
        ((1.0, 0.8, 0.6, 0.5), (1.0, 0.8, 0.6, 0.5), 1.0),
        ((1.0, 0.8, 0.6, 0.5), (1.0, 0.9, 0.8, 0.7), 1.0),
        ((1.0, 1.0, 1.0, 1.0), (1.0, 0.9, 0.8, 0.7), 30.0),
    ],
)
def test_a_slowdown_is_a_ratio_of_steps(slow, fast, times):
    assert DEMO.slowdown(training(*slow), training(*fast)) == pytest.approx(times)


def test_a_mean_ratio_is_geometric_and_leaves_out_the_start():
    ratio = DEMO.mean_ratio(training(5.0, 0.1, 0.8), training(1.0, 0.2, 0.4))

    assert ratio == pytest.approx(1.0)


@pytest.mark.slow
def test_both_networks_of_a_pair_see_all_steps():
    metrics = measured(steps=24).metrics

    assert metrics["residual_mse"] != measured().metrics["residual_mse"]
    assert metrics["slowdown"] >= 1


@pytest.mark.slow
def test_cubes_of_both_scrolls_have_the_side_that_is_asked_for():
    data = CUT(12, Bench(0, needs=SOURCE.needs))

    assert data.train.shape == (DEMO.TRAIN, 1, 12, 12, 12)
    assert data.test.shape == (DEMO.TEST, 1, 12, 12, 12)
