"""The collapse against arithmetic, and the bound on what a nat buys."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "posterior_collapse.py"
SOURCE = read_demo("posterior-collapse", PATH, "demos/posterior_collapse.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 0} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@cache
def trained(**params: Any) -> Any:
    """The metrics after a short training."""
    return measured(steps=60, **params).metrics


def test_the_summed_cross_entropy_is_a_negative_log_likelihood():
    x = torch.rand(6, 784, generator=torch.Generator().manual_seed(0)).round()
    model = DEMO.VAE(784, 3)
    objective = DEMO.Objective(DEMO.Params("bce", "sum"), torch.Generator().manual_seed(1))
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=torch.Generator().manual_seed(1))
    q = Independent(Normal(mu, (0.5 * logvar).exp()), 1)
    pixels = Independent(Bernoulli(logits=model.decoder(q.mean + q.stddev * eps)), 1)
    prior = Independent(Normal(torch.zeros_like(mu), 1.0), 1)

    error, kl = objective.split(model, x, 2.0)

    assert error.item() == pytest.approx(-pixels.log_prob(x).mean().item(), rel=1e-5)
    assert kl.item() == pytest.approx(2 * kl_divergence(q, prior).mean().item(), rel=1e-4)


def test_the_mean_is_a_784th_of_the_sum():
    x, model = torch.rand(6, 784), DEMO.VAE(784, 3)

    by_sum, by_mean = (
        DEMO.Objective(DEMO.Params("mse", how), torch.Generator().manual_seed(1)).split(model, x, 1)
        for how in ("sum", "mean")
    )

    assert by_sum[0].item() == pytest.approx(784 * by_mean[0].item(), rel=1e-5)
    assert by_sum[1].item() == by_mean[1].item()


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("nats", [0.01, 0.1, 0.3])
def test_a_nat_buys_at_most_half_a_unit_of_averaged_squared_error(share, nats):
    """A code that tells black pictures from white ones by a noisy bit; all rates up to `nats`."""
    for flip in torch.linspace(0.001, 0.499, 50).tolist():
        white = share * (1 - flip) + (1 - share) * flip  # how often the bit says white
        right = [share * (1 - flip) / white, share * flip / (1 - white)]
        rate = sum(
            p * (m * math.log(m / share) + (1 - m) * math.log((1 - m) / (1 - share)))
            for p, m in zip((white, 1 - white), right, strict=True)
        )
        saved = share * (1 - share) - sum(
            p * m * (1 - m) for p, m in zip((white, 1 - white), right, strict=True)
        )

        assert rate > nats or saved <= rate / 2


def test_flips_are_pictures_of_one_brightness():
    x = torch.rand(7, 784)

    train, test = DEMO.pictures("flips", x, x[:3], torch.Generator())

    assert (train.shape, test.shape) == ((7, 784), (3, 784))
    assert set(train.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(train, train[:, :1].expand_as(train))


def test_standardised_pixels_have_mean_0_and_variance_1():
    x = Bench(0, needs=SOURCE.needs).data("digits").train[:500].flatten(1)

    train, _ = DEMO.pictures("standardised", x, x[:5], torch.Generator())

    torch.testing.assert_close(train.mean(0), torch.zeros(train.shape[1]), atol=1e-5, rtol=0)
    torch.testing.assert_close(train.var(0), torch.ones(train.shape[1]), atol=1e-4, rtol=0)


def test_codes_of_two_far_clouds_have_neighbours_of_their_own_digit():
    labels = torch.arange(2).repeat(40)
    codes = 100 * labels[:, None] + torch.randn(80, 3, generator=torch.Generator().manual_seed(0))

    accuracy = DEMO.code_accuracy(codes, labels)

    assert accuracy == 1


@pytest.mark.slow
def test_with_the_sum_the_judged_network_is_the_healthy_one():
    metrics = trained(reduction="sum")

    assert metrics["kl_nats"] == metrics["healthy_kl_nats"]
    assert metrics["loss"] == metrics["healthy_loss"]


@pytest.mark.slow
def test_sixty_steps_tell_the_two_reductions_apart():
    mean, total = trained(), trained(reduction="sum")

    assert mean["kl_nats"] < 0.05 < 1 < total["kl_nats"]


@pytest.mark.slow
def test_a_warm_up_that_never_ends_keeps_the_code():
    assert trained(warmup=100_000)["kl_nats"] > 0.5


@pytest.mark.parametrize("data", ["standardised", "flips"])
def test_without_digits_there_is_no_picture_of_them(data):
    assert set(measured(data=data).figures) == {"latents"}


def test_a_trained_run_draws_all_its_figures():
    figures = measured(steps=60).figures

    assert set(figures) == {"latents", "digits", "kl", "terms"}
