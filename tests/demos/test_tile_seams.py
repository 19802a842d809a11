"""Tiles joined in several ways, against what is known of a network that copies."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "tile_seams.py"
SOURCE = read_demo("tile-seams", PATH, "demos/tile_seams.py")
DEMO = import_demo(SOURCE)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(DEMO, "CUBES", 40)


@cache
def measured(**params: Any) -> Result:
    """One run, of a network that copies unless the test asks for another."""
    settings = {"model": "copy", "fine": 8} | params
    return DEMO.run(DEMO.Params(**settings), Bench(0, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.slow
def test_a_copy_is_put_together_without_an_error():
    metrics = measured().metrics

    names = ("tiled_mse", "mean_mse", "hann_mse", "fine_mse", "cropped_mse")
    assert max(metrics[name] for name in names) < 1e-12


def test_a_copy_has_the_seams_of_the_truth():
    metrics = measured().metrics

    assert metrics["tiled_seam"] == pytest.approx(metrics["true_seam"], rel=1e-4)


@pytest.mark.slow
def test_a_copy_divided_by_the_count_is_dark_and_by_the_weights_is_right():
    count, weights = (measured(divisor=by).metrics["gaussian_ev"] for by in ("count", "weights"))

    assert count < 0.75
    assert weights == pytest.approx(1)


def test_divided_by_the_count_is_times_the_mean_weight():
    x, weights = torch.ones(32, 32, 32), DEMO.gaussian(0.5)
    along = np.exp(-0.5 * ((np.arange(16) + 0.5) / 16 - 0.5) ** 2 / 0.25)
    mean = (along[:8] + along[8:]) / 2  # of the two tiles that hold a voxel of the middle

    found = DEMO.divided(nn.Identity(), x, weights, 8, "count")[8:24, 8:24, 8:24]

    expected = np.tile(mean, 2)
    torch.testing.assert_close(
        found.numpy(),
        np.einsum("i,j,k->ijk", expected, expected, expected).astype(np.float32),
    )


@pytest.mark.parametrize(("sampled", "share"), [("at_ends", 1 - (78 / 80) ** 3), ("between", 0)])
def test_a_window_that_is_zero_at_its_ends_loses_the_faces(sampled, share):
    assert DEMO.lost_share(sampled, 8) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("crop", [2, 4])
def test_middles_side_by_side_cover_all_but_the_rim(crop):
    x = torch.rand(40, 40, 40, generator=torch.Generator().manual_seed(0))

    found = DEMO.cropped(nn.Identity(), x, crop)

    inside = (slice(crop, 40 - crop),) * 3
    torch.testing.assert_close(found[inside], x[inside])
    assert found[0].isnan().all()


@pytest.mark.slow
def test_cropping_nothing_is_putting_tiles_side_by_side():
    metrics = measured(model="network", steps=0, crop=0).metrics

    assert metrics["cropped_mse"] == pytest.approx(metrics["tiled_mse"], rel=1e-5)


@pytest.mark.slow
def test_a_stride_of_a_tile_is_no_overlap():
    metrics = measured(model="network", steps=0, half=16, fine=16).metrics

    for name in ("mean_mse", "hann_mse", "fine_mse"):
        assert metrics[name] == pytest.approx(metrics["tiled_mse"], rel=1e-5)
    assert metrics["tiles_a_voxel"] == 1


def test_the_distance_is_that_of_a_distance_transform():
    inside = np.pad(np.ones((16, 16, 16)), 1)
    expected = ndimage.distance_transform_cdt(inside, "chessboard")[1:-1, 1:-1, 1:-1] - 1

    found = DEMO.depth((32, 16, 16)).numpy()

    np.testing.assert_array_equal(found, np.concatenate([expected, expected]))


@pytest.mark.slow
def test_training_lowers_the_error():
    before, after = (
        measured(model="network", steps=steps, half=16, fine=16).metrics["ev"] for steps in (0, 12)
    )

    assert after > before
