"""The two switches of testing against counts made by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "eval_mode.py"
SOURCE = read_demo("eval-mode", PATH, "demos/eval_mode.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 0, "examples": 64, "test_batch": 10} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.parametrize(
    ("layer", "changes"), [("none", False), ("dropout", True), ("batchnorm", True)]
)
def test_eval_changes_pixels_where_a_layer_listens(layer, changes):
    assert (measured(layer=layer, steps=5).metrics["pixels_changed_by_eval"] > 0) is changes


@pytest.mark.parametrize(
    ("layer", "switch", "kept"),
    [
        ("none", "none", 4 * (784 + 200 + 20 + 200 + 784)),
        ("none", "eval", 4 * (784 + 200 + 20 + 200 + 784)),
        ("none", "no_grad", 0),
        ("dropout", "eval", 4 * (784 + 200 + 20 + 200 + 784)),
    ],
)
def test_each_layers_input_or_output_is_kept_once(layer, switch, kept):
    assert measured(layer=layer, switch=switch).metrics["kept_bytes_a_picture"] == kept


def test_dropout_keeps_its_mask_and_its_output_as_well_while_training():
    kept = [
        measured(layer="dropout", switch=s).metrics["kept_bytes_a_picture"]
        for s in ("none", "eval")
    ]

    assert kept[0] > kept[1]


def test_what_is_kept_of_one_linear_layer_is_its_input():
    assert DEMO.kept_bytes(nn.Linear(7, 3), torch.rand(5, 7), "none") == 4 * 5 * 7


@pytest.mark.parametrize(
    ("layer", "switch", "moved"),
    [
        ("none", "none", 0),
        ("batchnorm", "none", 400),
        ("batchnorm", "no_grad", 400),
        ("batchnorm", "eval", 0),
    ],
)
def test_only_eval_keeps_a_test_from_moving_statistics(layer, switch, moved):
    assert measured(layer=layer, switch=switch).metrics["statistics_moved_by_testing"] == moved


@pytest.mark.parametrize("layer", ["none", "dropout", "batchnorm"])
def test_no_grad_changes_no_pixel(layer):
    assert measured(layer=layer).metrics["pixels_changed_by_no_grad"] == 0


@pytest.mark.slow
def test_dropout_left_on_makes_the_answers_worse():
    metrics = measured(layer="dropout", steps=300, examples=1_600).metrics

    assert metrics["mse_without_eval"] > metrics["mse_with_eval"]


def test_a_single_picture_has_no_batch_statistics():
    with pytest.raises(ValueError, match="more than 1 value"):
        measured(layer="batchnorm", test_batch=1)


def test_the_figure_has_three_ways_to_rebuild_ten_digits():
    assert tuple(measured().figures["modes"].pixels.shape) == (4, 10, 28, 28)
