"""An encoder's first convolution and its pooling on a CPU, as one matrix product in small blocks.

A convolution of one channel to 32 makes 32 numbers of each voxel, and pooling throws seven eighths
of them away: memory is what takes the time, 4 MB a cube of 32^3, several times over. But a pooled
value depends on no more than 4 x 4 x 4 voxels. So the voxels are cut into such patches, a few
thousand patches at a time are multiplied by the kernel in its eight positions, and the largest of
eight is kept before the rest ever leaves the processor's cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

ROWS = 2_048
"""Patches at once: with 32 channels their products are 2 MB."""
_POSITIONS = [(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)]
"""Of a 3 x 3 x 3 kernel in a 4 x 4 x 4 patch, in the order in which pooling looks at them."""


def conv_then_pool(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`max_pool3d(conv3d(x, weight, bias, padding=1), 2)` of one channel, in a third of the time.

    Where voxels tie, the gradient goes where it goes in `max_pool3d`: to the first.

    Args:
        x: `(N, 1, D, H, W)` of even sides, on a CPU; it gets no gradient.
        weight: `(C, 1, 3, 3, 3)`.
        bias: `(C,)`.

    Returns:
        `(N, C, D/2, H/2, W/2)`, with the channels last in memory.
    """
    n, _, *sides = x.shape
    channels = len(weight)
    shifted = [F.pad(weight[:, 0], (c, 1 - c, b, 1 - b, a, 1 - a)) for a, b, c in _POSITIONS]
    kernels = torch.stack(shifted).view(8 * channels, 64).T
    largest: Any = _LargestProduct.apply(_patches(x), kernels)  # type: ignore[no-untyped-call]
    d, h, w = (side // 2 for side in sides)
    pooled: Tensor = (largest + bias).view(n, d, h, w, channels).permute(0, 4, 1, 2, 3)
    return pooled


def _patches(x: Tensor) -> Tensor:
    """All patches of 4^3 voxels at a stride of 2, zeros around the cube; `(N D H W / 8, 64)`."""
    padded = F.pad(x[:, 0], (1,) * 6)
    return padded.unfold(1, 4, 2).unfold(2, 4, 2).unfold(3, 4, 2).reshape(-1, 64)


class _LargestProduct(torch.autograd.Function):
    """`(patches @ kernels).view(M, 8, C).amax(1)`, a few rows at a time; `(M, C)`."""

    @staticmethod
    def forward(ctx: Any, patches: Tensor, kernels: Tensor) -> Tensor:
        channels = kernels.shape[1] // 8
        largest = patches.new_empty(len(patches), channels)
        first = torch.empty(largest.shape, dtype=torch.int8)
        products = patches.new_empty(min(ROWS, len(patches)), len(kernels.T))
        for start in range(0, len(patches), ROWS):
            rows = slice(start, start + ROWS)
            part = patches[rows]
            product = torch.mm(part, kernels, out=products[: len(part)])
            # As 2 x 2 x 2 voxels with channels last: torch's pooling of those is the quickest
            # way to both the maximum and where it was.
            eight = product.view(-1, 2, 2, 2, channels).permute(0, 4, 1, 2, 3)
            value, index = F.max_pool3d(eight, 2, return_indices=True)
            largest[rows] = value.flatten(1)
            first[rows] = index.flatten(1)
        ctx.save_for_backward(patches, first)
        return largest

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        patches, first = ctx.saved_tensors
        (gradient,) = gradients
        channels = gradient.shape[1]
        total = patches.new_zeros(64, 8 * channels)
        spread = patches.new_empty(min(ROWS, len(patches)), 8, channels)
        for start in range(0, len(patches), ROWS):
            rows = slice(start, start + ROWS)
            part = patches[rows]
            eight = spread[: len(part)].zero_()
            eight.scatter_(1, first[rows].long().unsqueeze(1), gradient[rows].unsqueeze(1))
            total.addmm_(part.T, eight.view(len(part), -1))
        return None, total
