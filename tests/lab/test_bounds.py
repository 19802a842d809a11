"""Likelihoods and bounds against torch.distributions and a model whose log p(x) is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Independent,
    LowRankMultivariateNormal,
    Normal,
    kl_divergence,
)

from vaeflash.lab import elbo


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def posterior(mu: Tensor, logvar: Tensor) -> Independent:
    return Independent(Normal(mu, (0.5 * logvar).exp()), 1)


def test_the_kl_of_a_picture_is_that_of_torch_distributions():
    mu, logvar = 3 * normal(40, 6), 4 * normal(40, 6, seed=1)
    prior = posterior(torch.zeros_like(mu), torch.zeros_like(mu))

    expected = kl_divergence(posterior(mu, logvar), prior)

    assert torch.allclose(elbo.kl_to_prior(mu, logvar), expected)


def test_the_kl_per_dimension_is_the_mean_over_pictures():
    mu, logvar = normal(40, 6), normal(40, 6, seed=1)
    each = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0))

    assert torch.allclose(elbo.kl_per_dimension(mu, logvar), each.mean(0))


def test_the_kl_can_be_trained_on():
    mu = normal(5, 2).requires_grad_()

    elbo.kl_to_prior(mu, torch.zeros_like(mu)).sum().backward()

    assert torch.equal(mu.grad, mu.detach())


def test_bernoulli_pixels_have_the_likelihood_of_torch_distributions():
    logits, x = 5 * normal(7, 1, 4, 4), (normal(7, 1, 4, 4, seed=1) > 0).double()

    expected = Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))

    assert torch.allclose(elbo.bernoulli_log_likelihood(logits, x), expected)


def test_grey_pixels_count_as_their_cross_entropy():
    x = torch.full((1, 9), 0.5)

    value = elbo.bernoulli_log_likelihood(torch.zeros(1, 9), x)

    assert value.item() == pytest.approx(-9 * math.log(2))


@pytest.mark.parametrize("variance", [0.01, 0.5, 3.0])
def test_gaussian_pixels_have_the_likelihood_of_torch_distributions(variance):
    x_hat, x = normal(7, 3, 4, 4), normal(7, 3, 4, 4, seed=1)

    expected = Normal(x_hat, math.sqrt(variance)).log_prob(x).sum((1, 2, 3))

    assert torch.allclose(elbo.gaussian_log_likelihood(x_hat, x, variance), expected)


def test_each_pixel_may_have_a_variance_of_its_own():
    x_hat, x, variance = normal(7, 5), normal(7, 5, seed=1), normal(5, seed=2).exp()

    expected = Normal(x_hat, variance.sqrt()).log_prob(x).sum(1)

    assert torch.allclose(elbo.gaussian_log_likelihood(x_hat, x, variance), expected)


class LinearGaussian:
    """z ~ N(0, I), x = z A + b + noise of variance s: everything about it is known.

    The rows of A are orthogonal, so that the exact posterior is diagonal.
    """

    def __init__(self, latent: int = 3, pixels: int = 8, variance: float = 0.3) -> None:
        axes = torch.linalg.qr(normal(pixels, latent)).Q.T
        self.lengths = torch.linspace(0.5, 2, latent, dtype=torch.float64)
        self.matrix = self.lengths[:, None] * axes
        self.bias = normal(pixels, seed=1)
        self.variance = variance

    def sample(self, n: int, seed: int = 2) -> Tensor:
        latent, pixels = self.matrix.shape
        noise = math.sqrt(self.variance) * normal(n, pixels, seed=seed + 1)
        return normal(n, latent, seed=seed) @ self.matrix + self.bias + noise

    def likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        return elbo.gaussian_log_likelihood(z @ self.matrix + self.bias, x, self.variance)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        precision = 1 + self.lengths**2 / self.variance
        mu = (x - self.bias) @ self.matrix.T / self.variance / precision
        return mu, -precision.log().expand_as(mu)

    def log_p(self, x: Tensor) -> Tensor:
        diagonal = torch.full_like(self.bias, self.variance)
        return LowRankMultivariateNormal(self.bias, self.matrix.T, diagonal).log_prob(x)


MODEL = LinearGaussian()


def wrong_posterior(x: Tensor) -> tuple[Tensor, Tensor]:
    mu, logvar = MODEL.posterior(x)
    return mu + 0.3, logvar + 0.7


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("samples", [1, 7])
def test_at_the_exact_posterior_every_weight_is_p_of_x(generator, samples):
    x = MODEL.sample(50)

    bound = elbo.importance_weighted_bound(
        MODEL.likelihood, x, *MODEL.posterior(x), generator, samples
    )

    assert torch.allclose(bound, MODEL.log_p(x))


def test_the_elbo_falls_short_of_log_p_by_the_kl_to_the_exact_posterior(generator):
    x = MODEL.sample(2)
    mu, logvar = wrong_posterior(x)
    gap = kl_divergence(posterior(mu, logvar), posterior(*MODEL.posterior(x)))

    terms = elbo.elbo_terms(MODEL.likelihood, x, mu, logvar, generator, samples=100_000)

    assert (MODEL.log_p(x) - terms.elbo).numpy() == pytest.approx(gap.numpy(), abs=0.05)


def mean_bound(samples: int, x: Tensor, generator: torch.Generator) -> float:
    bound = elbo.importance_weighted_bound(
        MODEL.likelihood, x, *wrong_posterior(x), generator, samples
    )
    return bound.mean().item()


def test_more_samples_raise_the_bound_towards_log_p(generator):
    x = MODEL.sample(5_000)

    bounds = [mean_bound(samples, x, generator) for samples in (1, 3, 10, 50)]

    assert bounds == sorted(bounds)
    assert bounds[-1] < MODEL.log_p(x).mean().item()


def test_many_samples_reach_log_p(generator):
    x = MODEL.sample(20)

    bound = mean_bound(20_000, x, generator)

    assert bound == pytest.approx(MODEL.log_p(x).mean().item(), abs=0.01)


def test_one_sample_of_the_bound_has_the_elbo_as_its_mean(generator):
    x = MODEL.sample(1).expand(20_000, -1)
    terms = elbo.elbo_terms(MODEL.likelihood, x, *wrong_posterior(x), generator)

    assert mean_bound(1, x, generator) == pytest.approx(terms.elbo.mean().item(), abs=0.1)


@pytest.mark.parametrize("chunk", [1, 30, 64])
def test_in_chunks_every_picture_still_gets_its_own_samples(monkeypatch, generator, chunk):
    monkeypatch.setattr(elbo, "CHUNK", chunk)
    x = MODEL.sample(50)

    bound = elbo.importance_weighted_bound(
        MODEL.likelihood, x, *MODEL.posterior(x), generator, samples=7
    )

    assert torch.allclose(bound, MODEL.log_p(x))


def test_no_more_codes_are_decoded_at_once_than_a_chunk(monkeypatch, generator):
    monkeypatch.setattr(elbo, "CHUNK", 30)
    sizes = []

    def likelihood(z: Tensor, x: Tensor) -> Tensor:
        sizes.append((len(z), len(x)))
        return MODEL.likelihood(z, x)

    x = MODEL.sample(70)
    elbo.importance_weighted_bound(likelihood, x, *wrong_posterior(x), generator, samples=5)

    assert sizes == [(30, 30)] * 10 + [(30, 30), (20, 20)]
