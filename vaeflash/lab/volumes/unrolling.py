"""The way from a flattened sheet back into its scroll: where each column at each depth lies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.volume import Triple
from vaeflash.lab.volumes.winding import Spiral, Warp

Real: TypeAlias = NDArray[np.float32]
Double: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]

STRIDE = 4
"""Columns from one at which the warp is undone to the next."""


@dataclass(frozen=True, slots=True)
class Unrolling:
    """A surface is the sheet and what lies up to half its depth inside and outside of it.

    Attributes:
        shape: Of the volume that holds the scroll.
        spiral: How the sheet was wound.
        warp: How the scroll was crushed.
    """

    shape: Triple
    spiral: Spiral
    warp: Warp

    def columns_in_all(self) -> int:
        """Columns of the sheet of which the volume may hold a voxel, from the first one on."""
        farthest = math.hypot(self.shape[1] / 2, self.shape[2] / 2) + self.warp.reach
        turns = np.full(1, farthest / self.spiral.pitch + 2, np.float32)
        return math.ceil(float(self.spiral.length(turns)[0]))

    def columns(self, depth: int) -> range:
        """Columns at which a surface so deep lies in the volume, whatever the warp does.

        Raises:
            DataError: There are none.
        """
        margin = self._margin(depth)
        radii = np.array([margin, min(self.shape[1:]) / 2 - margin])
        turns = ((radii - self.spiral.start) / self.spiral.pitch).clip(1)
        first, last = self.spiral.length(turns.astype(np.float32))
        if last - 1 <= first:
            what = f"no surface {depth} voxels deep fits into {self.shape}."
            advice = "Make the volume larger along y and x, or the surface thinner."
            raise DataError(Problem("phantom", what, advice))
        return range(math.ceil(first), math.floor(last))

    def side_for(self, columns: int, depth: int) -> int:
        """Voxels along y and x of a volume that holds a surface of so many columns."""
        margin = self._margin(depth)
        turns = np.array([max(1.0, (margin - self.spiral.start) / self.spiral.pitch)])
        end = self.spiral.length(turns.astype(np.float32)).astype(np.float64) + columns + 2
        return 2 * math.ceil(float(self.spiral.radius(self.spiral.turns(end))[0]) + margin)

    def paths(self, slab: range, columns: range, depth: int) -> tuple[Real, Real]:
        """Where the surface passes through these planes of the volume: y and x, `(Z, D, U)`."""
        # The warp is smooth: it is undone at every fourth column, at three depths, and what lies
        # between goes along lines and parabolas.
        first = columns.start // STRIDE
        knots = np.arange(first, columns[-1] // STRIDE + 2) * STRIDE
        y, x = self._unwarped(knots, np.array([[-0.5], [0], [0.5]]) * depth)
        planes = (len(slab), *y.shape)
        back = self.warp.undo(slab, np.broadcast_to(y, planes), np.broadcast_to(x, planes))

        u = np.arange(columns.start, columns.stop)
        below, part = u // STRIDE - first, (u % STRIDE / STRIDE).astype(np.float32)
        back = back[..., below] * (1 - part) + back[..., below + 1] * part
        heights = (np.arange(depth, dtype=np.float64)[:, None] + 0.5) * (2 / depth) - 1
        y, x = self._unwarped(u, heights * (depth / 2))
        t = heights.astype(np.float32)
        for weight, moved in zip(
            (t * (t - 1) / 2, 1 - t * t, t * (t + 1) / 2), back.transpose(2, 0, 1, 3), strict=True
        ):
            y, x = (place + weight * way[:, None] for place, way in zip((y, x), moved, strict=True))
        return y, x

    def _margin(self, depth: int) -> float:
        return depth / 2 + 1 + self.warp.reach

    def _unwarped(self, u: Whole, height: Double) -> tuple[Real, Real]:
        """Places y and x, `(D, U)`, of columns at heights `(D, 1)` over the sheet, uncrushed."""
        turns = self.spiral.turns(u.astype(np.float64) + 0.5)
        radius, angle = self.spiral.radius(turns) + height, math.tau * (turns - 0.5)
        y = radius * np.sin(angle) + self.shape[1] / 2
        x = radius * np.cos(angle) + self.shape[2] / 2
        return y.astype(np.float32), x.astype(np.float32)


def sample(plane: NDArray[np.uint8], y: Real, x: Real) -> NDArray[np.uint8]:
    """Grey values between pixels, bilinear; y and x of any one shape, inside the plane."""
    width = plane.shape[1]
    top, left = y.astype(np.int64), x.astype(np.int64)
    y, x = y - top.astype(np.float32), x - left.astype(np.float32)
    corner = top * width + left
    grey = plane.astype(np.float32).ravel()

    def between(first: Whole) -> Real:
        low, high = grey.take(first), grey.take(first + 1)
        mixed: Real = low + (high - low) * x
        return mixed

    above, below = between(corner), between(corner + width)
    return (above + (below - above) * y + 0.5).astype(np.uint8)
