"""Likelihoods, the KL to the prior, and bounds on log p(x). Nats, one number a picture.

A Gaussian posterior q(z|x) is given as `mu` and `logvar`, `(N, D)` each. What the decoder thinks of
a picture is a function of codes and pictures, so that every decoder and every noise fits:

    def likelihood(z, x):
        return bernoulli_log_likelihood(model.decoder(z), x)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

Likelihood: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Codes `(B, D)` and their pictures `(B, ...)` -> log p(x|z) in nats, `(B,)`."""

CHUNK = 2_000
"""Codes that are decoded at once, so that memory grows neither with the data nor with K."""


def kl_terms(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)) of every number of every code, nats; `(N, D)`.

    Source: Kingma and Welling (2014), Auto-encoding variational Bayes, appendix B.
    """
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


def kl_to_prior(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag(exp(logvar))) || N(0, I)) of each picture: nats, sum over D; `(N,)`."""
    return kl_terms(mu, logvar).sum(1)


def kl_per_dimension(mu: Tensor, logvar: Tensor) -> Tensor:
    """What each latent carries on average: nats, mean over N; `(D,)`."""
    return kl_terms(mu, logvar).mean(0)


def bernoulli_log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """Minus the binary cross-entropy: nats, sum over pixels; `(N,)`.

    It is log p(x|z) where `x` is 0 or 1. Of grey pixels it is no likelihood, though every VAE
    of MNIST is trained with it: compare such numbers with each other only.

    Args:
        logits: `(N, ...)`, the decoder's output before any sigmoid.
        x: `(N, ...)`, in [0, 1].
    """
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def gaussian_log_likelihood(x_hat: Tensor, x: Tensor, variance: Tensor | float) -> Tensor:
    """The Gaussian log density N(x; x_hat, variance I): nats, sum over pixels; `(N,)`.

    At variance 1/2 it is minus the summed squared error, up to a constant.

    Args:
        x_hat: `(N, ...)`, the decoder's mean.
        x: `(N, ...)`.
        variance: Of a pixel; one number, or any shape that broadcasts to that of `x`.
    """
    variance = torch.as_tensor(variance, dtype=x.dtype, device=x.device)
    log_density = (x - x_hat).square() / variance + torch.log(2 * math.pi * variance)
    return -0.5 * log_density.flatten(1).sum(1)


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """The two terms of the ELBO, nats a picture.

    Attributes:
        log_likelihood: Mean of log p(x|z) over samples of z from q(z|x); `(N,)`.
        kl: KL(q(z|x) || p(z)), sum over D; `(N,)`.
    """

    log_likelihood: Tensor
    kl: Tensor

    @property
    def elbo(self) -> Tensor:
        """The bound on log p(x), `(N,)`."""
        return self.log_likelihood - self.kl


@torch.no_grad()
def elbo_terms(
    likelihood: Likelihood,
    x: Tensor,
    mu: Tensor,
    logvar: Tensor,
    generator: torch.Generator,
    samples: int = 1,
) -> Terms:
    """Both terms of the ELBO, the first by sampling, the second in closed form.

    Source: Kingma and Welling (2014), eq. 7.

    Args:
        likelihood: What the decoder thinks of a picture.
        x: `(N, ...)`.
        mu: `(N, D)`.
        logvar: `(N, D)`.
        generator: Draws the samples, on the CPU.
        samples: How many codes to draw for each picture.
    """
    total = torch.zeros_like(mu[:, 0])
    for part, log_likelihood, _ in _draws(likelihood, x, mu, logvar, generator, samples):
        total[part] += log_likelihood.sum(0)
    return Terms(total / samples, kl_to_prior(mu, logvar))


@torch.no_grad()
def importance_weighted_bound(
    likelihood: Likelihood,
    x: Tensor,
    mu: Tensor,
    logvar: Tensor,
    generator: torch.Generator,
    samples: int,
) -> Tensor:
    """The log of the mean of `samples` importance weights p(x, z) / q(z|x): nats; `(N,)`.

    With one sample its mean is the ELBO; with more it rises, and comes to log p(x).

    Source: Burda, Grosse and Salakhutdinov (2016), Importance weighted autoencoders, eq. 8.

    Args:
        likelihood: What the decoder thinks of a picture.
        x: `(N, ...)`.
        mu: `(N, D)`.
        logvar: `(N, D)`.
        generator: Draws the samples, on the CPU.
        samples: How many codes to draw for each picture, K in the paper.
    """
    total = torch.full_like(mu[:, 0], -math.inf)
    for part, log_likelihood, log_ratio in _draws(likelihood, x, mu, logvar, generator, samples):
        total[part] = torch.logaddexp(total[part], (log_likelihood + log_ratio).logsumexp(0))
    return total - math.log(samples)


def _draws(
    likelihood: Likelihood,
    x: Tensor,
    mu: Tensor,
    logvar: Tensor,
    generator: torch.Generator,
    samples: int,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Draw z from q(z|x), `samples` times for each picture, no more than CHUNK codes at once.

    Yields:
        Indices of some pictures `(B,)`; log p(x|z) of some samples of each, `(S, B)`; and
        log p(z) - log q(z|x) of the same, `(S, B)`.
    """
    for part in torch.arange(len(x), device=x.device).split(CHUNK):
        at_once = max(1, CHUNK // len(part))
        for first in range(0, samples, at_once):
            rows = part.repeat(min(at_once, samples - first))
            noise = torch.randn(len(rows), mu.shape[1], generator=generator).to(mu)
            z = mu[rows] + (0.5 * logvar[rows]).exp() * noise
            log_ratio = 0.5 * (noise.square() + logvar[rows] - z.square()).sum(1)
            shape = (-1, len(part))
            yield part, likelihood(z, x[rows]).view(shape), log_ratio.view(shape)
