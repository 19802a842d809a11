"""The lesson on ratios and costs: counts against closed forms, and against scipy's harmonics."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from scipy.special import lpmv  # type: ignore[import-untyped]

from demos import density_compression as demo
from vaeflash.lab.bench import Bench


@cache
def measure(**params: Any) -> dict[str, Any]:
    return dict(demo.run(demo.Params(**params), Bench(0)).metrics)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_rotations_keep_lengths_and_handedness() -> None:
    r = demo.random_rotations(50, generator())

    torch.testing.assert_close(r @ r.mT, torch.eye(3, dtype=torch.double).expand_as(r))
    torch.testing.assert_close(torch.linalg.det(r), torch.ones(50, dtype=torch.double))


@pytest.mark.parametrize("freq", range(4))
def test_functions_of_rotations_are_as_many_as_the_wigner_matrices_have_entries(freq: int) -> None:
    entries = (freq + 1) * (2 * freq + 1) * (2 * freq + 3) // 3

    assert demo.band_limited(freq, "rotations", generator(freq)) == entries


@pytest.mark.parametrize("freq", range(4))
def test_functions_of_directions_are_as_many_as_the_spherical_harmonics(freq: int) -> None:
    up, turn = torch.rand(2, 200, dtype=torch.double, generator=generator())
    harmonics = torch.stack(
        [
            torch.as_tensor(lpmv(order, degree, up.numpy())) * part(2 * torch.pi * order * turn)
            for degree in range(freq + 1)
            for order in range(degree + 1)
            for part in ((torch.cos, torch.sin) if order else (torch.cos,))
        ]
    )

    rank = torch.linalg.matrix_rank(harmonics)

    assert demo.band_limited(freq, "sphere", generator()) == rank == len(harmonics)


@pytest.mark.parametrize(("halvings", "side"), [(0, 35), (1, 18), (2, 9), (3, 5)])
def test_sides_are_halved_and_rounded_up(halvings: int, side: int) -> None:
    assert demo.latent_shape(demo.Params(halvings=halvings), 35) == (175, side, side, side)


def convolution_macs(places: int, channels: int, inner: int) -> int:
    """Forward once, and twice as much backward, but the input of the first needs no gradient."""
    first, second, last = channels * inner, inner * inner, inner * channels
    return 27 * places * (2 * first + 3 * (2 * second + last))


@pytest.mark.parametrize(("width", "inner"), [("fixed", 64), ("data", 5)])
def test_convolutions_cost_as_the_formula_says(width: Any, inner: int) -> None:
    cost = demo.step_cost((5, 6, 7, 8), demo.Params(width=width))

    assert cost == convolution_macs(6 * 7 * 8, 5, inner)


def test_attention_costs_as_the_formula_says() -> None:
    places, c = 6 * 7 * 8, demo.INNER
    attention = 4 * places * c**2 + 2 * places**2 * c

    cost = demo.step_cost((5, 6, 7, 8), demo.Params(op="attention"))

    assert cost == 3 * 2 * attention + (2 + 3) * places * 5 * c


def test_attention_is_pytorchs_own() -> None:
    torch.manual_seed(0)
    layer = demo.Attention(8).double()
    x = torch.randn(2, 8, 3, 4, 5, dtype=torch.double)
    theirs = torch.nn.MultiheadAttention(8, 1, batch_first=True).double()
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = layer.to_qkv.weight, layer.to_qkv.bias
    theirs.out_proj.load_state_dict(layer.mix.state_dict())
    places = x.flatten(2).mT

    expected, _ = theirs(places, places, places)

    torch.testing.assert_close(layer(x), expected.mT.reshape(x.shape))


def test_half_a_shape_has_half_the_places() -> None:
    assert demo.halved((6, 32, 32, 32)) == (6, 16, 32, 32)


def test_a_ratio_is_numbers_by_numbers() -> None:
    measured = measure()

    assert measured["ratio"] == 6 * 35**3 / (5 * 35 * 9**3)


def test_the_scrolls_parameters_are_no_code() -> None:
    measured = measure(latent=64)
    levels = [27 * i * o + o for i, o in ((1, 32), (32, 64), (64, 128), (128, 256))]
    back = [8 * i * o + o for i, o in ((256, 128), (128, 64), (64, 32), (32, 1))]
    linear = 2 * (2048 * 64 + 64) + 64 * 2048 + 2048

    assert measured["network_parameters"] == sum(levels) + sum(back) + linear
    assert measured["cube_ratio"] == 512
