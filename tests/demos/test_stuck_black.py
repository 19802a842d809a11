"""The lesson on a sigmoid without slope, in a few steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from demos import stuck_black as demo
from vaeflash.errors import DemoError
from vaeflash.lab.bench import Bench


@cache
def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(steps=0), **params)
    return dict(demo.run(small, Bench(seed, needs=demo.NEEDS)).metrics)


@pytest.mark.parametrize(
    ("head", "low", "high"), [("sigmoid", 0, 1), ("tanh", -1, 1), ("half_tanh", -1, 1)]
)
def test_heads_reach_their_range(head: str, low: float, high: float) -> None:
    assert demo.reach(head) == (low, high)


def test_the_least_error_of_a_sigmoid_is_what_lies_below_zero() -> None:
    x = torch.tensor([-1.0, -0.5, 0.25, 1.0])

    assert demo.least_mse(x, "sigmoid") == pytest.approx((1 + 0.25) / 4)


def test_slopes_are_the_gradients_of_the_losses() -> None:
    curves = demo.slopes()
    y = torch.as_tensor(curves.x).requires_grad_()
    white = torch.ones_like(y)
    squares = (y.sigmoid() - white).square().sum()
    nats = torch.nn.functional.binary_cross_entropy_with_logits(y, white, reduction="sum")

    for loss, line in ((squares, "squared error"), (nats, "cross-entropy")):
        torch.testing.assert_close(-torch.autograd.grad(loss, y)[0], curves.lines[line])


@pytest.mark.slow
def test_signed_pixels_have_four_times_the_error() -> None:
    unit, signed = measure(), measure(pixels="signed")

    assert signed["mean_image_mse"] == pytest.approx(4 * unit["mean_image_mse"], rel=1e-5)


@pytest.mark.slow
def test_half_a_tanh_on_signed_pixels_is_a_sigmoid() -> None:
    unit, signed = measure(), measure(pixels="signed", head="half_tanh")

    assert signed["test_mse"] == pytest.approx(4 * unit["test_mse"], rel=1e-4)


def test_outside_counts_what_no_pixel_can_be() -> None:
    x_hat = torch.tensor([-1.5, -0.5, 0.0, 1.0, 1.25])

    shares = [demo.outside(x_hat, torch.tensor(black)) for black in (0.0, -1.0)]

    assert shares == pytest.approx([3 / 5, 2 / 5])


def test_before_training_the_whole_gradient_is_left() -> None:
    assert measure()["gradient_left"] == 1


def test_brightness_does_not_depend_on_the_scale() -> None:
    unit, signed = measure(), measure(pixels="signed")

    assert signed["digits_brightness"] == pytest.approx(unit["digits_brightness"], rel=1e-5)


@pytest.mark.parametrize(
    "params",
    [
        {"head": "linear", "start": "mean"},
        {"head": "tanh", "loss": "bce"},
        {"pixels": "signed", "loss": "bce"},
    ],
)
def test_what_needs_a_sigmoid_is_refused_without_one(params: dict[str, Any]) -> None:
    with pytest.raises(DemoError, match="those of a sigmoid"):
        measure(**params)


@pytest.mark.slow
def test_equal_seeds_give_equal_results() -> None:
    again = demo.run(demo.Params(steps=0), Bench(0, needs=demo.NEEDS))

    assert dict(again.metrics) == measure()
