"""A demo is run with typed parameters and a seeded lab; what it raises is its outcome."""

import sys

import pytest
from conftest import COIN, SUM, MakeCourse

from vaeflash.errors import DemoError
from vaeflash.runs.in_process import import_demo, run_demo
from vaeflash.runs.run import Run

CONTRACT = """
from dataclasses import dataclass
from vaeflash.demo import Lab, Result

@dataclass(frozen=True)
class Params:
    n: int = 1

def run(params: Params, lab: Lab):
"""


def run_of(make_course: MakeCourse, body: str, seed: int = 0, **params: int) -> Run:
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    course = make_course(demos={"d": CONTRACT + indented})
    return run_demo(course.demo("d"), params, seed)


def test_a_run_measures(make_course: MakeCourse) -> None:
    source = make_course(demos={"two_and_two": SUM}).demo("two-and-two")

    assert run_demo(source, {"b": 3}, seed=0).metrics == {"total": 5, "half": 2.5, "error": "none"}


def test_the_seed_drives_torch_as_well(make_course: MakeCourse) -> None:
    body = "import torch\nreturn Result(metrics={'x': torch.rand(()).item()})"
    first, again, other = (run_of(make_course, body, seed) for seed in (1, 1, 2))

    assert (first.metrics == again.metrics, first.metrics == other.metrics) == (True, False)


def test_generators_are_independent_by_name(make_course: MakeCourse) -> None:
    body = (
        "import torch\n"
        "a, b, c = (torch.rand(3, generator=lab.generator(n)) for n in ('a', 'b', 'a'))\n"
        "return Result(metrics={'same': bool((a == c).all()), 'apart': bool((a != b).all())})"
    )

    assert run_of(make_course, body).metrics == {"same": True, "apart": True, "error": "none"}


def test_an_exception_is_the_outcome_with_its_line(make_course: MakeCourse) -> None:
    run = run_of(make_course, "raise RuntimeError('no good')")

    assert (run.error, run.message) == ("RuntimeError", "demos/d.py:10: no good")


def test_a_shape_is_a_plain_tuple(make_course: MakeCourse) -> None:
    run = run_of(make_course, "import torch\nreturn Result(metrics={'s': torch.zeros(2, 3).shape})")

    assert type(run.metrics["s"]) is tuple


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return 3", "run returned int, not a Result"),
        ("import torch\nreturn Result(metrics={'x': torch.zeros(1)})", "metric 'x' is a Tensor"),
        ("return Result(metrics={'x': None})", "metric 'x' is a NoneType"),
        ("return Result(metrics={'x': (1.5,)})", "metric 'x' is a tuple"),
        ("return Result(metrics={'x': lab.data('digits')})", "without declaring it"),
    ],
)
def test_a_broken_contract_is_an_error_and_no_outcome(
    make_course: MakeCourse, body: str, told: str
) -> None:
    with pytest.raises(DemoError, match=told):
        run_of(make_course, body)


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("import nowhere_to_be_found\n", r"demos/d\.py:1: the demo cannot be imported: ModuleNot"),
        ("x = 1\n1 / 0\n", r"demos/d\.py:2: the demo cannot be imported: ZeroDivisionError"),
        ("x = 1\n", "the demo has no `run`"),
        ("def run(params, lab): ...\n", "the demo has no `Params`"),
    ],
)
def test_a_module_that_is_no_demo_is_named(make_course: MakeCourse, module: str, told: str) -> None:
    source = make_course(demos={"d": module}).demo("d")

    with pytest.raises(DemoError, match=told):
        run_demo(source, {}, seed=0)


def test_two_courses_may_have_a_demo_of_the_same_name(make_course: MakeCourse) -> None:
    one = make_course(demos={"d": "NAME = 'one'"}, name="one").demo("d")
    two = make_course(demos={"d": "NAME = 'two'"}, name="two").demo("d")

    assert (import_demo(one).NAME, import_demo(two).NAME) == ("one", "two")


def test_demos_share_helpers_by_relative_import(make_course: MakeCourse) -> None:
    demos = {"_helper": "NAME = 'shared'", "d": "from ._helper import NAME"}

    assert import_demo(make_course(demos=demos).demo("d")).NAME == "shared"


def test_progress_is_shown_by_whoever_watches(make_course: MakeCourse) -> None:
    seen: list[object] = []

    def track(steps, description, total):
        for step in steps:
            seen.append((description, total, step))
            yield step

    body = "list(lab.track(range(2), 'counting'))\nreturn Result(metrics={})"
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    source = make_course(demos={"d": CONTRACT + indented}).demo("d")
    run_demo(source, {}, 0, track=track)

    assert seen == [("counting", None, 0), ("counting", None, 1)]


def test_small_networks_get_one_thread() -> None:
    import torch

    assert (torch.get_num_threads(), "torch" in sys.modules) == (1, True)


def test_a_coin_lands_at_its_rate(make_course: MakeCourse) -> None:
    source = make_course(demos={"coin": COIN}).demo("coin")
    heads = [run_demo(source, {"rate": 0.5}, seed).metrics["heads"] for seed in range(100)]

    assert 30 < sum(map(int, heads)) < 70
