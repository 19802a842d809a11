r"""A digit in two numbers is 392 times fewer numbers, 98 times fewer bytes, and it needs a decoder.

**Ratios.** The lecture's convolutional autoencoder takes 28 x 28 = 784 pixels to a code of 2:

    in numbers    784 / 2              = 392
    in bytes      784 * 1 / (2 * 4)    = 98      8-bit pixels, 32-bit floats

Which is right depends on what the numbers are stored in. Pixels have 256 levels. A code need not
have more: rounded to b bits it has 2^b levels between its least and greatest value,

    z_b = lo + round((z - lo) / (hi - lo) * (2^b - 1)) * (hi - lo) / (2^b - 1)

**What such ratios leave out.** That the picture comes back changed, while general compression by
zlib loses nothing. And that whoever unpacks needs the decoder, whose weights are bytes as well:

    worthwhile from    decoder bytes / (picture bytes - code bytes)    pictures on

Source: lecture on convolutional autoencoders, the encoder's last layer and the arithmetic of
compression.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.networks import ConvAutoencoder, DenseAutoencoder, start_at_mean
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import train

NEEDS = ("digits",)
LENGTH = 32
"""Numbers in the code of the dense autoencoder that is trained."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    latent: int = 2  # of the convolutional network, whose sizes are measured
    pixel: Literal["uint8", "float32"] = "uint8"  # what a picture is stored in
    code: Literal["float32", "float16"] = "float32"  # what a code is stored in
    bits: int = 8  # to which the trained network's code is rounded
    noise: float = 0.0  # std of noise on the pictures that zlib gets
    steps: int = 300


def size_in_bytes(x: Tensor, dtype: str) -> int:
    """What a tensor takes once stored in this type."""
    stored = x.to(getattr(torch, dtype))
    return stored.numel() * stored.element_size()


def rounded(z: Tensor, bits: int) -> Tensor:
    """Codes `(N, D)`, each number on one of 2^bits levels between its extremes over N."""
    low, high = z.amin(0), z.amax(0)
    step = (high - low).clamp(min=1e-12) / (2**bits - 1)
    levels = ((z - low) / step).round()
    back: Tensor = low + levels * step
    return back


def zlib_bytes(x: Tensor) -> float:
    """Mean size of pictures `(N, ...)` in [0, 1], packed one by one at 8 bits and level 9."""
    levels = (255 * x).round().to(torch.uint8).flatten(1).cpu().numpy()
    return sum(len(zlib.compress(picture.tobytes(), 9)) for picture in levels) / len(levels)


def loss(model: nn.Module, x: Tensor) -> Tensor:
    """Squared error, mean over pictures and pixels."""
    return F.mse_loss(model(x), x)


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Measure the sizes of picture, code and decoder, and what rounding a code costs."""
    digits = lab.data("digits")
    x_train, x = (part.flatten(1).to(lab.device) for part in (digits.train, digits.test[:1_000]))
    picture = x[:1].view(1, 1, 28, 28)
    conv = ConvAutoencoder(params.latent).to(lab.device)
    code = conv.encode(picture)
    picture_bytes = size_in_bytes(picture, params.pixel)
    code_bytes = size_in_bytes(code, params.code)
    decoder_bytes = sum(size_in_bytes(p, "float32") for p in conv.decoder.parameters())

    model = DenseAutoencoder(784, 128, LENGTH).to(lab.device)
    start_at_mean(model.encoder, model.decoder, x_train)
    with torch.enable_grad():
        train(
            model,
            loss,
            x_train,
            steps=params.steps,
            batch_size=64,
            optimizer=torch.optim.Adam(model.parameters(), 8e-3, (0.9, 0.99), fused=True),
            generator=lab.generator("batches"),
            schedule=linear(params.steps),
            track=lab.track,
        )
    z = model.encode(x)
    x_hat = model.decode(z).sigmoid()
    by_bits = {bits: model.decode(rounded(z, bits)).sigmoid() for bits in (8, 4, 2, 1)}
    x_rounded = model.decode(rounded(z, params.bits)).sigmoid()

    noisy = x + params.noise * torch.randn(x.shape, generator=lab.generator("noise")).to(x)
    packed = zlib_bytes(noisy.clamp(0, 1))
    rows = {"original": x, "32 bits": x_hat} | {f"{b} bits": y for b, y in by_bits.items()}
    ten = torch.stack([(digits.test_labels == digit).nonzero()[0, 0] for digit in range(10)])
    return Result(
        metrics={
            "code": tuple(code.shape),
            "values_ratio": picture.numel() / code.numel(),
            "bytes_ratio": picture_bytes / code_bytes,
            "decoder_bytes": decoder_bytes,
            "worthwhile_from": decoder_bytes / (picture_bytes - code_bytes),
            "zlib_ratio": x.shape[1] / packed,
            "mse": metrics.mse(x_hat, x),
            "rounded_mse": metrics.mse(x_rounded, x),
        },
        figures={
            "bits": Images(
                "Digits from 32 numbers of 32 bits, and of fewer. Eight bits a number look like "
                "32, four nearly so.",
                torch.stack([row[ten] for row in rows.values()]).unflatten(-1, (28, 28)).cpu(),
                rows=list(rows),
            ),
            "bytes": Bars(
                "Bytes of one digit: stored as it is, packed by zlib without loss, and as a code, "
                "which counts without its decoder.",
                {"as it is": picture_bytes, "zlib": packed, "code": code_bytes},
                y_label="bytes",
            ),
        },
    )
