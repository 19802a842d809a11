"""Sets of cubes, and new ones that share no voxel with them: two demos begin with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Lab
from vaeflash.lab.metrics import mse
from vaeflash.lab.volumes.cubes import Cubes, resident
from vaeflash.lab.volumes.explained import reconstructed
from vaeflash.lab.volumes.networks import (
    Size,
    VolumeAutoencoder,
    start_at_mean,
    strided_autoencoder,
)
from vaeflash.lab.volumes.places import Masked
from vaeflash.lab.volumes.volume import inner

Shortcut: TypeAlias = Literal["residual", "matched"]
SIDE, LATENT = 8, 32
SIZE = Size(SIDE, base=8, levels=2, latent=LATENT)
SCROLL = (256, 160, 160)
NEW = 2_048
MARGIN = 0.1
"""Of the scroll's length, at both ends of each axis, where no cube is cut."""
PERIOD, SLAB = 8, 3
"""Along the axis, in sides of a cube: three for sets, a gap, three for new cubes, a gap."""


@dataclass(frozen=True, slots=True)
class Slabs:
    """One scroll in slabs: every other one to learn from, new cubes from those between.

    So both are of the same papyrus, and what differs on new cubes is that they are new.

    Attributes:
        voxels: `(Z, Y, X)`, uint8.
        places: Any cube of the slabs to learn from, each as likely.
        new: `(NEW, 1, 8, 8, 8)`, of the others; no voxel is in both.
    """

    voxels: Tensor
    places: Masked
    new: Tensor

    def cubes(self, n: int, name: str, lab: Lab) -> Tensor:
        """So many to learn from, `(n, 1, 8, 8, 8)`; the same for equal name and n."""
        return cut(self.voxels, self.places, n, name, lab)


def slabs(lab: Lab) -> Slabs:
    """Read a scroll and divide it."""
    voxels = resident(lab.data("scroll").volume("train", SCROLL), lab.device)
    z, y, x = voxels.shape
    phase = np.arange(-(-z // SIDE)) % PERIOD
    seen, unseen = (
        Masked(
            inner((z, y, x), MARGIN),
            (SIDE, SIDE, SIDE),
            ((first <= phase) & (phase < first + SLAB))[:, None, None],  # centres of cubes
            block=(SIDE, y, x),
        )
        for first in (0, SLAB + 1)
    )
    return Slabs(voxels, seen, cut(voxels, unseen, NEW, "new", lab))


def cut(voxels: Tensor, places: Masked, n: int, name: str, lab: Lab) -> Tensor:
    """Cubes at random places `(n, 1, 8, 8, 8)`, float32 in [0, 1]."""
    cubes = Cubes(voxels, places, n, lab.generator(name)).next()
    assert isinstance(cubes, Tensor)
    return cubes


def autoencoder(mean: float, lab: Lab, shortcut: Shortcut = "residual") -> VolumeAutoencoder:
    """512 voxels to 32 numbers and back; `matched` is the residual network without its shortcuts.

    Args:
        mean: Grey level that the last bias starts from.
        shortcut: Whether each level has one.
    """
    model = strided_autoencoder(SIZE, shortcut)
    start_at_mean(model, mean)
    # The stubs know the layout of pictures alone; on a CPU it saves a fifth of a step.
    model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return model.to(lab.device)


def squared_error(model: nn.Module, x: Tensor) -> Tensor:
    """Of reconstructions; mean over cubes and voxels."""
    return F.mse_loss(model(x), x)


def error_on(model: nn.Module, cubes: Tensor) -> float:
    """The same in eval mode."""
    return mse(reconstructed(model, cubes), cubes)


def adam(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    """All weights in one call: these networks have many tensors, and small ones."""
    return torch.optim.Adam(model.parameters(), rate, fused=True)
