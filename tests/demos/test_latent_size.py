"""The lesson on the size of the code, at a fraction of its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from sklearn.decomposition import PCA

from demos import latent_size as demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    small = replace(demo.Params(steps=15), **params)
    return demo.run(small, Bench(seed, needs=demo.NEEDS))


@pytest.mark.slow
def test_the_error_of_pca_is_that_of_scikit_learn() -> None:
    digits = Bench(0, needs=demo.NEEDS).data("digits")
    x_train, x = digits.train.flatten(1).numpy(), digits.test.flatten(1).numpy()
    pca = PCA(8, svd_solver="full").fit(x_train)
    expected = ((pca.inverse_transform(pca.transform(x)) - x) ** 2).mean()

    assert measured().metrics["pca_mse_8"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_equal_codes_are_one_network() -> None:
    metrics = measured(same=3).metrics

    assert len({metrics[f"mse_{size}"] for size in demo.SIZES}) == 1


def test_the_length_of_the_code_is_read_off_the_network() -> None:
    assert measured(same=3).metrics["numbers"] == 3


def test_without_hidden_layers_two_matrices_are_left() -> None:
    x = torch.rand(100, 784)

    model = demo.fit(5, x, demo.Params(hidden=0, steps=0), Bench(0))

    assert [tuple(p.shape) for p in model.parameters() if p.dim() == 2] == [(5, 784), (784, 5)]


@pytest.mark.slow
def test_before_training_the_error_is_the_mean_images() -> None:
    metrics = measured(steps=0).metrics

    assert metrics["mse_2"] == pytest.approx(metrics["mean_image_mse"], rel=0.05)


def test_blur_is_less_sharp() -> None:
    x = torch.zeros(1, 28, 28)
    x[:, :, ::2] = 1
    blurred = torch.full_like(x, 0.5)

    assert demo.sharpness_of(blurred.flatten(1)) < demo.sharpness_of(x.flatten(1))


@pytest.mark.slow
def test_the_picture_has_a_row_for_each_size() -> None:
    assert tuple(measured().figures["digits"].pixels.shape) == (5, 10, 28, 28)


@pytest.mark.slow
def test_equal_seeds_give_equal_results() -> None:
    again = demo.run(demo.Params(same=3, steps=15), Bench(0, needs=demo.NEEDS))

    assert again.metrics == measured(same=3).metrics
