"""Losses before and after a loading, and sets that are the same or not."""

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

PATH = Path(__file__).parents[2] / "demos" / "reloaded_cubes.py"
SOURCE = read_demo("reloaded-cubes", PATH, "demos/reloaded_cubes.py")
DEMO = import_demo(SOURCE)
DATA = DEMO.slabs(Bench(0, needs=SOURCE.needs))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(DEMO, "slabs", lambda _: DATA)


def settings(**params: Any) -> Any:
    """Short trainings, unless the test asks for more."""
    return DEMO.Params(**({"steps": 4, "size": 50, "sets": 3} | params))


@cache
def measured(**params: Any) -> Result:
    """One run."""
    return DEMO.run(settings(**params), Bench(0, needs=SOURCE.needs))


def rounds(**params: Any) -> list[Any]:
    """What each set gave."""
    return list(DEMO.learn(settings(**params), Bench(0, needs=SOURCE.needs)))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def test_a_pass_is_averaged_at_both_ends():
    one = DEMO.Round(torch.tensor([4.0, 2.0, 3.0, 1.0]), 0, 0, 0, {})

    assert (one.first_pass(2), one.last_pass(2)) == (3, 2)


def test_the_mean_of_quotients_is_geometric():
    assert DEMO.mean_ratio([(4.0, 1.0), (1.0, 1.0)]) == pytest.approx(2)


@pytest.mark.slow
def test_a_single_set_has_no_jump():
    assert torch.isnan(torch.tensor(measured(sets=1).metrics["jump"]))


@pytest.mark.slow
def test_the_error_after_one_set_is_that_before_the_next():
    first, second, _ = rounds()

    assert first.end_new_mse == second.new_mse


@pytest.mark.slow
def test_the_same_set_again_is_no_other_one():
    same, fresh = rounds(draw="same", steps=0), rounds(steps=0)

    assert len({one.first_mse for one in same}) == 1
    assert len({one.first_mse for one in fresh}) == 3


@pytest.mark.slow
def test_before_the_first_step_a_set_has_the_loss_that_is_printed_first():
    one = rounds(size=25, batch=25, sets=1)[0]

    assert one.losses[0].item() == pytest.approx(one.first_mse, rel=1e-4)


@pytest.mark.slow
def test_the_first_set_is_learnt_alike_whatever_comes_next():
    fresh, same = rounds()[0], rounds(draw="same")[0]

    assert torch.equal(fresh.losses, same.losses)


@pytest.mark.slow
def test_the_curve_runs_through_all_sets():
    curve = measured().figures["saw"]

    assert list(curve.x) == list(range(1, 13))


@pytest.mark.slow
def test_without_steps_there_is_no_curve():
    assert measured(steps=0).figures == {}
