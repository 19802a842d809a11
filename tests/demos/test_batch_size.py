"""Noise, cost and training by the size of the batch, against closed forms."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "batch_size.py"
SOURCE = read_demo("batch-size", PATH, "demos/batch_size.py")
DEMO = import_demo(SOURCE)
DATA = DEMO.papyrus(Bench(0, needs=SOURCE.needs))
FEW_DRAWS = {1: 64, 4: 32, 16: 16}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(DEMO, "papyrus", lambda _: DATA)
    monkeypatch.setattr(DEMO, "DRAWS", FEW_DRAWS)
    monkeypatch.setattr(DEMO, "COST_SIZES", (1, 4))
    monkeypatch.setattr(DEMO, "REPEATS", 1)


@cache
def measured(**params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 0, "many": 8} | params
    return DEMO.run(DEMO.Params(**settings), Bench(0, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.slow
def test_equal_batches_train_equally():
    metrics = measured(steps=4, times=1, small=4, raised=1.0).metrics

    assert metrics["small_mse"] == metrics["large_mse"] == metrics["raised_mse"]


@pytest.mark.slow
def test_another_rate_trains_otherwise():
    metrics = measured(steps=4, times=1, small=4).metrics

    assert metrics["raised_mse"] != metrics["large_mse"]


@pytest.mark.slow
def test_training_leaves_the_fresh_network_alone():
    metrics = measured(steps=8, times=4, small=4).metrics

    assert metrics["small_early_mse"] != metrics["small_mse"]


@pytest.mark.slow
def test_the_figures_are_there_with_and_without_training():
    names = [set(measured(**params).figures) for params in ({}, {"steps": 8, "small": 4})]

    assert names == [{"noise", "cost", "reuse"}, {"noise", "cost", "reuse", "race"}]


@pytest.mark.parametrize("power", [-1.0, -0.5, 0.0, 2.0])
def test_the_slope_is_that_of_a_power(power):
    curve = {size: 3 * size**power for size in (1, 4, 16, 64)}

    assert DEMO.slope(curve) == pytest.approx(power, abs=1e-12)


def test_the_gradient_of_a_batch_is_the_mean_of_its_cubes_gradients():
    model, x = nn.Linear(6, 6), torch.rand(5, 6)
    each = torch.stack([DEMO.gradient(model, one[None]) for one in x])

    torch.testing.assert_close(each.mean(0), DEMO.gradient(model, x))


def test_neighbours_overlap_and_stay_in_the_scroll():
    generator = torch.Generator().manual_seed(0)
    cubes, apart = (DEMO.batch_of(DATA, 64, d, generator) for d in ("neighbours", "anywhere"))

    assert cubes.mean((1, 2, 3, 4)).std() < apart.mean((1, 2, 3, 4)).std()


@pytest.mark.slow
def test_neighbours_are_as_noisy_however_many():
    metrics = measured(draw="neighbours").metrics

    assert metrics["noise_slope"] > measured().metrics["noise_slope"] + 0.2


def test_the_spread_of_independent_losses_is_their_standard_deviation():
    losses = torch.randn(20_000, generator=torch.Generator().manual_seed(0)) * 0.3

    assert DEMO.spread(losses) == pytest.approx(0.3, rel=0.03)


def test_a_trend_is_no_spread():
    assert DEMO.spread(torch.linspace(1, 0, 1_000)) < 1e-3


@pytest.mark.parametrize("losses", [torch.zeros(0), torch.ones(1)])
def test_of_one_loss_there_is_no_spread(losses):
    assert DEMO.spread(losses) == 0


def test_operations_grow_with_the_batch():
    assert DEMO.step_flops(12) == 3 * DEMO.step_flops(4)


@pytest.mark.parametrize("size", [1, 256])
def test_the_intensity_of_the_linear_layers_is_that_of_their_formula(size):
    k, n = 2_048, 512  # to the code and back, each of as many operations and bytes
    expected = 2 * size * k * n / (4 * (k * n + size * k + size * n))

    assert DEMO.intensities(size)["linear layers"] == pytest.approx(expected, rel=1e-9)


def test_the_intensity_of_the_convolutions_is_that_of_their_formula():
    down = [(1, 32, 32), (32, 64, 16), (64, 128, 8), (128, 256, 4)]
    up = [(256, 128, 2), (128, 64, 4), (64, 32, 8), (32, 1, 16)]
    operations = moved = 0
    for layers, taps, growth in ((down, 27, 1), (up, 8, 8)):
        for i, o, side in layers:
            places = side**3
            operations += 2 * places * taps * i * o
            moved += 4 * (places * i + taps * i * o + growth * places * o)

    assert DEMO.intensities(1)["convolutions"] == pytest.approx(operations / moved, rel=1e-9)


@pytest.mark.slow
def test_the_gain_is_below_what_the_weights_alone_would_give():
    assert 1 < measured().metrics["conv_reuse_times"] < measured().metrics["linear_reuse_times"]
    assert measured().metrics["linear_reuse_times"] < 8


def test_the_race_is_at_points_that_all_have():
    losses = {"a": torch.arange(40.0), "b": torch.ones(10)}
    curves = DEMO.race({k: DEMO.Training(v, math.nan) for k, v in losses.items()}, 400)

    assert {len(line) for line in curves.lines.values()} == {len(curves.x)} == {10}
    assert curves.lines["a"][0] == pytest.approx(1.5)
