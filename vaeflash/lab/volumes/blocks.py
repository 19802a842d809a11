"""What 3-D networks are made of: levels that halve each side, and levels that double it again.

    PooledConv   convolution, max pooling, ReLU: the sources' first form
    plain        two convolutions and a norm, nothing nonlinear between: their second form
    residual     convolution, norm, ReLU, convolution, and a shortcut past all of it
    matched      the residual one without its shortcut: what a fair comparison is made with

All take and give `(N, C, D, H, W)`.

Sources: the notes on the scroll; He, Zhang, Ren and Sun (2016), Deep residual learning for image
recognition; Wu and He (2018), Group normalization.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.lab.volumes.pooled import conv_then_pool

Norm: TypeAlias = Literal["group", "batch", "none"]
Block: TypeAlias = Literal["plain", "matched", "residual"]
GROUPS = 8
"""Of group norm, where there are channels for so many."""


def make_norm(norm: Norm, channels: int) -> nn.Module:
    """A norm over the channels.

    Batch norm takes its statistics from all cubes of a batch: in evaluation they lag behind by some
    hundred steps, and processes that share a batch each have their own. Group norm looks at one
    cube, and is the same in training, in evaluation, and on any number of processes.
    """
    if norm == "batch":
        return nn.BatchNorm3d(channels)
    if norm == "none":
        return nn.Identity()
    # Two channels a group or more: of one channel at one voxel a norm leaves nothing.
    return nn.GroupNorm(math.gcd(GROUPS, channels // 2 or 1), channels)


class PooledConv(nn.Conv3d):
    """A 3 x 3 x 3 convolution, max pooling by 2, a ReLU.

    The sources take the ReLU before the pooling. That gives the same, since the largest of some
    numbers is the first to be positive; after it there is an eighth of the numbers to take it of.

    Args:
        inputs: Channels.
        outputs: Channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, inputs, D, H, W)` to `(N, outputs, D/2, H/2, W/2)`, rounded down."""
        if self.bias is not None and self._is_first_on_a_cpu(x):
            return F.relu_(conv_then_pool(x, self.weight, self.bias))
        return F.relu(F.max_pool3d(super().forward(x), 2))

    def _is_first_on_a_cpu(self, x: Tensor) -> bool:
        return (
            x.device.type == "cpu"
            and self.in_channels == 1
            and not x.requires_grad
            and not any(side % 2 for side in x.shape[2:])
            and not torch.is_autocast_enabled("cpu")
        )


class Residual(nn.Module):
    """Convolution, norm, ReLU, convolution, plus a shortcut, ReLU.

    Args:
        inputs: Channels.
        outputs: Channels.
        norm: Between the two convolutions.
        up: Doubles each side, by transposed convolutions, in place of halving it.
        shortcut: Without it the block is the `matched` plain one.
    """

    def __init__(
        self, inputs: int, outputs: int, norm: Norm, *, up: bool = False, shortcut: bool = True
    ) -> None:
        super().__init__()
        self.first = rescale(inputs, outputs, up=up)
        self.norm = make_norm(norm, outputs)
        self.second = nn.Conv3d(outputs, outputs, 3, padding=1)
        self.shortcut = rescale(inputs, outputs, up=up) if shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        """`(N, inputs, D, H, W)` to `(N, outputs, ...)` of half or double the sides."""
        h = self.second(F.relu(self.norm(self.first(x))))
        return F.relu(h if self.shortcut is None else h + self.shortcut(x))


def rescale(inputs: int, outputs: int, *, up: bool) -> nn.Module:
    """A convolution that halves or doubles each side: kernel 2, stride 2, so nothing overlaps."""
    return (nn.ConvTranspose3d if up else nn.Conv3d)(inputs, outputs, 2, stride=2)


def make_block(
    block: Block, inputs: int, outputs: int, norm: Norm, *, up: bool = False
) -> nn.Module:
    """One level of this kind; each ends with a ReLU."""
    if block == "plain":
        return nn.Sequential(
            rescale(inputs, outputs, up=up),
            nn.Conv3d(outputs, outputs, 3, padding=1),
            make_norm(norm, outputs),
            nn.ReLU(),
        )
    return Residual(inputs, outputs, norm, up=up, shortcut=block == "residual")
