"""A carbonised scroll that is computed: every voxel a function of a seed and its place.

A sheet of papyrus is wound into a spiral, crushed by a smooth warp, and scanned: fibres in two
crossing layers, voxels that are part papyrus and part air, noise, and ink a few voxels thick on the
inner face. The ink's contrast is how hard it is to read; where it is, nobody needs to guess.

    phantom = Phantom((256, 256, 256), seed=7)
    phantom.read(box)                      grey values, uint8
    phantom.read_ink(box)                  where there is ink, bool
    phantom.surface(range(256), range(300, 1068), depth=32)
                                           the sheet laid flat, with its labels
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.papyrus import LAYERS, Grain, Texture
from vaeflash.lab.volumes.surface import Surface
from vaeflash.lab.volumes.unrolling import Unrolling, sample
from vaeflash.lab.volumes.volume import Box, Triple, require_inside
from vaeflash.lab.volumes.winding import Spiral, Warp
from vaeflash.lab.volumes.writing import Writing

Real: TypeAlias = NDArray[np.float32]
Bytes: TypeAlias = NDArray[np.uint8]
Bools: TypeAlias = NDArray[np.bool_]
Whole: TypeAlias = NDArray[np.int64]

BLOCK = (32, 64, 64)
"""Voxels that are computed at once: few enough for a processor's cache."""
_ALONG = 1024
"""Columns of a surface that are sampled at once."""
_FADES = 0.55
"""Of its density a face loses in each voxel: the scan blurs it over about two."""
_SWELLS = 0.22
"""Spread of the sheet's thickness, as a part of it."""
_SEAM = 1.2
"""Voxels from the middle of the sheet over which its two layers part."""
_FACE, _DEEP = 0.7, 2.1
"""Where ink lies, in halves of a sheet inside its middle, and how far it goes, in voxels."""
_CRACKS = 0.6
"""Spread of the ink's contrast over its mean."""


@dataclass(frozen=True, slots=True)
class Papyrus:
    """What a scroll is like; lengths in voxels, densities in grey values.

    Attributes:
        pitch: From winding to winding.
        thick: Of the sheet.
        core: Radius of the hole in the middle.
        folds: Amplitude and cell of the large deformation.
        crumple: Likewise of the small one.
        air: Density between the windings.
        papyrus: Density of the sheet.
        fibre: Spread of that density from fibre to fibre.
        split: Share of the density that is missing where the two layers of fibres meet.
        ink: What ink adds: the difficulty. At 0 letters cannot be seen, and labels stay.
        noise: Spread of the scan's noise.
        letter: Height of a letter.
        stroke: Thickness of the pen.
        blank: Share of letters that are missing; at 1 nothing is written.
    """

    pitch: float = 15.0
    thick: float = 7.0
    core: float = 6.0
    folds: tuple[float, int] = (7.5, 64)
    crumple: tuple[float, int] = (1.0, 20)
    air: float = 38.0
    papyrus: float = 150.0
    fibre: float = 26.0
    split: float = 0.25
    ink: float = 40.0
    noise: float = 11.0
    letter: int = 44
    stroke: float = 6.0
    blank: float = 0.55

    def unrolling(self, shape: Triple, rng: np.random.Generator) -> Unrolling:
        """How such a scroll in a volume of this shape is wound and crushed.

        Raises:
            DataError: The warp would fold it into itself.
        """
        warp = Warp(shape, (self.folds, self.crumple), rng)
        return Unrolling(shape, Spiral(self.pitch, self.core), warp)

    def side_for(self, columns: int, depth: int) -> int:
        """Voxels along y and x with which a volume holds a surface of so many columns."""
        return self.unrolling((1, 1, 1), np.random.default_rng(0)).side_for(columns, depth)


class Phantom:
    """A volume (`vaeflash.lab.volumes.volume`) that is computed where it is read.

    Args:
        shape: Voxels along z, the scroll's axis, y and x.
        seed: Everything random follows from it.
        papyrus: What the scroll is like.

    Raises:
        DataError: The shape is empty, or the warp would fold the scroll into itself.
    """

    def __init__(self, shape: Triple, seed: int, papyrus: Papyrus | None = None) -> None:
        if min(shape) < 1:
            raise _refuse(
                f"a volume of shape {shape} has no voxels.", "Ask for at least 1 x 1 x 1."
            )
        self.shape: Triple = shape
        self.papyrus = papyrus or Papyrus()
        made = self.papyrus
        # One stream each: what is drawn of one thing says nothing of another.
        streams = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(4))
        self._unrolling = made.unrolling(shape, next(streams))
        self._texture = Texture(next(streams))
        # Half a grey value more, since what lies behind the point is cut off.
        self._grain = Grain(shape[2], made.air + 0.5, made.noise, next(streams))
        width = self._unrolling.columns_in_all()
        self._writing = Writing(
            shape[0], width, next(streams), made.letter, made.stroke, made.blank
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of grey values: uint8."""
        return np.dtype(np.uint8)

    @property
    def chunks(self) -> Triple:
        """What is computed at once."""
        return BLOCK

    def read(self, box: Box) -> Bytes:
        """The grey values of a box: `(Z, Y, X)`, uint8."""
        require_inside(box, self.shape, "this phantom")
        voxels = np.empty(box.shape, np.uint8)
        for block in box.blocks(BLOCK):
            voxels[_within(block, box)] = self._scan(block)
        return voxels

    def read_ink(self, box: Box) -> Bools:
        """Where there is ink in a box: `(Z, Y, X)`, bool."""
        require_inside(box, self.shape, "this phantom")
        ink = np.empty(box.shape, np.bool_)
        for block in box.blocks(BLOCK):
            ink[_within(block, box)] = self._label(block)
        return ink

    def columns(self, depth: int) -> range:
        """Columns of the sheet at which a surface so deep lies wholly in the volume.

        Raises:
            DataError: There are none.
        """
        return self._unrolling.columns(depth)

    def surface(self, rows: range, columns: range, depth: int = 32) -> Surface:
        """The sheet laid flat, as far as these rows and columns go: sampled from the volume.

        Args:
            rows: Along the axis, of range(shape[0]).
            columns: Along the winding, of `columns(depth)`.
            depth: Layers, the sheet's middle between the two middle ones.

        Raises:
            DataError: It would reach out of the volume.
        """
        for asked, there, along in (
            (rows, range(self.shape[0]), "rows"),
            (columns, self.columns(depth), "columns"),
        ):
            if not (asked and asked[0] in there and asked[-1] in there and asked.step == 1):
                what = f"a surface of {along} {asked.start} to {asked.stop} is not inside."
                raise _refuse(what, f"The {along} go from {there.start} to {there.stop}.")
        voxels = np.empty((depth, len(rows), len(columns)), np.uint8)
        sheet = Box((0, rows.start, columns.start), (1, rows.stop, columns.stop))
        for part in sheet.blocks((1, BLOCK[0], _ALONG)):
            _, v, u = (range(a, b) for a, b in zip(part.start, part.stop, strict=True))
            y, x = self._unrolling.paths(v, u, depth)
            corner = v.start, int(y.min()), int(x.min())
            planes = self.read(Box(corner, (v.stop, int(y.max()) + 2, int(x.max()) + 2)))
            for i, plane in enumerate(planes):
                layers = sample(plane, y[i] - corner[1], x[i] - corner[2])
                voxels[:, v[i] - rows.start, _within(part, sheet)[2]] = layers
        ink = self._writing.picture(rows, columns) > 0.5
        return Surface(voxels, ink, np.ones_like(ink))

    def _wound(self, block: Box) -> tuple[Real, Real, Real]:
        """Distance, winding and turns (`Spiral.nearest`) of every voxel of a block."""
        y, x = self._unrolling.warp.within(block)
        _, height, width = self.shape
        (_, top, left), (_, bottom, right) = block.start, block.stop
        y += np.arange(top, bottom, dtype=np.float32)[:, None] - height / 2
        x += np.arange(left, right, dtype=np.float32) - width / 2
        return self._unrolling.spiral.nearest(y, x)

    def _on_sheet(self, block: Box, turns: Real) -> tuple[Whole, Whole]:
        """Row `(Z, 1, 1)` and column `(Z, Y, X)` of the sheet at voxels of a block."""
        v = np.arange(block.start[0], block.stop[0])[:, None, None]
        # In the core there is no sheet, and these columns are never looked at.
        return v, self._unrolling.spiral.length(np.maximum(turns, 0, out=turns)).astype(np.int64)

    def _scan(self, block: Box) -> Bytes:
        made, half = self.papyrus, self.papyrus.thick / 2
        distance, winding, turns = self._wound(block)
        v, u = self._on_sheet(block, turns)
        place = self._texture.place(v, u)
        depth = np.abs(distance)

        # How much of each voxel is papyrus, from 0 to 1.
        cover = self._texture.blisters(place)
        cover *= _FADES * _SWELLS * half
        cover += _FADES * half + 0.5
        cover -= _FADES * depth
        np.minimum(cover, winding, out=cover)  # none before the first winding
        np.clip(cover, 0, 1, out=cover)

        layer = distance + half
        layer *= LAYERS / made.thick
        density = self._texture.fibres(place, layer.clip(0, LAYERS - 1).astype(np.int64))
        density *= made.fibre
        density += made.papyrus - made.air
        density *= cover
        depth *= made.split / _SEAM
        depth += 1 - made.split
        density *= np.minimum(depth, 1, out=depth)

        # Only where something is written: a twentieth of the voxels.
        off = np.abs(distance + _FACE * half)
        near = ((off < _DEEP) & (winding > 0)).ravel().nonzero()[0]
        rows = near // (distance.size // len(distance)) + block.start[0]
        ink = self._writing.at(rows, u.take(near))
        written = ink.nonzero()[0]
        near, ink = near[written], ink[written]
        ink *= (_DEEP - off.take(near)).clip(0, 1)
        ink *= 1 + _CRACKS * self._texture.crackle(place.take(near))
        ink *= 0.35 + 0.65 * cover.take(near)
        density.ravel()[near] += 0.75 * made.ink * ink

        density += self._grain.within(block)
        return density.clip(0, 255).astype(np.uint8)

    def _label(self, block: Box) -> Bools:
        distance, winding, turns = self._wound(block)
        ink: Bools = self._writing.at(*self._on_sheet(block, turns)) > 0.5
        ink &= (winding > 0) & (distance < 0) & (distance > -self.papyrus.thick / 2)
        return ink


def _within(block: Box, box: Box) -> tuple[slice, ...]:
    """Where in the array of `box` a block of it is."""
    ranges = zip(block.start, block.stop, box.start, strict=True)
    return tuple(slice(a - first, b - first) for a, b, first in ranges)


def _refuse(what: str, advice: str) -> DataError:
    return DataError(Problem("phantom", what, advice))
