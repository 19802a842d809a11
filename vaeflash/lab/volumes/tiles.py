"""A whole volume through a network that sees cubes: tile by tile, overlapping, weighted.

Where tiles overlap, each voxel gets the weighted mean of what they say of it. The sum of weighted
predictions must be divided by the sum of the weights, not by the number of tiles:

    weights = window_weights("hann", (16, 16, 16))
    weighted_sum(model, voxels, weights, stride=4) / weight_sum(voxels.shape, weights, stride=4)

which is what `predict_tiled` gives. With "uniform" and "gaussian" it is what MONAI's
`sliding_window_inference` computes.

Sources: Isensee, Jaeger, Kohl, Petersen and Maier-Hein (2021), nnU-Net (the Gaussian window); MONAI
(its width, and its smallest weight).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.windows import scaled

Weighting: TypeAlias = Literal["uniform", "hann", "gaussian"]
SIGMA = 1 / 8
"""Of the Gaussian window, as a share of the side."""
LEAST = 1e-3
"""The Gaussian window's smallest weight."""


def predict_tiled(
    model: nn.Module,
    voxels: Tensor,
    side: int | Sequence[int],
    stride: int,
    window: Weighting = "hann",
    batch: int = 64,
) -> Tensor:
    """What a network makes of a volume larger than it can see.

    Args:
        model: Tiles `(n, 1, d, h, w)` to tiles of the same shape, or to pictures `(n, h, w)`.
        voxels: `(Z, Y, X)`, on any device; uint8 is read as 0 to 1.
        side: Of a tile, or three of them. Where the model gives pictures, a tile is as deep as the
            volume.
        stride: From tile to tile. The last tile of a row is moved back inside.
        window: How a tile's voxels are weighted.
        batch: Tiles at once.

    Returns:
        `(Z, Y, X)`, or of pictures `(Y, X)`; float32, on the voxels' device.

    Raises:
        DataError: A tile is larger than the volume, or the stride leaves gaps.
    """
    sides = (side,) * 3 if isinstance(side, int) else tuple(side)
    weights = window_weights(window, sides)
    total = weighted_sum(model, voxels, weights, stride, batch)
    axes = slice(-total.ndim, None)  # a picture has no depth
    return total / weight_sum(voxels.shape[axes], _flat(weights, total.ndim), stride).to(total)


def window_weights(window: Weighting, sides: Sequence[int]) -> Tensor:
    """The weight of each voxel of a tile, a product over the axes; float32, of shape `sides`.

    Args:
        window: "uniform"; "hann", the squared sine, whose sum over tiles at half a side is 1
            everywhere; or "gaussian", with a deviation of an eighth of the side.
        sides: Of a tile.
    """
    weights = torch.ones(())
    for side in sides:
        place = torch.arange(side) + 0.5
        along = {
            "uniform": torch.ones(side),
            "hann": (math.pi / side * place).sin().square(),
            "gaussian": torch.exp(-0.5 * ((place - side / 2) / (SIGMA * side)).square()),
        }[window]
        weights = weights[..., None] * along
    return weights.clamp(min=LEAST) if window == "gaussian" else weights


def weighted_sum(
    model: nn.Module, voxels: Tensor, weights: Tensor, stride: int, batch: int = 64
) -> Tensor:
    """The sum over tiles of what the model says of each voxel, times its weight in that tile.

    Evaluated on the model's device, in eval mode and without gradients. See `predict_tiled`.
    """
    device = next((p.device for p in model.parameters()), voxels.device)
    sides = weights.shape  # the weights themselves become a picture's, if that is what is given
    corners = list(product(*_starts(voxels.shape, sides, stride)))
    total = torch.empty(0)
    with _evaluated(model):
        for first in range(0, len(corners), batch):
            part = [_cut(corner, sides) for corner in corners[first : first + batch]]
            x = torch.stack([voxels[where] for where in part]).unsqueeze(1).to(device)
            y = model(scaled(x)).float()
            y = y.squeeze(1) if y.ndim == x.ndim else y
            if first == 0:
                axes = slice(-(y.ndim - 1), None)
                _require_depth(y.ndim - 1, voxels.shape, sides)
                total = torch.zeros(voxels.shape[axes], device=device)
                weights = _flat(weights, total.ndim).to(device)
            for where, tile in zip(part, y * weights, strict=True):
                total[where[axes]] += tile
    return total.to(voxels.device)


def weight_sum(shape: Sequence[int], weights: Tensor, stride: int) -> Tensor:
    """The sum over tiles of the weight of each voxel; of uniform weights, how many tiles hold it.

    Args:
        shape: Of the volume.
        weights: Of a tile.
        stride: From tile to tile.

    Raises:
        DataError: A tile is larger than the volume, or the stride leaves gaps.
    """
    total = torch.zeros(tuple(shape))
    for corner in product(*_starts(shape, weights.shape, stride)):
        total[_cut(corner, weights.shape)] += weights
    return total


def seam_ratio(voxels: Tensor, side: int) -> float:
    """How much larger the jump across the seams of tiles is than within them.

    The mean absolute difference of neighbours on both sides of a plane between tiles, over that
    across the planes through the middle of tiles; mean over the three axes. 1 is no seam.

    Args:
        voxels: `(Z, Y, X)`, of tiles that begin at the first voxel, at least two along each axis.
        side: Of a tile.

    Raises:
        DataError: There is no seam along some axis.
    """
    if min(voxels.shape) <= side or side < 2:
        what = f"{_times(voxels.shape)} voxels hold no two tiles of {side} along each axis."
        raise DataError(Problem("seams", what, "Choose a larger volume or smaller tiles."))
    ratios = []
    for axis in range(3):
        jumps = voxels.float().diff(dim=axis).abs().movedim(axis, 0).flatten(1).mean(1)
        plane = torch.arange(1, len(jumps) + 1, device=jumps.device) % side
        ratios.append(jumps[plane == 0].mean() / jumps[plane == side // 2].mean())
    return torch.stack(ratios).mean().item()


def error_by_distance(error: Tensor) -> Tensor:
    """Mean error of the voxels at each distance from a cube's nearest face: 0, 1, ...

    Args:
        error: `(N, S, S, S)`, e.g. squared.

    Returns:
        `(ceil(S / 2),)`.
    """
    side = error.shape[-1]
    place = torch.arange(side, device=error.device)
    depth = torch.minimum(place, side - 1 - place)
    z, y, x = torch.meshgrid(depth, depth, depth, indexing="ij")
    distance = torch.minimum(torch.minimum(z, y), x).flatten()
    total = torch.zeros((side + 1) // 2, dtype=error.dtype, device=error.device)
    total.index_add_(0, distance, error.mean(0).flatten())
    return total / distance.bincount()


def orthogonal_slices(volume: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The three middle planes of `(Z, Y, X)`: `(Y, X)` at half of Z, then `(Z, X)`, `(Z, Y)`."""
    z, y, x = (side // 2 for side in volume.shape)
    return volume[z], volume[:, y], volume[:, :, x]


def beside(x: Tensor, x_hat: Tensor) -> Tensor:
    """Pictures for a figure: rows input, output, difference; columns the three middle planes.

    Args:
        x: `(Z, Y, X)`, in [0, 1].
        x_hat: Its reconstruction.

    Returns:
        `(3, 3, S, S)` in [0, 1], S the longest side, shorter ones with white beside them. The
        difference is halved and lifted: grey is none, lighter means too light.
    """
    longest = max(x.shape)
    pictures = x.new_ones(3, 3, longest, longest)
    rows = (x, x_hat.to(x).clamp(0, 1), ((x_hat.to(x) - x) / 2 + 0.5).clamp(0, 1))
    for row, volume in zip(pictures, rows, strict=True):
        for place, picture in zip(row, orthogonal_slices(volume), strict=True):
            place[: picture.shape[0], : picture.shape[1]] = picture
    return pictures


def _starts(shape: Sequence[int], sides: Sequence[int], stride: int) -> list[list[int]]:
    """First voxels of the tiles along each axis; the last tile ends where the volume does."""
    if any(length < side for length, side in zip(shape, sides, strict=True)):
        what = f"a tile of {_times(sides)} is larger than the volume of {_times(shape)}."
        raise DataError(Problem("tiles", what, "Choose a smaller tile."))
    if stride < 1 or any(stride > side < length for length, side in zip(shape, sides, strict=True)):
        what = f"at a stride of {stride}, tiles of {_times(sides)} leave gaps."
        raise DataError(Problem("tiles", what, "Choose a stride from 1 to the side of a tile."))
    ends = [length - side for length, side in zip(shape, sides, strict=True)]
    return [[*range(0, end, stride), end] for end in ends]


def _require_depth(axes: int, shape: Sequence[int], sides: Sequence[int]) -> None:
    if axes == 2 and sides[0] != shape[0]:
        what = f"the model gives pictures, and a tile is {sides[0]} of {shape[0]} layers deep."
        raise DataError(Problem("tiles", what, "Choose tiles as deep as the volume."))


def _cut(corner: Sequence[int], sides: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(c, c + side) for c, side in zip(corner, sides, strict=True))


def _flat(weights: Tensor, axes: int) -> Tensor:
    """The weights of a picture that a tile as deep as the volume gives: those of its middle."""
    return weights if weights.ndim == axes else weights[len(weights) // 2]


@contextmanager
def _evaluated(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _times(shape: Sequence[int]) -> str:
    return " x ".join(f"{length:,}" for length in shape)
