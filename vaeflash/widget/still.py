"""The plane where nothing can be touched: a grid of decoded pictures. Without torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vaeflash.demo import Dense, Images, Plane

GRID = 12
"""Pictures a side."""
EXTENT = 2.5
"""Half of what the grid covers, in units of the prior's deviation."""


def still(plane: Plane) -> Images:
    """A mosaic of each decoder; the first number grows to the right, the second upwards.

    Raises:
        ValueError, TypeError: The layers do not fit each other, or do not make square pictures.
    """
    along = np.linspace(-EXTENT, EXTENT, GRID)
    x, y = np.meshgrid(along, along[::-1])
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    mosaics = [_mosaic(decode(decoder.layers, points)) for decoder in plane.decoders.values()]
    names = list(plane.decoders) if len(mosaics) > 1 else ()
    return Images(plane.caption, np.stack(mosaics)[None], columns=names)


def decode(layers: Sequence[Dense], z: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """What the rounded network makes of codes; `(N, D)` to `(N, P)` in 0..1."""
    x = np.asarray(z, dtype=float)
    for number, layer in enumerate(layers):
        if number:
            x = x * _sigmoid(x)
        weights, scales, biases = (
            np.asarray(part, dtype=float) for part in (layer.weights, layer.scales, layer.biases)
        )
        x = (x @ weights.T) * scales + layer.bias_scale * biases
    return _sigmoid(x)


def _sigmoid(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    squashed: npt.NDArray[np.float64] = 0.5 + 0.5 * np.tanh(0.5 * x)  # without overflow
    return squashed


def _mosaic(pictures: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`(GRID^2, P)` pictures as one, `(GRID side, GRID side)`."""
    side = round(pictures.shape[1] ** 0.5)
    tiles = pictures.reshape(GRID, GRID, side, side).transpose(0, 2, 1, 3)
    return tiles.reshape(GRID * side, GRID * side)
