"""The lesson on bytes against numbers, at a fraction of its steps."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from demos import compression_ratio as demo
from vaeflash.lab.bench import Bench


@cache
def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(steps=0), **params)
    return dict(demo.run(small, Bench(seed, needs=demo.NEEDS)).metrics)


@pytest.mark.parametrize(
    ("dtype", "size"), [("uint8", 784), ("float16", 2 * 784), ("float32", 4 * 784)]
)
def test_a_picture_takes_the_bytes_of_its_type(dtype: str, size: int) -> None:
    assert demo.size_in_bytes(torch.zeros(1, 784), dtype) == size


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_so_many_bits_have_so_many_levels(bits: int) -> None:
    z = torch.linspace(-3, 4, 1_000)[:, None]

    assert len(demo.rounded(z, bits).unique()) == 2**bits


def test_rounding_is_off_by_half_a_step_at_most() -> None:
    z = torch.rand(500, 3) * torch.tensor([1.0, 10.0, 100.0])
    step = (z.amax(0) - z.amin(0)) / 15

    assert ((demo.rounded(z, 4) - z).abs() <= 0.501 * step).all()


def test_a_number_that_never_changes_stays() -> None:
    z = torch.full((5, 2), 3.0)

    assert torch.equal(demo.rounded(z, 8), z)


def test_zlib_gets_single_pictures_of_8_bits() -> None:
    x = torch.rand(3, 784, generator=torch.Generator().manual_seed(0))
    packed = [zlib.compress(bytes((255 * p).round().int().tolist()), 9) for p in x]

    assert demo.zlib_bytes(x) == sum(map(len, packed)) / 3


@pytest.mark.parametrize(("latent", "ratio"), [(2, 392), (4, 196)])
def test_numbers_are_counted_on_the_code(latent: int, ratio: int) -> None:
    assert measure(latent=latent)["values_ratio"] == ratio


@pytest.mark.parametrize(
    ("pixel", "code", "ratio"),
    [("uint8", "float32", 98), ("float32", "float32", 392), ("uint8", "float16", 196)],
)
def test_bytes_depend_on_both_types(pixel: str, code: str, ratio: int) -> None:
    assert measure(pixel=pixel, code=code)["bytes_ratio"] == ratio


def test_the_decoders_weights_are_counted_by_hand() -> None:
    convolutions = 2 * (64 * 64 * 9 + 64) + (64 * 32 * 9 + 32) + (32 * 9 + 1)
    linear = 2 * 3136 + 3136

    assert measure()["decoder_bytes"] == 4 * (convolutions + linear)


def test_noise_does_not_pack() -> None:
    assert measure(noise=0.5)["zlib_ratio"] < 2 < measure()["zlib_ratio"]
