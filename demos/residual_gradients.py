r"""Whether shortcuts keep gradients from exploding or from vanishing is a matter of depth and norm.

A stack of L blocks at one size, each

    x <- relu(second(relu(norm(first(x)))) + shortcut * x)

With shortcut = 1 the blocks are residual, with 0 plain; the weights are the same. Backward, a plain
block multiplies the gradient by the transpose of its Jacobian J, a residual one by that of 1 + J.
So over L blocks

    plain      gradient ~ |J|^L              shrinks or grows exponentially unless |J| = 1
    residual   gradient ~ |1 + J|^L          does not shrink; grows if the J are large

What |J| is depends on the weights and on the norm. torch's own initialization makes layers that
shrink: variance 1/3 of what comes in, halved by a ReLU. He's initialization makes up for the ReLU.
A batch norm undoes any shrinking on the way forward, and so pays for it on the way back: there each
plain block makes the gradient a little larger (Yang et al., 2019).

So there are four cases, and in one of them the *residual* network explodes: without a norm, each
sum adds the variance of the block to that of x, which doubles with each block under He's
initialization. The notes' network has six blocks and batch norm, and there nothing happens yet.

All is measured at initialization, on cubes of a scroll, and as a multiple of what it is with a
single block: the length of the gradient of the mean squared error, with respect to the first
block's first weights. A length says nothing of the direction: whether a network of this depth
learns has to be seen in training.

Source: notes on the scroll, on why residual blocks help; He, Zhang, Ren and Sun (2015), Delving
deep into rectifiers, and (2016), Deep residual learning for image recognition; Yang et al. (2019),
A mean field theory of batch normalization; Zhang, Dauphin and Ma (2019), Fixup initialization.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Lab, Result
from vaeflash.lab.volumes.blocks import Norm, make_norm

from ._small_cubes import papyrus

NEEDS = ("scroll",)
Init: TypeAlias = Literal["torch", "he"]
CHANNELS = 8
CUBES = 64
DEPTHS = (1, 2, 4, 8, 16, 32)
SHOWN = 1e-6
"""Shorter gradients are drawn as this long."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    depth: int = 6  # blocks, as many as the notes' network has
    norm: Norm = "batch"
    init: Init = "torch"
    shortcut: float = 1.0  # what the residual blocks multiply x by before they add it


class Block(nn.Module):
    """Convolution, norm, ReLU, convolution, plus x, ReLU; nothing changes its size."""

    def __init__(self, norm: Norm, shortcut: float) -> None:
        super().__init__()
        self.first = nn.Conv3d(CHANNELS, CHANNELS, 3, padding=1)
        self.norm = make_norm(norm, CHANNELS)
        self.second = nn.Conv3d(CHANNELS, CHANNELS, 3, padding=1)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, S, S, S)` to the same."""
        h = self.second(F.relu(self.norm(self.first(x))))
        return F.relu(h + self.shortcut * x)


def stack(depth: int, norm: Norm, init: Init, shortcut: float, seed: int) -> nn.Sequential:
    """Cubes of 8^3 to 4^3 and 8 channels, through the blocks, and back to cubes.

    Equal seeds give equal weights, whatever the shortcut.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        blocks = [Block(norm, shortcut) for _ in range(depth)]
        begin, end = nn.Conv3d(1, CHANNELS, 2, stride=2), nn.ConvTranspose3d(CHANNELS, 1, 2, 2)
        if init == "he":
            for layer in (layer for block in blocks for layer in (block.first, block.second)):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return nn.Sequential(begin, nn.ReLU(), *blocks, end)


def first_gradient(model: nn.Sequential, x: Tensor) -> float:
    """Length of the gradient of the mean squared error in the first block's first weights."""
    weight = model.get_parameter("2.first.weight")  # after the strided layer and its ReLU
    (gradient,) = torch.autograd.grad(F.mse_loss(model(x), x), [weight])
    return float(gradient.double().norm())


def by_depth(
    depths: tuple[int, ...], norm: Norm, init: Init, shortcut: float, x: Tensor, seed: int
) -> list[float]:
    """The first gradient for each depth, as a multiple of that of one block."""
    lengths = [
        first_gradient(stack(depth, norm, init, shortcut, seed).to(x.device), x)
        for depth in (1, *depths)
    ]
    return [length / lengths[0] for length in lengths[1:]]


def run(params: Params, lab: Lab) -> Result:
    """Look at the first gradient of plain and residual stacks of some depths."""
    x = papyrus(lab).train[:CUBES]
    depths = (*DEPTHS, params.depth)
    curves = {
        (name, norm): by_depth(depths, norm, params.init, shortcut, x, lab.seed)
        for norm in dict.fromkeys((params.norm, "none"))
        for name, shortcut in (("plain", 0.0), ("residual", params.shortcut))
    }
    return Result(
        metrics={
            "plain_times": curves["plain", params.norm][-1],
            "residual_times": curves["residual", params.norm][-1],
        },
        figures={
            "depth": Curves(
                "The length of the first block's gradient. Without a norm it vanishes in plain "
                "stacks (what is below a millionth is drawn there) and stays in residual ones.",
                x=DEPTHS,
                lines={
                    f"{name}, {'no' if norm == 'none' else norm} norm": [
                        max(SHOWN, value) for value in line[:-1]
                    ]
                    for (name, norm), line in curves.items()
                },
                x_label="blocks",
                y_label="times that of one block",
                log_x=True,
                log_y=True,
            )
        },
    )
