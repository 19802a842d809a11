"""Steps and gradients against closed forms."""

from __future__ import annotations

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

PATH = Path(__file__).parents[2] / "demos" / "step_direction.py"
SOURCE = read_demo("step-direction", PATH, "demos/step_direction.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 0, "examples": 200} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "along"), [("sgd", True), ("momentum", True), ("adam", False)]
)
def test_a_first_step_is_along_the_gradient_unless_it_is_adams(optimizer, along):
    assert (measured(optimizer=optimizer).metrics["first_cosine"] > 0.9999) is along


@pytest.mark.slow
def test_momentum_leaves_the_gradients_direction_later():
    metrics = measured(optimizer="momentum", steps=20).metrics

    assert metrics["cosine"] < 0.99


@pytest.mark.slow
def test_sgd_stays_on_it():
    assert measured(optimizer="sgd", steps=20).metrics["cosine"] > 0.9999


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "times"), [("sgd", 10.0), ("momentum", 10.0), ("adam", 1.0)])
def test_a_scaled_loss_scales_the_step_of_sgd(optimizer, times):
    measured_times = measured(optimizer=optimizer, scale=10.0).metrics["step_times"]

    assert measured_times == pytest.approx(times, rel=0.15)


def test_a_move_is_adams_first_step_in_closed_form():
    model = nn.Linear(3, 3)
    x = torch.rand(4, 3)
    g = DEMO.gradient(model, x)

    moved = DEMO.first_move(model, x, "adam", 1.0)

    torch.testing.assert_close(moved, -2.5e-3 * g / (g.abs() + 1e-8), atol=1e-7, rtol=1e-4)


def test_a_first_move_leaves_the_network_alone():
    model = nn.Linear(3, 3)
    before = model.weight.detach().clone()

    DEMO.first_move(model, torch.rand(4, 3), "sgd", 1.0)

    assert torch.equal(model.weight, before)


def test_the_share_at_the_rate_leaves_out_what_did_not_move():
    moves = torch.tensor([0.0, 0.1, -0.1, 0.105, 0.2])

    assert DEMO.share_at_rate(moves, 0.1) == pytest.approx(0.75)


def test_the_gradient_on_a_batch_is_the_mean_of_its_pictures_gradients():
    model, x = nn.Linear(6, 6), torch.rand(5, 6)
    each = torch.stack([DEMO.gradient(model, one[None]) for one in x])

    torch.testing.assert_close(each.mean(0), DEMO.gradient(model, x))


@pytest.mark.slow
def test_a_batch_of_everything_has_the_direction_of_everything():
    assert measured(batch_size=200).metrics["worst_batch_cosine"] == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_larger_batches_point_better():
    cosines = [measured(batch_size=n, steps=20).metrics["batch_cosine"] for n in (1, 32)]

    assert cosines[0] < cosines[1]


@pytest.mark.slow
def test_the_sign_cosine_is_that_of_the_signs():
    digits = Bench(0, needs=SOURCE.needs)
    x = digits.data("digits").train[:200].flatten(1)
    g = DEMO.gradient(DEMO.autoencoder(), x).double()
    signs = g.sign()
    expected = (g @ signs / (g.norm() * signs.norm())).item()

    assert measured().metrics["sign_cosine"] == pytest.approx(expected, rel=1e-4)
