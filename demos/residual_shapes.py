r"""A shortcut must arrive with the shape of what it is added to; kernel 1 misses by one, or skips.

A residual block adds its input, or something like it, to what its layers have made of it:

    y = relu(second(relu(norm(first(x)))) + shortcut(x))

Here `first` has kernel 2 and stride 2 and halves the sides, or doubles them as a transposed
convolution. Then x itself does not fit, and the shortcut needs a strided layer of its own.

**Shapes.** With kernel k and stride 2,

    down = floor((n - k) / 2) + 1        up = 2 (n - 1) + k

so up, kernel 1 gives 2n - 1, one short of 2n. Down, it gives n/2 for even n, as it should, but it
looks at one voxel of each 2 x 2 x 2 and skips the other seven.

**A branch that is never taken.** The notes' block is told by a class, `nn.Conv3d` or
`nn.ConvTranspose3d`, what to build, and asks `isinstance(layer, nn.Conv3d)` to choose the
shortcut's kernel. A class is not one of its own instances; `issubclass` asks what was meant.

**The plain layer that it is compared with** is two convolutions and a batch norm, with nothing
between the convolutions. What two linear maps do, one does: a kernel of 2 and stride 2, then one of
3, are a kernel of 6 with stride 2, whose weights are a transposed convolution of the two,

    W[o, i, 2a + b] = sum_m second[o, m, a] first[m, i, b]       a in 0..2, b in 0, 1 per axis

In evaluation batch norm is linear as well. (In training it divides by a number that depends on
the batch.) So the pair of networks differs in a nonlinearity, in where the norm is, and in the
number of weights, besides the shortcut. A shortcut without weights makes a fair pair.

**Strides for pooling.** A convolution of kernel 2 and stride 2 halves the sides, too, without
overlap: each output looks at 8 voxels, where a convolution of kernel 3 with pooling by 2 looks at
64, and does 27 times as many operations for it.

What looks at what is found with a dye: NaN goes wherever a voxel goes.

Source: notes on the scroll, the residual blocks; He, Zhang, Ren and Sun (2016), Deep residual
learning for image recognition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name
from torch.utils.flop_counter import FlopCounterMode

from vaeflash.demo import Bars, Images, Lab, Result
from vaeflash.lab.metrics import parameter_count

from ._residual import PAIRS, Block, Layer

INPUTS, OUTPUTS = 4, 8
"""Channels of the blocks; on the way up, the other way round."""
LEVELS = 4
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    # The notes' block.
    side: int = 8  # of the cubes that come in
    stride: int = 2  # of all that halves or doubles
    test: Literal["isinstance", "issubclass"] = "isinstance"  # that chooses the shortcut's kernel
    up_kernel: int = 2  # of the shortcut on the way up
    output_padding: int = 0  # of the same

    # What it is compared with.
    pair: Literal["notes", "fair"] = "notes"
    inner: Literal["nothing", "relu"] = "nothing"  # between the plain layer's convolutions

    # An encoder's levels.
    strided_kernel: int = 2
    pooled_kernel: int = 3


class NotesBlock(nn.Module):
    """The residual block as in the notes: `layer` is a class, and so is never a `nn.Conv3d`."""

    def __init__(self, layer: Layer, inputs: int, outputs: int, params: Params) -> None:
        super().__init__()
        s = params.stride
        self.first = layer(inputs, outputs, 2, stride=s)
        self.norm = nn.BatchNorm3d(outputs)
        self.second = nn.Conv3d(outputs, outputs, 3, padding=1)
        if chosen(params.test, layer):
            self.shortcut: nn.Module = layer(inputs, outputs, 1, stride=s)
        elif layer is nn.Conv3d:
            self.shortcut = layer(inputs, outputs, 2, stride=s)
        else:
            k, more = params.up_kernel, params.output_padding
            self.shortcut = nn.ConvTranspose3d(inputs, outputs, k, stride=s, output_padding=more)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, inputs, D, H, W)` to `(N, outputs, ...)` of half or double the sides.

        Raises:
            RuntimeError: By the sum, if the shortcut's shape is another.
        """
        h: Tensor = self.second(F.relu(self.norm(self.first(x))))
        return F.relu(h + self.shortcut(x))


def chosen(test: str, layer: Layer) -> bool:
    """Whether the notes' condition for a kernel of 1 x 1 x 1 is true of this class."""
    asked: dict[str, Callable[..., bool]] = {"isinstance": isinstance, "issubclass": issubclass}
    return asked[test](layer, nn.Conv3d)


# What looks at what


def reads(layer: nn.Module, x: Tensor) -> float:
    """The share of a cube's voxels that reach any output; x is `(1, C, S, S, S)`, of numbers."""
    side = x.shape[-1]
    reached = dyed(layer, x).isnan().flatten(1).any(1)
    return reached.sum().item() / side**3


def field(layer: nn.Module, side: int) -> int:
    """How many voxels reach the output in the middle."""
    y = dyed(layer, torch.zeros(1, 1, side, side, side))
    middle = y.shape[-1] // 2
    return int(y[:, 0, middle, middle, middle].isnan().sum())


@torch.no_grad()
def dyed(layer: nn.Module, x: Tensor) -> Tensor:
    """Outputs `(S^3, ...)` for each voxel of a cube, when it alone is dyed, in all channels."""
    voxels = x[0, 0].numel()
    dye = torch.where(torch.eye(voxels) > 0, NAN, 0.0)
    y: Tensor = layer(x + dye.view(voxels, 1, *x.shape[2:]))
    return y


@torch.no_grad()
def writes(layer: nn.Module, x: Tensor) -> float:
    """The share of the outputs that any voxel reaches; the others are the bias alone."""
    y: Tensor = layer(torch.full_like(x, NAN))
    return y.isnan().float().mean().item()


# Two convolutions, one convolution


class PlainLayers(nn.Module):
    """As in the notes but for what may be between, without the last ReLU; in float64.

    In evaluation, and its norm as if it had been trained: it shifts and scales.
    """

    def __init__(self, inner: str) -> None:
        super().__init__()
        self.first = nn.Conv3d(INPUTS, OUTPUTS, 2, stride=2)
        self.inner = nn.ReLU() if inner == "relu" else nn.Identity()
        self.second = nn.Conv3d(OUTPUTS, OUTPUTS, 3, padding=1)
        self.norm = nn.BatchNorm3d(OUTPUTS)
        for statistic in (self.norm.running_mean, self.norm.running_var):
            nn.init.uniform_(statistic, 0.5, 2)  # type: ignore[arg-type]
        self.eval().double().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, INPUTS, D, H, W)` to `(N, OUTPUTS, ...)` of half the sides."""
        y: Tensor = self.norm(self.second(self.inner(self.first(x))))
        return y


def additivity_gap(layers: nn.Module, x: Tensor, y: Tensor) -> float:
    """By how much f(x + y) + f(0) and f(x) + f(y) differ, as a part of their spread."""
    together, apart = layers(x + y) + layers(torch.zeros_like(x)), layers(x) + layers(y)
    return relative(together, apart)


def merged(layers: PlainLayers) -> nn.Conv3d:
    """The one convolution that does what the two and the norm do, away from the border.

    (At the border the second one sees zeros where there is no output of the first; the merged one
    sees outputs of the first that its bias alone has made.)
    """
    state = layers.state_dict()
    first, second = state["first.weight"], state["second.weight"]
    weight = F.conv_transpose3d(second, first, stride=2)
    bias = state["second.bias"] + second.sum((2, 3, 4)) @ state["first.bias"]
    scale = state["norm.weight"] / (state["norm.running_var"] + layers.norm.eps).sqrt()
    one = nn.Conv3d(INPUTS, OUTPUTS, weight.shape[-1], stride=2, padding=2, dtype=weight.dtype)
    one.load_state_dict(
        {
            "weight": weight * scale.view(-1, 1, 1, 1, 1),
            "bias": (bias - state["norm.running_mean"]) * scale + state["norm.bias"],
        }
    )
    return one.requires_grad_(False)


def merged_gap(layers: PlainLayers, x: Tensor) -> float:
    """How far the two convolutions and the one are apart inside, as a part of the spread."""
    inside = (..., *[slice(1, -1)] * 3)
    return relative(merged(layers)(x)[inside], layers(x)[inside])


def relative(x: Tensor, y: Tensor) -> float:
    """The distance of x and y, as a part of the spread of y."""
    return float((x - y).norm() / (y - y.mean()).norm())


def pair_of_parameters(pair: str) -> tuple[int, int]:
    """With a shortcut, and without."""
    blocks = [Block(kind, nn.Conv3d, INPUTS, OUTPUTS) for kind in PAIRS[pair]]
    return parameter_count(blocks[0]), parameter_count(blocks[1])


# An encoder's levels


def strided(kernel: int, stride: int) -> nn.Module:
    """One level of the notes' second encoder, one channel."""
    return nn.Conv3d(1, 1, kernel, stride=stride, padding=(kernel - 1) // 2)


def pooled(kernel: int) -> nn.Module:
    """One level of the first."""
    return nn.Sequential(nn.Conv3d(1, 1, kernel, padding=kernel // 2), nn.MaxPool3d(2))


def sides(level: nn.Module, x: Tensor) -> tuple[int, ...]:
    """At the start, and after each of some equal levels."""
    found = [x.shape[-1]]
    for _ in range(LEVELS):
        x = level(x)
        found.append(x.shape[-1])
    return tuple(found)


def operations(level: nn.Module, x: Tensor) -> int:
    """Multiplications and additions of convolutions, counted by torch."""
    with FlopCounterMode(display=False) as counter:
        level(x)
    return int(counter.get_total_flops())


def skipped() -> Images:
    """A slice of which parts of a cube of 8^3 a shortcut reads, and writes on the way back."""
    x, small = torch.ones(1, 1, 8, 8, 8), torch.ones(1, 1, 4, 4, 4)
    rows = []
    for kernel in (2, 1):
        down, up = (cls(1, 1, kernel, stride=2) for cls in (nn.Conv3d, nn.ConvTranspose3d))
        read = dyed(down, x).isnan().flatten(1).any(1).view(8, 8, 8).float()
        wrote = torch.zeros(8, 8, 8)
        y = up(torch.full_like(small, NAN))[0, 0].isnan().float()
        wrote[: len(y), : len(y), : len(y)] = y
        rows.append(torch.stack((read[0], wrote[0])))
    return Images(
        "Grey voxels of a slice are read on the way down and written on the way up. A shortcut "
        "of kernel 1 and stride 2 skips three quarters of this slice, and the next one whole.",
        0.7 * torch.stack(rows),
        rows=("kernel 2", "kernel 1"),
        columns=("down", "up"),
    )


def run(params: Params, lab: Lab) -> Result:
    """Build the blocks, send shapes, dye and numbers through them, and count weights."""
    g = lab.generator("cubes")
    side = params.side
    x = torch.randn(2, INPUTS, side, side, side, generator=g)
    down_block = NotesBlock(nn.Conv3d, INPUTS, OUTPUTS, params)
    up_block = NotesBlock(nn.ConvTranspose3d, OUTPUTS, INPUTS, params)
    down = down_block(x)
    up = up_block(down)

    up_layers = [nn.ConvTranspose3d(1, 1, kernel, stride=params.stride) for kernel in (1, 2, 3)]
    up_sides = tuple(layer(torch.zeros(1, 1, 4, 4, 4)).shape[-1] for layer in up_layers)

    layers = PlainLayers(params.inner)
    a, b = torch.randn(2, 1, INPUTS, 8, 8, 8, generator=g, dtype=torch.float64)
    residual, plain = pair_of_parameters(params.pair)

    level, pooling = strided(params.strided_kernel, params.stride), pooled(params.pooled_kernel)
    cube = torch.zeros(1, 1, 32, 32, 32)
    cost = {
        f"strided, kernel {params.strided_kernel}": operations(level, cube),
        f"kernel {params.pooled_kernel}, then pooled": operations(pooling, cube),
    }
    strided_cost, pooled_cost = cost.values()
    return Result(
        metrics={
            "down": tuple(down.shape),
            "up": tuple(up.shape),
            "up_sides": up_sides,
            "shortcut_kernel": tuple(down_block.shortcut.get_parameter("weight").shape[2:]),
            "shortcut_reads": reads(down_block.shortcut, x[:1]),
            "shortcut_writes": writes(up_block.shortcut, down),
            "branches_taken": sum(
                chosen(params.test, cls) for cls in (nn.Conv3d, nn.ConvTranspose3d)
            ),
            "additivity_gap": additivity_gap(layers, a, b),
            "merged_kernel": tuple(merged(layers).kernel_size),
            "merged_gap": merged_gap(layers, a),
            "residual_parameters": residual,
            "plain_parameters": plain,
            "strided_sides": sides(level, cube),
            "pooled_sides": sides(pooling, cube),
            "strided_field": field(strided(params.strided_kernel, params.stride), 8),
            "pooled_field": field(pooled(params.pooled_kernel), 8),
            "operations_times": pooled_cost / strided_cost,
        },
        figures={
            "skipped": skipped(),
            "cost": Bars(
                "Operations of the first level on a cube of 32 x 32 x 32, for each channel in and "
                "out. The strided one computes an eighth of the outputs, from fewer voxels each.",
                {name: value / 1e6 for name, value in cost.items()},
                "million operations",
            ),
        },
    )
