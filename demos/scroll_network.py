r"""A 3-D network written for cubes of 32 voxels works at no other size, and a count shows why.

**Down.** A cube is `(1, 32, 32, 32)`: one channel. A 3 x 3 x 3 convolution with padding 1 keeps the
side and makes 32 channels; max pooling by 2 halves the side. With L = 3 more convolutions, each of
which doubles the channels:

    channels     1    32    64   128   256       32 * 2^L at the end
    side        32    16     8     4     2       side / 2^(L+1) at the end

So the code is computed from 256 * 2^3 = 2,048 numbers.

**Two formulas of the listing** stand where that count is needed:

    channels = cube * 2^L                = 256  at cube 32, L = 3
    numbers  = cube^3 / 2^(L+1)          = 2048 at cube 32, L = 3

The first is right since the cube's side happens to be 32, as many as the first convolution has
channels. The second should be

    32 * 2^L * (cube / 2^(L+1))^3 = cube^3 * 2^(2-2L)

which is cube^3 / 2^(L+1) where 2L - 2 = L + 1: for three layers, at any cube.

**Code.** Two linear layers, the heads, give the mean and the log-variance of 512 numbers; the code
is mu + exp(logvar / 2) * eps. That is the network of a variational autoencoder. What makes it one
is the loss, and the listing has none.

**Up.** A linear layer back to 2,048 numbers, then transposed convolutions with kernel and stride 2,
and a sigmoid.

Nothing is trained here.

Source: notes on the scroll, the listing of the first network; Kingma and Welling (2014),
Auto-encoding variational Bayes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vaeflash.demo import Bars, Curves, Lab, Result
from vaeflash.lab.metrics import parameter_count

FIRST = 32  # channels of the first convolution
FAR = 1_000.0  # standard deviation of codes that no encoder gives


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are the listing's."""

    cube: int = 32  # voxels along each axis
    layers: int = 3  # convolutions after the first, each with twice the channels
    latent: int = 512
    count: Literal["from_cube", "from_layers"] = "from_cube"  # the channels before the heads
    code: Literal["sampled", "mean"] = "sampled"
    head: Literal["sigmoid", "linear"] = "sigmoid"  # how the decoder ends
    asked: Literal["layer", "class"] = "layer"  # what isinstance is asked about


class ScrollNetwork(nn.Module):
    """The listing's network, written out.

    Args:
        params: At its defaults everything fits; at most other settings the first forward pass
            raises RuntimeError, since torch looks at the numbers only then.
    """

    def __init__(self, params: Params) -> None:
        super().__init__()
        cube, layers = params.cube, params.layers
        channels = [1] + [FIRST * 2**layer for layer in range(layers + 1)]
        steps = list(pairwise(channels))
        side = cube // 2 ** (layers + 1)
        first = cube if params.count == "from_cube" else FIRST
        last = first * 2**layers  # the listing: cube * 2**layers

        self.encoder = nn.Sequential()
        for i, o in steps:
            self.encoder.extend((nn.Conv3d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2)))
        self.to_mu = nn.Linear(last * side**3, params.latent)
        self.to_logvar = nn.Linear(last * side**3, params.latent)
        self.from_code = nn.Linear(params.latent, last * side**3)
        self.unflatten = nn.Unflatten(1, (last, side, side, side))
        self.decoder = nn.Sequential()
        for i, o in reversed(steps):
            self.decoder.extend((nn.ConvTranspose3d(o, i, 2, stride=2), nn.ReLU()))
        self.decoder[-1] = nn.Sigmoid() if params.head == "sigmoid" else nn.Identity()
        self.code = params.code

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Cubes `(N, 1, S, S, S)` to means and log-variances, `(N, latent)` each."""
        h = self.encoder(x).flatten(1)
        return self.to_mu(h), self.to_logvar(h)

    def decode(self, z: Tensor) -> Tensor:
        """Codes `(N, latent)` to cubes."""
        x_hat: Tensor = self.decoder(self.unflatten(self.from_code(z)))
        return x_hat

    def forward(self, x: Tensor) -> Tensor:
        """Cubes to their reconstructions, from a code that is drawn anew in each call."""
        mu, logvar = self.encode(x)
        if self.code == "sampled":
            mu = mu + (0.5 * logvar).exp() * torch.randn_like(mu)
        return self.decode(mu)


def ladder(network: ScrollNetwork, x: Tensor) -> list[tuple[int, ...]]:
    """Channels and sides of the cube and after each pooling, as torch gives them."""
    shapes = [tuple(x.shape[1:])]
    for layer in network.encoder:
        x = layer(x)
        if isinstance(layer, nn.MaxPool3d):
            shapes.append(tuple(x.shape[1:]))
    return shapes


def convolutions(layers: Iterable[nn.Module], asked: str) -> int:
    """How many of the layers isinstance finds to be convolutions.

    Asked about the layer's class in place of the layer, it always says no: a class is an instance
    of `type`. `issubclass` is the question for classes.
    """
    kinds = (nn.Conv3d, nn.ConvTranspose3d)
    return sum(isinstance(layer if asked == "layer" else type(layer), kinds) for layer in layers)


def linear_share(network: ScrollNetwork, x: Tensor) -> tuple[float, float]:
    """The share of the linear layers in the parameters, and in the operations of a forward pass.

    Operations are multiplications and additions, in products and convolutions, as torch counts
    them.
    """
    linear = (network.to_mu, network.to_logvar, network.from_code)
    parameters = sum(map(parameter_count, linear)) / parameter_count(network)
    with FlopCounterMode(display=False) as counter:
        network(x)
    operations = sum(2 * layer.weight.numel() for layer in linear) / counter.get_total_flops()
    return parameters, operations


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Send one cube of random grey levels through the network and look at every shape."""
    network = ScrollNetwork(params).to(lab.device).eval()
    side, g = params.cube, lab.generator("cube")
    x = torch.rand(1, 1, side, side, side, generator=g).to(lab.device)
    shapes = ladder(network, x)
    mu, logvar = network.encode(x)
    out, again = network(x), network(x)
    far = network.decode(FAR * torch.randn(8, params.latent, generator=g).to(lab.device))
    parameter_share, operation_share = linear_share(network, x)
    numbers = [torch.Size(shape).numel() for shape in shapes]
    return Result(
        metrics={
            "out": tuple(out.shape),
            "channels": tuple(shape[0] for shape in shapes[1:]),
            "sides": tuple(shape[1] for shape in shapes),
            "bottleneck": shapes[-1],
            "flat": numbers[-1],
            "flat_formula": side**3 // 2 ** (params.layers + 1),
            "mu_size": mu.shape[1],
            "logvar_size": logvar.shape[1],
            "parameters": parameter_count(network),
            "linear_parameter_share": parameter_share,
            "linear_operation_share": operation_share,
            "difference_of_two_calls": (out - again).abs().max().item(),
            "lowest": far.min().item(),
            "highest": far.max().item(),
            "convolutions": convolutions(network.modules(), params.asked),
        },
        figures={
            "ladder": Curves(
                "Each level doubles the channels (but for the first) and halves the side, so the "
                "numbers in a level fall to a quarter.",
                x=range(len(shapes)),
                lines={
                    "side": [shape[1] for shape in shapes],
                    "channels": [shape[0] for shape in shapes],
                    "numbers": numbers,
                },
                x_label="poolings",
                log_y=True,
            ),
            "linear": Bars(
                "What three linear layers have of the network: most of the parameters, next to "
                "none of the work.",
                {
                    "of the parameters": 100 * parameter_share,
                    "of the operations": 100 * operation_share,
                },
                "per cent",
            ),
        },
    )
