"""The lesson on sampling, with networks that are hardly trained."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from demos import ae_vs_vae_sampling as demo
from vaeflash.lab.bench import Bench
from vaeflash.lab.networks import DenseAutoencoder, GaussianVAE

PARAMS = demo.Params(latent=3, steps=1)
X = torch.rand(50, 784, generator=torch.Generator().manual_seed(0))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@cache
def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    return dict(demo.run(replace(PARAMS, **params), Bench(seed, needs=demo.NEEDS)).metrics)


def otherwise() -> dict[str, Any]:
    """Every choice in which a network is judged by the codes of digits, in one run."""
    return measure(recite="unseen", points="codes", temperature=1.0, few=1_000)


def codes(model: demo.Model, **params: Any) -> demo.Codes:
    with torch.no_grad():
        return demo.Codes(model, X, X[:20], replace(PARAMS, **params), Bench(0))


def autoencoder() -> DenseAutoencoder:
    return DenseAutoencoder(784, 3)


def vae() -> GaussianVAE:
    return GaussianVAE(784, 3)


def test_the_code_of_an_autoencoder_is_no_draw() -> None:
    model = autoencoder()

    assert torch.equal(demo.encoded(model, X, generator()), model.encode(X))


def test_codes_of_a_vae_are_drawn_around_the_means() -> None:
    model, many = vae(), X[:1].expand(20_000, -1)

    z = demo.encoded(model, many, generator())

    mu, logvar = model.encode(X[:1])
    torch.testing.assert_close(z.mean(0), mu[0], atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), (logvar[0] / 2).exp(), atol=0.05, rtol=0)


def test_the_loss_of_the_vae_is_minus_its_elbo() -> None:
    model = vae()
    mu, logvar = model.encode(X)
    q = torch.distributions.Normal(mu, (logvar / 2).exp())
    z = mu + q.scale * torch.randn(mu.shape, generator=generator())
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    pixels = torch.nn.functional.binary_cross_entropy(
        model.decode(z).sigmoid(), X, reduction="none"
    ).sum(1)

    loss = demo.vae_loss(2.0, generator())(model, X)

    torch.testing.assert_close(loss, (pixels + 2 * kl).mean(), rtol=1e-4, atol=0)


def test_fitted_codes_have_the_moments_of_all_codes() -> None:
    model = autoencoder()
    z = model.encode(X).detach()

    fitted = codes(model).fitted

    torch.testing.assert_close(fitted.mean(0), z.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(torch.cov(fitted.T), torch.cov(z.T), atol=0.02, rtol=0)


def test_a_fit_of_none_is_the_prior() -> None:
    drawn = codes(vae(), fit="none")

    assert torch.equal(drawn.fitted, drawn.prior)


def test_far_codes_are_so_many_deviations_out() -> None:
    model = autoencoder()
    z = model.encode(X).detach()

    far = codes(model).far(5.0)

    torch.testing.assert_close(far.std(0) / z.std(0), torch.full((3,), 5.0), rtol=0.1, atol=0)


@pytest.mark.parametrize("points", ["prior", "fitted", "codes"])
def test_points_are_found_by_their_names(points: str) -> None:
    drawn = codes(autoencoder())

    assert drawn.at(points) is getattr(drawn, points)


def test_both_networks_draw_codes_of_their_own() -> None:
    assert not torch.equal(codes(autoencoder()).prior, codes(vae()).prior)


@pytest.mark.parametrize(("grid", "stands"), [("same", True), ("fresh", False)])
def test_a_decoder_that_stands_still_shows_the_same_grid(grid: Any, stands: bool) -> None:
    history = demo.grids(replace(PARAMS, grid=grid), Bench(0))
    model = vae()

    looks = [history.look(model), history.look(model)]

    assert torch.equal(*looks) is stands


def test_a_grid_has_18_pictures() -> None:
    history = demo.grids(PARAMS, Bench(0))

    assert history.look(vae()).shape == (18, 784)


@pytest.mark.slow
def test_reciting_unseen_digits_is_reconstructing_them() -> None:
    assert otherwise()["recited_frechet"] == pytest.approx(otherwise()["ae_frechet"])


@pytest.mark.slow
def test_a_temperature_of_one_changes_nothing() -> None:
    assert otherwise()["cold_distance"] == pytest.approx(otherwise()["vae_distance"])


@pytest.mark.slow
def test_few_that_are_all_have_the_distance_of_all() -> None:
    assert otherwise()["few_frechet"] == otherwise()["unseen_frechet"]


@pytest.mark.slow
def test_equal_seeds_give_equal_results() -> None:
    again = demo.run(PARAMS, Bench(0, needs=demo.NEEDS))

    assert dict(again.metrics) == measure()
