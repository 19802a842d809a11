"""One old seed tells whether the numbers of a changed demo moved; stale evidence stays stale."""

import json
import sys

import pytest
from conftest import COIN, MakeCourse, card, deck
from typer.testing import CliRunner

from vaeflash.cli import app
from vaeflash.course.consent import trust
from vaeflash.course.course import Course
from vaeflash.course.fingerprint import forget
from vaeflash.judging.spot_check import _alike

METAS = (
    ":demo coin\n:claim heads == 1\n:control rate=0",
    ":demo coin\n:claim value[scale=2] == 2 +- 0.1\n:control rate=0",
)


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    made = make_course(
        cards={"deck": deck(*(card(f"c{n}", meta) for n, meta in enumerate(METAS)))},
        demos={"coin": COIN},
    )
    trust(made, whatever_they_become=True)
    CliRunner().invoke(app, ["--course", str(made.root), "check", "-j0"])
    return made


def locked(course: Course, old: str = "", new: str = "") -> tuple[int, list[dict[str, object]]]:
    """Exit code and spot checks after an edit of the demo."""
    demo = course.root / "demos" / "coin.py"
    demo.write_text(demo.read_text().replace(old, new) if old else demo.read_text())
    # A process reads and imports each file once; here it changes in between.
    forget()
    for name in [name for name in sys.modules if name.startswith("vaeflash_demos_")]:
        del sys.modules[name]
    before = course.ledger_path.read_bytes()
    done = CliRunner().invoke(
        app, ["--course", str(course.root), "check", "--locked", "-j0", "--json"]
    )
    assert course.ledger_path.read_bytes() == before
    return done.exit_code, json.loads(done.stdout)["spot_checks"]


def test_nothing_is_run_while_nothing_has_changed(course: Course) -> None:
    assert locked(course) == (0, [])


def test_a_demo_that_was_only_tidied_measures_the_same(course: Course) -> None:
    code, (spot,) = locked(course, "heads = ", "told = heads = ")

    assert (code, spot) == (1, {"demo": "coin", "seed": 1000, "compared": 2, "moved": {}})


def test_a_number_that_moved_is_told(course: Course) -> None:
    _, (spot,) = locked(course, "params.scale * heads", "1.001 * params.scale * heads")

    assert spot["moved"] == {"value[scale=2]": [2.0, 2.002]}


def test_a_number_within_the_tolerance_has_not_moved(course: Course) -> None:
    _, (spot,) = locked(course, "params.scale * heads", "1.00001 * params.scale * heads")

    assert spot["moved"] == {}


def test_a_demo_that_raises_now_is_told(course: Course) -> None:
    _, (spot,) = locked(course, "    heads =", "    1 / 0\n    heads =")

    assert spot["moved"] == {
        "heads": [1, "raised ZeroDivisionError"],
        "value[scale=2]": [2.0, "raised ZeroDivisionError"],
    }


def test_an_untrusted_course_is_not_run(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaeflash.cli.check.is_trusted", lambda _: False)

    assert locked(course, "heads = ", "told = heads = ") == (1, [])


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        (0, 0.0, True),
        (0.0, 1e-300, False),
        ("nan", "nan", True),
        ("nan", 1.0, False),
        ((1, 2), (1, 2), True),
        ((1, 2), (1, 3), False),
        (True, False, False),
        (-1.0, -1.00009, True),
        (1.0, 1.00011, False),
    ],
)
def test_alike_is_relative(old: object, new: object, *, alike: bool) -> None:
    assert _alike(old, new) is alike  # type: ignore[arg-type]


def test_locked_notices_an_edited_ledger(course: Course) -> None:
    text = course.ledger_path.read_text().replace('"yes": 5', '"yes": 9')
    course.ledger_path.write_text(text)
    done = CliRunner().invoke(app, ["--course", str(course.root), "check", "--locked"])

    told = done.stderr.replace("\n", " ")
    assert (done.exit_code, "it says 9 yes and 0 no, its values 5 and 0" in told) == (2, True), told
