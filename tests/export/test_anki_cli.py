"""`export-anki` and `figures` on the command line: what is told, chosen and kept."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from conftest import COIN, MakeCourse, card, deck
from typer.testing import CliRunner, Result

from vaeflash.cli import app
from vaeflash.course import fingerprint
from vaeflash.course.course import Course
from vaeflash.files import write_atomically

DRAWS = COIN.replace("import Lab, Result", "import Bars, Lab, Result").replace(
    '"value": params.scale * heads})',
    '"value": params.scale * heads}, figures={"toss": Bars("One toss.", {"heads": heads})})',
)
CLI = Callable[..., Result]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CLI:
    monkeypatch.chdir(tmp_path)

    def run(course: Course, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["--course", str(course.root), *arguments])

    return run


Write = Callable[..., Course]


@pytest.fixture
def write(make_course: MakeCourse) -> Write:
    """Writes the course anew, with these cards in its two decks."""

    def make(*first: str, second: tuple[str, ...] = ("c",), title: str = "First::Part") -> Course:
        decks = {
            "one": deck(
                *(card(name, f":demo coin\n:tags t-{name}") for name in first), title=title
            ),
            "two": deck(*(card(name, ":tags shared") for name in second), title="Second"),
        }
        return make_course(cards=decks, demos={"coin": DRAWS})

    return make


def ids(package: Path) -> list[str]:
    with zipfile.ZipFile(package) as archive:
        content = archive.read("collection.anki2")
    database = sqlite3.connect(":memory:")
    database.deserialize(content)
    found = database.execute("select flds, due from notes join cards on nid = notes.id").fetchall()
    database.close()
    return sorted(f"{due} {fields.split(chr(31))[0]}" for fields, due in found)


def test_the_first_export_says_so(cli: CLI, write: Write) -> None:
    done = cli(write("a", "b"), "export-anki")

    assert "first export from this machine" in done.stdout


def test_a_second_export_says_that_nothing_changed_and_writes_the_same_bytes(
    cli: CLI, write: Write
) -> None:
    cli(write("a", "b"), "export-anki", "-o", "x.apkg")

    done = cli(write("a", "b"), "export-anki", "-o", "y.apkg")

    assert "Nothing has changed since the last export." in done.stdout
    assert Path("x.apkg").read_bytes() == Path("y.apkg").read_bytes()


def test_new_changed_and_gone_cards_are_told_with_a_search(cli: CLI, write: Write) -> None:
    cli(write("a", "b"), "export-anki")
    course = write("a", "n")
    path = course.root / "cards" / "one.md"
    path.write_text(path.read_text().replace("It.", "It is so.", 1))

    lines = cli(course, "export-anki").stdout.splitlines()

    assert [line for line in lines if line[:1].isdigit()] == [
        "1 new: n.",
        "1 changed: a.",
        "1 gone: b.",
    ]
    assert "  tag:vaeflash::card::b" in lines


def test_a_card_that_came_back_is_told(cli: CLI, write: Write) -> None:
    for cards in (("a", "b"), ("a",)):
        cli(write(*cards), "export-anki")

    assert "1 back again: b." in cli(write("a", "b"), "export-anki").stdout


def test_a_renamed_deck_is_told_with_both_ways_out(cli: CLI, write: Write) -> None:
    cli(write("a", "b"), "export-anki")

    lines = cli(write("a", "b", title="First_one"), "export-anki").stdout.splitlines()

    whole = "A course of the tests"
    assert f"renamed: '{whole}::First::Part' is now '{whole}::First_one'." in lines
    assert f'  "deck:{whole}::First::Part"' in lines
    assert f"  {whole}::First_one" in lines


def test_a_moved_card_is_told_with_a_search(cli: CLI, write: Write) -> None:
    cli(write("a", "b"), "export-anki")

    lines = cli(write("a", second=("c", "b")), "export-anki").stdout.splitlines()

    whole = "A course of the tests"
    assert f"moved: b, '{whole}::First::Part' to '{whole}::Second'." in lines
    assert "  tag:vaeflash::card::b" in lines


def test_the_changes_are_in_the_json_document(cli: CLI, write: Write) -> None:
    cli(write("a", "b"), "export-anki")

    document = json.loads(cli(write("a", second=("c", "d")), "export-anki", "--json").stdout)

    assert document["changes"] == {
        "first": False,
        "new": ["d"],
        "changed": [],
        "gone": ["b"],
        "returned": [],
        "moved": [],
        "renamed": [],
        "retyped": [],
    }


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], ["1 a", "2 b", "3 c"]),
        (["--deck", "two"], ["3 c"]),
        (["--deck", "First"], ["1 a", "2 b"]),
        (["--deck", "First::Part", "--deck", "Second"], ["1 a", "2 b", "3 c"]),
        (["--tag", "t-b"], ["2 b"]),
        (["--tag", "t-b", "--tag", "shared"], ["2 b", "3 c"]),
        (["--deck", "one", "--tag", "t-b", "--tag", "shared"], ["2 b"]),
    ],
)
def test_decks_and_tags_choose_and_change_no_place(
    cli: CLI, write: Write, options: list[str], found: list[str]
) -> None:
    cli(write("a", "b"), "export-anki", "-o", "x.apkg", *options)

    assert ids(Path("x.apkg")) == found


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--deck", "thre"], "--deck thre: no deck of this course is called so."),
        (["--tag", "t-z"], "Did you mean"),
        (["--deck", "two", "--tag", "t-a"], "--deck two --tag t-a: no card is left."),
    ],
)
def test_a_choice_of_nothing_is_told(cli: CLI, write: Write, options: list[str], told: str) -> None:
    done = cli(write("a", "b"), "export-anki", *options)

    assert (done.exit_code, told in done.stderr, list(Path().glob("*.apkg"))) == (2, True, [])


def test_a_memory_that_cannot_be_kept_costs_no_package(cli: CLI, write: Write) -> None:
    data = platformdirs.user_data_path("vaeflash")
    data.mkdir(parents=True)
    (data / "anki-exports").write_text("in the way")

    done = cli(write("a"), "export-anki", "-o", "x.apkg")

    assert (done.exit_code, "what was exported is not remembered" in done.stdout) == (0, True)
    assert Path("x.apkg").is_file()


def test_a_package_that_cannot_be_written_is_not_remembered(cli: CLI, write: Write) -> None:
    course = write("a")
    Path("file").write_text("")
    cli(course, "export-anki", "-o", "file/x.apkg")

    assert "first export" in cli(course, "export-anki").stdout


@pytest.mark.slow
def test_figures_are_drawn_once_and_shown_on_the_cards(cli: CLI, write: Write) -> None:
    course = write("a", "b")
    drawn = cli(course, "figures", "--trust")
    first = {path: path.read_bytes() for path in (course.root / "figures").rglob("*.*")}
    cli(course, "figures", "coin")
    document = json.loads(cli(course, "export-anki", "--json").stdout)

    assert ("figures/coin: toss" in drawn.stdout, document["media"]) == (True, 1)
    assert {path: path.read_bytes() for path in first} == first
    assert sorted(path.name for path in first) == ["index.json", "toss.png"]


@pytest.mark.slow
def test_figures_of_an_older_demo_are_noted(cli: CLI, write: Write) -> None:
    course = write("a")
    cli(course, "figures", "--trust")
    write_atomically(course.root / "demos" / "coin.py", DRAWS.replace("1.0", "0.5"))
    fingerprint.forget()  # each command is a process of its own

    told = cli(course, "export-anki").stdout

    assert "the demo has changed since these were drawn" in told


def test_a_figure_that_was_not_drawn_is_noted(cli: CLI, write: Write) -> None:
    course = write("a")
    path = course.root / "cards" / "one.md"
    path.write_text(path.read_text().replace(":demo coin", ":demo coin\n:figure tos"))
    cli(course, "figures", "--trust")

    told = cli(course, "export-anki").stdout

    assert ("no figure 'tos' of its demos was drawn" in told, "Drawn: toss." in told) == (
        True,
        True,
    )


@pytest.mark.parametrize(
    ("demo", "told"),
    [
        (
            'NEEDS = ("extra:nonsense",)\n' + DRAWS,
            "the demo needs the extra 'nonsense'; not drawn.",
        ),
        (COIN, "it has no figure; not drawn."),
    ],
)
def test_a_demo_that_cannot_or_does_not_draw_is_passed_over(
    cli: CLI, make_course: MakeCourse, demo: str, told: str
) -> None:
    done = cli(make_course(demos={"coin": demo}), "figures", "--trust")

    assert (done.exit_code, told in done.stdout) == (0, True)


def test_figures_speak_json(cli: CLI, write: Write) -> None:
    document = json.loads(cli(write("a"), "figures", "--trust", "--json").stdout)

    size = document["drawn"]["coin"]["toss"]
    assert document == {
        **{"vaeflash": 1, "command": "figures"},
        **{"drawn": {"coin": {"toss": size}}, "passed": {}},
    }
    assert size == Path("course/figures/coin/toss.png").stat().st_size


def test_a_demo_that_raises_is_told(cli: CLI, make_course: MakeCourse) -> None:
    broken: Any = DRAWS.replace("    heads =", "    raise ValueError('no coin')\n    heads =")

    done = cli(make_course(demos={"coin": broken}), "figures", "--trust")

    assert (done.exit_code, "the demo raised ValueError: no coin." in done.stderr) == (2, True)
