"""A VAE of faces, trained once for all that is asked of it; no demo, but what two demos begin with.

`trained(recipe, lab)` trains, or returns what this process has trained before by the same recipe on
the same faces and seed. The result is the same either way, torch's global generator included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Lab
from vaeflash.lab.batches import epoch_steps
from vaeflash.lab.classifier import Classifier, train_classifier
from vaeflash.lab.elbo import kl_to_prior
from vaeflash.lab.face_networks import Eigenfaces, EigenfaceVAE, error_weight, full_face_vae
from vaeflash.lab.faces import FaceData, Faces
from vaeflash.lab.history import History
from vaeflash.lab.networks import reparameterize
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import train

Size: TypeAlias = Literal["small", "full"]
Weight: TypeAlias = Literal["as_at_256", "as_it_is"]

SAMPLES = 18
AT_ONCE = 250  # pictures that go through a network together


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a VAE of faces is trained.

    Attributes:
        size: `small` is an `EigenfaceVAE` of 64 x 64 portraits, `full` the source's network.
        weight: Of the summed squared error; `as_it_is` is 1 at every side.
    """

    size: Size = "small"
    epochs: int = 16
    weight: Weight = "as_at_256"

    @property
    def side(self) -> int:
        """Of the portraits, in pixels."""
        return 256 if self.size == "full" else 64

    @property
    def portraits(self) -> int:
        """How many to train on, where they are drawn: at 256 x 256, 2,000 take 1.6 GB."""
        return 2_000 if self.size == "full" else 8_000

    @property
    def unseen(self) -> int:
        """How many to keep unseen."""
        return 100 if self.size == "full" else 500

    @property
    def error_weight(self) -> float:
        """What the summed squared error of a picture is multiplied by."""
        return error_weight(self.side) if self.weight == "as_at_256" else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained VAE, who judges it, and what is needed of its training faces.

    Attributes:
        faces: The unseen ones; the training pictures are let go.
        network: Has `encode` and `decode`, between pictures `(N, 3, S, S)` and codes.
        eigenfaces: Of the training faces.
        judge: Tells who wears glasses; never saw anything that a network painted.
        mu: Means of the training faces' posteriors, `(N, D)`.
        logvar: Of the same.
        means: The mean training face without and with glasses, `(2, 3, S, S)`.
        mean: The mean of all, `(3, S, S)`.
        epochs: What 18 codes of the prior decoded to before, between and after the epochs, at
            64 x 64; `(epochs + 1, 18, 3, 64, 64)`.
    """

    faces: FaceData
    network: Any
    eigenfaces: Eigenfaces
    judge: Classifier
    mu: Tensor
    logvar: Tensor
    means: Tensor
    mean: Tensor
    epochs: Tensor

    @property
    def glasses(self) -> Tensor:
        """Which training faces wear any, `(N,)`, bool."""
        return self.faces.train_glasses

    def with_glasses(self, images: Tensor) -> float:
        """The share of pictures `(N, 3, S, S)` that the judge sees glasses in."""
        return self.judge.classify(images).double().mean().item()


def trained(recipe: Recipe, lab: Lab) -> Trained:
    """The VAE of this recipe, trained on `lab.data("faces")`."""
    faces: Faces = lab.data("faces")
    key = (lab.seed, str(lab.device), faces.source.fingerprint)
    return _train(_Order(recipe, key, faces, lab))


def difference_of_means(codes: Tensor, glasses: Tensor) -> Tensor:
    """Mean code with glasses minus mean code without; `(N, D)` to `(D,)`."""
    return codes[glasses].mean(0) - codes[~glasses].mean(0)


@dataclass(frozen=True, slots=True)
class _Order:
    """What a training depends on; equal orders give equal networks."""

    recipe: Recipe
    key: tuple[int, str, str]
    faces: Faces = field(compare=False)
    lab: Lab = field(compare=False)


@lru_cache(maxsize=8)  # some 60 MB each; a check asks for few seeds, and many times for each
def _train(order: _Order) -> Trained:
    recipe, lab = order.recipe, order.lab
    faces = order.faces.take(recipe.side, train=recipe.portraits, test=recipe.unseen)
    images, glasses = faces.train.to(lab.device), faces.train_glasses.to(lab.device)
    # First weights come from the global generator, which is to be the same whether we train or not.
    cuda = [lab.device] if lab.device.type == "cuda" else []
    with torch.random.fork_rng(cuda):
        torch.manual_seed(lab.seed)
        network, history = _fit(recipe, images, lab)
        eigenfaces = network.eigenfaces if recipe.size == "small" else Eigenfaces(images)
    network.eval()
    with torch.no_grad():
        posteriors = [network.encode(part) for part in images.split(AT_ONCE)]
    with torch.enable_grad():
        judge = train_classifier(images[:4_000], glasses[:4_000], lab.generator("judge"))
    return Trained(
        faces=replace(
            faces,
            train=images[:0].clone(),  # a slice would keep all of them in memory
            train_glasses=glasses,
            test=faces.test.to(lab.device),
            test_glasses=faces.test_glasses.to(lab.device),
        ),
        network=network,
        eigenfaces=eigenfaces,
        judge=judge,
        mu=torch.cat([mu for mu, _ in posteriors]),
        logvar=torch.cat([logvar for _, logvar in posteriors]),
        means=torch.stack([images[~glasses].mean(0), images[glasses].mean(0)]),
        mean=images.mean(0),
        epochs=torch.stack(history.values),
    )


def _fit(recipe: Recipe, images: Tensor, lab: Lab) -> tuple[Any, History]:
    """Train on pictures `(N, 3, S, S)`, and look at samples after each epoch."""
    network: Any
    core: nn.Module
    if recipe.size == "full":
        network = core = full_face_vae().to(lab.device)
        data, batch, rate = images, 16, 1e-3
    else:
        network = EigenfaceVAE(images)
        core = network.core.to(lab.device)
        data, batch, rate = network.eigenfaces.project(images), 128, 4e-3
    batch = min(batch, len(data))
    codes = torch.randn(SAMPLES, _latent(core), generator=lab.generator("samples")).to(lab.device)
    an_epoch = epoch_steps(data, batch)
    history = History(lambda _: _at_64(network.decode(codes)).cpu(), every=an_epoch)
    with torch.enable_grad():
        train(
            core,
            _loss(recipe.error_weight, lab.generator("noise")),
            data,
            steps=recipe.epochs * an_epoch,
            batch_size=batch,
            optimizer=torch.optim.Adam(core.parameters(), rate, (0.9, 0.99), fused=True),
            generator=lab.generator("batches"),
            schedule=linear(recipe.epochs * an_epoch, warmup=0.05),
            history=history,
            track=lab.track,
        )
    return network, history


def _loss(weight: float, noise: torch.Generator) -> Callable[[Any, Tensor], Tensor]:
    """Weighted summed squared error plus summed KL: mean over the batch."""

    def loss(model: Any, x: Tensor) -> Tensor:
        mu, logvar = model.encode(x)
        x_hat = model.decode(reparameterize(mu, logvar, noise))
        error = (x_hat - x).square().flatten(1).sum(1)
        value: Tensor = (weight * error + kl_to_prior(mu, logvar)).mean()
        return value

    return loss


def _latent(core: Any) -> int:
    return int(core.to_mu.out_features)


def _at_64(images: Tensor) -> Tensor:
    """Pictures `(N, 3, S, S)` at 64 x 64 and in [0, 1], as a figure shows them."""
    factor = images.shape[-1] // 64
    return F.avg_pool2d(images, factor).clamp(0, 1)


def shown(images: Tensor) -> Tensor:
    """Pictures `(..., 3, S, S)` as figures want them: `(..., 64, 64, 3)`, on the CPU."""
    flat = _at_64(images.reshape(-1, *images.shape[-3:]))
    pictures: Tensor = flat.movedim(1, -1).unflatten(0, images.shape[:-3])
    return pictures.cpu()
