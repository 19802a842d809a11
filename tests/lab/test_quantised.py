"""Weights in few bits: as torch rounds them, and decoded as torch decodes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planes import network
from torch import nn

from vaeflash.errors import DemoError
from vaeflash.lab.quantised import TINY, decode, quantise, size

SEEDS = st.integers(0, 2**31)
BITS = st.integers(2, 8)


def first(seed: int, bits: int = 8):
    linear = network(seed)[0]
    return linear, quantise(nn.Sequential(linear), bits)[0]


@pytest.mark.slow
@given(SEEDS, BITS)
def test_a_weight_moves_by_half_a_unit_of_its_row_at_most(seed, bits):
    linear, layer = first(seed, bits)
    units = layer.scales.float()[:, None]

    moved = (layer.weights * units - linear.weight).abs()

    # A 16-bit scale may be 1/2048 too small, for the row's largest weight.
    assert (moved <= units * (0.5 + 2 ** (bits - 1) / 2048)).all()


@pytest.mark.slow
@given(SEEDS)
def test_weights_are_those_that_torch_rounds_to_by_channel(seed):
    linear, layer = first(seed)
    zeros = torch.zeros(len(layer.scales), dtype=torch.int32)

    theirs = torch.fake_quantize_per_channel_affine(
        linear.weight, layer.scales.float(), zeros, 0, -127, 127
    )

    torch.testing.assert_close(layer.weights * layer.scales.float()[:, None], theirs)


@pytest.mark.slow
@given(SEEDS, BITS)
def test_weights_use_all_their_bits_and_no_more(seed, bits):
    assert first(seed, bits)[1].weights.abs().amax(1).unique().tolist() == [2 ** (bits - 1) - 1]


def test_a_row_of_zeros_stays_zeros():
    linear = nn.Linear(2, 1)
    nn.init.zeros_(linear.weight)

    (layer,) = quantise(nn.Sequential(linear))

    assert (layer.weights.tolist(), layer.scales.tolist()) == ([[0, 0]], [TINY])


def test_the_rounded_network_decodes_as_torch_does_with_its_weights():
    model, z = network(), torch.randn(50, 2)
    layers = quantise(model)
    with torch.no_grad():
        for linear, layer in zip(model[::2], layers, strict=True):
            linear.weight.copy_(layer.weights * layer.scales[:, None].float())
            linear.bias.copy_(layer.biases * layer.bias_scale)

    torch.testing.assert_close(decode(layers, z), model(z).sigmoid().detach(), atol=1e-5, rtol=0)


def test_eight_bits_are_nearer_to_the_network_than_four():
    model, z = network(), torch.randn(200, 2)
    exact = model(z).sigmoid().detach()

    eight, four = ((decode(quantise(model, bits), z) - exact).square().mean() for bits in (8, 4))

    assert eight < four / 50


def test_a_decoder_of_the_lesson_takes_29848_bytes():
    assert size(quantise(network())) == 27_200 + 880 + 2 * 880 + 4 * 2


def test_half_the_bits_are_half_the_weights_bytes():
    layers = quantise(network(), 4)

    assert size(layers, 8) - size(layers, 4) == 27_200 / 2


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4)],
        [nn.Linear(2, 3), nn.Linear(3, 4)],
        [nn.Linear(2, 3), nn.SiLU()],
        [],
    ],
    ids=["ReLU", "nothing between", "SiLU at the end", "empty"],
)
def test_another_kind_of_network_is_refused(layers):
    with pytest.raises(DemoError, match="Alternate Linear and SiLU"):
        quantise(nn.Sequential(*layers))


@pytest.mark.parametrize("bits", [0, 1, 9])
def test_other_numbers_of_bits_are_refused(bits):
    with pytest.raises(DemoError, match=f"a weight of {bits} bits"):
        quantise(network(), bits)
