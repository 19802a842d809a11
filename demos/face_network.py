r"""In a VAE of faces two linear layers hold 99.5% of 63 million weights, and not of the work.

**The network.** A portrait is 3 x 256 x 256 = 196,608 numbers, its code 100. Three convolutions
with stride 2 go down, three transposed ones go up, and linear layers stand in the middle:

    x (3, 256, 256) -> 8, 128, 128 -> 16, 64, 64 -> 32, 31, 31 -> 30,752 -> 1,024 -> mu, log std
    z (100) -> 1,024 -> 30,752 -> 32, 31, 31 -> 16, 64, 64 -> 8, 128, 128 -> 3, 256, 256

with ReLU between, batch norm at one of the convolutions down and at two of those up, and a sigmoid
at the end. `z = mu + exp(log std) * eps` is drawn between the halves. The sides follow from

    floor((n + 2p - 3) / 2) + 1  down,    (n - 1) 2 + 3 - 2p + output_padding  up:

a padding p of 1 halves an even side. The third convolution has none, hence 31 and not 32.

**Weights and work are different things.** A convolution with kernel 3 from a to b channels has
9 a b + b weights, and uses each at *every place* of its output. A linear layer from a to b has
a b + b, and uses each once for a picture. So the layer that holds nearly all of the weights does
not do nearly all of the multiplications.

**What training keeps.** Adam remembers two numbers for each weight, and the weight has a gradient:
four numbers of 4 bytes, and the activations come on top.

**Nothing is computed here.** PyTorch's `meta` device knows shapes, types and devices, and no
values: a network of 253 MB is built, called and trained on it without a byte of numbers. Shapes,
counts and complaints about devices are those of the real one.

Source: notes on digits and faces, the chapter's face VAE; Kingma and Ba (2015), Adam.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.utils.flop_counter import FlopCounterMode

from vaeflash.demo import Bars, Curves, Figure, Lab, Result
from vaeflash.lab.metrics import parameter_count

DETERMINISTIC = True
SIDE = 256
FLAT = (32, 31, 31)  # what the decoder's transposed convolutions start from
DEVICES = ("cpu", "meta")  # two that every machine has


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    latent: int = 100
    hidden: int = 1024  # of the linear layers
    third_padding: int = 0  # of the third convolution; the others have 1
    pool: int = 1  # side of the squares that are averaged before the first linear layer
    norm: Literal["second", "all"] = "second"  # which convolutions down have a batch norm
    output_padding: int = 1  # of the transposed convolutions
    channels: Literal["halved", "kept"] = "halved"  # on the way up
    optimizer: Literal["adam", "sgd"] = "adam"
    noise: Literal["cuda", "normal", "randn_like"] = "cuda"  # how eps is made, see `Draw`


# The network


class Encoder(nn.Module):
    """Pictures `(N, 3, 256, 256)` to mu and std, `(N, latent)` each."""

    def __init__(self, params: Params) -> None:
        super().__init__()
        everywhere = params.norm == "all"
        self.convs = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            *([nn.BatchNorm2d(8)] if everywhere else []),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=params.third_padding),
            *([nn.BatchNorm2d(32)] if everywhere else []),
            nn.ReLU(),
        )
        side = (31 + params.third_padding) // params.pool
        self.to_vector = nn.Sequential(nn.AvgPool2d(params.pool), nn.Flatten())
        self.first_linear = nn.Linear(32 * side * side, params.hidden)
        self.to_mu = nn.Linear(params.hidden, params.latent)
        self.to_log_std = nn.Linear(params.hidden, params.latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The posterior of each picture."""
        h = self.first_linear(self.to_vector(self.convs(x))).relu()
        return self.to_mu(h), self.to_log_std(h).exp()


class Decoder(nn.Module):
    """Codes `(N, latent)` to pictures `(N, 3, 256, 256)`."""

    def __init__(self, params: Params) -> None:
        super().__init__()
        up = params.output_padding
        a, b = (16, 8) if params.channels == "halved" else (32, 32)
        self.linears = nn.Sequential(
            nn.Linear(params.latent, params.hidden),
            nn.ReLU(),
            nn.Linear(params.hidden, 32 * 31 * 31),
            nn.ReLU(),
        )
        self.convs = nn.Sequential(
            nn.ConvTranspose2d(32, a, 3, stride=2, output_padding=up),
            nn.BatchNorm2d(a),
            nn.ReLU(),
            nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=up),
            nn.BatchNorm2d(b),
            nn.ReLU(),
            nn.ConvTranspose2d(b, 3, 3, stride=2, padding=1, output_padding=up),
        )

    def forward(self, z: Tensor) -> Tensor:
        """A picture of each code."""
        maps = self.linears(z).unflatten(1, FLAT)
        x_hat: Tensor = self.convs(maps).sigmoid()
        return x_hat


class Draw(nn.Module):
    """z = mu + std * eps, in three ways to make eps.

    cuda        the source's: a Normal whose two numbers the constructor moves by `.cuda()`
    normal      the same without those two lines
    randn_like  shape, type and device are those of std
    """

    def __init__(self, noise: str) -> None:
        super().__init__()
        self.noise = noise
        self.normal = Normal(0.0, 1.0)
        if noise == "cuda":
            self.normal.loc = self.normal.loc.cuda()
            self.normal.scale = self.normal.scale.cuda()

    def forward(self, mu: Tensor, std: Tensor) -> Tensor:
        """A code of each posterior, `(N, latent)`."""
        if self.noise == "randn_like":
            return mu + std * torch.randn_like(std)
        eps: Tensor = self.normal.sample(mu.shape)
        return mu + std * eps


# What is counted


def shapes(layers: Iterable[nn.Module], x: Tensor) -> list[tuple[int, ...]]:
    """The shape of one picture's maps, `(C, H, W)`: at the start and after each convolution."""
    found = [tuple(x.shape[1:])]
    for layer in layers:
        x = layer(x)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            found.append(tuple(x.shape[1:]))
    return found


def normalised_convs(layers: nn.Sequential) -> int:
    """How many convolutions have a batch norm right behind them."""
    pairs = zip(list(layers)[:-1], list(layers)[1:], strict=True)
    return sum(isinstance(a, nn.Conv2d) and isinstance(b, nn.BatchNorm2d) for a, b in pairs)


def multiplications(encoder: Encoder, x: Tensor) -> dict[str, int]:
    """How many a picture takes, by kind of layer; PyTorch counts a multiply-add as two."""
    with FlopCounterMode(display=False) as counter:
        encoder(x)
    counts = {str(op): n // 2 // len(x) for op, n in counter.get_flop_counts()["Global"].items()}
    return {"convolutions": counts["aten.convolution"], "linear layers": counts["aten.addmm"]}


def training_bytes(network: nn.ModuleList, loss: Tensor, optimizer: str) -> int:
    """What weights, their gradients and the optimizer take after one step, without activations."""
    kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimizer]
    steps = kind(network.parameters(), lr=1e-3)
    loss.backward()
    steps.step()
    weights = list(network.parameters())
    gradients = [p.grad for p in weights if p.grad is not None]
    memory = [value for state in steps.state.values() for value in state.values()]
    return sum(t.numel() * t.element_size() for t in [*weights, *gradients, *memory])


def devices_that_work(noise: str) -> int:
    """On how many of two devices a code can be drawn: `cpu`, and `meta` for any other."""
    working = 0
    for device in DEVICES:
        try:
            draw = Draw(noise).to(device)
            z = draw(torch.zeros(2, 3, device=device), torch.ones(2, 3, device=device))
        except (AssertionError, RuntimeError):  # no CUDA in this build; no GPU; two devices
            continue
        working += z.device.type == device
    return working


# Figures


def weights_and_work(weights: dict[str, int], work: dict[str, int]) -> Bars:
    """The share of the convolutions in both."""
    kind = "convolutions"
    return Bars(
        "The three convolutions of the encoder: next to none of its weights, and more than a "
        "quarter of its multiplications.",
        {
            "of the weights": weights[kind] / sum(weights.values()),
            "of the multiplications": work[kind] / sum(work.values()),
        },
        y_label="share of the convolutions",
    )


def maps(down: list[tuple[int, ...]], up: list[tuple[int, ...]]) -> Curves:
    """How many numbers there are on the way."""
    sizes = [torch.Size(shape).numel() for shape in (*down, *up)]
    return Curves(
        "Numbers in the maps of one portrait, from the picture (0) down to 31 x 31 (3) and, behind "
        "the code, up again (4 to 7). Sides halve and channels double: about half is left each "
        "time.",
        x=range(len(sizes)),
        lines={"numbers": sizes},
        x_label="maps",
        y_label="numbers",
        log_y=True,
    )


def run(params: Params, lab: Lab) -> Result:  # noqa: ARG001 -- nothing here depends on a seed
    """Build the network without numbers, and count."""
    with torch.device("meta"):
        encoder, decoder = Encoder(params), Decoder(params)
        x = torch.empty(2, 3, SIDE, SIDE)
        mu, std = encoder(x)
        x_hat = decoder(mu + std * torch.randn_like(std))
        down = shapes(encoder.convs, x)
        up = shapes(decoder.convs, torch.empty(2, *FLAT))
        work = multiplications(encoder, x)
        network = nn.ModuleList([encoder, decoder])
        kept = training_bytes(network, x_hat.sum() + mu.sum() + std.sum(), params.optimizer)
    convs = parameter_count(encoder.convs)
    linears = parameter_count(encoder) - convs
    metrics: dict[str, Any] = {
        "sides_down": tuple(shape[1] for shape in down[1:]),
        "channels_down": tuple(shape[0] for shape in down[1:]),
        "flat": encoder.first_linear.in_features,
        "mu_size": mu.shape[1],
        "std_size": std.shape[1],
        "out": tuple(x_hat.shape[1:]),
        "sides_up": tuple(shape[1] for shape in up[1:]),
        "channels_up": tuple(shape[0] for shape in up),
        "numbers_up": tuple(torch.Size(shape).numel() for shape in up),
        "normalised_convs": normalised_convs(encoder.convs),
        "encoder_parameters": parameter_count(encoder),
        "decoder_parameters": parameter_count(decoder),
        "first_linear_parameters": parameter_count(encoder.first_linear),
        "head_parameters": parameter_count(encoder.to_mu) + parameter_count(encoder.to_log_std),
        "conv_weight_share": convs / (convs + linears),
        "conv_work_share": work["convolutions"] / sum(work.values()),
        "multiplications": sum(work.values()),
        "training_megabytes": kept / 1e6,
        "devices_that_work": devices_that_work(params.noise),
    }
    figures: dict[str, Figure] = {
        "maps": maps(down, up),
        "convolutions": weights_and_work({"convolutions": convs, "linear layers": linears}, work),
    }
    return Result(metrics=metrics, figures=figures)
