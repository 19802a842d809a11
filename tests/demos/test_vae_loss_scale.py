"""The weights of a loss against arithmetic, densities and another way to weigh it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab import loss_scale
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "vae_loss_scale.py"
SOURCE = read_demo("vae-loss-scale", PATH, "demos/vae_loss_scale.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"digits": 50} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.parametrize(
    ("params", "beta"),
    [
        ({"reduction": "sum"}, 1),
        ({"reduction": "mean"}, 784),
        ({"reduction": "mean", "kl": "mean"}, 784 / 20),
        ({"reduction": "sum", "kl": "mean", "latent": 5}, 1 / 5),
        ({"reduction": "mean", "kl": "batch_sum", "batch": 8}, 784 * 8),
        ({"reduction": "mean", "weight": 0.25, "pixels": 12}, 3),
        ({"error": "bce", "reduction": "mean"}, 784),
    ],
)
def test_beta_is_what_the_reductions_multiply_to(params, beta):
    assert measured(**params).metrics["beta"] == pytest.approx(beta, rel=1e-6)


@pytest.mark.parametrize("error", ["mse", "bce"])
@pytest.mark.parametrize("kl", ["sum", "mean", "batch_sum"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_doctor_finds_the_same_beta_by_fitting(error, reduction, kl):
    params = DEMO.Params(error=error, reduction=reduction, kl=kl, batch=loss_scale.BATCH)
    images = torch.rand(100, 784, generator=torch.Generator().manual_seed(1))

    scale = loss_scale.measure(
        lambda *given: DEMO.loss(params, *given).item(), images, 20, torch.Generator()
    )

    weights = DEMO.weigh(params, torch.Generator())
    assert weights.beta == pytest.approx(scale.beta, rel=1e-6)


@pytest.mark.parametrize("weight", [1.0, 0.1])
def test_the_loss_is_a_negative_log_density_at_the_variance_it_amounts_to(weight):
    params = DEMO.Params(weight=weight, pixels=30, batch=4, latent=3)
    x, x_hat, other = torch.rand(3, 4, 30, dtype=torch.double)
    prior = torch.zeros(4, 3, dtype=torch.double)
    deviation = DEMO.gaussian_variance(params, torch.Generator()) ** 0.5
    log_density = [
        Independent(Normal(mean, deviation), 1).log_prob(x).mean() for mean in (x_hat, other)
    ]

    losses = [DEMO.loss(params, mean, x, prior, prior) / weight for mean in (x_hat, other)]

    assert losses[1] - losses[0] == pytest.approx(log_density[0] - log_density[1])


@pytest.mark.parametrize(("error", "lowest"), [("mse", 2), ("bce", 4)])
def test_the_lowest_curvature_is_that_of_the_grey_pixel(error, lowest):
    assert DEMO.lowest_curvature(error) == pytest.approx(lowest, rel=1e-9)


def test_the_spectrum_is_that_of_the_covariance():
    images = torch.rand(40, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    covariance = np.cov(images.flatten(1).numpy().T, bias=True)

    spectrum = DEMO.spectrum(images)[:25]

    assert spectrum.numpy() == pytest.approx(np.linalg.eigvalsh(covariance)[::-1], abs=1e-6)


def test_a_mean_does_not_see_the_size_of_a_picture_and_a_sum_does():
    ratios = [measured(reduction=how).metrics["error_ratio"] for how in ("mean", "sum")]

    assert ratios[1] == pytest.approx(16 * ratios[0], rel=1e-4)
