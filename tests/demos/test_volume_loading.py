"""What is opened, read and waited for, counted another way."""

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
from vaeflash.lab.volumes.volume import ArrayVolume, Box
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "volume_loading.py"
SOURCE = read_demo("volume-loading", PATH, "demos/volume_loading.py")
DEMO = import_demo(SOURCE)


@cache
def measured(**params: Any) -> Result:
    """One run."""
    return DEMO.run(DEMO.Params(**params), Bench(0, needs=SOURCE.needs))


@pytest.fixture
def voxels():
    return np.random.default_rng(0).integers(256, size=(5, 6, 7), dtype=np.uint8)


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.slow
def test_labels_have_no_depth():
    metrics = measured(depth=8, side=24).metrics

    assert metrics["volume_shape"] == (2, 1, 8, 24, 24)
    assert metrics["label_shape"] == (2, 24, 24)


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "opened"), [("opened_each_time", 12 * 8), ("kept", 8)])
def test_only_the_layers_of_a_window_are_opened(layers, opened, monkeypatch):
    monkeypatch.setattr(DEMO, "SHEET", (8, 32, 32))

    metrics = DEMO.run(
        DEMO.Params(depth=8, side=16, layers=layers), Bench(0, needs=SOURCE.needs)
    ).metrics

    assert metrics["opened"] == opened


@pytest.mark.parametrize("keep", [True, False])
def test_layers_give_what_was_stored(keep, tmp_path, voxels):
    layers = DEMO.Layers(tmp_path, voxels, keep=keep)
    box = Box((1, 2, 3), (4, 5, 7))

    np.testing.assert_array_equal(layers.read(box), voxels[1:4, 2:5, 3:7])


@pytest.mark.parametrize(
    ("box", "chunks"),
    [
        (Box((0, 0, 0), (32, 32, 32)), 1),
        (Box((31, 0, 0), (32, 1, 1)), 1),
        (Box((31, 0, 0), (33, 1, 1)), 2),
        (Box((31, 31, 31), (65, 33, 33)), 12),
    ],
)
def test_a_box_reads_every_chunk_that_it_touches(box, chunks):
    volume = DEMO.Chunked(ArrayVolume(np.zeros((96, 96, 96), np.uint8)))

    volume.read(box)

    assert volume.bytes_read == [chunks * 32**3]


def test_chunks_change_no_voxel(voxels):
    volume = DEMO.Chunked(ArrayVolume(voxels))

    np.testing.assert_array_equal(volume.read(Box((1, 1, 1), (3, 4, 5))), voxels[1:3, 1:4, 1:5])


def test_a_cube_alone_reads_as_much_as_the_closed_form_says():
    region = range(32, 128 - 16 + 1)  # first voxels, on one axis
    touched = np.mean([(first + 15) // 32 - first // 32 + 1 for first in region])

    assert measured().metrics["read_per_byte"] == pytest.approx(touched**3 * 8, rel=0.08)


@pytest.mark.slow
def test_boxes_read_less():
    assert measured(cut="from_boxes").metrics["read_per_byte"] < 8


def test_the_scroll_lies_unchanged_amid_air(voxels):
    scan = DEMO.in_air(voxels, torch.Generator().manual_seed(0))

    assert scan.shape == (69, 70, 71)
    np.testing.assert_array_equal(scan[32:37, 32:38, 32:39], voxels)
    assert scan[:32].mean() == pytest.approx(38, abs=1)


def test_a_scan_of_air_is_empty():
    lab = Bench(0, needs=SOURCE.needs)
    scan = np.full((40, 40, 40), 38, np.uint8)
    cubes = DEMO.Uniform(Box((0, 0, 0), (40, 40, 40)), (16, 16, 16))

    assert DEMO.empty_share(scan, cubes, lab) == 1
    assert DEMO.empty_share(scan + 100, cubes, lab) == 0


@pytest.mark.parametrize(("io_ms", "ahead"), [(0, False), (20, True)])
def test_without_a_thread_or_with_a_slow_disk_every_batch_is_waited_for(io_ms, ahead, monkeypatch):
    monkeypatch.setattr(DEMO, "STEP_MS", 0)

    assert DEMO.waits(io_ms, ahead=ahead) == DEMO.BATCHES


def test_every_batch_is_read_in_order_with_and_without_a_thread():
    seen: dict[str, list[int]] = {"ahead": [], "asked": []}
    for name, way in (("ahead", DEMO.read_ahead), ("asked", DEMO.read_when_asked)):
        source = way(lambda name=name: seen[name].append(len(seen[name])))
        for _ in range(3):
            next(source)
        source.close()

    assert seen == {"ahead": [0, 1, 2, 3], "asked": [0, 1, 2]}
