"""A fingerprint changes when the code does, and only then."""

import shutil
from pathlib import Path
from textwrap import dedent

import pytest

from vaeflash.course.fingerprint import LAB, fingerprint, forget
from vaeflash.files import cache_folder

DEMO = '''
"""The headline.

The lesson.
"""
from vaeflash.demo import Result
from . import _helper

NEEDS = ("digits", "cuda")
CONSTANT = 3

class Params:
    """What may be turned."""
    steps: int = 10

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


def edited(path: Path, old: str, new: str) -> str:
    """The fingerprint of `demo.py` beside `path` after an edit of `path`, as a new process sees."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    forget()
    return fingerprint(path.parent / "demo.py")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("demo.py", "CONSTANT = 3", "CONSTANT = 3  # a comment"),
        ("demo.py", "CONSTANT = 3", "CONSTANT   =   3\n\n"),
        ("demo.py", "The lesson.", "The lesson, in other words."),
        ("demo.py", '"""Do it."""', '"""Do it well."""'),
        ("_unused.py", "y = 1", "y = 2"),
    ],
)
def test_evidence_survives(folder: Path, file: str, old: str, new: str) -> None:
    before = fingerprint(folder / "demo.py")

    assert edited(folder / file, old, new) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("demo.py", "CONSTANT = 3", "CONSTANT = 3.0"),
        ("demo.py", "2.0", "-2.0"),
        ("demo.py", "steps: int = 10", "steps: int = 11"),
        ("demo.py", '"digits", "cuda"', '"cuda", "digits"'),
        ("_helper.py", "x = 1", "x = 2"),
    ],
)
def test_evidence_goes_stale(folder: Path, file: str, old: str, new: str) -> None:
    before = fingerprint(folder / "demo.py")

    assert edited(folder / file, old, new) != before


def test_the_place_of_course_and_package_does_not_show(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "demo.py").write_text(f"{dedent(DEMO)}\nfrom vaeflash.lab import metrics\n")
    before = fingerprint(folder / "demo.py")
    elsewhere = tmp_path_factory.mktemp("a-package-that-sorts-first") / "lab"
    shutil.copytree(LAB, elsewhere)
    monkeypatch.setattr("vaeflash.course.fingerprint.LAB", elsewhere)
    forget()

    assert fingerprint(folder / "demo.py") == before


def test_the_lab_counts_through_its_imports(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = tmp_path_factory.mktemp("package") / "lab"
    shutil.copytree(LAB, lab)
    monkeypatch.setattr("vaeflash.course.fingerprint.LAB", lab)
    before = fingerprint(folder / "demo.py")
    # The demo imports nothing from there; the bench does.
    with (lab / "datasets.py").open("a") as file:
        file.write("ANOTHER_CONSTANT = 1\n")
    forget()

    assert fingerprint(folder / "demo.py") != before


@pytest.mark.parametrize("damage", ["", "not a digest\n\n", "0" * 64])
def test_a_damaged_memory_is_worked_out_again(folder: Path, damage: str) -> None:
    before = fingerprint(folder / "demo.py")
    for file in (cache_folder() / "code").rglob("*"):
        if file.is_file():
            file.write_text(damage)
    forget()

    assert fingerprint(folder / "demo.py") == before


def test_what_is_remembered_is_what_is_worked_out(folder: Path) -> None:
    worked_out = fingerprint(folder / "demo.py")
    forget()

    assert fingerprint(folder / "demo.py") == worked_out


def test_a_data_set_counts_for_the_demos_that_need_it_and_for_no_other(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = tmp_path_factory.mktemp("package") / "lab"
    shutil.copytree(LAB, lab)
    monkeypatch.setattr("vaeflash.course.fingerprint.LAB", lab)
    needs, other = folder / "needs.py", folder / "other.py"
    needs.write_text('NEEDS = ("digits", "extra:orl")\n')
    other.write_text('NEEDS = ("faces",)\n')
    before = fingerprint(other), fingerprint(needs)
    with (lab / "digits.py").open("a") as file:
        file.write("ANOTHER_CONSTANT = 1\n")
    forget()

    after = fingerprint(other), fingerprint(needs)

    assert (after[0] == before[0], after[1] == before[1]) == (True, False)
