"""What a sheet of papyrus is made of, and the noise of a scan, as functions of the place.

Strips of the plant's pith are laid side by side, and a second layer crosswise over them. On the
recto, the inner face of a scroll, fibres run along the winding; on the verso, along the axis.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vaeflash.lab.volumes.volume import Box

Real: TypeAlias = NDArray[np.float32]
Whole: TypeAlias = NDArray[np.int64]

PERIOD = 512
"""Voxels until patterns repeat, a power of two; nobody sees it, for the sheet bends differently."""
LAYERS = 4
"""Of fibres, from the inner face to the outer one."""
_BLISTERS, _CRACKLE, _PATTERNS = LAYERS, LAYERS + 1, LAYERS + 2


class Texture:
    """Random patterns of a sheet, each with mean 0 and spread 1, by row v and column u.

    Args:
        rng: Draws them.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        recto = [
            0.75 * _smooth(rng, 1.2, 30) + 0.45 * _smooth(rng, 4, 60) for _ in range(LAYERS // 2)
        ]
        verso = [
            0.75 * _smooth(rng, 30, 1.2) + 0.45 * _smooth(rng, 60, 4) for _ in range(LAYERS // 2)
        ]
        patterns = [*recto, *verso, _smooth(rng, 9, 9), _smooth(rng, 1, 1)]
        # The patterns of one row lie together: in the cache while a plane of voxels is computed.
        # In steps of 1/1024: no machine's last bits change a scroll.
        self._table = (np.rint(np.stack(patterns, 1) * 1024) / 1024).astype(np.float32)

    def place(self, v: Whole, u: Whole) -> Whole:
        """Where the patterns of row v, column u begin; any one shape."""
        place = u & (PERIOD - 1)
        place += (v & (PERIOD - 1)) * (_PATTERNS * PERIOD)
        return place

    def fibres(self, place: Whole, layer: Whole) -> Real:
        """Of the layer 0 to 3 from the inner face; runs along u in 0 and 1, along v in 2 and 3."""
        fibres: Real = self._table.take(place + layer * PERIOD)
        return fibres

    def blisters(self, place: Whole) -> Real:
        """How much thicker the sheet is, smooth."""
        blisters: Real = self._table.take(place + _BLISTERS * PERIOD)
        return blisters

    def crackle(self, place: Whole) -> Real:
        """How much more of the ink has stayed, rough."""
        crackle: Real = self._table.take(place + _CRACKLE * PERIOD)
        return crackle


def _smooth(rng: np.random.Generator, v: float, u: float) -> NDArray[np.float64]:
    """White noise, blurred by Gaussians of these widths; it goes on where it ends."""
    spectrum = np.fft.rfft2(rng.standard_normal((PERIOD, PERIOD)))
    down, right = np.fft.fftfreq(PERIOD)[:, None], np.fft.rfftfreq(PERIOD)[None, :]
    spectrum *= np.exp(-0.5 * np.square(2 * np.pi) * ((v * down) ** 2 + (u * right) ** 2))
    spectrum[0, 0] = 0
    blurred = np.fft.irfft2(spectrum, s=(PERIOD, PERIOD))
    scaled: NDArray[np.float64] = blurred / blurred.std()
    return scaled


class Grain:
    """White noise by voxel: each row along x is a piece of one long table, found by a hash.

    Args:
        width: Longest row.
        mean: Of the noise.
        spread: Likewise.
        rng: Draws the table.
    """

    TABLE = 1 << 20

    def __init__(self, width: int, mean: float, spread: float, rng: np.random.Generator) -> None:
        steps = np.rint(rng.standard_normal(self.TABLE) * 1024) / 1024
        table = (mean + spread * steps).astype(np.float32)
        self._table = np.resize(table, self.TABLE + width)
        self._salt = np.uint64(rng.integers(1 << 62))

    def within(self, box: Box) -> Real:
        """Noise of all voxels of a box: `(Z, Y, X)`."""
        (z, y, x), (z_end, y_end, x_end) = box.start, box.stop
        planes, rows = np.arange(z, z_end, dtype=np.uint64), np.arange(y, y_end, dtype=np.uint64)
        bits = _mixed((planes << np.uint64(32))[:, None] + rows + self._salt)
        first = (bits % np.uint64(self.TABLE)).astype(np.int64)
        pieces = np.lib.stride_tricks.sliding_window_view(self._table, x_end - x)
        return pieces[first + x]


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Another number for every number, as different as can be (the finaliser of SplitMix64)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
