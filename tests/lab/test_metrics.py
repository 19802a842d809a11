"""Each measure against a second way to compute it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tolerance import ROUNDING
from torch import nn

from vaeflash.lab import metrics
from vaeflash.lab.datasets import load


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(60, 12, generator=torch.Generator().manual_seed(0))


def test_mse_is_the_mean_over_pictures_and_pixels(x):
    x_hat = x.flip(0)

    expected = np.mean((x_hat.numpy() - x.numpy()) ** 2, dtype=np.float64)

    assert metrics.mse(x_hat, x) == pytest.approx(expected)


def test_the_mean_images_error_on_its_own_data_is_the_pixels_variance(x):
    assert metrics.mean_image_mse(x, x) == pytest.approx(np.var(x.numpy(), axis=0).mean())


def test_the_mean_image_comes_from_the_training_data(x):
    assert metrics.mean_image_mse(torch.zeros(3, 12), x) == pytest.approx(np.mean(x.numpy() ** 2))


@pytest.mark.parametrize("dimensions", [1, 5, 12])
def test_pca_leaves_what_the_smaller_singular_values_hold(x, dimensions):
    centred = x.double().numpy() - x.double().numpy().mean(0)
    values = np.linalg.svd(centred, compute_uv=False)

    left = (values[dimensions:] ** 2).sum() / x.numel()

    assert metrics.pca_mse(x, x, dimensions) == pytest.approx(left, abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_pca_of_fewer_digits_than_pixels_is_still_found(seed):
    digits = load("digits", torch.Generator().manual_seed(seed)).train[:100].flatten(1)

    assert metrics.pca_mse(digits, digits, 99) == pytest.approx(0, abs=1e-9)


def test_pca_fitted_elsewhere_is_worse_than_fitted_here(x):
    train, test = x[:20], x[20:]

    assert metrics.pca_mse(train, test, 4) > metrics.pca_mse(test, test, 4)


def test_frozen_parameters_are_not_counted():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)

    assert metrics.parameter_count(model) == 4 * 2 + 2


def test_reconstructing_in_chunks_changes_nothing(x, monkeypatch):
    model = nn.Linear(12, 12)
    whole = metrics.reconstruct(model, x)
    monkeypatch.setattr(metrics, "CHUNK", 7)

    assert torch.allclose(metrics.reconstruct(model, x), whole, rtol=ROUNDING, atol=1e-6)


def test_reconstructing_leaves_out_dropout_and_leaves_the_mode(x):
    model = nn.Dropout(0.9)

    assert torch.equal(metrics.reconstruct(model, x), x)
    assert model.training
