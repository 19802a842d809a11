"""The lesson on two and three halvings: shapes and measures."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from demos import density_depth as demo
from vaeflash.lab.bench import Bench


@cache
def measure(steps: int = 0, **params: Any) -> dict[str, Any]:
    return dict(demo.run(demo.Params(steps=steps, **params), Bench(0, needs=demo.NEEDS)).metrics)


@pytest.mark.parametrize(("halvings", "side"), [(1, 18), (2, 9), (3, 5)])
def test_latents_stand_on_a_grid_of_halved_sides(halvings: int, side: int) -> None:
    network = demo.Autoencoder(halvings, 7)

    assert network.encoder(torch.zeros(2, 1, 35, 35, 35)).shape == (2, 7, side, side, side)


@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_maps_come_back_in_their_own_shape(halvings: int) -> None:
    x = torch.zeros(2, 1, 35, 35, 35)

    assert demo.Autoencoder(halvings, 2)(x).shape == x.shape


@pytest.mark.slow
def test_parameters_are_counted_by_hand() -> None:
    down = (27 * 8 + 8) + (27 * 8 * 16 + 16) + (16 * 4 + 4)
    up = (4 * 16 + 16) + (27 * 16 * 8 + 8) + (27 * 8 + 1)

    assert measure()["parameters"] == down + up


@pytest.mark.slow
@pytest.mark.parametrize(
    ("halvings", "channels", "numbers"), [(2, 4, 2916), (3, 4, 500), (3, 23, 2875)]
)
def test_numbers_are_channels_times_places(halvings: int, channels: int, numbers: int) -> None:
    measured = measure(halvings=halvings, channels=channels)

    assert measured["numbers"] == numbers
    assert measured["ratio"] == 35**3 / numbers


def test_a_map_of_nothing_is_grey() -> None:
    assert (demo.middle(torch.zeros(2, 35, 35, 35)) == 0.25).all()


def test_the_middle_is_cut_across_z_and_y() -> None:
    x = torch.zeros(1, 35, 35, 35)
    x[:, 17] = 2.0

    (across_z,), (across_y,) = demo.middle(x)

    assert (across_z == 0.5).all()
    assert (across_y[17] == 0.5).all()
    assert (across_y[:17] == 0.25).all()


@pytest.mark.slow
def test_a_short_training_lowers_the_error() -> None:
    assert measure(steps=8)["mse"] < measure()["mse"]
