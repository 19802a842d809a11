"""The data set `molecules`: density maps of 35^3 voxels, as if of small proteins.

    molecules = lab.data("molecules").take(train=512, test=128)
    molecules.train                          (512, 1, 35, 35, 35)

Each map is a chain that folds at random (`vaeflash.lab.folding`), turned at random and blurred as a
map of 6 angstrom resolution is, one angstrom a voxel, then standardised to mean 0 and variance 1.
Source 003 trains on maps of this size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vaeflash.data import DataSource
from vaeflash.lab.folding import fold

SIDE = 35
RESOLUTION = 6.0
"""Angstrom; the voxels are one angstrom wide."""
SPREAD = 0.225
"""Of an atom's density, as a part of the resolution: as ChimeraX's `molmap` has it."""
SIDE_CHAIN = 2.4
"""Angstrom from a C-alpha atom to the middle of its side chain."""
BACKBONE, HEAVIEST = 4.0, 10
"""Heavy atoms of a residue's backbone, and of the largest side chain."""
_AT_ONCE = 32


@dataclass(frozen=True, slots=True, eq=False)
class MoleculeData:
    """Density maps, split into a part to train on and a part kept unseen.

    Attributes:
        train: `(N, 1, 35, 35, 35)`, float32; each map has mean 0 and variance 1.
        test: `(M, 1, 35, 35, 35)`, likewise.
        source: What they were drawn by.
    """

    train: Tensor
    test: Tensor
    source: DataSource


@dataclass(frozen=True, slots=True, eq=False)
class Molecules:
    """Where density maps come from; `take` gives them.

    Attributes:
        source: What draws them.
        generator: Draws the chains.
    """

    source: DataSource
    generator: torch.Generator

    def take(
        self, train: int = 512, test: int = 128, *, resolution: float = RESOLUTION
    ) -> MoleculeData:
        """Density maps, always the same ones for equal arguments.

        Args:
            train: How many to train on.
            test: How many to keep unseen.
            resolution: In angstrom: the more, the smoother and the easier to compress.
        """
        generator = self.generator.clone_state()
        # First those for the test: they stay the same, however many there are to train on.
        unseen = draw(test, generator, resolution)
        return MoleculeData(draw(train, generator, resolution), unseen, self.source)


def load(source: DataSource, generator: torch.Generator) -> Molecules:
    """What `lab.data("molecules")` gives."""
    return Molecules(source, generator)


def draw(n: int, generator: torch.Generator, resolution: float = RESOLUTION) -> Tensor:
    """Density maps `(n, 1, 35, 35, 35)` of n molecules, each with mean 0 and variance 1.

    Args:
        n: Molecules.
        generator: On the CPU, as the maps are then.
        resolution: In angstrom.
    """
    maps = torch.empty(n, 1, SIDE, SIDE, SIDE)
    for part in maps.split(_AT_ONCE):
        chains = _turned(fold(len(part), generator), generator)
        part[:, 0] = blurred(*_atoms(chains, generator), SPREAD * resolution)
    maps -= maps.mean((2, 3, 4), keepdim=True)
    maps /= maps.square().mean((2, 3, 4), keepdim=True).sqrt()
    return maps


def blurred(places: Tensor, weights: Tensor, spread: float) -> Tensor:
    """Density `(N, 35, 35, 35)` of atoms: a sum of Gaussians, the middle voxel at the origin.

    Args:
        places: `(N, K, 3)`, in voxels along z, y and x.
        weights: `(N, K)`.
        spread: Of each Gaussian, in voxels.
    """
    grid = torch.arange(SIDE) - (SIDE - 1) / 2
    # A Gaussian in space is a product of three along the axes, and the sum a matrix product.
    axes = torch.exp((grid - places[..., None]).square() / (-2 * spread**2))
    # Far tails are cut off: their products would be denormal, which processors are slow at.
    axes = functional.threshold(axes, 1e-9, 0.0)
    z, y, x = axes.unbind(2)
    planes = (y[..., :, None] * x[..., None, :]).flatten(2)
    density: Tensor = (z * weights[..., None]).transpose(1, 2) @ planes
    return density.view(-1, SIDE, SIDE, SIDE)


def _atoms(chains: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places `(N, 2R, 3)` and weights `(N, 2R)`: of each residue its backbone and its side chain.

    A side chain points away from the middle of the residue's two neighbours.
    """
    ends = torch.cat([chains[:, :1], chains, chains[:, -1:]], 1)
    away = functional.normalize(2 * chains - ends[:, :-2] - ends[:, 2:], dim=2)
    sides = torch.randint(HEAVIEST + 1, chains.shape[:2], generator=generator)
    places = torch.cat([chains, chains + SIDE_CHAIN * away], 1)
    return places, torch.cat([torch.full(chains.shape[:2], BACKBONE), sides.float()], 1)


def _turned(chains: Tensor, generator: torch.Generator) -> Tensor:
    """Each chain turned at random: every rotation is equally likely.

    A quaternion of four normal numbers has no direction that it prefers (Shoemake, 1992).
    """
    quaternions = torch.randn(len(chains), 4, generator=generator)
    w, x, y, z = functional.normalize(quaternions, dim=1).unbind(1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    rotations = torch.stack([torch.stack(row, 1) for row in rows], 1)
    return chains @ rotations.transpose(1, 2)
