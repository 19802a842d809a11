"""Blocks that halve or double the sides of cubes, with and without a shortcut: no demo itself.

    residual   as the notes have it: the shortcut is a strided convolution of its own
    plain      as the notes have it: two convolutions, batch norm, ReLU
    bridged    the shortcut has no weights: means of 2 x 2 x 2 voxels down, copies of voxels up
    cut        the same without adding it: not one weight more or less, nor another layer

All take and give `(N, C, D, H, W)`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

Kind: TypeAlias = Literal["residual", "plain", "bridged", "cut"]
Layer: TypeAlias = type[nn.Conv3d] | type[nn.ConvTranspose3d]

PAIRS: dict[str, tuple[Kind, Kind]] = {
    "notes": ("residual", "plain"),
    "fair": ("bridged", "cut"),
    "same": ("cut", "cut"),
}
"""With a shortcut, and what it is compared with. The last two differ in nothing: a control."""


class Block(nn.Module):
    """Strided convolution, batch norm, ReLU, convolution; plus the shortcut; ReLU.

    The plain one differs in more than that: strided convolution, convolution, batch norm, ReLU.

    Args:
        kind: See above.
        layer: `nn.Conv3d` halves the sides, `nn.ConvTranspose3d` doubles them.
        inputs: Channels.
        outputs: Channels: a whole multiple of the inputs on the way down, a divisor on the way up.
        normed: Without batch norm the weights alone decide how large numbers get.
    """

    def __init__(
        self, kind: Kind, layer: Layer, inputs: int, outputs: int, *, normed: bool = True
    ) -> None:
        super().__init__()
        self.kind = kind
        self.first = layer(inputs, outputs, 2, stride=2)
        self.norm = nn.BatchNorm3d(outputs) if normed else nn.Identity()
        self.second = nn.Conv3d(outputs, outputs, 3, padding=1)
        if kind == "residual":
            self.shortcut: nn.Module = layer(inputs, outputs, 2, stride=2)
        elif kind == "bridged":
            up = layer is nn.ConvTranspose3d
            self.shortcut = Bridge(inputs // outputs if up else outputs // inputs, up=up)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, inputs, D, H, W)` to `(N, outputs, ...)` of half or double the sides."""
        if self.kind == "plain":
            return F.relu(self.norm(self.second(self.first(x))))
        h: Tensor = self.second(F.relu(self.norm(self.first(x))))
        return F.relu(h if self.kind == "cut" else h + self.shortcut(x))


def begin_after_he(block: Block) -> None:
    """Draw a block's weights so that a layer and its ReLU keep the size of numbers, on average.

    Each output is a sum over what it sees, so its variance is that of the weights times as many,
    and a ReLU halves the mean square: the weights' variance is 2 / seen.

    Source: He, Zhang, Ren and Sun (2015), Delving deep into rectifiers, section 2.2.
    """
    for layer in (block.first, block.second):
        taps = layer.weight[0, 0].numel()
        if isinstance(layer, nn.ConvTranspose3d):
            taps = 1  # with kernel and stride 2 an output sees one voxel
        nn.init.normal_(layer.weight, std=(2 / (layer.in_channels * taps)) ** 0.5)


class Bridge(nn.Module):
    """A shortcut without weights.

    Down, each voxel is the mean of 2 x 2 x 2, and each channel is there `times`; up, each voxel is
    there 2 x 2 x 2 times, and `times` channels become their mean.
    """

    def __init__(self, times: int, *, up: bool) -> None:
        super().__init__()
        self.times, self.up = times, up

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, D, H, W)` to `(N, C * times, D/2, ...)` or `(N, C / times, 2D, ...)`."""
        if self.up:
            return F.interpolate(x.unflatten(1, (-1, self.times)).mean(2), scale_factor=2)
        return F.avg_pool3d(x, 2).repeat_interleave(self.times, 1)
