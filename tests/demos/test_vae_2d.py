"""The lesson on what a VAE organises, at a fraction of its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from demos import vae_2d as demo
from vaeflash.lab.bench import Bench


@cache
def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(steps=15), **params)
    return dict(demo.run(small, Bench(seed, needs=demo.NEEDS)).metrics)


def correlated(n: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    return torch.randn(n, 2, generator=g) @ torch.tensor([[3.0, 1.0], [0.0, 0.5]]) + 7


def test_whitened_codes_have_mean_0() -> None:
    assert demo.whitened(correlated(500)).mean(0).tolist() == pytest.approx([0, 0], abs=1e-5)


def test_whitened_codes_have_covariance_i() -> None:
    z = demo.whitened(correlated(500))

    torch.testing.assert_close(torch.cov(z.T, correction=0), torch.eye(2), atol=1e-4, rtol=0)


def test_own_kind_is_what_scikit_learn_finds() -> None:
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(60, 2, generator=g), 1 + torch.randn(60, 2, generator=g)
    points, kinds = torch.cat([a, b]).numpy(), torch.arange(120) >= 60
    nearest = NearestNeighbors(n_neighbors=1).fit(points).kneighbors(return_distance=False)[:, 0]

    assert demo.own_kind(a, b) == pytest.approx((kinds[nearest] == kinds).float().mean().item())


def test_sets_far_apart_are_all_of_their_own_kind() -> None:
    a = torch.randn(30, 2)

    assert demo.own_kind(a, a + 1_000) == 1


def test_the_cross_entropy_is_summed_over_pixels_and_averaged_over_pictures() -> None:
    x = torch.rand(4, 784)

    assert demo.bce(torch.zeros(4, 784), x).item() == pytest.approx(784 * 0.693147, rel=1e-4)


@pytest.mark.slow
def test_an_untrained_rival_leaves_the_vae_alone() -> None:
    assert measure(rival="untrained")["vae_accuracy"] == measure()["vae_accuracy"]


@pytest.mark.slow
def test_the_weight_of_the_kl_leaves_the_autoencoder_alone() -> None:
    assert measure(beta=0.0)["ae_own_kind"] == measure()["ae_own_kind"]


@pytest.mark.slow
def test_without_its_weight_the_kl_is_larger() -> None:
    assert measure(beta=0.0)["vae_kl_nats"] > measure()["vae_kl_nats"]
