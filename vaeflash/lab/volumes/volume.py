"""A volume is a box of voxels that is read box by box: from memory, from files, or computed.

Axes are always z, y, x; of a flattened piece of papyrus, z is the depth through the sheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vaeflash.errors import DataError, Problem

Triple: TypeAlias = tuple[int, int, int]
Voxels: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Box:
    """The voxels from `start` up to `stop`, which is outside; both are (z, y, x)."""

    start: Triple
    stop: Triple

    @classmethod
    def at(cls, corner: Triple, shape: Triple) -> Box:
        """The box of this shape whose first voxel is `corner`."""
        return cls(corner, _triple(c + s for c, s in zip(corner, shape, strict=True)))

    @property
    def shape(self) -> Triple:
        """Voxels along each axis."""
        return _triple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """What cuts it out of an array."""
        z, y, x = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    def within(self, other: Box) -> bool:
        """Whether it has voxels, and `other` holds all of them."""
        bounds = zip(other.start, self.start, self.stop, other.stop, strict=True)
        return all(low <= a < b <= high for low, a, b, high in bounds)

    def blocks(self, shape: Triple) -> Iterator[Box]:
        """Boxes of at most this shape that fill it, row by row; the last of a row may be cut."""
        ranges = zip(self.start, self.stop, shape, strict=True)
        for corner in product(*(range(a, b, step) for a, b, step in ranges)):
            stops = zip(corner, shape, self.stop, strict=True)
            yield Box(_triple(corner), _triple(min(c + s, b) for c, s, b in stops))


class Volume(Protocol):
    """Voxels, read box by box. Reading twice gives the same; several threads may read at once."""

    @property
    def shape(self) -> Triple:
        """Voxels along z, y and x."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what `read` gives."""

    @property
    def chunks(self) -> Triple:
        """What is read or computed as one piece: boxes on its grid cost least."""

    def read(self, box: Box) -> Voxels:
        """A copy of the voxels in a box, of the box's shape.

        Raises:
            DataError: The box has no voxels or reaches outside; the data are damaged.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ArrayVolume:
    """A volume in memory, or in a file that numpy maps into memory: `voxels` is (Z, Y, X)."""

    voxels: Voxels

    @property
    def shape(self) -> Triple:
        """Voxels along z, y and x."""
        return _triple(self.voxels.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the voxels."""
        return self.voxels.dtype

    @property
    def chunks(self) -> Triple:
        """One plane: what lies together in memory."""
        return (1, *self.shape[1:])

    def read(self, box: Box) -> Voxels:
        """A copy of the voxels in a box."""
        require_inside(box, self.shape, "this volume")
        return np.array(self.voxels[box.slices])


def whole(shape: Triple) -> Box:
    """The box that holds a volume of this shape."""
    return Box((0, 0, 0), shape)


def inner(shape: Triple, margin: float) -> Box:
    """The volume without `margin` of its length at both ends of each axis.

    The safe middle of a scroll: no cube from it reaches the air around, the holder or the ends.
    """
    cut = [int(side * margin) for side in shape]
    return Box(_triple(cut), _triple(side - c for side, c in zip(shape, cut, strict=True)))


def require_inside(box: Box, shape: Triple, where: str) -> None:
    """Refuse a box that a volume of this shape does not hold.

    Raises:
        DataError: It reaches outside or holds nothing.
    """
    if not box.within(whole(shape)):
        what = f"the box from {box.start} to {box.stop} is not inside."
        raise DataError(Problem(where, what, f"Its voxels go from (0, 0, 0) to {shape}."))


def _triple(values: Any) -> Triple:
    z, y, x = (int(value) for value in values)
    return z, y, x
