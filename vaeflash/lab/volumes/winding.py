"""The shape of a scroll: a sheet wound into a spiral, seen through a smooth random warp.

Everything here is arithmetic on one voxel at a time, in operations that IEEE 754 defines to the
last bit: sums, products, quotients, square roots. So a voxel is the same whatever box it is read
in, on any machine and any number of threads; an arc tangent of a library or a matrix product
would not keep that promise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.volume import Box, Triple

Real: TypeAlias = NDArray[np.float32]
Double: TypeAlias = NDArray[np.float64]

STEEPEST = 0.125
"""Amplitude over cell from which on a warp may fold the scroll into itself."""
_FARTHEST = 2.0
"""Displacements at the nodes are normal, cut off here: in units of the amplitude."""
_ARCTAN = (0.999866, -0.3302995, 0.180141, -0.085133, 0.0208351)
"""arctan(a) = a (c0 + c1 a^2 + ... + c4 a^8) on [0, 1] within 1e-5: Abramowitz, Stegun 4.4.47."""


@dataclass(frozen=True, slots=True)
class Spiral:
    """An Archimedean spiral: each turn lies `pitch` outside of the one before.

    A place on the sheet is the number of turns to it, t; there the radius is start + pitch t.

    Attributes:
        pitch: Voxels from winding to winding.
        start: Radius at t = 0.
    """

    pitch: float
    start: float

    def radius(self, turns: Double) -> Double:
        """Distance of the sheet from the axis, in voxels."""
        return self.start + self.pitch * turns

    def length(self, turns: Real) -> Real:
        """Voxels along the sheet from t = 0: the arc of circles as large as the spiral is there."""
        long = turns * (math.pi * self.pitch)
        long += math.tau * self.start
        long *= turns
        return long

    def turns(self, length: Double) -> Double:
        """The place on the sheet so far from its beginning: the inverse of `length`."""
        a = math.pi * self.pitch
        b = math.tau * self.start
        return (np.sqrt(b * b + 4 * a * length) - b) / (2 * a)

    def nearest(self, y: Real, x: Real) -> tuple[Real, Real, Real]:
        """The sheet's winding that lies nearest to each point, seen from the axis.

        Args:
            y: Distance from the axis, which is at (0, 0).
            x: Likewise, of the same shape.

        Returns:
            distance: From the sheet's middle to the point along the radius, positive outside, in
                voxels; at most half a pitch.
            winding: The number of whole turns to it; the sheet begins at 1.
            turns: To the place on the sheet.
        """
        radius = np.sqrt(y * y + x * x)
        turns = turn(y, x)
        distance = radius
        distance -= self.start
        distance *= 1 / self.pitch
        distance -= turns
        winding = np.rint(distance)
        distance -= winding
        distance *= self.pitch
        turns += winding
        return distance, winding, turns


def turn(y: Real, x: Real) -> Real:
    """The direction of (x, y) as a part of a full turn, from 0 in the direction of -x to 1."""
    high, wide = np.abs(y), np.abs(x)
    ratio = np.minimum(high, wide)
    ratio /= np.maximum(np.maximum(high, wide), 1e-30)
    square = ratio * ratio
    value = np.full_like(ratio, _ARCTAN[-1] / math.tau)
    for coefficient in reversed(_ARCTAN[:-1]):
        value *= square
        value += coefficient / math.tau
    value *= ratio
    # An eighth of a turn so far; each reflection doubles it, or leaves it as it is.
    wide -= high
    _reflect(value, 0.125, wide)
    _reflect(value, 0.25, x)
    np.copysign(value, y, out=value)
    value += 0.5
    return value


def _reflect(value: Real, mirror: float, sign: Real) -> None:
    """Turn `value` into 2 mirror - value where `sign` is negative."""
    np.subtract(mirror, value, out=value)
    np.copysign(value, sign, out=value)
    np.subtract(mirror, value, out=value)


class Warp:
    """Displacements of points in their z plane, smooth and random.

    At the nodes of a grid they are drawn; between, they go from node to node along 3 f^2 - 2 f^3.
    Several grids are added: large folds and crumple.

    Args:
        shape: Of the volume.
        scales: Pairs of amplitude and cell, in voxels: the spread of displacements along each
            axis, and from node to node.
        rng: Draws the nodes.

    Attributes:
        reach: No point moves farther than this, in voxels.

    Raises:
        DataError: The warp is so steep that it could fold the scroll into itself.
    """

    def __init__(
        self, shape: Triple, scales: Sequence[tuple[float, int]], rng: np.random.Generator
    ) -> None:
        for amplitude, cell in scales:
            if not 0 <= amplitude < STEEPEST * cell:
                what = f"a warp of {amplitude:g} voxels in cells of {cell} would fold it."
                advice = f"Amplitude over cell must be below {STEEPEST:g}."
                raise DataError(Problem("phantom", what, advice))
        self.reach = math.sqrt(2) * _FARTHEST * sum(amplitude for amplitude, _ in scales)
        self._grids: list[tuple[Real, int]] = []
        for amplitude, cell in scales:
            nodes = rng.standard_normal((2, *(side // cell + 2 for side in shape)))
            # In steps of 1/1024: no machine's last bits change a scroll.
            steps = np.rint(nodes.clip(-_FARTHEST, _FARTHEST) * (1024 * amplitude))
            self._grids.append(((steps / 1024).astype(np.float32), cell))

    def within(self, box: Box) -> Real:
        """Displacements `(2, Z, Y, X)` along y and x of all voxels of a box."""
        moved = np.zeros((2, *box.shape), np.float32)
        for nodes, cell in self._grids:
            (first, z), (iy, fy), (ix, fx) = (
                _cells(np.arange(a, b), cell) for a, b in zip(box.start, box.stop, strict=True)
            )
            nodes = nodes[:, first[0] : first[-1] + 2]
            rows = _between(nodes[..., ix], nodes[..., ix + 1], fx)
            planes = _between(rows[:, :, iy], rows[:, :, iy + 1], fy[:, None])
            # Along z last: long runs of voxels that lie together.
            steps = planes[:, 1:] - planes[:, :-1]
            for layer in range(first[0], first[-1] + 1):
                inside = slice(*np.searchsorted(first, (layer, layer + 1)))
                part = steps[:, layer - first[0], None] * z[inside, None, None]
                part += planes[:, layer - first[0], None]
                moved[:, inside] += part
        return moved

    def at(self, z: range, y: Real, x: Real) -> Real:
        """Displacements `(2, Z, ...)` of points in these planes, y and x each `(Z, ...)`."""
        moved = np.zeros((2, *y.shape), np.float32)
        for nodes, cell in self._grids:
            layer, part = _cells(np.arange(z.start, z.stop), cell)
            planes = _between(nodes[:, layer], nodes[:, layer + 1], part[:, None, None])
            high, wide = planes.shape[2:]
            (iy, fy), (ix, fx) = _cells(y, cell), _cells(x, cell)
            # Points outside go with the nearest ones inside.
            corner = iy.clip(0, high - 2) * wide + ix.clip(0, wide - 2)
            corner.reshape(len(z), -1)[:] += np.arange(len(z))[:, None] * (high * wide)
            flat = planes.reshape(2, -1)
            top = _between(flat.take(corner, 1), flat.take(corner + 1, 1), fx)
            corner += wide
            bottom = _between(flat.take(corner, 1), flat.take(corner + 1, 1), fx)
            moved += _between(top, bottom, fy)
        return moved

    def undo(self, z: range, y: Real, x: Real, rounds: int = 8) -> Real:
        """How far back `(2, Z, ...)` the points lie that the warp moves to (y, x).

        By fixed-point iteration: the warp is less steep than 1, so each round comes nearer.
        """
        back = np.zeros((2, *y.shape), np.float32)
        for _ in range(rounds):
            back = -self.at(z, y + back[0], x + back[1])
        return back


def _cells(places: NDArray[np.int64] | Real, cell: int) -> tuple[NDArray[np.int64], Real]:
    """The node below each place, and how far the way to the next has come, from 0 to 1."""
    scaled = places.astype(np.float32) * (1 / cell)
    below = np.floor(scaled)
    part: Real = scaled - below
    part *= part * (3 - 2 * part)
    return below.astype(np.int64), part


def _between(low: Real, high: Real, part: Real) -> Real:
    mixed: Real = (high - low) * part
    mixed += low
    return mixed
