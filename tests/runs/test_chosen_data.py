"""`--set faces=DIR`: a parameter called as a data set says which one a run uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeCourse
from PIL import Image
from typer.testing import CliRunner

from vaeflash.cli import app
from vaeflash.course.consent import trust
from vaeflash.course.demo_source import DemoSource
from vaeflash.judging.staleness import current_evidence
from vaeflash.lab.bench import Bench
from vaeflash.runs.known import Runs
from vaeflash.runs.needs import claim_data, data_here, data_needs, missing_need, used_data

DEMO = '''
"""Some faces wear glasses."""

from dataclasses import dataclass

from vaeflash.demo import Lab, Result

NEEDS = ("faces", "digits", "extra:numpy")


@dataclass(frozen=True, slots=True)
class Params:
    """Which faces."""

    faces: str = "portraits"
    digits: int = 3


def run(params: Params, lab: Lab) -> Result:
    """Count them."""
    taken = lab.data("faces").take(side=16, train=8, test=4)
    return Result(metrics={"seen": len(taken.train), "kind": taken.source.kind})
'''


@pytest.fixture
def source(make_course: MakeCourse) -> DemoSource:
    return make_course(demos={"faces_demo": DEMO}).demo("faces-demo")


def photographs(root: Path, shade: int = 0) -> Path:
    for kind in ("glasses", "no_glasses"):
        (root / kind).mkdir(parents=True)
        for i in range(5):
            Image.new("L", (16, 16), shade + 10 * i).save(root / kind / f"{i}.png")
    return root


def test_the_parameter_called_as_the_data_set_says_which(source: DemoSource) -> None:
    """Digits are no such data set: a parameter of that name may be anything."""
    assert data_needs(source, {"faces": "here"}) == (("faces", "here"), ("digits", ""))


def test_the_parameters_default_says_which(source: DemoSource) -> None:
    assert data_needs(source) == (("faces", "portraits"), ("digits", ""))


def test_a_demo_without_such_a_parameter_gets_the_default(make_course: MakeCourse) -> None:
    plain = DEMO.replace('    faces: str = "portraits"\n', "")
    source = make_course(demos={"plain": plain}).demo("plain")

    assert data_needs(source) == (("faces", ""), ("digits", ""))


def test_what_is_used_names_the_chosen_photographs(source: DemoSource, tmp_path: Path) -> None:
    used = used_data(source, {"faces": str(photographs(tmp_path / "a"))})

    assert used["faces"].startswith("10 photographs, 5 with glasses #")


def test_a_claims_data_are_those_that_its_runs_choose(source: DemoSource, tmp_path: Path) -> None:
    folder = str(photographs(tmp_path / "a"))

    data = claim_data(source, [{}, {"faces": folder}])

    assert list(data) == ["faces", "digits", f"faces={folder}"]
    assert data["faces"].startswith("drawn portraits #")
    assert data[f"faces={folder}"].startswith("10 photographs")


def test_evidence_from_a_chosen_folder_is_held_against_that_folder(
    source: DemoSource, tmp_path: Path
) -> None:
    folder = str(photographs(tmp_path / "a"))
    kept = claim_data(source, [{"faces": folder}])

    here = {name: data_here(source, name, anywhere=True) for name in kept}

    assert here == kept


def test_a_path_that_a_course_names_is_looked_at_once_its_demos_may_run(
    make_course: MakeCourse, tmp_path: Path
) -> None:
    """A stranger's ledger may name the whole disk, and `list` would read it."""
    folder = str(photographs(tmp_path / "a"))
    course = make_course(demos={"faces_demo": DEMO})
    named = [f"faces={folder}", "faces", "digits"]

    before = [bool(current_evidence(course).data_here(course.demo("faces-demo"), n)) for n in named]
    trust(course)
    after = [bool(current_evidence(course).data_here(course.demo("faces-demo"), n)) for n in named]

    assert (before, after) == ([False, True, True], [True, True, True])


def test_what_a_demo_lacks_is_told_without_a_look_at_its_path(
    make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_for: list[str] = []

    def look(name: str, choice: str) -> None:  # noqa: ARG001
        looked_for.append(choice)

    monkeypatch.setattr("vaeflash.runs.needs.find", look)
    source = make_course(demos={"faces_demo": DEMO.replace("portraits", "/")}).demo("faces-demo")

    for anywhere in (False, True):
        missing_need(source, "cpu", anywhere=anywhere)

    assert looked_for == ["", "/", ""]  # the digits, then both


def test_the_content_of_the_chosen_folder_is_part_of_a_runs_key(
    source: DemoSource, tmp_path: Path
) -> None:
    params = {"faces": str(photographs(tmp_path / "a"))}
    before = Runs().job(source, params, 0).request
    Image.new("L", (16, 16), 200).save(tmp_path / "a" / "glasses" / "5.png")

    after = Runs().job(source, params, 0).request

    assert before.key != after.key
    assert dict(before.data)["digits"] == dict(after.data)["digits"]


def test_one_check_tells_two_folders_apart(source: DemoSource, tmp_path: Path) -> None:
    runs = Runs()
    folders = [photographs(tmp_path / "a"), photographs(tmp_path / "b", 100)]

    data = {runs.job(source, {"faces": str(folder)}, 0).request.data for folder in folders}

    assert len(data) == 2


def test_the_bench_gives_the_chosen_faces(tmp_path: Path) -> None:
    bench = Bench(0, needs={"faces": str(photographs(tmp_path / "a"))})

    assert bench.data("faces").source.kind == "photographs"


@pytest.fixture
def demo(make_course: MakeCourse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the demo on the faces of a folder, as a user would."""
    course = make_course(demos={"faces_demo": DEMO})
    trust(course, whatever_they_become=True)
    monkeypatch.chdir(tmp_path)

    def run(folder: Path) -> Any:
        command = ["demo", "faces-demo", "--set", f"faces={folder}", "--json"]
        return CliRunner().invoke(app, ["--course", str(course.root), *command])

    return run


def test_set_runs_the_demo_on_a_folder_of_photographs(demo: Any, tmp_path: Path) -> None:
    told = json.loads(demo(photographs(tmp_path / "a")).stdout)

    assert told["metrics"] == {"seen": 8, "kind": "photographs"}
    assert told["data"]["faces"].startswith("10 photographs, 5 with glasses #")


def test_a_folder_that_is_not_there_ends_the_demo_with_a_message(demo: Any, tmp_path: Path) -> None:
    done = demo(tmp_path / "no-such")

    assert done.exit_code == 2
    assert "no-such: there is no such folder." in done.stderr.replace("\n", "")
