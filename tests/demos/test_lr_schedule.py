"""Paths of schedules against closed forms, and trainings that must be equal."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "lr_schedule.py"
SOURCE = read_demo("lr-schedule", PATH, "demos/lr_schedule.py")
DEMO = import_demo(SOURCE)
DATA = DEMO.papyrus(Bench(0, needs=SOURCE.needs))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(DEMO, "papyrus", lambda _: DATA)


@cache
def measured(**params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 6, "more": 3, "batch": 4} | params
    return DEMO.run(DEMO.Params(**settings), Bench(0, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def test_a_schedule_falls_by_the_decay():
    schedule = DEMO.exponential(50, 100.0)

    assert (schedule(0), schedule(50), schedule(80)) == pytest.approx((1, 0.01, 0.01))


def test_it_falls_by_the_same_factor_in_each_step():
    factors = torch.tensor([DEMO.exponential(10, 100.0)(step) for step in range(11)])

    torch.testing.assert_close(
        factors[1:] / factors[:-1], torch.full((10,), 100**-0.1), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("decay", [2.0, 100.0, 1e4])
def test_the_path_of_many_steps_is_the_integral(decay):
    path = DEMO.path(DEMO.exponential(20_000, decay), 20_000) / 20_000

    assert path == pytest.approx((1 - 1 / decay) / math.log(decay), rel=1e-3)


def test_without_decay_the_path_is_the_number_of_steps():
    assert DEMO.path(DEMO.exponential(7, 1.0), 7) == 7


@pytest.mark.slow
def test_without_decay_the_two_trainings_are_one():
    metrics = measured(decay=1.0).metrics

    assert metrics["decayed_mse"] == metrics["constant_mse"] == metrics["same_path_mse"]
    assert metrics["resumed_mse"] == metrics["crawling_mse"]


@pytest.mark.slow
def test_without_a_drop_the_fast_trainings_are_one():
    metrics = measured(drop=1.0).metrics

    assert metrics["fast_on_mse"] == metrics["fast_dropped_mse"] != metrics["fast_constant_mse"]


@pytest.mark.slow
def test_at_equal_rates_the_fast_training_is_the_constant_one():
    metrics = measured(fast_times=1.0).metrics

    assert metrics["fast_constant_mse"] == metrics["constant_mse"]


@pytest.mark.slow
def test_nothing_moves_at_rate_zero():
    metrics = measured(rate=0.0).metrics

    errors = [value for name, value in metrics.items() if name.endswith("mse")]
    baselines = {metrics["mean_cube_mse"], metrics["pca_mse"]}
    assert len(set(errors) - baselines) == 1


@pytest.mark.slow
def test_without_steps_there_are_no_curves():
    assert measured(steps=0, more=0).figures == {}


def test_stretches_are_averaged():
    points = DEMO.smooth(torch.tensor([1.0, 3.0, 5.0, 7.0]), 2)

    assert points.tolist() == [2, 6]


@pytest.mark.slow
def test_principal_components_are_ahead_of_the_mean_cube():
    assert measured().metrics["pca_mse"] < measured().metrics["mean_cube_mse"]
