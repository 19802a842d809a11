"""What runs of a course is the source text that can be read there, and nothing in its place."""

import importlib.util
import py_compile
import sys
from pathlib import Path

import pytest
from conftest import SUM, MakeCourse

from vaeflash.course.course import Course
from vaeflash.course.importer import _candidates
from vaeflash.errors import DemoError
from vaeflash.runs.in_process import import_demo, run_demo
from vaeflash.runs.known import Runs
from vaeflash.runs.processes import local_workers
from vaeflash.runs.run import RunCache


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    demos = {"d": "from ._helper import NAME", "_helper": "NAME = 'source'"}
    return make_course(demos=demos)


def planted(source: Path, compiled: Path) -> None:
    """Compiled code that says it is of this source, and that Python never compares with it."""
    evil = source.with_name("evil.txt")
    evil.write_text("NAME = 'planted'")
    py_compile.compile(
        str(evil),
        str(compiled),
        str(source),
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    evil.unlink()


def test_python_itself_would_run_what_is_planted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "probe_of_tests.py"
    source.write_text("NAME = 'source'")
    planted(source, Path(importlib.util.cache_from_source(source)))
    monkeypatch.syspath_prepend(tmp_path)

    assert importlib.import_module("probe_of_tests").NAME == "planted"


@pytest.mark.parametrize("module", ["d", "_helper"])
def test_compiled_code_beside_its_source_is_not_run(course: Course, module: str) -> None:
    source = course.root / "demos" / f"{module}.py"
    planted(source, Path(importlib.util.cache_from_source(source)))

    assert import_demo(course.demo("d")).NAME == "source"


def test_nor_is_it_where_a_demo_searches_its_own_folder(
    make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = "import sys\nsys.path.insert(0, __file__[:-5])\nfrom helper_of_tests import NAME"
    course = make_course(demos={"d": demo, "helper_of_tests": "NAME = 'source'"})
    source = course.root / "demos" / "helper_of_tests.py"
    planted(source, Path(importlib.util.cache_from_source(source)))
    monkeypatch.setattr(sys, "path", sys.path.copy())

    assert import_demo(course.demo("d")).NAME == "source"


def test_an_import_writes_nothing(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # as for most users
    import_demo(course.demo("d"))

    files = sorted(path.name for path in (course.root / "demos").iterdir())
    assert files == ["_helper.py", "d.py"]


DOUBLES = [
    "d/__init__.py",
    "d/__init__.pyc",
    "d/__init__.so",
    "d.pyc",
    "d.so",
    "d.pyd",
    "d.abi3.so",
    "d.cpython-311-x86_64-linux-gnu.so",
    "d.cp313-win_amd64.pyd",
]


@pytest.mark.parametrize("other", DOUBLES)
def test_a_demo_that_something_else_could_be_taken_for_is_refused(
    course: Course, other: str
) -> None:
    path = course.root / "demos" / other
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")

    with pytest.raises(DemoError) as told:
        course.demo("d")

    problem = told.value.problems[0]
    assert (problem.where, " d.py" in problem.what, f" {other}" in problem.what) == (
        "demos/d.py",
        True,
        True,
    )


def test_two_files_that_cards_call_by_one_name_are_refused(make_course: MakeCourse) -> None:
    course = make_course(demos={"two_and_two": SUM, "two-and-two": SUM})

    with pytest.raises(DemoError, match=r"two-and-two\.py and two_and_two\.py"):
        course.demo("two-and-two")


@pytest.mark.parametrize("other", ["_helper/__init__.py", "_helper.so", "_helper.pyc"])
def test_so_is_a_helper(course: Course, other: str) -> None:
    path = course.root / "demos" / other
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")

    with pytest.raises(DemoError, match=rf"_helper\.py and {other}|{other} and _helper\.py"):
        import_demo(course.demo("d"))


@pytest.mark.parametrize("compiled", ["_helper.pyc", "_helper.so", "_helper/__init__.pyc"])
def test_a_module_without_source_is_refused(course: Course, compiled: str) -> None:
    source = course.root / "demos" / "_helper.py"
    path = course.root / "demos" / compiled
    path.parent.mkdir(exist_ok=True)
    planted(source, path)
    source.unlink()

    with pytest.raises(DemoError, match=f"not one source file but {compiled}"):
        import_demo(course.demo("d"))


@pytest.mark.parametrize("other", ["d.txt", "d.npz", "d/weights.npy", "_d.py", "dd.so", "d.py.so~"])
def test_what_no_import_could_take_is_no_double(course: Course, other: str) -> None:
    path = course.root / "demos" / other
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")

    assert _candidates(course.root / "demos", "d") == ["d.py"]


def test_a_name_with_a_dot_is_no_demo(make_course: MakeCourse) -> None:
    course = make_course(demos={"d": SUM, "d.x": "an import of d.x would run d/x.py"})

    assert list(course.demo_paths) == ["d"]


def test_packages_and_linked_folders_import_one_another(
    make_course: MakeCourse, tmp_path: Path
) -> None:
    course = make_course(demos={"d": "from .inner.deep import NAME\nfrom .linked.one import ONE"})
    for file, text in {
        "course/demos/inner/__init__.py": "A = 'so'",
        "course/demos/inner/deep.py": "from . import A\nfrom ..base import REST\nNAME = A + REST",
        "course/demos/base.py": "REST = 'urce'",
        "elsewhere/one.py": "from .two import ONE",
        "elsewhere/two.py": "ONE = 1",
    }.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    (course.root / "demos" / "linked").symlink_to(tmp_path / "elsewhere")
    demo = import_demo(course.demo("d"))

    assert (demo.NAME, demo.ONE) == ("source", 1)


def test_the_text_that_is_run_is_the_text_that_counts(make_course: MakeCourse) -> None:
    # In UTF-7, which Python takes from the first line, the second is no comment.
    demo = "# coding: utf-7\n#+AAo-NAME = 'hidden'\nNAME = globals().get('NAME', 'source')"

    assert import_demo(make_course(demos={"d": demo}).demo("d")).NAME == "source"


@pytest.mark.parametrize("module", ["d", "_helper"])
def test_what_was_edited_since_its_fingerprint_is_not_run(course: Course, module: str) -> None:
    source = course.demo("d")
    assert source.fingerprint
    (course.root / "demos" / f"{module}.py").write_text("NAME = 'edited'")

    with pytest.raises(DemoError, match=rf"{module}\.py: this was edited since"):
        import_demo(source)


def test_a_traceback_shows_the_line(make_course: MakeCourse) -> None:
    guilty = "    raise ValueError  # the guilty line\n    if params.fail:"
    demo = SUM.replace("    if params.fail:", guilty)
    run = run_demo(make_course(demos={"d": demo}).demo("d"), {}, 0)

    assert "raise ValueError  # the guilty line" in run.traceback


@pytest.mark.slow
def test_no_file_of_a_course_stands_in_for_an_installed_module(
    make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = make_course(demos={"d": SUM.replace('"""\n\n', '"""\n\nimport torch\n', 1)})
    for place in ("", "demos", "vaeflash"):
        for name in ("torch", "platformdirs", "__init__"):
            path = course.root / place / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text("raise SystemExit('not torch')")
    monkeypatch.chdir(course.root)
    with local_workers(1) as workers:
        run = workers.submit(Runs(cache=RunCache()).job(course.demo("d"), {}, 0)).result()

    assert run.metrics["total"] == 4
