"""What voxels may be: 8 or 16 bits of grey. And the one rule that makes 8 bits of 16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.volume import Box, Triple, Volume, Voxels


def eight_bits(voxels: Voxels) -> NDArray[np.uint8]:
    """The upper 8 of 16 bits: 0x12ff becomes 0x12. Voxels of 8 bits stay as they are.

    Not a stretch to the brightest voxel: that depends on what else was read, so that two boxes of
    one scroll would no longer agree where they overlap.
    """
    if voxels.dtype == np.uint8:
        return voxels
    return (voxels >> 8).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class EightBits:
    """A volume of 8 or 16 bits, read as 8."""

    volume: Volume

    @property
    def shape(self) -> Triple:
        """Voxels along z, y and x."""
        return self.volume.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Always uint8."""
        return np.dtype(np.uint8)

    @property
    def chunks(self) -> Triple:
        """As they are stored."""
        return self.volume.chunks

    def read(self, box: Box) -> Voxels:
        """A copy of the voxels in a box, `eight_bits` of each."""
        return eight_bits(self.volume.read(box))


def require_grey(dtype: np.dtype[Any], where: str) -> np.dtype[Any]:
    """The dtype in this machine's byte order, if voxels may be of it.

    Raises:
        DataError: It is neither uint8 nor uint16.
    """
    native = dtype.newbyteorder("=")
    if native not in (np.uint8, np.uint16):
        raise DataError(Problem(where, f"its voxels are {native}.", "Expected: uint8 or uint16."))
    return native


def last_three(shape: Sequence[int], where: str) -> Triple:
    """Voxels along z, y and x; axes of length 1 before them, as for channel or time, fall away.

    Raises:
        DataError: There are other axes, or no voxels.
    """
    if len(shape) < 3 or any(length != 1 for length in shape[:-3]) or 0 in shape:
        found = times(shape) or "without axes"
        advice = "Expected: three axes, z, y and x; before them only axes of length 1."
        raise DataError(Problem(where, f"its array is {found}.", advice))
    z, y, x = (int(length) for length in shape[-3:])
    return z, y, x


def times(shape: Sequence[int]) -> str:
    """A shape for people: `65 x 1,200 x 900`."""
    return " x ".join(f"{length:,}" for length in shape)
