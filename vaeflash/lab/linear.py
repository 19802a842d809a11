"""What the best linear networks do: PCA, and the linear VAE. No training, one eigenproblem."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PCA:
    """Principal components, the best linear code (Bourlard and Kamp, 1988).

    Attributes:
        mean: `(P,)`.
        components: `(P, D)`, orthonormal columns, the largest variance first.
        eigenvalues: `(D,)`, the variance of the data along each component.
    """

    mean: Tensor
    components: Tensor
    eigenvalues: Tensor

    def encode(self, x: Tensor) -> Tensor:
        """`(N, P)` vectors to `(N, D)` codes."""
        return (x - self.mean) @ self.components

    def decode(self, z: Tensor) -> Tensor:
        """`(N, D)` codes to `(N, P)` vectors."""
        return z @ self.components.T + self.mean


def fit_pca(x: Tensor, dimensions: int | None = None) -> PCA:
    """The `dimensions` principal components of `(N, P)` vectors, or all P.

    Computed in float64, since in float32 the eigensolver fails now and then where most eigenvalues
    are 0; given in the type of `x`. Variances are means over N.
    """
    wide = x.double()
    eigenvalues, vectors = torch.linalg.eigh(torch.cov(wide.T, correction=0))  # sorted upwards
    kept = slice(None, dimensions)
    return PCA(
        mean=wide.mean(0).to(x),
        components=vectors.flip(1)[:, kept].to(x).contiguous(),
        eigenvalues=eigenvalues.flip(0)[kept].clamp(min=0).to(x),
    )


def linear_vae_kl(eigenvalues: Tensor, variance: float, beta: float = 1.0) -> Tensor:
    r"""The KL that each principal direction carries in the best linear VAE: nats; `(D,)`.

    A linear decoder with Gaussian pixels of a fixed variance. Its optimum is probabilistic PCA,
    where the posterior along a direction of eigenvalue l has the variance `variance / l`, hence

        KL = 1/2 log(l / (beta variance)),    0 where l <= beta variance

    The directions at 0 have collapsed onto the prior. A weight `beta` on the KL is the same as a
    `beta` times larger variance: divide the objective by beta.

    Source: Lucas, Tucker, Grosse and Norouzi (2019), Don't blame the ELBO! A linear VAE perspective
    on posterior collapse; Tipping and Bishop (1999), Probabilistic principal component analysis,
    eq. 7.

    Args:
        eigenvalues: `(D,)`, of the covariance of the data; see `fit_pca`.
        variance: Of a pixel under the decoder. A loss of `weight` times the summed squared error
            has 1 / (2 weight): 1/2 for the sum, P/2 for the mean over P pixels.
        beta: Weight of the KL.
    """
    return 0.5 * (eigenvalues / (beta * variance)).clamp(min=1).log()


def surviving_directions(eigenvalues: Tensor, variance: float, beta: float = 1.0) -> int:
    """How many latents the best linear VAE keeps in use; see `linear_vae_kl`."""
    return int((eigenvalues > beta * variance).sum())


def collapse_beta(eigenvalues: Tensor, variance: float) -> float:
    """The weight of the KL from which on the best linear VAE uses no latent at all."""
    return eigenvalues.max().item() / variance
