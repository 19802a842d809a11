"""PCA against scikit-learn, and the theory of the linear VAE against one that is optimised."""

from __future__ import annotations

import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from vaeflash.lab import linear, metrics


@pytest.fixture
def x() -> Tensor:
    """Correlated vectors off the origin, their variances well apart; `(200, 6)`."""
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([3.0, 2.0, 1.4, 0.9, 0.5, 0.2], dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
    noise = torch.randn(200, 6, generator=generator, dtype=torch.float64)
    return (noise * scales) @ rotation + 5


def test_reconstructions_are_those_of_scikit_learn(x):
    theirs = PCA(n_components=2).fit(x)
    ours = linear.fit_pca(x, 2)

    x_hat = ours.decode(ours.encode(x)).numpy()

    assert x_hat == pytest.approx(theirs.inverse_transform(theirs.transform(x)))


def test_codes_are_those_of_scikit_learn_up_to_sign(x):
    codes = PCA(n_components=3).fit_transform(x)

    assert linear.fit_pca(x, 3).encode(x).abs().numpy() == pytest.approx(abs(codes))


def test_eigenvalues_are_the_variances_of_the_codes_the_largest_first(x):
    pca = linear.fit_pca(x)

    assert torch.allclose(pca.eigenvalues, pca.encode(x).var(0, correction=0))
    assert pca.eigenvalues.tolist() == sorted(pca.eigenvalues.tolist(), reverse=True)


def test_the_error_is_that_of_the_baseline_in_metrics(x):
    pca = linear.fit_pca(x[:100], 2)

    error = metrics.mse(pca.decode(pca.encode(x[100:])), x[100:])

    assert error == pytest.approx(metrics.pca_mse(x[:100], x[100:], 2))


def test_fewer_vectors_than_pixels_leave_no_negative_variance():
    pca = linear.fit_pca(torch.rand(5, 30, generator=torch.Generator().manual_seed(1)))

    assert pca.eigenvalues.min() >= 0
    assert pca.mean.dtype == torch.float32


def optimised_kl(x: Tensor, latent: int, variance: float, beta: float) -> Tensor:
    """The KL per latent of a linear VAE, from its objective alone: L-BFGS on the exact expectation.

    Encoder mu = (x - mean) V, free log variances, decoder z W; E|x - zW|^2 in closed form.
    """
    generator = torch.Generator().manual_seed(1)
    centred = x - x.mean(0)
    encoder, decoder = (
        (0.3 * torch.randn(shape, generator=generator, dtype=x.dtype)).requires_grad_()
        for shape in ((x.shape[1], latent), (latent, x.shape[1]))
    )
    logvar = torch.zeros(latent, dtype=x.dtype, requires_grad=True)
    parameters = [encoder, decoder, logvar]
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=1_000, tolerance_grad=1e-9, tolerance_change=0, history_size=50,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def kl() -> Tensor:
        mu = centred @ encoder
        return 0.5 * (mu.square().mean(0) + logvar.exp() - 1 - logvar)

    def objective() -> Tensor:
        optimizer.zero_grad()
        missed = (centred - centred @ encoder @ decoder).square().sum(1).mean()
        noise = (logvar.exp() * decoder.square().sum(1)).sum()
        value = (missed + noise) / (2 * variance) + beta * kl().sum()
        value.backward()
        return value

    optimizer.step(objective)
    return kl().detach().sort(descending=True).values


@pytest.mark.slow
@pytest.mark.parametrize(("variance", "beta"), [(0.5, 1.0), (1.0, 1.0), (0.5, 6.0), (0.5, 40.0)])
def test_an_optimised_linear_vae_carries_what_the_theory_says(x, variance, beta):
    theory = linear.linear_vae_kl(linear.fit_pca(x, 4).eigenvalues, variance, beta)

    assert optimised_kl(x, 4, variance, beta).numpy() == pytest.approx(theory.numpy(), abs=1e-4)


@pytest.mark.parametrize(("beta", "alive"), [(0.01, 6), (1.0, 4), (15.0, 1), (40.0, 0)])
def test_directions_survive_whose_variance_exceeds_that_of_the_decoder(x, beta, alive):
    eigenvalues = linear.fit_pca(x).eigenvalues

    assert linear.surviving_directions(eigenvalues, 0.5, beta) == alive
    assert int((linear.linear_vae_kl(eigenvalues, 0.5, beta) > 0).sum()) == alive


def test_just_below_the_collapse_one_direction_survives(x):
    eigenvalues = linear.fit_pca(x).eigenvalues
    beta = linear.collapse_beta(eigenvalues, 0.5)

    alive = [linear.surviving_directions(eigenvalues, 0.5, beta * nudge) for nudge in (0.999, 1)]

    assert alive == [1, 0]
