"""Where in a volume training windows are sampled; each sampler gives the windows' first voxels.

    Uniform    every window of the region with equal probability
    Masked     those whose centre voxel lies in a mask, with equal probability
    Mixed      a share from one sampler, the rest from another

A window is a box of d x h x w voxels: a cube in a scroll, or in a flattened surface `(D, V, U)` a
column through the sheet, whose labels are `(V, U)`. It never reaches outside its region. What looks
at labels is in `labelled.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.volume import Box, Triple

Grid: TypeAlias = NDArray[np.bool_]
ELSEWHERE = "Choose another region or window, or look whether it belongs to these voxels."
_MANY = 2**62
"""Draws below this, then the remainder: torch's own draws below 2**32 favour small numbers, by a
percent for a region of 350^3."""


class Places(Protocol):
    """Samples windows of one shape inside a region, independently, from a fixed distribution."""

    @property
    def region(self) -> Box:
        """No window leaves it."""

    @property
    def window(self) -> Triple:
        """Voxels of a window along each axis."""

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """First voxels of n independent windows, `(n, 3)`, int64, on the CPU."""


@dataclass(frozen=True, slots=True, eq=False)
class Uniform:
    """Every window of the region, each as likely as any other.

    Raises:
        DataError: The region holds no window.
    """

    region: Box
    window: Triple

    def __post_init__(self) -> None:
        positions(self.region, self.window)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Corners `(n, 3)`."""
        counts = torch.tensor(positions(self.region, self.window))
        return torch.tensor(self.region.start) + below(counts, (n, 3), generator)


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """Windows whose centre voxel, `corner + window // 2`, lies in a mask; each as likely.

    Args:
        mask: `(Z, Y, X)`, one entry for each block of the volume; of a surface, `mask[None]`.
        block: Voxels of a block: (1, 1, 1) for a mask of voxels, (D, 1, 1) for that of a surface.

    Raises:
        DataError: No window of the region has its centre in the mask, or the mask is too small.
    """

    region: Box
    window: Triple
    mask: Grid
    block: Triple = (1, 1, 1)
    _axes: list[tuple[Tensor, Tensor]] = field(init=False, repr=False)
    """For each axis the first centre and the number of centres in each block, region's alone."""
    _blocks: NDArray[np.int64] = field(init=False, repr=False)
    """Which blocks of the region are in the mask, counted row by row."""
    _ends: Tensor = field(init=False, repr=False)
    """How many windows they hold, up to each and with it."""

    def __post_init__(self) -> None:
        positions(self.region, self.window)
        require_cover("mask", self.mask.shape, self.block, self.region.stop)
        axes, cuts = [], []
        for low, high, w, b in zip(
            self.region.start, self.region.stop, self.window, self.block, strict=True
        ):
            first, beyond = low + w // 2, high - w + w // 2 + 1
            blocks = torch.arange(first // b, (beyond - 1) // b + 1)
            starts = (blocks * b).clamp(min=first)
            axes.append((starts, ((blocks + 1) * b).clamp(max=beyond) - starts))
            cuts.append(slice(int(blocks[0]), int(blocks[-1]) + 1))
        inside = np.asarray(self.mask, bool)[tuple(cuts)]
        z, y, x = (lengths.numpy() for _, lengths in axes)
        held = (z[:, None, None] * y[:, None] * x)[inside]
        if not len(held):
            refuse("mask", "no window of the region has its centre in it.", ELSEWHERE)
        object.__setattr__(self, "_axes", axes)
        object.__setattr__(self, "_blocks", np.flatnonzero(inside))
        object.__setattr__(self, "_ends", torch.from_numpy(held.cumsum()))

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Corners `(n, 3)`: a block as often as it holds centres, then any of those."""
        drawn = below(self._ends[-1], (n,), generator)
        picked = torch.searchsorted(self._ends, drawn, right=True)
        grid = tuple(len(starts) for starts, _ in self._axes)
        index = np.unravel_index(self._blocks[picked.numpy()], grid)
        centres = [
            starts[i] + below(lengths[i], (n,), generator)
            for (starts, lengths), i in zip(self._axes, map(torch.from_numpy, index), strict=True)
        ]
        return torch.stack(centres, 1) - torch.tensor([w // 2 for w in self.window])


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """A share of each batch from one place, and after it the rest from another.

    Of n windows `share * n` are from the first, rounded up or down at random so that the mean is
    exact.

    Raises:
        DataError: The windows differ in shape, or the share is not from 0 to 1.
    """

    first: Places
    second: Places
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.first.window != self.second.window:
            shapes = f"{_times(self.first.window)} and {_times(self.second.window)}"
            refuse("places", f"one batch cannot hold windows of {shapes}.", "Make them equal.")
        if not 0 <= self.share <= 1:
            refuse(f"share {self.share:g}", "it is not a share.", "Choose a number from 0 to 1.")

    @property
    def region(self) -> Box:
        """The smallest box that holds both regions."""
        starts, stops = zip(
            *((place.region.start, place.region.stop) for place in (self.first, self.second)),
            strict=True,
        )
        low, high = np.min(starts, 0).tolist(), np.max(stops, 0).tolist()
        return Box(tuple(low), tuple(high))

    @property
    def window(self) -> Triple:
        """Voxels of a window along each axis, the same for both samplers."""
        return self.first.window

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Corners `(n, 3)`."""
        chance = torch.rand((), generator=generator, dtype=torch.float64)
        first = min(n, int(self.share * n + float(chance)))
        return torch.cat(
            (self.first.draw(first, generator), self.second.draw(n - first, generator))
        )


def below(counts: Tensor | int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform random integers, at least 0 and less than `counts`, of the given shape."""
    return torch.randint(_MANY, shape, generator=generator) % counts


def positions(region: Box, window: Triple) -> Triple:
    """How many windows fit beside each other, along each axis.

    Raises:
        DataError: None fits.
    """
    if min(region.start) < 0 or any(
        w < 1 or s < w for s, w in zip(region.shape, window, strict=True)
    ):
        what = f"the region from {region.start} to {region.stop} holds no window of"
        advice = "Choose a smaller window or a larger region."
        refuse("places", f"{what} {_times(window)} voxels.", advice)
    z, y, x = (s - w + 1 for s, w in zip(region.shape, window, strict=True))
    return z, y, x


def require_cover(
    name: str, shape: tuple[int, ...], block: tuple[int, ...], stop: tuple[int, ...]
) -> None:
    """Refuse a grid of labels or of a mask, one entry a block, that ends before the region does.

    Raises:
        DataError: It does, or it has another number of axes.
    """
    if len(shape) != len(stop):
        what = f"{len(shape)} axes, where {len(stop)} are expected."
        refuse(name, what, "Labels are (V, U), a mask is (Z, Y, X).")
    covered = [n * b for n, b in zip(shape, block, strict=True)]
    if any(c < s for c, s in zip(covered, stop, strict=True)):
        what = f"{_times(covered)} voxels are covered, and the region goes up to {_times(stop)}."
        refuse(name, what, "Choose a region inside, or what belongs to these voxels.")


def refuse(where: str, what: str, advice: str) -> NoReturn:
    """Say why nothing can be drawn."""
    raise DataError(Problem(where, what, advice))


def _times(shape: Iterable[int]) -> str:
    return " x ".join(f"{length:,}" for length in shape)
