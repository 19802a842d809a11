"""Gradients of plain and residual stacks, against a product of Jacobians written out."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "residual_gradients.py"
SOURCE = read_demo("residual-gradients", PATH, "demos/residual_gradients.py")
DEMO = import_demo(SOURCE)
DATA = DEMO.papyrus(Bench(0, needs=SOURCE.needs))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(DEMO, "papyrus", lambda _: DATA)
    monkeypatch.setattr(DEMO, "DEPTHS", (1, 4))
    monkeypatch.setattr(DEMO, "CUBES", 8)


@cache
def measured(**params: Any) -> Result:
    return DEMO.run(DEMO.Params(**params), Bench(0, needs=SOURCE.needs))


def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def test_with_a_norm_and_without_one_are_in_the_figure():
    assert set(measured().figures["depth"].lines) == {
        "plain, batch norm",
        "residual, batch norm",
        "plain, no norm",
        "residual, no norm",
    }
    assert len(measured(norm="none").figures["depth"].lines) == 2


def test_without_its_shortcut_a_residual_stack_is_the_plain_one():
    metrics = measured(shortcut=0.0).metrics

    assert metrics["residual_times"] == metrics["plain_times"]


def test_one_block_is_what_others_are_measured_by():
    metrics = measured(depth=1).metrics

    assert metrics == {"plain_times": 1.0, "residual_times": 1.0}


@pytest.mark.parametrize("init", ["torch", "he"])
def test_equal_seeds_give_equal_weights_whatever_the_shortcut(init):
    plain, residual = (DEMO.stack(3, "batch", init, shortcut, 7) for shortcut in (0.0, 1.0))

    for name, weight in plain.state_dict().items():
        torch.testing.assert_close(weight, residual.state_dict()[name], rtol=0, atol=0)


def test_a_stack_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    DEMO.stack(2, "batch", "he", 1.0, 3)

    assert torch.equal(before, torch.get_rng_state())


def test_a_layer_after_he_has_variance_two_over_what_it_sees():
    block = DEMO.stack(8, "none", "he", 1.0, 0)[5]

    assert block.first.weight.var().item() == pytest.approx(2 / (8 * 27), rel=0.1)


@pytest.mark.parametrize("shortcut", [0.0, 1.0])
def test_the_first_gradient_is_that_of_a_difference_quotient(shortcut):
    model, x = DEMO.stack(2, "none", "he", shortcut, 0).double(), DATA.train[:4].double()
    weight = model[2].first.weight
    (gradient,) = torch.autograd.grad(F.mse_loss(model(x), x), [weight])
    direction = gradient / gradient.norm()
    step = 1e-6
    with torch.no_grad():
        weight.add_(step * direction)
        above = F.mse_loss(model(x), x)
        weight.sub_(2 * step * direction)
        below = F.mse_loss(model(x), x)
        weight.add_(step * direction)

    slope = ((above - below) / (2 * step)).item()
    assert DEMO.first_gradient(model, x) == pytest.approx(slope, rel=1e-4)


def test_a_residual_jacobian_is_one_more_than_the_plain_one():
    block = DEMO.Block("none", 1.0)
    with torch.no_grad():
        nn.init.constant_(block.second.bias, 100.0)  # the last ReLU lets everything through
    x = torch.rand(1, 8, 2, 2, 2)

    def jacobian(shortcut: float) -> torch.Tensor:
        block.shortcut = shortcut
        return torch.autograd.functional.jacobian(block, x).view(64, 64)

    torch.testing.assert_close(jacobian(1.0), jacobian(0.0) + torch.eye(64))
