"""The linear VAE against sampling, and its thresholds against arithmetic."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "collapse_threshold.py"
SOURCE = read_demo("collapse-threshold", PATH, "demos/collapse_threshold.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 300, "digits_steps": 0, "latent": 4} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def a_vae(pixels: int = 5, latent: int = 3) -> Any:
    """One linear VAE with random weights."""
    g = torch.Generator().manual_seed(0)
    a, w = torch.randn(2, 1, pixels, latent, dtype=torch.double, generator=g) / 2
    return DEMO.LinearVAE(a, w, 0.3 * torch.randn(1, latent, dtype=torch.double, generator=g))


def some_data(n: int = 4_000, pixels: int = 5) -> torch.Tensor:
    """Correlated observations with mean 0."""
    g = torch.Generator().manual_seed(1)
    mixing = torch.randn(pixels, pixels, dtype=torch.double, generator=g)
    x = torch.randn(n, pixels, dtype=torch.double, generator=g) @ mixing
    return x - x.mean(0)


def test_the_error_in_closed_form_is_what_sampling_finds():
    vae, x = a_vae(), some_data()
    z = x @ vae.a[0]
    z = z + vae.log_std.exp() * torch.randn(z.shape, dtype=z.dtype)
    sampled = (x - z @ vae.w[0].T).square().sum(1).mean()

    error = vae.error(x.T @ x / len(x)).item()

    assert error == pytest.approx(sampled.item(), rel=0.05)


def test_the_kl_is_that_of_torch_distributions():
    vae, x = a_vae(), some_data()
    q = Normal(x @ vae.a[0], vae.log_std.exp())
    expected = kl_divergence(q, Normal(0.0, 1.0)).mean(0)

    kl = vae.kl(x.T @ x / len(x))[0]

    torch.testing.assert_close(kl, expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "beta"), [({}, 4.5), ({"radius": 2.0}, 2.0), ({"variance": 2.0}, 2.25)]
)
def test_a_circle_fades_out_where_its_variance_is_that_of_the_noise(params, beta):
    assert measured(**params).metrics["fades_at_beta"] == pytest.approx(beta, abs=0.3)


def test_half_of_the_circles_nats_are_a_logarithm():
    metrics = measured().metrics

    assert metrics["predicted_kl_nats"] == pytest.approx(1.5041, abs=0.003)  # log 4.5
    assert metrics["kl_nats"] == pytest.approx(metrics["predicted_kl_nats"], abs=0.02)


def test_all_variance_of_digits_is_less_than_the_noise_of_an_averaged_error():
    x = Bench(0, needs=SOURCE.needs).data("digits").train.flatten(1)
    total = x.var(0, correction=0).sum().item()

    metrics = measured().metrics

    assert metrics["all_variance"] == pytest.approx(total, rel=1e-4)
    assert total < 784 / 2


@pytest.mark.slow
def test_digits_keep_as_many_latents_as_have_variance_above_the_noise():
    metrics = measured(steps=0, digits_steps=250, latent=8).metrics

    assert abs(metrics["digits_active"] - metrics["digits_predicted"]) <= 1
    assert metrics["digits_predicted"] == 6


@pytest.mark.slow
def test_the_averaged_error_kills_all_latents():
    metrics = measured(steps=0, digits_steps=150, digits_beta=1.0, reduction="mean").metrics

    assert metrics["digits_active"] == metrics["digits_predicted"] == 0
