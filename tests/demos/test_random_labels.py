"""Windows, labels and how they are exchanged; counts of pairs by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "random_labels.py"
SOURCE = read_demo("random-labels", PATH, "demos/random_labels.py")
DEMO = import_demo(SOURCE)
SHEET = Bench(0, needs=SOURCE.needs).data("scroll").surface("train", (16, 64, 160))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(DEMO, "TRAIN", (16, 64, 160))
    monkeypatch.setattr(DEMO, "TEST", (16, 64, 160))
    monkeypatch.setattr(DEMO, "JUDGED", 40)


@cache
def measured(**params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"steps": 3, "windows": 40, "batch": 20} | params
    return DEMO.run(DEMO.Params(**settings), Bench(0, needs=SOURCE.needs))


def places(n: int = 60) -> torch.Tensor:
    """Of windows on the sheet."""
    drawn: torch.Tensor = DEMO.draw(SHEET, n, torch.Generator().manual_seed(1))
    return drawn


class Echo(torch.nn.Module):
    """Scores that are given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def test_half_of_the_windows_have_ink_in_the_middle():
    _, labels = DEMO.labelled(SHEET, places(), torch.device("cpu"))

    assert labels.sum() == 30


def test_a_label_is_the_ink_at_the_middle_of_its_window():
    drawn = places()
    _, labels = DEMO.labelled(SHEET, drawn, torch.device("cpu"))

    assert labels.tolist() == [SHEET.ink[row + 8, column + 8] for row, column in drawn.tolist()]


def test_a_window_is_cut_where_its_place_says():
    drawn = places(1)
    row, column = drawn[0].tolist()
    x, _ = DEMO.labelled(SHEET, drawn, torch.device("cpu"))

    cut = torch.from_numpy(SHEET.voxels[:, row : row + 16, column : column + 16]).float()
    expected = (cut - SHEET.voxels.mean()) / SHEET.voxels.std()
    torch.testing.assert_close(x[0, 0], expected, atol=1e-4, rtol=1e-4)


def test_shuffled_labels_are_as_many_of_each_kind():
    labels = (torch.arange(200) % 2).float()
    mixed = DEMO.shuffle(labels, 1.0, torch.Generator().manual_seed(0))

    assert mixed.sum() == labels.sum()
    assert 0.35 < (mixed == labels).float().mean() < 0.65


def test_with_none_shuffled_the_labels_stay():
    labels = (torch.arange(200) % 2).float()

    assert torch.equal(DEMO.shuffle(labels, 0.0, torch.Generator()), labels)


def test_with_a_share_shuffled_most_of_the_others_stay():
    labels = (torch.arange(1_000) % 2).float()
    mixed = DEMO.shuffle(labels, 0.2, torch.Generator().manual_seed(0))

    assert 0 < (mixed != labels).sum() <= 200


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ([3.0, 2.0, 1.0, 0.0], [1, 1, 0, 0], 1.0),
        ([3.0, 2.0, 1.0, 0.0], [0, 0, 1, 1], 0.0),
        ([3.0, 2.0, 1.0, 0.0], [1, 0, 1, 0], 0.75),
        ([1.0, 1.0, 1.0, 1.0], [1, 0, 1, 0], 0.5),
    ],
)
def test_the_auc_counts_pairs(scores, labels, expected):
    data = (torch.tensor(scores), torch.tensor(labels).float())

    assert DEMO.auc(Echo(), data) == expected


def test_fitted_are_labels_on_their_side_of_zero():
    data = (torch.tensor([2.0, -1.0, 1.0, -3.0]), torch.tensor([1.0, 0.0, 0.0, 0.0]))

    assert DEMO.fit(Echo(), data) == 0.75


@pytest.mark.slow
def test_with_nothing_shuffled_and_all_visible_the_three_networks_are_one():
    metrics = measured(shuffled=0.0, invisible=40.0).metrics

    assert metrics["true_fit"] == metrics["shuffled_fit"] == metrics["invisible_fit"]
    assert metrics["true_auc"] == metrics["shuffled_auc"] == metrics["invisible_auc"]


@pytest.mark.slow
def test_the_network_has_the_weights_that_its_lesson_names():
    assert measured().metrics["weights"] == 33_945


@pytest.mark.slow
def test_without_steps_there_are_no_curves():
    assert set(measured(steps=0).figures) == {"fit"}
