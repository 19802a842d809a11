"""The data set `scroll`: a scroll to train on and one that is kept unseen.

    scroll = lab.data("scroll")
    scroll.volume("train")                   a Volume, (128, 128, 128) voxels
    scroll.surface("test", ink=40.0)         a flattened sheet: voxels, ink, mask

Drawn scrolls are two, each as large as one asks for, with ink as hard to read as one asks for. Of
a real one the first four fifths along its axis are to train on and the last fifth is for the test;
it is as it is, so the ink's contrast says nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from vaeflash.data.scroll import ScrollSource
from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.phantom import Papyrus, Phantom
from vaeflash.lab.volumes.surface import Surface
from vaeflash.lab.volumes.volume import Box, Triple, Volume, Voxels, require_inside, whole

Part: TypeAlias = Literal["train", "test"]
SEEN = 0.8
"""Of a real scroll, from its first plane on."""
SHAPE, SURFACE = (128, 128, 128), (32, 256, 768)
INK, BLANK = Papyrus().ink, Papyrus().blank


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A box of another volume, as a volume.

    Attributes:
        volume: Of 8 bits.
        box: What is seen of it.
    """

    volume: Volume
    box: Box

    @property
    def shape(self) -> Triple:
        """Voxels along z, y and x."""
        return self.box.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """As in the other volume."""
        return self.volume.dtype

    @property
    def chunks(self) -> Triple:
        """As in the other volume; the grid begins where that one's does."""
        return self.volume.chunks

    def read(self, box: Box) -> Voxels:
        """A copy of the voxels in a box."""
        require_inside(box, self.shape, "this part of the scroll")
        z, y, x = (a + b for a, b in zip(self.box.start, box.start, strict=True))
        return self.volume.read(Box.at((z, y, x), box.shape))


@dataclass(frozen=True, slots=True)
class Scroll:
    """Where scrolls come from; `volume` and `surface` give them.

    Attributes:
        source: What draws them, or which files.
        seeds: Of the drawn scrolls, to train on and for the test.
    """

    source: ScrollSource
    seeds: tuple[int, int]

    def volume(
        self,
        part: Part,
        shape: Triple | None = SHAPE,
        *,
        ink: float = INK,
        blank: float = BLANK,
    ) -> Volume:
        """Voxels of a rolled scroll, uint8; nothing is read or computed yet.

        Args:
            part: Which of the two.
            shape: Of a drawn scroll; of a real one its middle is cut to at most this shape, and
                `None` leaves it whole. Of 16 bits the upper 8 are kept.
            ink: Contrast of drawn ink.
            blank: Share of letters that are missing in a drawn one.

        Raises:
            DataError: The files are missing, damaged or of no known format.
        """
        if self.source.kind == "drawn":
            return self._phantom(part, shape or SHAPE, ink, blank)
        # Late: what reads files comes with an extra, and no phantom needs it.
        from vaeflash.lab.volumes.formats import open_volume
        from vaeflash.lab.volumes.grey import EightBits

        volume = EightBits(open_volume(self.source.location))
        return Cut(volume, _middle(_part_of(part, volume.shape, 0), shape))

    def surface(
        self,
        part: Part,
        shape: Triple | None = SURFACE,
        ink: float = INK,
        *,
        blank: float = BLANK,
    ) -> Surface:
        """A flattened sheet with its ink labels.

        Args:
            part: Which of the two; of a real sheet the first four fifths or the last fifth of its
                rows.
            shape: Layers, rows and columns; of a real sheet the middle is cut to at most these,
                and `None` leaves it whole.
            ink: Contrast of drawn ink; at 0 it cannot be seen, and the labels stay.
            blank: Share of letters that are missing in a drawn one; at 1 nothing is written.

        Raises:
            DataError: The files are missing or damaged, or there are no labels beside them.
        """
        if self.source.kind == "drawn":
            depth, height, width = shape or SURFACE
            side = Papyrus().side_for(width, depth)
            phantom = self._phantom(part, (height, side, side), ink, blank)
            first = phantom.columns(depth).start
            return phantom.surface(range(height), range(first, first + width), depth)
        from vaeflash.lab.volumes.formats import open_surface

        surface = open_surface(self.source.location)
        z, y, x = _middle(_part_of(part, surface.voxels.shape, 1), shape).slices
        return Surface(surface.voxels[z, y, x], surface.ink[y, x], surface.mask[y, x])

    def _phantom(self, part: Part, shape: Triple, ink: float, blank: float) -> Phantom:
        seed = self.seeds[("train", "test").index(part)]
        return Phantom(shape, seed, Papyrus(ink=ink, blank=blank))


def read_ink(volume: Volume, box: Box) -> NDArray[np.bool_]:
    """Where a volume has ink: `(Z, Y, X)`, bool.

    Raises:
        DataError: Nobody knows: it is no phantom. Or the box reaches outside.
    """
    if not isinstance(volume, Phantom):
        what = "where its ink is, is not known voxel by voxel."
        advice = "Expected: a phantom; or a surface, whose ink labels are a flat picture."
        raise DataError(Problem("scroll", what, advice))
    return volume.read_ink(box)


def load(source: ScrollSource, generator: torch.Generator) -> Scroll:
    """What `lab.data("scroll")` gives."""
    train, test = torch.randint(2**62, (2,), generator=generator).tolist()
    return Scroll(source, (train, test))


def _part_of(part: Part, shape: tuple[int, ...], axis: int) -> Box:
    """The first four fifths along an axis, or the last fifth.

    Raises:
        DataError: There is nothing to divide.
    """
    z, y, x = shape
    everything = whole((z, y, x))
    start, stop = list(everything.start), list(everything.stop)
    cut = int(SEEN * shape[axis])
    if not cut:
        what = f"{shape[axis]} planes cannot be divided into a part to train on and one to test."
        raise DataError(Problem("scroll", what, "Expected: at least two."))
    if part == "train":
        stop[axis] = cut
    else:
        start[axis] = cut
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _middle(box: Box, shape: Triple | None) -> Box:
    """The middle of a box, of at most this shape."""
    if shape is None:
        return box
    sides = [min(side, most) for side, most in zip(box.shape, shape, strict=True)]
    z, y, x = (
        a + (have - side) // 2 for a, have, side in zip(box.start, box.shape, sides, strict=True)
    )
    return Box.at((z, y, x), (sides[0], sides[1], sides[2]))
