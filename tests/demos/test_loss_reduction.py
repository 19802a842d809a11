"""Reductions of a loss against numpy."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "loss_reduction.py"
SOURCE = read_demo("loss-reduction", PATH, "demos/loss_reduction.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"epoch": 200} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def a_batch(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first digits and their blurred versions, as the demo sees them."""
    x = Bench(0, needs=SOURCE.needs).data("digits").train[:count]
    return DEMO.blurred(x).numpy().astype(float), x.numpy().astype(float)


def test_the_formula_is_numpys_mean():
    x_hat, x = a_batch(8)

    assert measured().metrics["formula"] == pytest.approx(np.mean((x_hat - x) ** 2), rel=1e-9)


@pytest.mark.parametrize(("reduction", "times"), [("mean", 1), ("sum", 8 * 784)])
def test_torch_agrees_with_the_formula_in_the_mean(reduction, times):
    metrics = measured(reduction=reduction).metrics

    assert metrics["torch"] == pytest.approx(times * metrics["formula"], rel=1e-5)


@pytest.mark.parametrize("batch", [1, 4, 32])
def test_the_reductions_differ_by_counts(batch):
    metrics = measured(batch=batch).metrics
    names = ("prose_over_formula", "picture_over_formula", "total_over_formula")

    assert [metrics[n] for n in names] == pytest.approx([batch, 784, 784 * batch], rel=1e-5)


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_flattening_changes_no_bit(loss):
    metrics = measured(loss=loss).metrics

    assert (metrics["loss_rearranged"], metrics["warnings"]) == (metrics["loss"], 0)


def test_one_squeezed_side_compares_everyone_with_everyone():
    x_hat, x = a_batch(32)
    expected = np.mean((x_hat[None, :, 0] - x[:, None, 0]) ** 2)

    metrics = measured(arranged="one_squeezed").metrics

    assert metrics["loss_rearranged"] == pytest.approx(expected, rel=1e-5)
    assert metrics["warnings"] == 1


def test_only_the_cross_entropy_has_sides():
    mse, bce = (measured(loss=loss).metrics for loss in ("mse", "bce"))

    assert mse["loss_swapped"] == mse["loss"]
    assert bce["loss_swapped"] > 2 * bce["loss"]


def test_a_printed_sum_is_the_sum_over_everything():
    x_hat, x = a_batch(200)

    assert measured().metrics["printed"] == pytest.approx(np.sum((x_hat - x) ** 2), rel=1e-5)


def test_a_printed_mean_weighs_batches_alike():
    metrics = measured(batch=150, printed="mean", spoilt=0.25).metrics
    x_hat, x = a_batch(200)
    x_hat[150:] = 0
    errors = np.mean((x_hat - x) ** 2, axis=(1, 2, 3))

    assert metrics["printed"] == pytest.approx((errors[:150].mean() + errors[150:].mean()) / 2)
    assert metrics["mean_over_digits"] == pytest.approx(errors.mean(), rel=1e-5)


def test_nothing_is_spoilt_by_default():
    metrics = measured(batch=100, printed="mean").metrics

    assert metrics["printed"] == pytest.approx(metrics["mean_over_digits"], rel=1e-5)


def test_the_figures_compare_four_with_four_and_print_epochs():
    figures = measured().figures

    assert tuple(figures["shapes"].pixels.shape) == (4, 4, 28, 28)
    assert list(figures["printed"].x) == [100, 200]
