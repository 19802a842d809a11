"""The two losses against torch.distributions, closed forms and each other."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "mse_vs_bce.py"
SOURCE = read_demo("mse-vs-bce", PATH, "demos/mse_vs_bce.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 0} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.parametrize("target", [0.2, 0.5, 0.7])
@pytest.mark.parametrize(("metric", "sign"), [("over", 1), ("under", -1)])
def test_what_a_miss_costs_above_the_floor_is_a_kl(target, metric, sign):
    x, p = torch.tensor([target, target + sign * 0.1], dtype=torch.float64)
    expected = kl_divergence(Bernoulli(x), Bernoulli(p)).item()

    assert measured(target=target).metrics[metric] == pytest.approx(expected, rel=1e-5)


def test_a_miss_beyond_white_is_white():
    assert measured(target=1.0).metrics["over"] == 0


@pytest.mark.parametrize("target", [0.0, 0.2, 0.5, 1.0])
def test_the_floor_is_the_entropy(target):
    expected = Bernoulli(torch.tensor(target)).entropy().item()

    assert measured(target=target).metrics["perfect"] == pytest.approx(expected, abs=1e-5)


def test_the_floor_of_digits_is_the_entropy_of_their_pixels():
    x = Bench(0, needs=SOURCE.needs).data("digits").test
    expected = Bernoulli(x).entropy().sum().item() / len(x)

    assert measured().metrics["perfect_nats_a_digit"] == pytest.approx(expected, rel=1e-3)


def test_binary_digits_have_no_floor():
    assert measured(pixels="binary").metrics["perfect_nats_a_digit"] < 0.01


@pytest.mark.parametrize(("loss", "best"), [("bce", "mean"), ("mse", "mean"), ("l1", "median")])
def test_the_best_single_answer_is_a_mean_or_the_median(loss, best):
    x = Bench(0, needs=SOURCE.needs).data("digits").test.double()

    answer = measured(loss=loss).metrics["best_answer"]

    assert answer == pytest.approx(getattr(x, best)().item(), abs=2e-3)


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9])
def test_slopes_in_the_logit(p):
    metrics = measured(answer=p).metrics

    assert metrics["bce_slope"] == pytest.approx(p - 1)
    assert metrics["mse_slope"] == pytest.approx(2 * (p - 1) * p * (1 - p))


def test_the_losses_of_training_are_those_of_the_lesson():
    model, x = DEMO.Autoencoder(), torch.rand(3, 784)
    p = model(x)
    values = {name: DEMO.LOSSES[name](model, x).item() for name in ("mse", "bce", "l1")}

    expected = {name: DEMO.per_pixel(name, p, x).mean().item() for name in values}

    assert values == pytest.approx(expected, rel=1e-4)


def test_the_sigmoid_twice():
    model, x = DEMO.Autoencoder(), torch.rand(3, 784)
    expected = DEMO.per_pixel("bce", model(x).sigmoid(), x).mean().item()

    assert DEMO.LOSSES["bce_twice"](model, x).item() == pytest.approx(expected, rel=1e-4)


def test_both_start_from_the_same_weights():
    metrics = measured().metrics

    assert metrics["mse"] == metrics["rival_mse"]


@pytest.mark.slow
def test_cross_entropy_learns_and_a_second_sigmoid_goes_black():
    settings = {"steps": 150, "lr": 4e-3, "examples": 1_000}
    bce, twice = (measured(rival=rival, **settings).metrics for rival in ("bce", "bce_twice"))

    assert bce["rival_mse"] < bce["mean_image_mse"] < twice["rival_mse"]


def test_the_digits_are_drawn_once_there_is_training():
    assert "digits" not in measured().figures
    assert tuple(measured(steps=2).figures["digits"].pixels.shape) == (3, 10, 28, 28)
