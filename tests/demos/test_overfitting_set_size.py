"""Errors on a set and on new cubes, and networks that must be equal."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.lab.metrics import pca_mse
from vaeflash.lab.volumes.volume import ArrayVolume
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "overfitting_set_size.py"
SOURCE = read_demo("overfitting-set-size", PATH, "demos/overfitting_set_size.py")
DEMO = import_demo(SOURCE)
SLABS = DEMO.slabs
DATA = SLABS(Bench(0, needs=SOURCE.needs))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(DEMO, "slabs", lambda _: DATA)


@cache
def measured(**params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 4, "size": 50, "times": 2} | params
    return DEMO.run(DEMO.Params(**settings), Bench(0, needs=SOURCE.needs))


def learnt(looks: dict[int, tuple[float, float]]) -> Any:
    """What was made of a set, of which only the errors on the way are looked at."""
    return DEMO.Learnt(mse=0.2, new_mse=0.5, loss=0.2, looks=looks)


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def test_a_gap_is_the_error_on_new_cubes_over_that_on_the_set():
    assert learnt({}).gap == pytest.approx(2.5)


def test_a_rise_is_from_the_lowest_error_on_new_cubes_to_the_last():
    looks = {0: (1.0, 0.9), 5: (0.5, 0.4), 10: (0.2, 0.6)}

    assert learnt(looks).rise == pytest.approx(1.5)


def test_an_error_that_only_falls_has_risen_by_nothing():
    assert learnt({0: (1.0, 0.9), 5: (0.5, 0.4)}).rise == 1


class Painted(Bench):
    """A scroll that is white where new cubes may be: from plane 28 to 58 of every 64."""

    def data(self, name: str) -> Any:
        assert name == "scroll"
        return self

    def volume(self, *_: Any) -> ArrayVolume:
        voxels = np.zeros((256, 32, 32), np.uint8)
        planes = np.arange(256) % 64
        voxels[(planes >= 28) & (planes <= 58)] = 255
        return ArrayVolume(voxels)


def test_sets_and_new_cubes_share_no_plane():
    lab = Painted(0)
    data = SLABS(lab)

    assert (data.cubes(500, "cubes", lab).max(), data.new.min()) == (0, 1)


@pytest.mark.slow
def test_with_one_size_and_one_network_all_four_trainings_are_one():
    metrics = measured(times=1, other="residual").metrics

    ends = ("small_mse", "large_mse", "other_small_mse", "other_large_mse")
    assert len({metrics[name] for name in ends}) == 1


@pytest.mark.slow
def test_the_other_network_may_be_given_more_cubes():
    crossed = measured(size=25, times=1, other="residual", other_times=2).metrics

    assert crossed["other_small_mse"] == measured(times=1, other="residual").metrics["small_mse"]


@pytest.mark.slow
def test_without_shortcuts_the_network_is_another():
    metrics = measured().metrics

    assert metrics["small_mse"] != metrics["other_small_mse"]


@pytest.mark.slow
def test_averaged_the_loss_of_a_set_is_its_mean_squared_error():
    metrics = measured().metrics

    assert metrics["loss_times"] == pytest.approx(metrics["large_mse"] / metrics["small_mse"])


@pytest.mark.slow
def test_summed_it_grows_with_the_number_of_batches():
    mean, summed = measured().metrics, measured(loss="summed").metrics

    assert summed["loss_times"] == pytest.approx(2 * mean["loss_times"])


def test_principal_components_rebuild_like_those_of_an_eigenproblem():
    lab = Bench(0, needs=SOURCE.needs)
    cubes = DATA.cubes(200, "cubes", lab)
    gap, new_mse = DEMO.pca_gap(cubes, DATA.new, 32)

    exact = pca_mse(cubes.flatten(1), DATA.new.flatten(1), 32)
    assert new_mse == pytest.approx(exact, rel=0.01)
    assert gap > 1


def test_each_cube_is_seen_as_often_as_the_batches_make_it():
    assert measured().metrics["passes"] == 4 * 25 / 50


@pytest.mark.slow
def test_without_steps_there_is_no_curve():
    assert set(measured(steps=0).figures) == {"gaps"}


def test_an_untrained_network_is_as_bad_on_new_cubes_as_on_its_own():
    metrics = measured(steps=0).metrics

    assert metrics["large_gap"] == pytest.approx(1, abs=0.3)
    assert torch.isfinite(torch.tensor(metrics["small_gap"]))
