r"""A VAE's samples beat an autoencoder's, and most of that is knowing where the codes are.

**Sampling** is to draw a code z and to decode it. Both networks here have the same layers,

    x (784) -> 256, ReLU -> z (20) -> 256, ReLU -> 784, sigmoid -> x_hat

and both are trained on the cross-entropy of the pixels; the VAE draws its codes, and adds the KL to
N(0, I), nats summed over pixels and latents. So N(0, I) is the place to draw the VAE's codes from.
The autoencoder never heard of it: where its codes lie, and how far apart, is its own affair. One
can ask it, though, and draw from the Gaussian that has the mean and covariance of its codes,

    m = mean of z,    C = mean of (z - m)(z - m)',    z ~ N(m, C)        a prior fitted afterwards

For a VAE the same, with C that of the aggregate posterior.

**How good are samples?** No number alone tells.

    nearest distance    of a sample to the nearest training digit. Copies have 0; and a blur is near
                        to everything
    diversity           squared difference of two samples. Noise has much
    Frechet distance    of two clouds of features, as Gaussians with means m, m' and covariances
                        C, C': |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)). It asks for both at once,
                        and does not mind copies

The features are those of a small classifier trained here, so the numbers compare with each other
alone. All are held against *unseen digits*, which are as good as samples can be.

**Before and after each epoch** the VAE decodes 18 codes of the prior, the same ones each time: what
changes in the grid is the decoder. With new codes one would mostly look at chance.

Source: notes of a lecture on a convolutional autoencoder, its end; notes on digits and faces, the
cards on VAEs and on epoch images; Heusel et al. (2017), GANs trained by a two time-scale update
rule; Ghosh et al. (2020), From variational to deterministic autoencoders, on fitted priors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vaeflash.demo import Bars, Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.batches import epoch_steps
from vaeflash.lab.classifier import Classifier, train_classifier
from vaeflash.lab.codes import Moments, aggregate
from vaeflash.lab.elbo import bernoulli_log_likelihood, kl_to_prior
from vaeflash.lab.history import History
from vaeflash.lab.networks import DenseAutoencoder, GaussianVAE, reparameterize, start_at_mean
from vaeflash.lab.samples import copied_share, diversity, frechet_distance, nearest_distance
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import Loss, train

NEEDS = ("digits",)
BATCH = 64
GRID = (3, 6)
COUNT = 1_000
"""Samples of each kind; and unseen digits, since Frechet distances of fewer are larger."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    latent: int = 20
    beta: float = 1.0  # weight of the KL in the VAE's loss
    steps: int = 378  # of each network: six epochs of 4,000 digits
    # Where the codes of both networks come from: N(0, I), a Gaussian fitted to all codes, or the
    # codes of unseen digits.
    points: Literal["prior", "fitted", "codes"] = "prior"
    fit: Literal["gaussian", "none"] = "gaussian"  # none: what is called fitted is the prior again
    reach: float = 3.0  # how far out the far codes are, in standard deviations of all codes
    recite: Literal["train", "unseen"] = "train"  # digits whose codes are decoded for samples
    temperature: float = 0.6  # what the VAE's codes are multiplied by, for cold samples
    few: int = 18  # real digits that are few for a Frechet distance
    grid: Literal["same", "fresh"] = "same"  # codes of the grid, from epoch to epoch


Model = DenseAutoencoder | GaussianVAE


def autoencoder_loss(model: DenseAutoencoder, x: Tensor) -> Tensor:
    """Cross-entropy: nats, sum over pixels, mean over the batch."""
    return -bernoulli_log_likelihood(model.decode(model.encode(x)), x).mean()


def vae_loss(beta: float, noise: torch.Generator) -> Loss:
    """Minus the ELBO: nats, summed over pixels and latents, mean over the batch."""

    def loss(model: GaussianVAE, x: Tensor) -> Tensor:
        mu, logvar = model.encode(x)
        logits = model.decode(reparameterize(mu, logvar, noise))
        return (beta * kl_to_prior(mu, logvar) - bernoulli_log_likelihood(logits, x)).mean()

    return loss


def fit(
    model: Model, loss: Loss, x: Tensor, steps: int, lab: Lab, history: History | None = None
) -> None:
    """Train a network in place on pictures `(N, 784)`, from the mean image onwards."""
    start_at_mean(model.encoder, model.decoder, x)
    train(
        model,
        loss,
        x,
        steps=steps,
        batch_size=BATCH,
        optimizer=torch.optim.Adam(model.parameters(), 4e-3, (0.9, 0.99), fused=True),
        generator=lab.generator("batches"),
        schedule=linear(steps),
        history=history,
        track=lab.track,
    )


def encoded(model: Model, x: Tensor, g: torch.Generator) -> Tensor:
    """Codes of pictures `(N, 784)`; from a VAE one draw of each posterior; `(N, latent)`."""
    if isinstance(model, DenseAutoencoder):
        return model.encode(x)
    return reparameterize(*model.encode(x), g)


def moments(model: Model, x: Tensor) -> Moments:
    """Mean and covariance of the codes of `(N, 784)`; of a VAE, of all posteriors together."""
    if isinstance(model, DenseAutoencoder):
        return aggregate(model.encode(x))
    return aggregate(*model.encode(x))


class Codes:
    """Where to draw a network's codes from, `(COUNT, latent)` each."""

    def __init__(
        self, model: Model, x_train: Tensor, x_test: Tensor, params: Params, lab: Lab
    ) -> None:
        name = type(model).__name__
        self.all = moments(model, x_train)
        g = lab.generator(f"{name}/codes")
        self.prior = torch.randn(COUNT, params.latent, generator=g).to(x_train)
        self.fitted = self.prior
        if params.fit == "gaussian":
            self.fitted = self.all.sample(COUNT, lab.generator(f"{name}/fitted"))
        self.codes = encoded(model, x_test, g)

    def at(self, points: str) -> Tensor:
        """The codes that a parameter names."""
        named: Tensor = getattr(self, points)
        return named

    def far(self, reach: float) -> Tensor:
        """Around the mean of all codes, `reach` standard deviations out along each number."""
        std = self.all.covariance.diagonal().sqrt()
        return (self.all.mean + reach * std * self.prior).float()


def decoded(model: Model, z: Tensor) -> Tensor:
    """Codes to pictures in [0, 1]; `(N, 784)`."""
    return model.decode(z).sigmoid()


class Judge:
    """Frechet distances to the training digits, in the features of a small classifier."""

    def __init__(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> None:
        self.classifier: Classifier = train_classifier(
            images[:2_000], labels[:2_000], generator, steps=150
        )
        self.known = self.classifier.features(images)

    def __call__(self, pictures: Tensor) -> float:
        """Of pictures `(N, 784)`."""
        return frechet_distance(self.classifier.features(as_images(pictures)), self.known)


def as_images(pictures: Tensor) -> Tensor:
    """`(N, 784)` to `(N, 1, 28, 28)`."""
    return pictures.view(-1, 1, 28, 28)


def grids(params: Params, lab: Lab) -> History:
    """18 samples of a VAE before and after each epoch, `(18, 784)` a look."""
    g = lab.generator("grid")
    z = torch.randn(GRID[0] * GRID[1], params.latent, generator=g)

    def look(model: GaussianVAE) -> Tensor:
        fresh = torch.randn(z.shape, generator=g)
        codes = (z if params.grid == "same" else fresh).to(lab.device)
        return decoded(model, codes).cpu()

    return History(look, every=epoch_steps(torch.empty(4_000), BATCH))


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Train both, draw codes from here and there, and judge what they decode to."""
    digits = lab.data("digits")
    images = digits.train[:4_000].to(lab.device)
    x_train, x_test = images.flatten(1), digits.test[:COUNT].flatten(1).to(lab.device)
    ae = DenseAutoencoder(784, 256, params.latent).to(lab.device)
    vae = GaussianVAE(784, 256, params.latent).to(lab.device)
    history = grids(params, lab)
    with torch.enable_grad():
        fit(ae, autoencoder_loss, x_train, params.steps, lab)
        loss = vae_loss(params.beta, lab.generator("noise"))
        fit(vae, loss, x_train, params.steps, lab, history)
        judge = Judge(images, digits.train_labels[:4_000].to(lab.device), lab.generator("judge"))

    ae_codes, vae_codes = (Codes(model, x_train, x_test, params, lab) for model in (ae, vae))
    source = x_train[:COUNT] if params.recite == "train" else x_test
    samples = {
        "unseen digits": x_test,
        "autoencoder": decoded(ae, ae_codes.at(params.points)),
        "autoencoder, fitted": decoded(ae, ae_codes.fitted),
        "VAE": decoded(vae, vae_codes.at(params.points)),
        "VAE, fitted": decoded(vae, vae_codes.fitted),
        "recited": decoded(ae, ae.encode(source)),
    }
    frechet = {name: judge(pictures) for name, pictures in samples.items()}
    distance = {
        name: nearest_distance(samples[name], x_train).mean().item()
        for name in ("unseen digits", "autoencoder", "VAE", "recited")
    }
    far = decoded(ae, ae_codes.far(params.reach))
    cold = decoded(vae, params.temperature * vae_codes.at(params.points))
    *_, before_last, last = [history.values[0], *history.values]
    shown = samples | {"far out": far}
    count = len(history.values)
    looks = sorted({0, min(1, count - 1), count // 2, count - 1})
    figures: dict[str, Figure] = {
        "samples": Images(
            "Nobody chose these. Around 0 the autoencoder paints one blur with variations. Drawn "
            "from a Gaussian fitted to its codes it comes to strokes, as a VAE does. Recited are "
            "training digits, from their own codes. Far out are scraps of strokes.",
            torch.stack([as_images(part[:10])[:, 0] for part in shown.values()]).cpu(),
            rows=list(shown),
        ),
        "frechet": Bars(
            "Fréchet distance to the training digits, of 1,000 samples each.",
            frechet,
            y_label="Fréchet distance",
        ),
        "epochs": Images(
            "Six of the 18 codes of the prior, decoded by the VAE as it learns.",
            torch.stack([as_images(history.values[look][:6])[:, 0] for look in looks]),
            rows=[f"step {history.steps[look]}" for look in looks],
        ),
        "grid": Images(
            "18 samples of the VAE's prior in 3 rows of 6, after the last epoch.",
            last.view(*GRID, 28, 28),
        ),
    }
    return Result(
        metrics={
            "ae_mse": metrics.mse(decoded(ae, ae.encode(x_test)), x_test),
            "vae_mse": metrics.mse(decoded(vae, vae.encode(x_test)[0]), x_test),
            "ae_code_std": ae_codes.all.covariance.diagonal().sqrt().mean().item(),
            "unseen_frechet": frechet["unseen digits"],
            "ae_frechet": frechet["autoencoder"],
            "vae_frechet": frechet["VAE"],
            "ae_fitted_frechet": frechet["autoencoder, fitted"],
            "vae_fitted_frechet": frechet["VAE, fitted"],
            "recited_frechet": frechet["recited"],
            "few_frechet": judge(x_test[: params.few]),
            "unseen_distance": distance["unseen digits"],
            "ae_distance": distance["autoencoder"],
            "vae_distance": distance["VAE"],
            "recited_distance": distance["recited"],
            "far_distance": nearest_distance(far, x_train).mean().item(),
            "cold_distance": nearest_distance(cold, x_train).mean().item(),
            "unseen_diversity": diversity(x_test),
            "ae_diversity": diversity(samples["autoencoder"]),
            "vae_diversity": diversity(samples["VAE"]),
            "cold_diversity": diversity(cold),
            "recited_copies": copied_share(samples["recited"], x_train, x_test),
            "vae_copies": copied_share(samples["VAE"], x_train, x_test),
            "grid_change": metrics.mse(last, before_last),
            "grid_difference": diversity(last),
        },
        figures=figures,
    )
