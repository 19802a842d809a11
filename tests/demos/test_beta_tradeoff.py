"""The terms of a beta-VAE against torch.distributions, and the arms against each other."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "beta_tradeoff.py"
SOURCE = read_demo("beta-tradeoff", PATH, "demos/beta_tradeoff.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 0, "side": 7, "latent": 4} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def test_the_terms_are_a_gaussian_density_and_a_kl():
    x, model = torch.rand(6, 49), DEMO.VAE(49, 3)
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=torch.Generator().manual_seed(1))
    q = Independent(Normal(mu, (0.5 * logvar).exp()), 1)
    pixels = Normal(model.decoder(q.mean + q.stddev * eps), 0.5**0.5)
    constant = pixels.log_prob(pixels.mean).sum(1)
    prior = Independent(Normal(torch.zeros_like(mu), 1.0), 1)

    error, rate = DEMO.terms(model, x, torch.Generator().manual_seed(1))

    expected = (constant - pixels.log_prob(x).sum(1)).mean().item()
    assert error.item() == pytest.approx(expected, rel=1e-4)
    assert rate.item() == pytest.approx(kl_divergence(q, prior).mean().item(), rel=1e-4)


def test_a_warm_up_weighs_the_kl_by_the_share_of_its_steps():
    x, model = torch.rand(6, 49), DEMO.VAE(49, 3)
    objective = DEMO.Objective(2.0, 4, torch.Generator())

    losses = [objective(model, x).item() for _ in range(6)]

    weights = [
        (loss - error) / rate for loss, (error, rate) in zip(losses, objective.terms, strict=True)
    ]
    assert weights == pytest.approx([0, 0.5, 1, 1.5, 2, 2], abs=1e-3)


def test_vaes_at_the_same_beta_are_one():
    metrics = measured(same=True, steps=10).metrics

    assert metrics["kl_01_nats"] == metrics["kl_1_nats"] == metrics["kl_10_nats"]
    assert metrics["error_01"] == metrics["error_10"]


def test_without_a_warm_up_the_sixth_vae_is_the_third():
    metrics = measured(warmup=0, steps=10).metrics

    assert metrics["warm_kl_nats"] == metrics["kl_1_nats"]


@pytest.mark.slow
@pytest.mark.parametrize("side", [28, 14, 7])
def test_samples_have_the_size_of_the_digits(side):
    images = measured(side=side).figures["samples"].pixels

    assert images.shape == (4, 10, side, side)


def test_small_digits_have_no_direction_above_the_noise_of_a_plain_sum():
    x = Bench(0, needs=SOURCE.needs).data("digits").train
    small = torch.nn.functional.avg_pool2d(x, 4).flatten(1)
    largest = torch.linalg.eigvalsh(torch.cov(small.T))[-1].item()

    assert measured().metrics["predicted_1"] == 0
    assert largest < 0.5


def test_before_training_all_betas_rebuild_alike():
    metrics = measured().metrics

    assert metrics["error_01"] == metrics["error_10"]
    assert metrics["first_pull"] == metrics["late_pull"]


def test_a_traversal_moves_one_latent_alone():
    model = DEMO.VAE(9, 4)
    with torch.no_grad():
        model.decoder[0].weight[:, 2] = 0.0
    trained = DEMO.Trained(model, torch.zeros(1, 2), 0.0, 0.0, 0.0, torch.zeros(4))

    dead, alive = (DEMO.travelled(trained, latent) for latent in (2, 3))

    assert torch.equal(dead, dead[:1].expand_as(dead))
    assert not torch.equal(alive[0], alive[-1])


@pytest.mark.slow
def test_sixty_steps_already_order_the_betas():
    metrics = measured(steps=60, latent=8, side=14).metrics

    assert metrics["kl_01_nats"] > metrics["kl_1_nats"] > metrics["kl_10_nats"]
