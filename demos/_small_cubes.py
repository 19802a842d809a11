"""Small cubes of a scroll and a network that learns them in seconds: no demo, two begin with it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Lab
from vaeflash.lab.metrics import mse
from vaeflash.lab.schedules import Schedule, constant
from vaeflash.lab.volumes.cubes import Cubes, resident
from vaeflash.lab.volumes.explained import (
    mean_cube,
    pca_reconstructed,
    quick_pca,
    reconstructed,
)
from vaeflash.lab.volumes.fitting import fit
from vaeflash.lab.volumes.networks import (
    Size,
    VolumeAutoencoder,
    start_at_mean,
    strided_autoencoder,
)
from vaeflash.lab.volumes.places import Uniform
from vaeflash.lab.volumes.volume import inner
from vaeflash.lab.volumes.windows import Windows

SIDE, LATENT = 8, 32
TRAIN, TEST = 4_096, 1_024
MARGIN = 0.1
"""Of the scroll's length, at both ends of each axis, where no cube is cut."""

Learner: TypeAlias = tuple[VolumeAutoencoder, torch.optim.Optimizer]
"""A network, and the optimizer with what it remembers of the gradients so far."""


@dataclass(frozen=True, slots=True)
class Papyrus:
    """Where cubes of 8 x 8 x 8 voxels come from.

    Attributes:
        voxels: Of the scroll that is trained on, `(Z, Y, X)`.
        places: Any cube of its inner region, each as likely.
        train: `(TRAIN, 1, 8, 8, 8)`, for the mean cube and principal components.
        test: `(TEST, 1, 8, 8, 8)`, of another scroll.
    """

    voxels: Tensor
    places: Uniform
    train: Tensor
    test: Tensor

    def cubes(self, size: int, name: str, lab: Lab) -> Cubes:
        """Batches of fresh cubes; those of one name and size are always the same."""
        return Cubes(self.voxels, self.places, size, lab.generator(name))

    @property
    def mean_cube_mse(self) -> float:
        """Of answering every test cube with the mean cube; mean over cubes and voxels."""
        return mse(mean_cube(self.train).expand_as(self.test), self.test)

    @property
    def pca_mse(self) -> float:
        """Of as many principal components as the code has numbers, likewise."""
        return mse(pca_reconstructed(quick_pca(self.train, LATENT), self.test), self.test)


def cut(voxels: Tensor, places: Uniform, corners: Tensor) -> Tensor:
    """Cubes with these first voxels `(n, 3)`: `(n, 1, 8, 8, 8)`, float32 in [0, 1]."""
    return Windows(voxels, places.window).cut(corners.to(voxels.device)).unsqueeze(1)


def papyrus(lab: Lab) -> Papyrus:
    """Cubes of the scroll to train on, and of the one that is kept unseen."""
    scroll = lab.data("scroll")
    held, drawn = [], []
    for part, size in (("train", TRAIN), ("test", TEST)):
        voxels = resident(scroll.volume(part), lab.device)
        z, y, x = voxels.shape
        places = Uniform(inner((z, y, x), MARGIN), (SIDE, SIDE, SIDE))
        held.append((voxels, places))
        drawn.append(cut(voxels, places, places.draw(size, lab.generator(part))))
    return Papyrus(*held[0], drawn[0], drawn[1])


def network(mean: float = 0.5) -> VolumeAutoencoder:
    """512 voxels to 32 numbers and back: convolutions of 8 and 16 channels, residual, group norm.

    Args:
        mean: Grey level that the last bias starts from.
    """
    model = strided_autoencoder(Size(SIDE, base=8, levels=2, latent=LATENT))
    start_at_mean(model, mean)
    return model


def loss(model: nn.Module, x: Tensor) -> Tensor:
    """Squared error, mean over cubes and voxels."""
    return F.mse_loss(model(x), x)


def learner(data: Papyrus, rate: float) -> Learner:
    """A fresh network, the same for equal seeds of torch's global generator, and its Adam."""
    model = network(data.train.mean().item()).to(data.voxels.device)
    return model, torch.optim.Adam(model.parameters(), lr=rate)


def going_on(
    from_: Learner,
    batches: Cubes,
    steps: int,
    rate: float,
    lab: Lab,
    schedule: Schedule = constant,
) -> tuple[Learner, Tensor]:
    """Train a copy for some steps; the copy, and its loss in each step, `(steps,)`."""
    model, optimizer = copy.deepcopy(from_)  # together, so that the one still moves the other
    for group in optimizer.param_groups:
        group["lr"] = rate
    losses = fit(
        model,
        loss,
        batches,
        steps=steps,
        optimizer=optimizer,
        schedule=schedule,
        track=lab.track,
    )
    return (model, optimizer), losses


def unseen_mse(learnt: Learner, data: Papyrus) -> float:
    """On the other scroll; mean over cubes and voxels."""
    return mse(reconstructed(learnt[0], data.test), data.test)
