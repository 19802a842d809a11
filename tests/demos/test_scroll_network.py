"""The listing's network, counted by hand and held against the lab's own form of it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from demos import scroll_network as demo
from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.lab.metrics import parameter_count
from vaeflash.lab.volumes.networks import Size, pooled_vae, source_vae

SOURCE = read_demo("scroll-network", Path(demo.__file__), "demos/scroll_network.py")
DEFAULTS = demo.Params()


def measured(**params: Any) -> Result:
    return demo.run(replace(DEFAULTS, **params), Bench(0))


@pytest.fixture(scope="module")
def default() -> Result:
    return measured()


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists(default):
    assert set(default.metrics) == SOURCE.metrics


def test_its_weights_have_the_shapes_of_the_labs_form_of_the_same_network():
    ours, labs = demo.ScrollNetwork(DEFAULTS), source_vae()

    assert sorted(p.shape for p in ours.parameters()) == sorted(p.shape for p in labs.parameters())


def test_with_equal_weights_it_gives_what_the_labs_form_gives():
    """Which takes the ReLU after the pooling and not before it."""
    ours, labs = demo.ScrollNetwork(replace(DEFAULTS, code="mean")).eval(), pooled_vae(Size())
    from_labs = [*labs.encoder.parameters(), *labs.to_mu.parameters()]
    from_labs += [*labs.to_logvar.parameters(), *labs.from_code.parameters()]
    from_labs += [*labs.decoder.parameters()]
    with torch.no_grad():
        for parameter, other in zip(ours.parameters(), from_labs, strict=True):
            parameter.copy_(other)
    x = torch.rand(2, 1, 32, 32, 32)

    torch.testing.assert_close(ours(x), labs.eval()(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_the_numbers_before_the_code_are_those_of_the_corrected_formula(layers):
    metrics = measured(layers=layers, latent=8).metrics

    assert metrics["flat"] == 32**3 * 4 / 4**layers == math.prod(metrics["bottleneck"])


@pytest.mark.slow
@pytest.mark.parametrize("cube", [16, 48, 64])
def test_the_listings_count_fits_no_other_cube(cube):
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        measured(cube=cube, latent=8)


@pytest.mark.slow
@pytest.mark.parametrize("cube", [16, 48])
def test_the_count_from_the_layers_fits_every_cube(cube):
    assert measured(cube=cube, count="from_layers", latent=8).metrics["out"] == (1, 1, *[cube] * 3)


def test_the_share_of_the_linear_layers_is_that_of_their_formula(default):
    linear = 3 * 2_048 * 512 + 2 * 512 + 2_048
    down = [(1, 32, 32), (32, 64, 16), (64, 128, 8), (128, 256, 4)]
    up = [(256, 128, 2), (128, 64, 4), (64, 32, 8), (32, 1, 16)]
    convolutions = sum(
        2 * taps * i * o * side**3
        for layers, taps in ((down, 27), (up, 8))
        for i, o, side in layers
    )
    operations = 2 * 3 * 2_048 * 512

    shares = [default.metrics[f"linear_{of}_share"] for of in ("parameter", "operation")]
    assert shares == pytest.approx([linear / 4_655_905, operations / (operations + convolutions)])


def test_a_mean_code_is_decoded_alike_twice_and_a_sampled_one_is_not(default):
    assert measured(code="mean").metrics["difference_of_two_calls"] == 0
    assert default.metrics["difference_of_two_calls"] > 0


def test_without_a_sigmoid_far_codes_leave_the_range():
    metrics = measured(head="linear").metrics

    assert metrics["lowest"] < 0
    assert metrics["highest"] > 1


@pytest.mark.parametrize(("asked", "found"), [("layer", 2), ("class", 0)])
def test_a_class_is_no_instance_of_itself(asked, found):
    layers = [nn.Conv3d(1, 1, 1), nn.ReLU(), nn.ConvTranspose3d(1, 1, 1), nn.Conv2d(1, 1, 1)]

    assert demo.convolutions(layers, asked) == found


def test_all_parameters_are_counted(default):
    assert default.metrics["parameters"] == parameter_count(source_vae())


def test_the_figure_has_a_point_for_each_pooling_and_one_before(default):
    figure = default.figures["ladder"]

    assert {len(line) for line in figure.lines.values()} == {len(figure.x)} == {5}
