"""Chains of residues that fold into a globule: as like proteins as a blurred map can show.

Only what a map shows at a few angstrom is modelled: neighbours along the chain are 3.8 angstrom
apart, stretches are helices or strands with their distances from residue to residue, nothing comes
too near to anything else, and all of it is drawn to the middle. No forces and no energies: the
points are moved, a little at a time, until these distances hold.

Source: the relaxation is position-based dynamics (Müller et al., 2007), with all constraints of a
round at once.
"""

from __future__ import annotations

import torch
from torch import Tensor

BOND = 3.8
"""Angstrom from one C-alpha atom to the next."""
HELIX, STRAND = (5.5, 5.2), (6.4, 9.8)
"""Angstrom from a residue to the second and the third one after it."""
APART = 4.8
"""Angstrom between residues that are not neighbours, at least."""
STRETCH = 8
"""Residues of a helix or a strand."""
FARTHEST = 15.0
"""Angstrom from the middle to a residue, at most: maps are boxes."""
ROUNDS = 30


def fold(n: int, generator: torch.Generator, residues: int = 64) -> Tensor:
    """Places `(n, residues, 3)` of C-alpha atoms in angstrom, around the origin.

    Args:
        n: Chains.
        generator: On the CPU.
        residues: Of each chain.
    """
    wanted = _distances(n, generator, residues)
    steps = torch.randn(n, residues, 3, generator=generator)
    places = (steps * BOND / 3**0.5).cumsum(1)
    places -= places.mean(1, keepdim=True)
    # What a globule of so many residues measures: R = 2.2 N^0.38 angstrom (radius of gyration).
    radius = 2.2 * residues**0.38
    along = torch.arange(residues)
    distant = ((along[:, None] - along).abs() > 3).float()
    for _ in range(ROUNDS):
        spread = places.square().sum(2).mean(1).sqrt()[:, None, None]
        places = places * (1 - 0.2 * (1 - radius / spread).clamp(min=0))
        places = places * (FARTHEST / places.norm(dim=2, keepdim=True)).clamp(max=1)
        places = places + _pushed_apart(places, distant)
        for gap, distance in enumerate(wanted, start=1):
            way = places[:, gap:] - places[:, :-gap]
            length = way.square().sum(2, keepdim=True).sqrt() + 1e-6
            move = way * (0.5 * (1 - distance[:, : residues - gap, None] / length))
            share = 0.5 if gap == 1 else 0.25
            places[:, :-gap] += share * move
            places[:, gap:] -= share * move
    return places - places.mean(1, keepdim=True)


def _distances(n: int, generator: torch.Generator, residues: int) -> tuple[Tensor, Tensor, Tensor]:
    """To the next, second and third residue: `(n, residues)` each."""
    stretches = torch.rand(n, residues // STRETCH + 2, generator=generator) < 0.5
    begin = torch.randint(STRETCH, (n, 1), generator=generator)
    helix = stretches.gather(1, (torch.arange(residues) + begin) // STRETCH)
    second, third = (
        torch.where(helix, of_helix, of_strand)
        for of_helix, of_strand in zip(HELIX, STRAND, strict=True)
    )
    return torch.full((n, residues), BOND), second, third


def _pushed_apart(places: Tensor, distant: Tensor) -> Tensor:
    """Half of what residues that are too near to each other must move."""
    square = places.square().sum(2)
    between = square[:, :, None] + square[:, None, :] - 2 * places @ places.transpose(1, 2)
    push = (APART * between.clamp(min=1.0).rsqrt() - 1).clamp(min=0, max=1) * (0.25 * distant)
    return push.sum(2, keepdim=True) * places - push @ places
