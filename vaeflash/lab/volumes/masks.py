"""Where in a volume the scroll is, so that no cube is drawn from the air around it."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.volume import Box, Triple, Volume, whole

READERS = 8
"""Threads that read; a remote chunk is waited for rather than worked on."""


def papyrus_mask(volume: Volume, threshold: float, block: Triple) -> NDArray[np.bool_]:
    """Which blocks of a volume are, on the mean, at least as bright as a threshold.

    The volume is read once, chunk by chunk; at most `READERS` chunks are in memory. Of a large
    scroll read a coarse level: blocks of 2 at level 5 are blocks of 64 at level 0.

    Args:
        volume: Any; its chunks need not be multiples of the block.
        threshold: In the volume's own units, between the air and the papyrus.
        block: Voxels of a block along z, y and x; the last of an axis may be cut.

    Returns:
        A grid with one entry for each block, `ceil(length / block)` along each axis.

    Raises:
        DataError: A block would have no voxels; the data are damaged.
    """
    if min(block) < 1:
        raise DataError(Problem("papyrus mask", f"a block of {block} has no voxels."))
    lengths = [_lengths(side, b) for side, b in zip(volume.shape, block, strict=True)]
    sums = np.zeros([len(axis) for axis in lengths], np.uint64)
    boxes = list(whole(volume.shape).blocks(volume.chunks))
    with ThreadPoolExecutor(READERS) as readers:
        try:
            for corner, part in readers.map(functools.partial(_sums, volume, block), boxes):
                blocks = zip(corner, part.shape, strict=True)
                sums[tuple(slice(first, first + n) for first, n in blocks)] += part
        finally:
            readers.shutdown(cancel_futures=True)
    z, y, x = lengths
    return np.asarray(sums >= threshold * (z[:, None, None] * y[:, None] * x))


def _sums(volume: Volume, block: Triple, box: Box) -> tuple[Triple, NDArray[np.uint64]]:
    """The sums over those parts of blocks that lie in a box, and the first of these blocks."""
    sums: NDArray[Any] = volume.read(box)
    for axis, (start, stop, b) in enumerate(zip(box.start, box.stop, block, strict=True)):
        cuts = [0, *range(b - start % b, stop - start, b)]
        sums = np.add.reduceat(sums, cuts, axis, np.uint64)
    z, y, x = (start // b for start, b in zip(box.start, block, strict=True))
    return (z, y, x), sums


def _lengths(side: int, block: int) -> NDArray[np.int64]:
    """Voxels of each block along one axis: the last may have fewer."""
    return np.diff([*range(0, side, block), side])
