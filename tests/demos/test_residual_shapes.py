"""Shapes, weights and operations of residual blocks, against counts and formulas by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from demos import _residual as blocks
from demos import residual_shapes as demo
from vaeflash.course.demo_source import read_demo
from vaeflash.lab.bench import Bench

PATH = Path(__file__).parents[2] / "demos" / "residual_shapes.py"
KINDS = ("residual", "plain", "bridged", "cut")


def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    return dict(demo.run(replace(demo.Params(), **params), Bench(seed)).metrics)


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    return measure()


def cube(*channels_and_side: int, seed: int = 0) -> torch.Tensor:
    channels, side = channels_and_side
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, channels, side, side, side, generator=generator)


def test_the_metrics_are_those_that_its_source_lists(default):
    assert set(default) == read_demo("residual-shapes", PATH, "demos/residual_shapes.py").metrics


@pytest.mark.parametrize("kind", KINDS)
def test_every_block_halves_and_doubles(kind):
    down, up = blocks.Block(kind, nn.Conv3d, 4, 8), blocks.Block(kind, nn.ConvTranspose3d, 8, 4)
    small = down(cube(4, 8))

    assert (small.shape, up(small).shape) == ((2, 8, 4, 4, 4), (2, 4, 8, 8, 8))


@pytest.mark.parametrize("layer", [nn.Conv3d, nn.ConvTranspose3d])
def test_the_fair_pair_differs_in_the_sum_alone(layer):
    bridged, cut = (blocks.Block(kind, layer, 8, 8) for kind in ("bridged", "cut"))
    cut.load_state_dict(bridged.state_dict())
    x = cube(8, 4)
    h = bridged.second(F.relu(bridged.norm(bridged.first(x))))

    torch.testing.assert_close(cut(x), F.relu(h))
    torch.testing.assert_close(bridged(x), F.relu(h + bridged.shortcut(x)))


def test_a_bridge_down_is_the_mean_of_eight_voxels_in_each_copy_of_a_channel():
    x = cube(3, 4)
    y = blocks.Bridge(2, up=False)(x)

    torch.testing.assert_close(y[:, 5, 1, 0, 1], x[:, 2, 2:4, 0:2, 2:4].mean((1, 2, 3)))


def test_a_bridge_up_undoes_one_down_where_cubes_of_eight_voxels_are_grey():
    x = F.interpolate(cube(3, 2), scale_factor=2)

    torch.testing.assert_close(blocks.Bridge(2, up=True)(blocks.Bridge(2, up=False)(x)), x)


@pytest.mark.parametrize("layer", [nn.Conv3d, nn.ConvTranspose3d])
def test_layers_after_he_keep_the_mean_square_of_what_a_relu_lets_through(layer):
    torch.manual_seed(0)
    block = blocks.Block("cut", layer, 64, 64, normed=False)
    blocks.begin_after_he(block)
    x = F.relu(cube(64, 8))
    h = F.relu(block.first(x))

    assert (h.square().mean() / x.square().mean()).item() == pytest.approx(1, rel=0.15)


def test_the_notes_block_is_the_residual_one():
    ours = blocks.Block("residual", nn.Conv3d, 4, 8)
    notes = demo.NotesBlock(nn.Conv3d, 4, 8, demo.Params())
    notes.load_state_dict(ours.state_dict())

    torch.testing.assert_close(notes(cube(4, 8)), ours(cube(4, 8)))


@pytest.mark.parametrize(
    "params",
    [{"up_kernel": 1}, {"up_kernel": 3}, {"test": "issubclass", "side": 9}],
)
def test_shapes_that_differ_cannot_be_added(params):
    with pytest.raises(RuntimeError, match="must match"):
        measure(**params)


@pytest.mark.parametrize("params", [{"up_kernel": 1, "output_padding": 1}, {"test": "issubclass"}])
def test_a_kernel_of_one_touches_one_voxel_of_eight(params):
    metrics = measure(**params)

    assert metrics["shortcut_reads"] * metrics["shortcut_writes"] == 1 / 8


def test_only_subclasses_pass_the_test_that_was_meant():
    asked = {t: demo.chosen(t, nn.Conv3d) for t in ("isinstance", "issubclass")}

    assert asked == {"isinstance": False, "issubclass": True}
    assert not demo.chosen("issubclass", nn.ConvTranspose3d)


def test_what_the_notes_have_is_one_convolution_and_with_a_relu_it_is_not(default):
    with_relu = measure(inner="relu")

    assert max(default["additivity_gap"], default["merged_gap"]) < 1e-12
    assert min(with_relu["additivity_gap"], with_relu["merged_gap"]) > 0.01
    assert default["merged_kernel"] == (6, 6, 6)


def test_at_the_border_one_convolution_differs_from_two():
    torch.manual_seed(0)
    layers, x = demo.PlainLayers("nothing"), cube(demo.INPUTS, 8).double()

    assert demo.relative(demo.merged(layers)(x), layers(x)) > 1e-3


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 8), (8, 16)])
def test_parameters_are_those_counted_by_hand(inputs, outputs):
    strided = inputs * outputs * 8 + outputs
    rest = outputs * outputs * 27 + outputs + 2 * outputs
    counts = {
        kind: sum(p.numel() for p in blocks.Block(kind, nn.Conv3d, inputs, outputs).parameters())
        for kind in KINDS
    }

    assert counts["residual"] == 2 * strided + rest
    assert counts["plain"] == counts["bridged"] == counts["cut"] == strided + rest


@pytest.mark.parametrize(("kernel", "voxels"), [(1, 1), (2, 8), (3, 27)])
def test_the_field_of_a_convolution_is_its_kernel(kernel, voxels):
    assert demo.field(demo.strided(kernel, 2), 8) == voxels


@pytest.mark.parametrize(("kernel", "voxels"), [(1, 8), (3, 64), (5, 216)])
def test_the_field_of_a_pooled_convolution_is_that_of_two_neighbours(kernel, voxels):
    assert demo.field(demo.pooled(kernel), 8) == voxels


@pytest.mark.parametrize(("strided", "pooled", "times"), [(2, 3, 27), (3, 3, 8), (2, 1, 1)])
def test_operations_are_products_of_kernels_and_outputs(strided, pooled, times):
    metrics = measure(strided_kernel=strided, pooled_kernel=pooled)

    assert metrics["operations_times"] == times
