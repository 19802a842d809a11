"""3-D autoencoders and VAEs of cubes of voxels, and a network that reads ink.

    source_vae(32)                    the sources' own, as written: cubes of 32 and no others
    pooled_vae(Size(side=48))         the same, for any side that its levels can halve
    strided_vae(Size(16, 16, 3, 64))  the second form; plain, residual, or matched to it
    halving_vae(35, (8, 16), 64)      any side at all

Cubes are `(N, 1, S, S, S)`. What is between encoder and code, and between code and decoder, is
`(N, C, s, s, s)`, here called the bottleneck. Codes, means, log-variances and what a decoder gives
are float32 in every precision, since losses add up many of them.

Sources: the notes on the scroll (both forms, the ink network) and on density maps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NoReturn, TypeAlias

import torch
from torch import Tensor, nn

from vaeflash.errors import DemoError, Problem
from vaeflash.lab.volumes.blocks import Block, Norm, PooledConv, make_block, rescale

Output: TypeAlias = Literal["sigmoid", "linear"]
"""Of a decoder: for grey levels in [0, 1], or for any numbers."""
Bottleneck: TypeAlias = tuple[int, int, int, int]
LIMIT = 10.0
"""Of the log-variance on both sides: exp of more soon has no float32, and a run is lost."""
NEAR = 0.003
"""Nearest that a mean grey level comes to 0 and 1, whose logits have no end."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a network is; the defaults are the sources' own, of 4,655,905 parameters.

    Attributes:
        side: Voxels of a cube along each axis.
        base: Channels of the first level; each further one has twice as many.
        levels: How often each side is halved.
        latent: Numbers in a code.

    Raises:
        DemoError: The side cannot be halved that often, or a number is below 1.
    """

    side: int = 32
    base: int = 32
    levels: int = 4
    latent: int = 512

    def __post_init__(self) -> None:
        if min(self.side, self.base, self.levels, self.latent) < 1:
            _refuse(f"{self}", "every number must be at least 1.", "Choose larger ones.")
        step = 2**self.levels
        if self.side % step:
            what = f"a side of {self.side} voxels cannot be halved {self.levels} times."
            _refuse(
                f"cube {self.side}", what, f"Choose a side that {step} divides, or fewer levels."
            )

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each level, e.g. 32, 64, 128, 256."""
        return tuple(self.base * 2**level for level in range(self.levels))

    @property
    def bottleneck(self) -> Bottleneck:
        """Channels and sides behind the last level, e.g. 256, 2, 2, 2: found from the levels."""
        side = self.side // 2**self.levels
        return self.channels[-1], side, side, side


class Coder(nn.Module):
    """What an autoencoder and a VAE share: the layers before and after the code.

    Args:
        encoder: Cubes to the bottleneck.
        decoder: The bottleneck to cubes, before any sigmoid.
        bottleneck: Its shape, without the batch.
        latent: Numbers in a code.
        output: What the decoder's numbers become.
    """

    def __init__(
        self,
        encoder: nn.Sequential,
        decoder: nn.Sequential,
        bottleneck: Bottleneck,
        latent: int,
        output: Output = "sigmoid",
    ) -> None:
        super().__init__()
        self.latent = latent
        self.width = math.prod(bottleneck)
        self.encoder = encoder
        self.from_code = nn.Sequential(nn.Linear(latent, self.width), nn.Unflatten(1, bottleneck))
        self.decoder = decoder
        self.output: Output = output

    def features(self, x: Tensor) -> Tensor:
        """Cubes to what the code is computed from, `(N, width)`."""
        h: Tensor = self.encoder(x).flatten(1)
        return h

    def decode_raw(self, z: Tensor) -> Tensor:
        """Codes to what the last layer gives, `(N, 1, S, S, S)`, before any sigmoid."""
        raw: Tensor = self.decoder(self.from_code(z)).float()
        return raw

    def decode(self, z: Tensor) -> Tensor:
        """Codes `(N, latent)` to cubes `(N, 1, S, S, S)`."""
        raw = self.decode_raw(z)
        return raw.sigmoid() if self.output == "sigmoid" else raw


class VolumeAutoencoder(Coder):
    """An autoencoder: one number of the code is one linear function of the features."""

    def __init__(
        self,
        encoder: nn.Sequential,
        decoder: nn.Sequential,
        bottleneck: Bottleneck,
        latent: int,
        output: Output = "sigmoid",
    ) -> None:
        super().__init__(encoder, decoder, bottleneck, latent, output)
        self.to_code = nn.Linear(self.width, latent)

    def encode(self, x: Tensor) -> Tensor:
        """Cubes `(N, 1, S, S, S)` to codes `(N, latent)`."""
        z: Tensor = self.to_code(self.features(x)).float()
        return z

    def forward(self, x: Tensor) -> Tensor:
        """Cubes to their reconstructions."""
        return self.decode(self.encode(x))


class VolumeVAE(Coder):
    """A VAE: two heads give the posterior's mean and log-variance.

    Args:
        limit: The log-variance stays within it on both sides; None lets it go anywhere, as the
            sources do.
    """

    def __init__(
        self,
        encoder: nn.Sequential,
        decoder: nn.Sequential,
        bottleneck: Bottleneck,
        latent: int,
        output: Output = "sigmoid",
        limit: float | None = LIMIT,
    ) -> None:
        super().__init__(encoder, decoder, bottleneck, latent, output)
        self.to_mu = nn.Linear(self.width, latent)
        self.to_logvar = nn.Linear(self.width, latent)
        self.limit = limit

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Cubes to the posterior's `mu` and `logvar`, `(N, latent)` each."""
        h = self.features(x)
        mu, logvar = self.to_mu(h).float(), self.to_logvar(h).float()
        return mu, logvar if self.limit is None else logvar.clamp(-self.limit, self.limit)

    def forward(self, x: Tensor) -> Tensor:
        """Cubes to their reconstructions from the posterior's mean; no noise."""
        return self.decode(self.encode(x)[0])


class InkNetwork(nn.Module):
    """An autoencoder whose target is the ink: its output, averaged over the depth, is a picture.

    Args:
        network: Of windows `(N, 1, D, h, w)`; its last layer's numbers are the logits.
    """

    def __init__(self, network: VolumeAutoencoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Windows `(N, 1, D, h, w)` to logits of ink `(N, h, w)`."""
        return self.network.decode_raw(self.network.encode(x))[:, 0].mean(1)


def source_vae(side: int = 32) -> VolumeVAE:
    """The sources' network as written: it runs on cubes of 32, and on no others.

    The channels behind the last level are computed from the cube's side, eight times it. They are
    256 whatever the side, so at any side but 32 the linear layers do not fit, and torch says so in
    the first forward pass.
    """
    inner = max(1, side // 16)
    encoder, decoder = _pooled_encoder(Size()), _pooled_decoder(Size(), smooth=False)
    return VolumeVAE(encoder, decoder, (8 * side, inner, inner, inner), 512, limit=None)


def pooled_vae(
    size: Size,
    *,
    smooth: bool = False,
    output: Output = "sigmoid",
    limit: float | None = LIMIT,
) -> VolumeVAE:
    """The sources' first form: convolutions and max pooling down, transposed convolutions up.

    Args:
        size: At its defaults, the network has the parameters of `source_vae`.
        smooth: A 3 x 3 x 3 convolution after each transposed one: those have kernel and stride 2
            and do not overlap, so each cell of 2^3 voxels is drawn by itself, as a checkerboard.
        output: For grey levels or for any numbers.
        limit: Of the log-variance.
    """
    parts = _pooled_encoder(size), _pooled_decoder(size, smooth=smooth)
    return VolumeVAE(*parts, size.bottleneck, size.latent, output, limit)


def pooled_autoencoder(
    size: Size, *, smooth: bool = False, output: Output = "sigmoid"
) -> VolumeAutoencoder:
    """The same without noise: one head. See `pooled_vae`."""
    parts = _pooled_encoder(size), _pooled_decoder(size, smooth=smooth)
    return VolumeAutoencoder(*parts, size.bottleneck, size.latent, output)


def strided_vae(
    size: Size,
    block: Block = "residual",
    norm: Norm = "group",
    *,
    smooth: bool = False,
    output: Output = "sigmoid",
    limit: float | None = LIMIT,
) -> VolumeVAE:
    """The sources' second form: a strided convolution, then one block a level, and back.

    Args:
        size: E.g. `Size(16, 16, 3, 64)`: a cube of 16 to 64 numbers, sides 8, 4, 2.
        block: As the sources have it are "plain" and "residual"; "matched" is the residual block
            without its shortcut.
        norm: As the sources have it is "batch".
        smooth: A 3 x 3 x 3 convolution after the last transposed one, where no block has any.
        output: For grey levels or for any numbers.
        limit: Of the log-variance.
    """
    parts = _strided_parts(size, block, norm, smooth=smooth)
    return VolumeVAE(*parts, size.bottleneck, size.latent, output, limit)


def strided_autoencoder(
    size: Size,
    block: Block = "residual",
    norm: Norm = "group",
    *,
    smooth: bool = False,
    output: Output = "sigmoid",
) -> VolumeAutoencoder:
    """The same without noise: one head. See `strided_vae`."""
    parts = _strided_parts(size, block, norm, smooth=smooth)
    return VolumeAutoencoder(*parts, size.bottleneck, size.latent, output)


def ink_network(size: Size, block: Block = "residual", norm: Norm = "group") -> InkNetwork:
    """The second form with the target switched to the ink. See `strided_vae`."""
    return InkNetwork(strided_autoencoder(size, block, norm, output="linear"))


def halving_vae(
    side: int,
    channels: tuple[int, ...],
    latent: int,
    *,
    output: Output = "linear",
    limit: float | None = LIMIT,
) -> VolumeVAE:
    """A VAE for cubes of any side: kernel 3, stride 2, sides rounded up: 35, 18, 9.

    Args:
        side: E.g. 35, of a density map.
        channels: Of each halving.
        latent: Numbers in a code.
        output: For standardised maps "linear".
        limit: Of the log-variance.
    """
    sides = [side]
    encoder, decoder = nn.Sequential(), nn.Sequential()
    for i, o in pairwise((1, *channels)):
        encoder.extend((nn.Conv3d(i, o, 3, stride=2, padding=1), nn.ReLU()))
        sides.append((sides[-1] + 1) // 2)
    for (o, i), s in zip(reversed([*pairwise((1, *channels))]), sides[-2::-1], strict=True):
        # An even side and the odd one below are halved to the same; this tells them apart.
        even = 1 - s % 2
        up = nn.ConvTranspose3d(i, o, 3, stride=2, padding=1, output_padding=even)
        decoder.extend((up, nn.ReLU()))
    s = sides[-1]
    bottleneck = (channels[-1], s, s, s)
    return VolumeVAE(encoder, _linear_end(decoder), bottleneck, latent, output, limit)


@torch.no_grad()
def start_at_mean(network: Coder, mean: float) -> None:
    """Let the last bias answer with the data's mean: the rest of training is about differences.

    Args:
        network: Its last layer's bias is set.
        mean: Over voxels, as the decoder should give it: in [0, 1] if it ends with a sigmoid.
    """
    layers = [m for m in network.decoder.modules() if isinstance(m, nn.Conv3d | nn.ConvTranspose3d)]
    bias = layers[-1].bias
    if bias is None:
        raise TypeError("the decoder's last layer has no bias")
    if network.output == "sigmoid":
        mean = min(max(mean, NEAR), 1 - NEAR)
        mean = math.log(mean / (1 - mean))
    bias.fill_(mean)


def _pooled_encoder(size: Size) -> nn.Sequential:
    return nn.Sequential(*(PooledConv(i, o) for i, o in pairwise((1, *size.channels))))


def _pooled_decoder(size: Size, *, smooth: bool) -> nn.Sequential:
    layers = nn.Sequential()
    for i, o in pairwise((*reversed(size.channels), 1)):
        layers.append(rescale(i, o, up=True))
        if smooth:
            layers.append(nn.Conv3d(o, o, 3, padding=1))
        layers.append(nn.ReLU())
    return _linear_end(layers)


def _strided_parts(
    size: Size, block: Block, norm: Norm, *, smooth: bool
) -> tuple[nn.Sequential, nn.Sequential]:
    steps = [*pairwise(size.channels)]
    down = (make_block(block, i, o, norm) for i, o in steps)
    up = (make_block(block, o, i, norm, up=True) for i, o in reversed(steps))
    encoder = nn.Sequential(rescale(1, size.base, up=False), nn.ReLU(), *down)
    decoder = nn.Sequential(*up, rescale(size.base, 1, up=True))
    if smooth:
        decoder.append(nn.Conv3d(1, 1, 3, padding=1))
    return encoder, decoder


def _linear_end(layers: nn.Sequential) -> nn.Sequential:
    """The layers without the ReLU behind the last."""
    return nn.Sequential(*list(layers)[:-1])


def _refuse(where: str, what: str, advice: str) -> NoReturn:
    raise DemoError(Problem(where, what, advice))
