"""`export-html` on the command line: what is told, chosen and written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import COIN, MakeCourse, card, deck
from typer.testing import CliRunner, Result

from vaeflash.cli import app
from vaeflash.course.course import Course

CLI = Callable[..., Result]


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    decks = {
        "one": deck(card("a", ":demo coin\n:tags x"), card("b", ":tags y"), title="First::Part"),
        "two": deck(card("c", ":tags x"), title="Second"),
    }
    return make_course(cards=decks, demos={"coin": COIN})


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, course: Course) -> CLI:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["--course", str(course.root), "export-html", *arguments])

    return run


def test_the_folder_and_what_is_in_it_are_told(export: CLI) -> None:
    done = export("-o", "public")

    assert done.exit_code == 0
    assert done.stdout.startswith("public: 3 cards in 2 decks, 0 media files, 0.0 MB. 6 files ")
    assert "Open public/index.html in a browser" in done.stdout


def test_by_default_the_folder_is_called_after_the_course(export: CLI) -> None:
    export()

    assert sorted(path.name for path in Path("course-html").iterdir()) == [
        *("index.html", "one.html", "search-index.js", "site.css", "site.js", "two.html"),
        "vaeflash-site.json",
    ]


@pytest.mark.parametrize(
    ("options", "decks", "cards"),
    [
        (["--deck", "two"], {"two.html"}, 1),
        (["--deck", "First"], {"one.html"}, 2),
        (["--tag", "x"], {"one.html", "two.html"}, 2),
        (["--deck", "one", "--tag", "x"], {"one.html"}, 1),
    ],
)
def test_decks_and_tags_choose(
    export: CLI, options: list[str], decks: set[str], cards: int
) -> None:
    found = json.loads(export("-o", "out", "--json", *options).stdout)

    assert found["cards"] == cards
    assert {path.name for path in Path("out").glob("*.html")} == decks | {"index.html"}


def test_pages_that_were_not_chosen_again_are_removed(export: CLI) -> None:
    export("-o", "out")

    found = json.loads(export("-o", "out", "--json", "--deck", "two").stdout)
    assert found["removed"] == ["one.html"]


def test_the_json_document(export: CLI) -> None:
    found = json.loads(export("-o", "out", "--json").stdout)

    assert {key: found[key] for key in ("vaeflash", "command", "path", "cards", "decks")} == {
        **{"vaeflash": 1, "command": "export-html", "path": "out", "cards": 3, "decks": 2}
    }
    assert found["size"] == sum(Path("out", name).stat().st_size for name in found["written"])
    assert (found["media"], found["removed"], found["warnings"]) == (0, [], [])


def test_a_file_in_place_of_the_folder_is_a_user_s_mistake(export: CLI) -> None:
    Path("out").write_text("mine")

    done = export("-o", "out")
    assert (done.exit_code, Path("out").read_text()) == (2, "mine")
    assert done.stderr.startswith("out: this is a file; a site is a folder.\n  Name a folder by -o")


def test_a_folder_below_a_file_is_a_user_s_mistake(export: CLI) -> None:
    Path("out").write_text("mine")

    done = export("-o", "out/site")
    assert (done.exit_code, "cannot write this" in done.stderr) == (2, True)


def test_a_deck_that_is_not_there_is_told(export: CLI) -> None:
    done = export("--deck", "thre")

    assert (done.exit_code, "no deck of this course is called so" in done.stderr) == (2, True)


def test_a_figure_that_was_not_drawn_is_noted(export: CLI, course: Course) -> None:
    path = course.root / "cards" / "one.md"
    path.write_text(path.read_text().replace(":demo coin", ":demo coin\n:figure toss"))

    assert "no figure 'toss' of its demos was drawn" in export().stdout
