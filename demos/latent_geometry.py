r"""Codes keep who is like whom, and mix everything else: no single number of them has a meaning.

**Neighbours.** For pairs of digits compare how far apart the pictures are, |x - x'|, with how far
apart the codes are, |z - z'|. Spearman's rank correlation is 1 if both put the pairs in the same
order. The yardstick is an encoder that has learned nothing: random directions keep distances quite
well too (Johnson and Lindenstrauss, 1984), since |W (x - x')| grows with |x - x'| whatever W is.

**Features.** A linear probe, logistic regression on the codes of labelled digits, says how much of
the class lies open in them. Beside it: the codes of the untrained encoder, and the pixels.

**What is kept.** A *linear* autoencoder of k numbers can at best do what principal component
analysis does (Bourlard and Kamp, 1988), so "the most important features" are the directions of the
largest variance: important for the squared error, and for nothing else by intent.

**Axes.** Turn all codes by a rotation Q and let the decoder turn back: no picture changes. So no
reconstruction error prefers an axis. What a single number says of the class by itself is asked of
its 15 nearest neighbours on that axis. The same can be asked of a VAE, whose KL to N(0, I) adds up
number by number and so does prefer axes:

    loss = cross-entropy of the pixels + KL(N(mu, exp(logvar)) || N(0, I))      nats, both summed

Source: notes on digits and faces, the cards on compression, on the VAE's objective and on its
architecture; lecture on convolutional autoencoders, the encoder as a feature extractor; Johnson and
Lindenstrauss (1984), Extensions of Lipschitz mappings into a Hilbert space.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Curves, Figure, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.codes import knn_accuracy, linear_probe, rank_correlation, share
from vaeflash.lab.elbo import bernoulli_log_likelihood, kl_to_prior
from vaeflash.lab.networks import (
    DenseAutoencoder,
    GaussianVAE,
    mlp,
    reparameterize,
    start_at_mean,
)
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import Loss, train

NEEDS = ("digits",)
Network: TypeAlias = DenseAutoencoder | GaussianVAE
FLAT = 2
"""Numbers in the linear autoencoder's code."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    latent: int = 20
    kl: bool = False  # train a VAE instead, and take the means of its posteriors as codes
    permuted: bool = False  # give each picture the codes of another one
    turned: bool = True  # the decoder undoes a rotation of the codes; else only the codes turn
    bent: bool = False  # a hidden layer in the linear autoencoder: then it is none
    linear_steps: int = 400  # of the linear autoencoder
    steps: int = 400


def squared_error(model: nn.Module, x: Tensor) -> Tensor:
    """Squared error, mean over pictures and pixels."""
    return F.mse_loss(model(x), x)


class VAELoss:
    """Cross-entropy plus KL: nats, summed over pixels and latents, mean over the batch."""

    def __init__(self, noise: torch.Generator) -> None:
        self.noise = noise

    def __call__(self, model: GaussianVAE, x: Tensor) -> Tensor:
        """Of a batch `(N, 784)`."""
        mu, logvar = model.encode(x)
        logits = model.decode(reparameterize(mu, logvar, self.noise))
        return (kl_to_prior(mu, logvar) - bernoulli_log_likelihood(logits, x)).mean()


def fit(model: nn.Module, loss: Loss, x: Tensor, steps: int, rate: float, lab: Lab) -> None:
    """Train on pictures `(N, 784)`."""
    train(
        model,
        loss,
        x,
        steps=steps,
        batch_size=64,
        optimizer=torch.optim.Adam(model.parameters(), rate, (0.9, 0.99), fused=True),
        generator=lab.generator("batches"),
        schedule=linear(steps),
        track=lab.track,
    )


class Flat(nn.Module):
    """784 -> 2 -> 784, linear; with a hidden layer of 128 on either side if bent."""

    def __init__(self, mean: Tensor, bent: bool) -> None:
        super().__init__()
        widths = (784, 128, FLAT) if bent else (784, FLAT)
        self.layers = nn.Sequential(mlp(*widths), mlp(*reversed(widths)))
        self.mean = mean

    def forward(self, x: Tensor) -> Tensor:
        """Pictures `(N, 784)` to reconstructions, which nothing keeps in [0, 1]."""
        x_hat: Tensor = self.mean + self.layers(x - self.mean)
        return x_hat


def distance_agreement(x: Tensor, z: Tensor) -> float:
    """Spearman's rank correlation of distances in `(N, P)` and in `(N, D)`, over all pairs."""
    return rank_correlation(F.pdist(x), F.pdist(z))


def rotation(size: int, g: torch.Generator) -> Tensor:
    """A random rotation or reflection, `(size, size)`."""
    q: Tensor = torch.linalg.qr(torch.randn(size, size, generator=g)).Q
    return q


@torch.no_grad()
def codes(model: Network, x: Tensor) -> Tensor:
    """Codes of pictures `(N, 784)`, of a VAE the means; `(N, latent)`."""
    z: Tensor | tuple[Tensor, Tensor] = model.encode(x)
    return z if isinstance(z, Tensor) else z[0]


@torch.no_grad()
def changed_by_turning(
    model: DenseAutoencoder | GaussianVAE, x: Tensor, q: Tensor, undo: bool
) -> float:
    """Mean squared change of the reconstructions when all codes are turned by `q`."""
    turned = copy.deepcopy(model)
    if undo:
        weight = next(turned.decoder.parameters())
        weight.copy_(weight @ q.T)  # W z = (W Q') (Q z)
    return metrics.mse(turned.decode(codes(model, x) @ q.T).sigmoid(), model(x))


def probe(z: Tensor, labels: Tensor, queries: Tensor, answers: Tensor) -> float:
    """The share of queries `(M, D)` whose class a linear probe on `(N, D)` tells."""
    return share(linear_probe(z, labels, queries) == answers)


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Train an autoencoder and a linear one, and look at what the codes keep."""
    digits = lab.data("digits")
    x_train = digits.train[:4_000].flatten(1).to(lab.device)
    x = digits.test[:1_000].flatten(1).to(lab.device)
    labels = digits.train_labels[:4_000].to(lab.device)
    answers = digits.test_labels[:1_000].to(lab.device)

    kind = GaussianVAE if params.kl else DenseAutoencoder
    model: Network = kind(784, 128, params.latent).to(lab.device)
    start_at_mean(model.encoder, model.decoder, x_train)
    untrained = copy.deepcopy(model)
    flat = Flat(x_train.mean(0), params.bent).to(lab.device)
    with torch.enable_grad():
        objective = VAELoss(lab.generator("noise")) if params.kl else squared_error
        fit(model, objective, x_train, params.steps, 8e-3, lab)
        fit(flat, squared_error, x_train, params.linear_steps, 3e-2, lab)

    z_train, z = codes(model, x_train), codes(model, x)
    few = 400  # digits whose pairs are compared
    order = torch.arange(few, device=lab.device)
    if params.permuted:
        order = torch.randperm(few, generator=lab.generator("permuted")).to(lab.device)
    agreement = distance_agreement(x[:few], z[:few][order])
    untrained_agreement = distance_agreement(x[:few], codes(untrained, x[:few])[order])
    some = slice(1_000)  # digits with labels, for the probes
    untrained_z = codes(untrained, x_train[some])
    probes = {
        "codes": probe(z_train[some], labels[some], z, answers),
        "untrained": probe(untrained_z, labels[some], codes(untrained, x), answers),
    }
    singles = [knn_accuracy(z_train[:, [i]], labels, z[:, [i]], answers) for i in range(z.shape[1])]
    flat_mse = metrics.mse(flat(x_train), x_train)
    pca_mse = metrics.pca_mse(x_train, x_train, FLAT)
    q = rotation(params.latent, lab.generator("rotation")).to(lab.device)

    figures: dict[str, Figure] = {
        "probes": Bars(
            "Unseen digits told apart by logistic regression on 1,000 labelled codes.",
            probes,
            y_label="share recognised",
        ),
        "singles": Curves(
            "What each number of the code says of the class by itself, beside all together.",
            x=range(1, len(singles) + 1),
            lines={
                "one number": sorted(singles, reverse=True),
                "all": [knn_accuracy(z_train, labels, z, answers)] * len(singles),
            },
            x_label="number of the code, sorted",
            y_label="share recognised",
        ),
    }
    return Result(
        metrics={
            "agreement": agreement,
            "untrained_agreement": untrained_agreement,
            "probe_accuracy": probes["codes"],
            "untrained_probe_accuracy": probes["untrained"],
            "all_accuracy": knn_accuracy(z_train, labels, z, answers),
            "single_accuracy": max(singles),
            "flat_mse": flat_mse,
            "pca_mse": pca_mse,
            "changed_by_turning": changed_by_turning(model, x, q, params.turned),
        },
        figures=figures,
    )
