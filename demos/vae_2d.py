r"""With two numbers a VAE separates the classes no better than an autoencoder.

**The same question twice.** An autoencoder and a VAE put a digit into the plane, by networks of the
same widths, trained for as many steps on the same batches,

    autoencoder   x -> z             cross-entropy of the pixels
    VAE           x -> mu, logvar    the same + beta * KL(N(mu, exp(logvar)) || N(0, I))

both summed over pixels and latents, nats a digit, with z = mu + exp(logvar / 2) * eps in the VAE.
A KL and noise are said to organise the plane. Two things may be meant by it.

**Classes.** Can the class of an unseen digit be read off its neighbours? The 15 nearest codes of
training digits vote. Neither loss knows of labels, and neither the noise nor the KL is about them.

**Filling the prior.** Is a point drawn from N(0, I) one that the decoder knows? That is what the KL
is about. Scale and place of a code mean nothing in an autoencoder, so its codes are first brought
to mean 0 and covariance I: only their *shape* is compared. Put codes and draws of N(0, I) together
and ask each point for the kind of its nearest neighbour. If both come from one distribution, half
of all neighbours are of the own kind (Schilling, 1986); more than half means that they differ.

Source: lecture on convolutional autoencoders, the outlook to VAEs; Schilling (1986), Multivariate
two-sample tests based on nearest neighbors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Lab, Result, Scatter
from vaeflash.lab.codes import aggregate, knn_accuracy
from vaeflash.lab.elbo import kl_to_prior
from vaeflash.lab.networks import (
    DenseAutoencoder,
    GaussianVAE,
    reparameterize,
    start_at_mean,
)
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import Loss, train

NEEDS = ("digits",)
WIDTHS = (784, 128, 64, 2)


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    beta: float = 1.0  # weight of the KL
    rival: Literal["trained", "untrained"] = "trained"  # the autoencoder beside the VAE
    steps: int = 600


def bce(logits: Tensor, x: Tensor) -> Tensor:
    """Cross-entropy: nats, sum over pixels, mean over the batch."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


def autoencoder_loss(model: DenseAutoencoder, x: Tensor) -> Tensor:
    """Of a batch `(N, 784)`."""
    return bce(model.decode(model.encode(x)), x)


class VAELoss:
    """Cross-entropy plus weighted KL; draws its codes from `noise`."""

    def __init__(self, beta: float, noise: torch.Generator) -> None:
        self.beta = beta
        self.noise = noise

    def __call__(self, model: GaussianVAE, x: Tensor) -> Tensor:
        """Of a batch `(N, 784)`."""
        mu, logvar = model.encode(x)
        z = reparameterize(mu, logvar, self.noise)
        return bce(model.decode(z), x) + self.beta * kl_to_prior(mu, logvar).mean()


def fit(model: nn.Module, loss: Loss, x: Tensor, steps: int, lab: Lab) -> None:
    """Train on pictures `(N, 784)`; equal batches for every network."""
    train(
        model,
        loss,
        x,
        steps=steps,
        batch_size=64,
        optimizer=torch.optim.Adam(model.parameters(), 8e-3, (0.9, 0.99), fused=True),
        generator=lab.generator("batches"),
        schedule=linear(steps),
        track=lab.track,
    )


def whitened(z: Tensor) -> Tensor:
    """Codes `(N, D)` brought to mean 0 and covariance I."""
    moments = aggregate(z)
    values, vectors = torch.linalg.eigh(moments.covariance)
    white: Tensor = (z.double() - moments.mean) @ vectors / values.sqrt()
    return white.float()


def own_kind(a: Tensor, b: Tensor) -> float:
    """The share of points whose nearest neighbour is of their own set; `(N, D)` each.

    One half if both were drawn from one distribution.
    """
    points = torch.cat([a, b])
    kinds = torch.arange(2, device=a.device).repeat_interleave(len(a))
    apart = torch.cdist(points, points).fill_diagonal_(torch.inf)
    return (kinds[apart.argmin(1)] == kinds).float().mean().item()


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Train both, then ask neighbours for classes, and codes for their shape."""
    digits = lab.data("digits")
    x_train = digits.train[:4_000].flatten(1).to(lab.device)
    x = digits.test[:1_000].flatten(1).to(lab.device)
    labels = digits.train_labels[:4_000].to(lab.device)
    answers = digits.test_labels[:1_000].to(lab.device)

    plain = DenseAutoencoder(*WIDTHS).to(lab.device)
    vae = GaussianVAE(*WIDTHS).to(lab.device)
    for model in (plain, vae):
        start_at_mean(model.encoder, model.decoder, x_train)
    with torch.enable_grad():
        if params.rival == "trained":
            fit(plain, autoencoder_loss, x_train, params.steps, lab)
        fit(vae, VAELoss(params.beta, lab.generator("noise")), x_train, params.steps, lab)

    z_train, z = plain.encode(x_train), plain.encode(x)
    mu_train, _ = vae.encode(x_train)
    mu, logvar = vae.encode(x)
    drawn = reparameterize(mu, logvar, lab.generator("codes"))
    many = slice(2_500)
    drawn_train = reparameterize(*vae.encode(x_train[many]), lab.generator("many codes"))
    prior = torch.randn(drawn_train.shape, generator=lab.generator("prior")).to(z)
    accuracies = {
        "autoencoder": knn_accuracy(z_train, labels, z, answers),
        "VAE": knn_accuracy(mu_train, labels, mu, answers),
    }
    return Result(
        metrics={
            "ae_accuracy": accuracies["autoencoder"],
            "vae_accuracy": accuracies["VAE"],
            "ae_own_kind": own_kind(whitened(z_train[many]), prior),
            "vae_own_kind": own_kind(whitened(drawn_train), prior),
            "vae_kl_nats": kl_to_prior(mu, logvar).mean().item(),
        },
        figures={
            "vae": Scatter(
                "A VAE's codes of unseen digits, one draw each, coloured by class: a "
                "rounder cloud, as the KL wants it, and the same classes in each other's way.",
                drawn.cpu(),
                answers.cpu(),
            ),
            "autoencoder": Scatter(
                "An autoencoder's codes of the same digits, at mean 0 and covariance I: arms and "
                "gaps, where the prior would draw and no digit ever was.",
                whitened(z).cpu(),
                answers.cpu(),
            ),
            "accuracy": Bars(
                "Unseen digits whose class the labels of their 15 nearest codes give.",
                accuracies,
                y_label="share recognised",
            ),
        },
    )
