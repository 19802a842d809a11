"""The lesson on a plane in thirty kilobytes, at a fraction of its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from demos import latent_plane as demo
from vaeflash.demo import Plane, Result
from vaeflash.lab.bench import Bench
from vaeflash.lab.classifier import train_classifier
from vaeflash.lab.quantised import decode, quantise


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    small = replace(demo.Params(steps=20), **params)
    return demo.run(small, Bench(seed, needs=demo.NEEDS))


def metrics(**params: Any) -> dict[str, Any]:
    return dict(measured(**params).metrics)


@pytest.mark.slow
def test_the_decoder_has_the_parameters_of_the_lesson() -> None:
    layers = [(2, 32), (32, 32), (32, 32), (32, 784)]

    assert metrics()["parameters"] == sum(k * n + n for k, n in layers) == 28_080


@pytest.mark.slow
def test_a_weight_a_byte_and_two_bytes_a_scale() -> None:
    assert metrics()["decoder_bytes"] == 28_080 + 2 * 884


@pytest.mark.slow
def test_the_wide_decoder_is_larger() -> None:
    assert metrics(shape="wide")["decoder_bytes"] == 2 * 64 + 64 * 784 + 848 + 2 * 850


@pytest.mark.slow
def test_fewer_bits_leave_the_training_alone() -> None:
    assert metrics(bits=4)["vae_unevenness"] == metrics()["vae_unevenness"]


@pytest.mark.slow
def test_fewer_bits_round_more() -> None:
    eight, four = (metrics(bits=bits, steps=150)["rounding_mse"] for bits in (8, 4))

    assert four > 10 * eight


@pytest.mark.slow
def test_beta_leaves_the_autoencoder_alone() -> None:
    assert metrics(beta=10.0)["ae_unevenness"] == metrics()["ae_unevenness"]


@pytest.mark.slow
def test_an_untrained_plane_shows_at_most_one_digit() -> None:
    assert metrics(steps=0)["digits_found"] <= 1


def test_the_grid_begins_top_left_and_has_equal_steps() -> None:
    points = demo.grid(3, 2.0)

    assert points[0].tolist() == [[-2, 2], [0, 2], [2, 2]]
    assert points[:, 0].tolist() == [[-2, 2], [-2, 0], [-2, -2]]


def test_a_linear_plane_is_even() -> None:
    plane = demo.grid(9, 1.0) @ torch.randn(2, 5, generator=torch.Generator().manual_seed(0))

    assert demo.unevenness(plane) == pytest.approx(1, abs=1e-4)


def test_a_plane_with_a_cliff_is_as_uneven_as_its_lines() -> None:
    """Across the cliff a single jump among 8 steps; along it no step at all would be 0 / 0."""
    plane = 1e-6 * demo.grid(9, 1.0).double()
    plane[:, 5:] += 1

    assert demo.unevenness(plane) == pytest.approx((9 * 8 + 9 * 1) / 18, rel=1e-3)


def test_steps_along_the_middle_have_mean_one() -> None:
    plane = torch.randn(7, 7, 3, generator=torch.Generator().manual_seed(0))

    assert demo.step_lengths(plane).mean().item() == pytest.approx(1)


def test_a_walk_begins_and_ends_at_codes_of_its_digits_that_the_judge_knows() -> None:
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(60, 1, 28, 28, generator=generator), torch.arange(60) % 10
    judge = train_classifier(images, labels, generator, steps=5)
    layers = quantise(demo.PlaneVAE((8,)).decoder)
    mu = 2 * torch.randn(60, 2, generator=generator)

    made = demo.as_decoder(layers, mu, labels, judge, (1, 8))

    shown = judge.logits(decode(layers, mu).view(-1, 1, 28, 28)).log_softmax(1)
    for end, digit in zip(made.path, (1, 8), strict=True):
        own = (labels == digit) & (mu.abs().amax(1) <= 3)
        assert list(end) == mu[own][shown[own, digit].argmax()].tolist()


@pytest.mark.slow
def test_the_figure_is_a_plane_with_the_rounded_layers() -> None:
    figure = measured().figures["plane"]

    assert isinstance(figure, Plane)
    (made,) = figure.decoders.values()
    assert [tuple(layer.weights.shape) for layer in made.layers] == [
        *((32, 2), (32, 32), (32, 32), (784, 32))
    ]
    assert (len(made.codes), len(made.classes)) == (demo.SHOWN, demo.SHOWN)
