"""What pays where, and that arithmetic is left as it was found."""

from __future__ import annotations

import pytest
import torch

from vaeflash.lab import precision
from vaeflash.lab.precision import autocast, fastest, medium_error, products

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx2": True}, "float32"),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False}, "medium"),
        ({"avx512_f": True, "avx512_bf16": True}, "bf16"),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": True}, "bf16"),
        ({}, "float32"),
    ],
)
def test_a_cpu_gets_what_it_has_instructions_for(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)

    assert fastest(CPU) == expected


@pytest.mark.parametrize(("error", "expected"), [(3e-7, "medium"), (2e-3, "highest")])
def test_medium_is_taken_only_where_it_is_accurate(monkeypatch, error, expected):
    monkeypatch.setattr(precision, "medium_error", lambda _: error)

    with products("medium", CPU):
        chosen = torch.get_float32_matmul_precision()

    assert chosen == expected


@pytest.mark.parametrize("chosen", ["float32", "bf16"])
def test_the_others_leave_float32_products_alone(chosen):
    with products(chosen, CPU):
        assert torch.get_float32_matmul_precision() == "highest"


def test_an_exception_restores_the_products(monkeypatch):
    monkeypatch.setattr(precision, "medium_error", lambda _: 0.0)

    with pytest.raises(KeyboardInterrupt), products("medium", CPU):
        raise KeyboardInterrupt

    assert torch.get_float32_matmul_precision() == "highest"


def test_the_probe_tells_bfloat16_from_float32():
    """What it would measure of products that are rounded to bfloat16 lies beyond the limit."""
    a, b = torch.randn(2, 256, 256, generator=torch.Generator().manual_seed(0)).double()
    rounded = (a.bfloat16() @ b.bfloat16()).double()

    error = ((rounded - a @ b).abs().max() / (a @ b).abs().max()).item()

    assert error > 5 * precision.SAFE


def test_the_probe_leaves_the_products_as_they_were():
    medium_error.cache_clear()
    medium_error(CPU)

    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [("float32", torch.float32), ("medium", torch.float32), ("bf16", torch.bfloat16)],
)
def test_only_bf16_computes_in_bf16(chosen, expected):
    with autocast(chosen, CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)

    assert product.dtype == expected
