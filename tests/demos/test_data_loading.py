"""What the libraries do to pictures on their way to a network."""

from __future__ import annotations

import gc
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "data_loading.py"
SOURCE = read_demo("data-loading", PATH, "demos/data_loading.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run, a few hundredths of a second."""
    settings = {} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.parametrize(
    ("settings", "highest"),
    [
        ({}, 1.0),
        ({"dtype": "float32"}, 255.0),
        ({"dtype": "uint16"}, 65_535.0),
        ({"transform": "pil_to_tensor"}, 255.0),
    ],
)
def test_only_8_bits_are_divided_by_255(settings, highest):
    metrics = measured(**settings).metrics

    assert (metrics["lowest"], metrics["highest"], metrics["shape"]) == (0, highest, (1, 28, 28))


@pytest.mark.parametrize(("chain", "highest"), [("resize", 255), ("resize_to_tensor", 1)])
def test_resize_leaves_the_range(chain, highest):
    assert measured(chain=chain).metrics["highest_of_chain"] == highest


def test_imshow_takes_a_channel_last_and_not_first():
    with pytest.raises(TypeError):
        measured(channel="first")
    assert measured(channel="last").metrics == measured().metrics


def test_mnist_is_read_back_as_it_was_written():
    images = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
    tensor, label = DEMO.mnist_item(images, "present")

    assert torch.equal((255 * tensor[0]).round().byte(), torch.from_numpy(images[0]))
    assert label == 0


def test_missing_files_are_not_downloaded():
    with pytest.raises(RuntimeError, match="not found"):
        measured(files="missing")


@pytest.mark.parametrize(
    ("width", "resize", "photograph", "flat"),
    [
        (300, "side", (3, 256, 256), 30_752),
        (366, "side", (3, 256, 312), 37_696),
        (366, "pair", (3, 256, 256), 30_752),
        (250, "side", (3, 307, 256), 37_696),
    ],
)
def test_one_number_is_the_shorter_side(width, resize, photograph, flat):
    metrics = measured(width=width, resize=resize, network="convolutions").metrics

    assert (metrics["photograph"], metrics["flat"]) == (photograph, flat)


def test_the_encoder_refuses_what_is_not_square():
    with pytest.raises(RuntimeError, match="37696"):
        measured(width=366)


def test_two_sizes_do_not_stack():
    with pytest.raises(RuntimeError, match="equal size"):
        measured(width=366, neighbour="square", network="convolutions")


@pytest.mark.parametrize("name", ["DataLoader", "default_collate"])
def test_a_name_is_a_class_or_a_function(name):
    metrics = measured(name=name).metrics

    assert metrics["is_class"] is (name == "DataLoader")
    assert metrics["is_function"] is not metrics["is_class"]


@pytest.mark.parametrize(
    ("batch", "made", "most"),
    [(4, "when_asked", 12), (4, "at_the_start", 72), (0, "when_asked", 128), (1, "when_asked", 3)],
)
def test_pictures_in_memory(batch, made, most):
    assert measured(batch=batch, made=made).metrics["most_living"] == most


def test_pictures_that_nobody_holds_are_not_counted():
    made = DEMO.Made(8, "when_asked", torch.Generator())
    DEMO.one_pass(made, 4)
    gc.collect()

    assert made.living == 0


def test_the_curves_are_as_long_as_their_axis():
    curves = measured().figures["living"]

    assert {len(line) for line in curves.lines.values()} == {len(curves.x)}
