"""The dense autoencoder against arithmetic and theory, and with its claims broken on purpose."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "dense_ae.py"
SOURCE = read_demo("dense-ae", PATH, "demos/dense_ae.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 0} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.slow
@pytest.mark.parametrize(("hidden", "latent"), [(200, 20), (201, 20), (64, 2)])
def test_parameters_are_weights_plus_one_bias_a_unit(hidden, latent):
    weights = 2 * 784 * hidden + 2 * hidden * latent
    biases = 2 * hidden + latent + 784

    metrics = measured(hidden=hidden, latent=latent).metrics

    assert (metrics["weights"], metrics["params"]) == (weights, weights + biases)


def test_the_published_network_has_322804_parameters():
    assert measured().metrics["params"] == 322_804


@pytest.mark.slow
def test_the_widths_are_read_off_the_network():
    assert measured(latent=7).metrics["widths"] == (784, 200, 7, 200, 784)


@pytest.mark.slow
def test_equal_seeds_measure_the_same():
    again = DEMO.run(DEMO.Params(steps=20), Bench(3, needs=SOURCE.needs))

    assert again.metrics == measured(3, steps=20).metrics


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test_mse", "mean_image_mse"])
def test_another_seed_draws_another_network_and_other_data(name):
    assert measured(0).metrics[name] != measured(1).metrics[name]


def test_the_mean_of_training_digits_is_measured_on_unseen_ones():
    digits = Bench(0, needs=SOURCE.needs).data("digits")
    expected = np.mean((digits.test.numpy() - digits.train.numpy().mean(0)) ** 2, dtype=float)

    assert measured().metrics["mean_image_mse"] == pytest.approx(expected, rel=1e-5)
    assert measured().metrics["test_digits"] == len(digits.test)


@pytest.mark.slow
def test_the_training_loss_is_the_error_that_is_measured():
    one_epoch = measured(lr=0.0, steps=125)

    mean_loss = one_epoch.figures["loss"].lines["autoencoder"].mean().item()

    assert mean_loss == pytest.approx(one_epoch.metrics["train_mse"], rel=1e-5)


@pytest.mark.slow
def test_400_steps_beat_the_mean_image_on_unseen_digits():
    metrics = measured(steps=400).metrics

    assert metrics["test_mse"] < 0.9 * metrics["mean_image_mse"]


def test_an_untrained_network_is_worse_than_the_mean_image():
    metrics = measured().metrics

    assert metrics["test_mse"] > 2 * metrics["mean_image_mse"]


@pytest.mark.slow
def test_a_linear_autoencoder_does_not_beat_pca():
    digits = Bench(0, needs=SOURCE.needs).data("digits")
    x = digits.train.flatten(1).double()
    values = torch.linalg.svdvals(x - x.mean(0))
    best = (values[20:].square().sum() / x.numel()).item()

    metrics = measured(activation="none", head="linear", lr=2.5e-3, steps=400).metrics

    assert best < metrics["train_mse"] < 1.1 * best


@pytest.mark.slow
def test_few_examples_are_learned_by_heart():
    metrics = measured(examples=10, lr=2.5e-3, steps=300).metrics

    assert metrics["test_mse"] > 4 * metrics["train_mse"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("name", "kept", "broken"),
    [
        ("pixels_changed_by_repeating", {}, {"code": "sampled"}),
        ("pixels_changed_by_rescaling", {}, {"code": "sampled"}),
        ("pixels_unlike_f_sigmoid", {}, {"head": "linear"}),
    ],
)
def test_a_count_of_differing_pixels_is_zero_until_it_is_broken(seed, name, kept, broken):
    counts = [measured(seed, **params).metrics[name] for params in (kept, broken)]

    assert counts[0] == 0 < counts[1]


@pytest.mark.parametrize("seed", range(2))
def test_sigmoid_keeps_pixels_between_0_and_1_and_a_linear_head_does_not(seed):
    sigmoid, linear = measured(seed).metrics, measured(seed, head="linear").metrics

    assert 0 <= sigmoid["lowest"] <= sigmoid["highest"] <= 1
    assert linear["lowest"] < 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_ten_classes_are_shown_unless_the_first_ten_digits_are(seed):
    classes = [measured(seed, show=show).metrics["classes_shown"] for show in ("classes", "first")]

    assert classes[0] == 10 > classes[1]


@pytest.mark.slow
def test_the_picture_has_a_row_for_each_way_and_a_column_for_each_digit():
    picture = measured(columns=5).figures["digits"]

    assert tuple(picture.pixels.shape) == (4, 5, 28, 28)
    assert list(picture.columns) == ["0", "1", "2", "3", "4"]
    assert measured(columns=5).metrics["digits_shown"] == 5


@pytest.mark.slow
def test_the_loss_curve_is_drawn_once_there_is_one():
    assert "loss" not in measured().figures
    assert len(measured(steps=20).figures["loss"].x) == 1
