"""The lesson on what codes decode to, at a fraction of its steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from demos import vae_reconstruction as demo
from vaeflash.lab.bench import Bench


def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(steps=15), **params)
    return dict(demo.run(small, Bench(seed, needs=("digits",))).metrics)


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    return measure()


def test_the_mean_draws_nothing() -> None:
    mu = torch.ones(2, 3)

    assert demo.draw("mean", mu, mu, torch.Generator()) is mu


def test_the_prior_does_not_look_at_the_picture() -> None:
    codes = [
        demo.draw("prior", mu, mu, torch.Generator().manual_seed(0))
        for mu in (torch.zeros(2, 3), torch.ones(2, 3))
    ]

    assert torch.equal(*codes)


@pytest.mark.slow
def test_draws_have_the_predicted_std(default: dict[str, Any]) -> None:
    assert default["drawn_std"] == pytest.approx(default["predicted_std_of_few"], abs=0.05)


def test_only_the_nearest_picture_counts_as_recognised() -> None:
    x = torch.eye(4)

    assert demo.recognised(x[[0, 1, 3, 2]] * 0.9, x) == 0.5


def test_the_variance_is_summed_over_pixels_and_averaged_over_pictures() -> None:
    g = torch.Generator().manual_seed(0)
    pictures = torch.randn(20_000, 2, 3, generator=g) * torch.tensor([1.0, 2.0])[:, None]

    assert demo.variance(pictures) == pytest.approx((3 * 1 + 3 * 4) / 2, rel=0.03)


def test_neighbours_are_of_the_kind_that_scikit_learn_finds() -> None:
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(50, 2, generator=g), 0.5 + torch.randn(50, 2, generator=g)
    points, kinds = torch.cat([a, b]).numpy(), torch.arange(100) >= 50
    search = NearestNeighbors(n_neighbors=1).fit(points)
    nearest = search.kneighbors(return_distance=False)[:, 0]  # of the others
    expected = (kinds[nearest] == kinds).float().mean().item()

    assert demo.same_kind(a, b) == pytest.approx(expected)


def test_occlusion_blackens_the_lowest_rows() -> None:
    x = demo.damaged(torch.ones(1, 784), "occlusion", 0.25, torch.Generator()).view(28, 28)

    assert x.sum(1).tolist() == [28.0] * 21 + [0.0] * 7


def test_noise_stays_within_brightnesses() -> None:
    x = demo.damaged(torch.full((1, 784), 0.5), "noise", 2.0, torch.Generator().manual_seed(0))

    assert (x.min().item(), x.max().item()) == (0.0, 1.0)


@pytest.mark.parametrize("damage", ["noise", "occlusion"])
def test_no_damage_changes_nothing(damage: str) -> None:
    x = torch.rand(2, 784)

    assert torch.equal(demo.damaged(x, damage, 0.0, torch.Generator()), x)


@pytest.mark.slow
def test_the_mean_decodes_to_the_same_picture_twice() -> None:
    assert measure(source="mean")["repeat_mse"] == 0


@pytest.mark.slow
def test_the_source_of_codes_does_not_change_the_training(default: dict[str, Any]) -> None:
    assert measure(source="prior")["mean_mse"] == default["mean_mse"]


@pytest.mark.slow
def test_the_decoder_takes_a_code() -> None:
    assert measure(latent=3, steps=0)["decoder_takes"] == 3


@pytest.mark.slow
def test_equal_seeds_give_equal_results(default: dict[str, Any]) -> None:
    assert measure() == default
