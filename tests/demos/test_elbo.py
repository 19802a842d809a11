"""The lesson on the ELBO, and each of its formulas held against torch.distributions or sampling."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from demos import elbo as demo
from vaeflash.lab.bench import Bench
from vaeflash.lab.elbo import importance_weighted_bound, kl_to_prior
from vaeflash.lab.linear import fit_pca


def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(observations=300, steps=0), **params)
    return dict(demo.run(small, Bench(seed)).metrics)


@pytest.fixture
def model() -> demo.Model:
    g = torch.Generator().manual_seed(0)
    w = torch.randn(demo.P, demo.D, dtype=torch.float64, generator=g)
    return demo.Model(w, torch.tensor(0.7, dtype=torch.float64))


@pytest.fixture
def x() -> Tensor:
    g = torch.Generator().manual_seed(1)
    return torch.randn(4, demo.P, dtype=torch.float64, generator=g)


def test_bayes_rule_holds_between_the_four_densities(model: demo.Model, x: Tensor) -> None:
    z = torch.tensor([[0.3, -1.2]], dtype=torch.float64).expand(4, -1)
    joint = demo.prior(x).log_prob(z) + model.log_likelihood(z, x)

    torch.testing.assert_close(model.posterior(x).log_prob(z) + model.evidence().log_prob(x), joint)


def test_the_expected_likelihood_is_what_sampling_gives(model: demo.Model, x: Tensor) -> None:
    q = demo.encoder("careless", model, x)
    torch.manual_seed(0)
    sampled = model.log_likelihood(q.sample((200_000,)), x).mean(0)

    expected = demo.reconstruction(model, q.mean, q.covariance_matrix[0], x)

    torch.testing.assert_close(expected, sampled, rtol=0, atol=0.05)


def test_the_kl_to_the_prior_is_that_of_torch(model: demo.Model, x: Tensor) -> None:
    q = model.posterior(x)

    torch.testing.assert_close(
        demo.kl_to_prior(q.mean, q.covariance_matrix[0]), kl_divergence(q, demo.prior(x))
    )


@pytest.mark.parametrize("scale", [0.5, 0.9, 1.1, 2.0])
def test_no_other_diagonal_is_nearer_to_the_posterior(
    model: demo.Model, x: Tensor, scale: float
) -> None:
    best = demo.encoder("diagonal", model, x)
    other = MultivariateNormal(best.mean, scale * best.covariance_matrix)
    posterior = model.posterior(x)

    assert (kl_divergence(best, posterior) < kl_divergence(other, posterior)).all()


def test_the_importance_weighted_bound_is_that_of_the_lab(model: demo.Model, x: Tensor) -> None:
    q = demo.encoder("diagonal", model, x)
    log_w = demo.log_weights(model, q, x, 40_000, torch.Generator().manual_seed(0))
    logvar = q.covariance_matrix[0].diag().log().expand(4, -1)
    xs, mus, logvars = (part.repeat(4_000, 1) for part in (x, q.mean, logvar))
    g = torch.Generator().manual_seed(1)
    expected = (
        importance_weighted_bound(model.log_likelihood, xs, mus, logvars, g, 10).mean().item()
    )

    assert demo.importance_weighted(log_w, 10) == pytest.approx(expected, abs=0.05)


def test_the_average_of_the_logarithms_gains_nothing() -> None:
    measured = measure(average="logs")

    assert measured["bound_1000_nats"] == pytest.approx(measured["bound_1_nats"])


def test_a_diagonal_kl_is_that_of_the_lab(x: Tensor) -> None:
    variances = torch.tensor([0.25, 1.5], dtype=torch.float64)
    mu = x[:, :2]

    torch.testing.assert_close(
        demo.kl_to_prior(mu, variances.diag()), kl_to_prior(mu, variances.log().expand(4, -1))
    )


def test_the_columns_of_the_mixing_matrix_have_their_lengths_and_angle() -> None:
    lengths = torch.tensor([2.0, 3.0], dtype=torch.float64)
    w = demo.mixing(lengths, 60.0, torch.Generator().manual_seed(0))

    torch.testing.assert_close(w.T @ w, torch.tensor([[4.0, 3.0], [3.0, 9.0]]).to(w))


def test_the_best_linear_model_has_the_variances_of_pca() -> None:
    x = torch.randn(500, demo.P, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = (x - x.mean(0)) * torch.arange(1, demo.P + 1)
    values = fit_pca(x).eigenvalues
    rest = values[demo.D :].mean()
    spectrum = torch.cat([values[: demo.D], rest.expand(demo.P - demo.D)])
    # Tipping and Bishop (1999), eq. 4 at its maximum, where tr(C^-1 S) = P
    expected = -0.5 * (demo.P * math.log(2 * math.pi) + spectrum.log().sum().item() + demo.P)

    assert demo.best_log_px(x) == pytest.approx(expected)


def test_the_gap_is_the_kl_to_the_true_posterior() -> None:
    measured = measure(q="careless")

    assert measured["gap_nats"] == pytest.approx(measured["kl_to_posterior_nats"])


def test_the_true_posterior_leaves_no_gap() -> None:
    assert measure(q="exact")["gap_nats"] == pytest.approx(0, abs=1e-9)


def test_a_diagonal_q_is_exact_at_right_angles() -> None:
    assert measure(angle=90.0)["gap_nats"] == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_training_raises_the_bound_and_no_model_beats_the_best() -> None:
    before, after = measure(), measure(steps=60)

    assert before["trained_log_px_nats"] < after["trained_log_px_nats"] <= after["best_log_px_nats"]


def test_an_encoder_alone_leaves_the_evidence_as_it_is() -> None:
    measured = measure(train="encoder", steps=5)

    assert measured["trained_log_px_nats"] == pytest.approx(measured["data_log_px_nats"])


def test_equal_seeds_give_equal_results() -> None:
    assert measure(steps=3) == measure(steps=3)
