"""A demo's source tells its names and its fingerprint, without being run."""

from pathlib import Path
from textwrap import dedent

import pytest
from conftest import COIN, SUM, MakeCourse

from vaeflash.card import Value
from vaeflash.course.demo_source import read_demo
from vaeflash.errors import CourseError, DemoError

DEMO = '''
"""The headline.

The lesson.
"""
from typing import Literal
from vaeflash.demo import Result
from . import _helper

NEEDS = ("digits", "cuda")
CONSTANT = 3

class Params:
    """What may be turned."""
    form: Literal["closed", "card"] = "closed"
    steps: int = 10
    rate: float = 0.5
    flag: bool = False
    sides: tuple[int, ...] = (1, 2)
    name: str = "x"

def run(params, lab):
    """Do it."""
    return Result(metrics={"a": CONSTANT, "b": 2.0})
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "demo.py").write_text(dedent(DEMO))
    (tmp_path / "_helper.py").write_text("x = 1\n")
    (tmp_path / "_unused.py").write_text("y = 1\n")
    return tmp_path


def test_the_source_tells_its_names(folder: Path) -> None:
    source = read_demo("demo", folder / "demo.py", "demos/demo.py")

    assert (source.headline, source.needs, source.metrics, list(source.parameters)) == (
        "The headline.",
        ("digits", "cuda"),
        frozenset("ab"),
        ["form", "steps", "rate", "flag", "sides", "name"],
    )


@pytest.mark.parametrize(
    "result", ["Result(metrics=made())", "Result({**more})", "Result(metrics={key: 1})", "None"]
)
def test_metrics_that_are_not_written_out_are_unknown(tmp_path: Path, result: str) -> None:
    (tmp_path / "d.py").write_text(f"def run(params, lab):\n    return {result}\n")

    assert read_demo("d", tmp_path / "d.py", "d.py").metrics is None


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        ({"form": "card"}, {"form": "card"}),
        ({"steps": 20.0}, {"steps": 20}),
        ({"rate": 1}, {"rate": 1.0}),
        ({"flag": 1}, {"flag": True}),
        ({"sides": (3,)}, {"sides": (3,)}),
        ({"name": 7}, {"name": "7"}),
    ],
)
def test_a_value_is_taken_in_its_type(
    folder: Path, given: dict[str, Value], accepted: dict[str, Value]
) -> None:
    source = read_demo("demo", folder / "demo.py", "demos/demo.py")

    assert source.accept(given, "here") == accepted


def test_repeating_the_default_is_the_default_run(folder: Path) -> None:
    source = read_demo("demo", folder / "demo.py", "demos/demo.py")

    assert source.accept({"steps": 10.0, "rate": 0.5, "flag": 0}, "here") == {}


def test_every_wrong_parameter_is_reported(folder: Path) -> None:
    source = read_demo("demo", folder / "demo.py", "demos/demo.py")
    wrong: dict[str, Value] = {
        "form": "open",
        "steps": 1.5,
        "rate": "fast",
        "flag": 2,
        "sides": 3,
        "stps": 1,
    }

    with pytest.raises(DemoError) as caught:
        source.accept(wrong, "cards/a.md:3")

    told = {problem.what.split("'")[1]: problem.advice for problem in caught.value.problems}
    assert told == {
        "form": "Expected one of closed, card.",
        "steps": "Expected a whole number.",
        "rate": "Expected a number.",
        "flag": "Expected true or false.",
        "sides": "Expected a shape such as (1, 2).",
        "stps": "Parameters: form, steps, rate, flag, sides, name.",
    }


def test_a_demo_that_is_not_python_is_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text("x = 1\nif:\n")

    with pytest.raises(DemoError, match=r"demos/d\.py:2: this is not Python"):
        read_demo("d", tmp_path / "d.py", "demos/d.py")


def test_a_demo_that_does_not_exist_lists_those_that_do(make_course: MakeCourse) -> None:
    course = make_course(demos={"coin": COIN, "two_and_two": SUM})

    with pytest.raises(CourseError, match=r"no demo 'dice'.\n  Its demos: coin, two-and-two"):
        course.demo("dice", "cards/a.md:3")


@pytest.mark.parametrize("written", ["(1, 2)", "'cuda'", "('digits')", "b'cuda'", "('a', None)"])
def test_needs_that_nobody_could_look_for_are_refused(tmp_path: Path, written: str) -> None:
    (tmp_path / "d.py").write_text(f"NEEDS = {written}\n")

    with pytest.raises(DemoError, match=r"d\.py: NEEDS is not a tuple of texts"):
        read_demo("d", tmp_path / "d.py", "d.py")


def test_needs_that_only_a_run_could_work_out_are_not_known(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text("NEEDS = {[]: 1}\n")

    assert read_demo("d", tmp_path / "d.py", "d.py").needs == ()


@pytest.mark.parametrize("choices", ["{[]: 1}", "[1]", "...", "b'a'", "made()", "-" * 900 + "1"])
def test_a_literal_that_is_none_gives_no_choice(tmp_path: Path, choices: str) -> None:
    (tmp_path / "d.py").write_text(f"class Params:\n    a: Literal[{choices}] = 1\n")
    source = read_demo("d", tmp_path / "d.py", "d.py")

    assert source.accept({"a": "x"}, "here") == {"a": "x"}


@pytest.mark.parametrize("value", ["-" * 900 + "1", "1" + "+1" * 900, "{[]: 1}", "{*()}"])
def test_a_default_that_is_no_plain_value_is_not_known(tmp_path: Path, value: str) -> None:
    (tmp_path / "d.py").write_text(f"class Params:\n    a: int = {value}\n")

    assert read_demo("d", tmp_path / "d.py", "d.py").parameters["a"].default is None
