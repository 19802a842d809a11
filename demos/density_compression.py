r"""How many times smaller a latent is says nothing yet about how much cheaper work in it gets.

**Ratio.** Source 003 compresses density maps so that a diffusion model has less to do:

    ratio = numbers in / numbers in the latent = c S^3 / (C s^3)

A map of c = 6 channels (one for each kind of atom, say) and side S = 35 has 257,250 numbers. A
convolution of stride 2 rounds sides up: 35, 18, 9, 5. After two of them each of the 729 places left
may hold 352 numbers before nothing is compressed; and the latents of *steerable* networks are wide.

**Fourier fields.** A steerable network holds at each place a few functions on SO(3), the rotations,
so that a turned molecule gives a turned latent. A function is kept as its Fourier coefficients up
to the frequency L. To the frequency l belong the entries of the Wigner matrix D^l(R), which is
(2l + 1) x (2l + 1), so that one function takes

    sum over l = 0..L of (2l + 1)^2 = (L + 1)(2L + 1)(2L + 3) / 3 = 1, 10, 35, 84, ...

numbers. This can be counted without any Wigner matrix: D^1 is R itself, up to a change of basis,
and its products of up to L entries span just the functions of frequency up to L. As many of them as
are linearly independent are the dimension. Of functions on the sphere instead, which are made of
the entries of one column of R, there are sum of 2l + 1 = (L + 1)^2.

**Cost.** Multiply-adds of a step are counted (by `torch.utils.flop_counter`), not timed:

    convolution 3^3     27 * places * channels in * channels out
    attention           4 * places * channels^2  +  2 * places^2 * channels

Numbers are places times channels, and neither cost is a function of that product. A denoiser whose
inner layers are 64 wide hardly cares how many channels go in and come out: it pays for places. One
as wide as what it denoises pays for channels, squared. The same latent is a gain for the first
and a loss for the second.

Source: notes on density maps; notes on the scroll (the cube of 32^3 and its 512 numbers); Cesa,
Lang and Weiler (2022), A program to build E(N)-equivariant steerable CNNs, on Fourier fields.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name
from torch.utils.flop_counter import FlopCounterMode

from vaeflash.demo import Bars, Curves, Lab, Result
from vaeflash.lab.metrics import parameter_count
from vaeflash.lab.volumes.networks import Size, pooled_vae

DETERMINISTIC = True
INNER = 64
"""Channels between the first and the last layer of a denoiser of fixed width."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    channels: int = 6  # of a density map
    side: int = 35
    halvings: int = 2
    fields: int = 5  # functions at each place of the latent
    freq: int = 2  # up to which each is kept
    domain: Literal["rotations", "sphere"] = "rotations"  # of the functions
    op: Literal["convolution", "attention"] = "convolution"  # of the denoiser
    width: Literal["fixed", "data"] = "fixed"  # of its inner layers: 64, or as what it denoises
    latent: int = 512  # of the scroll's network
    voxel: Literal["uint8", "uint16"] = "uint8"  # of the scroll


def random_rotations(n: int, generator: torch.Generator) -> Tensor:
    """Rotation matrices `(n, 3, 3)` in float64."""
    q, _ = torch.linalg.qr(torch.randn(n, 3, 3, dtype=torch.double, generator=generator))
    turned: Tensor = q * torch.linalg.det(q)[:, None, None]
    return turned


def band_limited(freq: int, domain: str, generator: torch.Generator) -> int:
    """How many functions of frequency up to `freq` are linearly independent: a rank.

    The candidates are all products of up to `freq` entries of R, or of its last column alone, which
    is where R takes the north pole. Each is evaluated at more rotations than there are candidates.
    """
    entries = range(9) if domain == "rotations" else (2, 5, 8)
    products = [c for k in range(freq + 1) for c in combinations_with_replacement(entries, k)]
    points = random_rotations(2 * len(products), generator).flatten(1)
    values = torch.stack([points[:, list(c)].prod(1) for c in products], 1)
    return int(torch.linalg.matrix_rank(values))


def encoder(sizes: tuple[int, ...]) -> nn.Sequential:
    """One convolution of stride 2 for each pair of neighbouring channel counts."""
    layers = (nn.Conv3d(i, o, 3, stride=2, padding=1) for i, o in pairwise(sizes))
    return nn.Sequential(*layers)


def latent_shape(params: Params, field: int) -> tuple[int, ...]:
    """What the encoder makes of one map: `(C, s, s, s)`, with C = fields * numbers of a field.

    On the device "meta", where tensors have shapes and no values.
    """
    wide = params.fields * field
    sizes = (params.channels, *(INNER for _ in range(params.halvings - 1)), wide)
    with torch.device("meta"):
        maps = torch.empty(1, params.channels, *(params.side,) * 3)
        if params.halvings == 0:
            return tuple(nn.Conv3d(params.channels, wide, 3, padding=1)(maps).shape[1:])
        return tuple(encoder(sizes)(maps).shape[1:])


class Attention(nn.Module):
    """One head over all places, written out: queries, keys and values, and what is mixed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, s, s, s)` to the same."""
        q, k, v = self.to_qkv(x.flatten(2).transpose(1, 2)).chunk(3, dim=2)  # (N, places, C)
        weights = (q @ k.transpose(1, 2) / q.shape[2] ** 0.5).softmax(2)
        mixed: Tensor = self.mix(weights @ v).transpose(1, 2).reshape(x.shape)
        return mixed


def denoiser(channels: int, params: Params) -> nn.Sequential:
    """Channels in, two inner layers of one kind, channels out."""
    inner = INNER if params.width == "fixed" else channels
    if params.op == "attention":
        return nn.Sequential(
            nn.Conv3d(channels, inner, 1),
            Attention(inner),
            Attention(inner),
            nn.Conv3d(inner, channels, 1),
        )
    sizes = (channels, inner, inner, inner, channels)
    layers = [nn.Conv3d(i, o, 3, padding=1) for i, o in pairwise(sizes)]
    return nn.Sequential(*layers)


def step_cost(shape: tuple[int, ...], params: Params) -> int:
    """Multiply-adds of one step of a denoiser on `(C, *sides)`: forward and backward."""
    with torch.device("meta"):
        network = denoiser(shape[0], params)
        x = torch.empty(1, *shape)
    with FlopCounterMode(display=False) as counter:
        F.mse_loss(network(x), x).backward()
    return int(counter.get_total_flops()) // 2  # it counts a multiplication and an addition as two


def halved(shape: tuple[int, ...]) -> tuple[int, ...]:
    """As many channels at half as many places: one side becomes half as long."""
    c, d, h, w = shape
    return c, d // 2, h, w


def size_in_bytes(x: Tensor) -> int:
    """What a tensor takes where it is stored."""
    return x.numel() * x.element_size()


def ratio_of(params: Params, field: int) -> float:
    """Numbers of a map, over those of its latent."""
    latent = torch.Size(latent_shape(params, field))
    return params.channels * params.side**3 / latent.numel()


def ratios(params: Params, dimensions: list[int]) -> Bars:
    """Six latents of one map, by the frequency L, the number of functions and of halvings."""
    choices = ((16, 2, 2), (10, 2, 2), (5, 2, 2), (5, 1, 2), (1, 2, 2), (5, 2, 3))
    return Bars(
        "How many times fewer numbers a latent has than its map. At 1 nothing is compressed. Fewer "
        "functions, lower frequencies and another halving all help.",
        {
            f"{fields} of L = {freq}, {halvings} halvings": ratio_of(
                replace(params, fields=fields, freq=freq, halvings=halvings), dimensions[freq]
            )
            for fields, freq, halvings in choices
        },
        y_label="ratio",
    )


def costs(params: Params, full: tuple[int, ...], latent: tuple[int, ...]) -> Bars:
    """What a step costs on the map and on the latent, for both widths of the denoiser."""
    wide, narrow = replace(params, width="data"), replace(params, width="fixed")
    return Bars(
        "Multiply-adds of a denoiser's step, on the map and on its latent. With inner layers of a "
        "fixed width places count; if the width follows the channels, these do.",
        {
            "map, 64 wide": step_cost(full, narrow) / 1e9,
            "latent, 64 wide": step_cost(latent, narrow) / 1e9,
            "map, as wide as it": step_cost(full, wide) / 1e9,
            "latent, as wide as it": step_cost(latent, wide) / 1e9,
        },
        y_label="thousand millions",
    )


def run(params: Params, lab: Lab) -> Result:
    """Count the numbers of latents, and the multiply-adds of a step on them."""
    g = lab.generator("rotations")
    field = band_limited(params.freq, params.domain, g)
    on = {d: [band_limited(freq, d, g) for freq in range(4)] for d in ("rotations", "sphere")}
    full = (params.channels, *(params.side,) * 3)
    latent = latent_shape(params, field)
    cost, latent_cost = (step_cost(shape, params) for shape in (full, latent))
    even = (params.channels, 32, 32, 32)

    network = pooled_vae(Size(latent=params.latent))
    cube = torch.zeros(1, 1, 32, 32, 32, dtype=getattr(torch, params.voxel))
    with torch.no_grad():
        code, _ = network.encode(cube.float())

    return Result(
        metrics={
            "fourier": field,
            "latent": latent,
            "numbers": torch.Size(full).numel(),
            "latent_numbers": torch.Size(latent).numel(),
            "ratio": ratio_of(params, field),
            "places_ratio": torch.Size(full[1:]).numel() / torch.Size(latent[1:]).numel(),
            "cost_macs": cost,
            "latent_cost_macs": latent_cost,
            "speedup": cost / latent_cost,
            "speedup_of_half": step_cost(even, params) / step_cost(halved(even), params),
            "code_numbers": code.numel(),
            "network_parameters": parameter_count(network),
            "cube_ratio": cube.numel() / code.numel(),
            "cube_bytes_ratio": size_in_bytes(cube) / size_in_bytes(code),
        },
        figures={
            "fields": Curves(
                "Numbers that a function takes, by the frequency L up to which it is kept: on the "
                "rotations of space, and on the sphere. Counted as the rank of products.",
                x=range(4),
                lines=on,
                x_label="frequency L",
                y_label="numbers",
            ),
            "ratios": ratios(params, on[params.domain]),
            "costs": costs(params, full, latent),
        },
    )
