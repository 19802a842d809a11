"""In which arithmetic matrix products and convolutions are computed while training.

    float32   as torch does it
    medium    float32 through oneDNN, on some CPUs twice as fast; only where it stays accurate
    bf16      autocast: products in bfloat16, weights, sums and updates in float32

None is fastest everywhere: a CPU without the instructions for bfloat16 emulates it, tens of times
slower than float32. What pays on this machine says `fastest`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any, Literal, TypeAlias

import torch

Precision: TypeAlias = Literal["float32", "medium", "bf16"]
SAFE = 1e-4
"""Largest error of a product, as a share of its largest entry; bfloat16 has about 2e-3."""


def fastest(device: torch.device) -> Precision:
    """The fastest arithmetic that the device has instructions for."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    ask: Any = getattr(torch.cpu, "get_capabilities", dict)  # not in every torch that we support
    has = ask()
    if has.get("avx512_bf16") or has.get("amx_bf16"):
        return "bf16"
    return "medium" if has.get("avx512_f") else "float32"


@contextmanager
def products(precision: Precision, device: torch.device) -> Iterator[None]:
    """Choose how float32 products are computed, and leave it as it was in the end.

    `medium` lets torch take faster products, which on some machines are rounded to bfloat16; it
    is taken at its word only where a product of known value comes out right.
    """
    before = torch.get_float32_matmul_precision()
    medium = precision == "medium" and medium_error(device) < SAFE
    torch.set_float32_matmul_precision("medium" if medium else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """What a network's forward pass and its loss are computed in."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@cache
def medium_error(device: torch.device) -> float:
    """Largest error of a `medium` product, as a share of the product's largest entry."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(shape, generator=generator) for shape in ((128, 784), (784, 256)))
    exact = a.double() @ b.double()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        product = (a.to(device) @ b.to(device)).cpu().double()
    finally:
        torch.set_float32_matmul_precision(before)
    return ((product - exact).abs().max() / exact.abs().max()).item()
