"""The lesson on damaged digits, at a fraction of its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from demos import denoising as demo
from vaeflash.lab.bench import Bench
from vaeflash.lab.networks import DenseAutoencoder


@cache
def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(steps=10), **params)
    return dict(demo.run(small, Bench(seed, needs=demo.NEEDS)).metrics)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_square_has_196_pixels() -> None:
    x = demo.damaged(torch.ones(50, 784), demo.Params(damage="square"), generator())

    assert (x == 0).sum(1).tolist() == [196] * 50


def test_the_square_is_a_square() -> None:
    x = demo.damaged(torch.ones(1, 784), demo.Params(damage="square"), generator())
    hidden = x.view(28, 28) == 0

    assert (hidden.any(0).sum().item(), hidden.any(1).sum().item()) == (14, 14)


@pytest.mark.slow
def test_the_square_reaches_every_pixel() -> None:
    x = demo.damaged(torch.ones(20_000, 784), demo.Params(damage="square"), generator())

    assert (x == 0).any(0).all()


def test_the_error_of_a_noisy_digit_is_the_variance_of_the_noise() -> None:
    assert measure()["damaged_mse"] == pytest.approx(0.5**2, rel=0.02)


def test_noise_does_not_change_what_it_is_added_to() -> None:
    x = torch.zeros(2, 784)

    demo.damaged(x, demo.Params(), generator())

    assert not x.any()


def test_no_noise_changes_nothing() -> None:
    x = torch.rand(2, 784)

    assert torch.equal(demo.damaged(x, demo.Params(std=0.0), generator()), x)


def test_the_target_is_the_clean_picture() -> None:
    model, x = DenseAutoencoder(784, 3), torch.rand(5, 784)
    broken = demo.damaged(x, demo.Params(), generator())
    expected = (model(broken) - x).square().mean().item()

    assert demo.Denoise(demo.Params(), generator())(model, x).item() == pytest.approx(expected)


def test_damaged_pictures_can_be_their_own_target() -> None:
    model, x = DenseAutoencoder(784, 3), torch.rand(5, 784)
    params = demo.Params(target="damaged")
    broken = demo.damaged(x, params, generator())
    expected = (model(broken) - broken).square().mean().item()

    assert demo.Denoise(params, generator())(model, x).item() == pytest.approx(expected)


def test_shown_the_same_both_learn_the_same() -> None:
    metrics = measure(shown="clean")

    assert metrics["denoiser_mse"] == metrics["plain_mse"]
