"""Networks in bytes: weights rounded to few bits, with a scale for each row, and decoded again.

Rows differ in size, so one scale a row rounds each as finely as it can be. Scales are kept in 16
bits, and what is rounded is rounded with the scale as it is kept.

Source: Jacob et al. (2018), Quantization and training of neural networks for efficient
integer-arithmetic-only inference, section 2.1, without the zero point.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Dense
from vaeflash.errors import DemoError, Problem

BITS = range(2, 9)
TINY = 2.0**-14
"""The smallest scale: below it 16 bits lose precision."""


def quantise(network: nn.Sequential, bits: int = 8) -> list[Dense]:
    """The linear layers of a network, rounded; biases have 8 bits whatever the weights have.

    Args:
        network: Linear layers with biases, and SiLU between any two of them.
        bits: Of a weight, 2 to 8: from -(2^(bits-1) - 1) to the same above 0.

    Raises:
        DemoError: It is another kind of network, or there are too many or too few bits.
    """
    layers = list(network)
    kinds = [type(layer) for layer in layers]
    if kinds != [nn.Linear, nn.SiLU] * (len(kinds) // 2) + [nn.Linear]:
        told = ", ".join(kind.__name__ for kind in kinds)
        raise DemoError(
            Problem("quantise", f"these layers are {told}.", "Alternate Linear and SiLU.")
        )
    if bits not in BITS:
        raise DemoError(Problem("quantise", f"a weight of {bits} bits.", "Choose 2 to 8 bits."))
    return [_rounded(layer, bits) for layer in layers if isinstance(layer, nn.Linear)]


@torch.no_grad()
def _rounded(layer: nn.Linear, bits: int) -> Dense:
    weights, scales = _integers(layer.weight, 2 ** (bits - 1) - 1)
    biases, bias_scale = _integers(layer.bias[None], 127)
    return Dense(weights, scales, biases[0], bias_scale.item())


def _integers(rows: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """Rows `(n, k)` as int8 in -limit..limit, and the float16 scale of each, `(n,)`."""
    scales = (rows.abs().amax(1) / limit).clamp(min=TINY).half()
    # The kept scale may be smaller than the exact one, by which the largest weight would be 127.06.
    integers = (rows / scales[:, None].float()).round().clamp(-limit, limit)
    return integers.to(torch.int8), scales


def decode(layers: Sequence[Dense], z: Tensor) -> Tensor:
    """What the rounded network makes of codes, computed in floats; `(N, D)` to `(N, P)` in 0..1."""
    x = z
    for number, layer in enumerate(layers):
        if number:
            x = F.silu(x)
        weights, scales, biases = (
            torch.as_tensor(part, device=z.device).float()
            for part in (layer.weights, layer.scales, layer.biases)
        )
        x = (x @ weights.T) * scales + layer.bias_scale * biases
    return x.sigmoid()


def size(layers: Sequence[Dense], bits: int = 8) -> float:
    """Bytes that weights of so many bits, 8-bit biases and 16-bit scales take."""
    total = 0.0
    for layer in layers:
        n, k = layer.weights.shape
        total += n * k * bits / 8 + n + 2 * n + 2
    return total
