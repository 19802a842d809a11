"""What `vaeflash new` writes lints and checks as it stands, and nothing is ever overwritten."""

from __future__ import annotations

import io
import json
import math
import shutil
import tempfile
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from conftest import COIN, SUM, MakeCourse, card, deck
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from vaeflash.cli import app
from vaeflash.cli.new import start_course, start_deck, start_demo
from vaeflash.cli.screen import Screen
from vaeflash.course.course import Course, bundled_root, open_course
from vaeflash.course.scaffold import list_deck, new_course, new_deck, new_demo
from vaeflash.errors import CardError, CourseError, VaeflashError
from vaeflash.lab.bench import Bench
from vaeflash.lint import lint
from vaeflash.parse import parse_deck, write_deck

TEMPLATES = Path(new_course.__code__.co_filename).parents[1] / "templates"


def checked(root: Path) -> dict[str, str]:
    """Card -> status, as `vaeflash check` judges them."""
    done = CliRunner().invoke(app, ["--course", str(root), "check", "--trust", "--json"])
    return {entry["card"]: entry["status"] for entry in json.loads(done.stdout)["claims"]}


def findings(root: Path) -> list[str]:
    return [f"{f.level} {f.problem.where}: {f.problem.what}" for f in lint(open_course(root))]


def tree(root: Path) -> dict[str, bytes]:
    """Every file, and every folder, below a folder."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in root.rglob("*")
    }


@pytest.fixture
def starter(tmp_path: Path) -> Course:
    """The course that `vaeflash new course` writes."""
    new_course(tmp_path / "my-course")
    return open_course(tmp_path / "my-course")


def again(course: Course) -> Course:
    """The course, read anew."""
    return open_course(course.root)


# A course


def test_the_starter_has_no_finding(starter: Course) -> None:
    assert findings(starter.root) == []


@pytest.mark.slow
def test_the_starter_is_verified_and_its_myth_busted(starter: Course) -> None:
    assert checked(starter.root) == {
        "mean-root-n": "verified",
        "mean-twice-the-draws": "busted",
    }


def test_the_starter_deck_survives_reading_and_writing(starter: Course) -> None:
    first = parse_deck((starter.root / "cards" / "estimates.md").read_text())

    assert parse_deck(write_deck(first)) == first


@pytest.mark.parametrize("n", [40, 160])
@pytest.mark.parametrize(
    ("draws", "error"),
    [
        ("independent", lambda n: math.sqrt(1 / 12 / n)),
        ("copied", lambda n: math.sqrt(1 / 12 / (n / 4))),
        ("stratified", lambda n: math.sqrt(sum(1 / 12 / n**2 for _ in range(n))) / n),
    ],
)
def test_the_starter_measures_the_error_that_theory_gives(n: int, draws: str, error: Any) -> None:
    demo = import_module("vaeflash.templates.course.demos.error_of_a_mean")

    metrics = demo.run(demo.Params(n=n, draws=draws), Bench(0)).metrics

    assert metrics["rms_error"] == pytest.approx(error(n), rel=0.1)


def test_a_folder_gives_a_course_its_id_and_title(tmp_path: Path) -> None:
    new_course(tmp_path / "My_VAE course")
    course = open_course(tmp_path / "My_VAE course")

    assert (course.id, course.title) == ("my-vae-course", "My VAE course")


@pytest.mark.slow
@given(st.text(min_size=1).filter(lambda title: title.isprintable() and title.strip()))
def test_any_title_that_fits_on_a_line_is_read_back(title: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        new_course(Path(folder, "course"), title)

        assert open_course(Path(folder, "course")).title == title.strip()


@pytest.mark.parametrize("title", ["two\nlines", " ", "\x1b[31m", "\x7f"])
def test_a_title_that_is_no_line_of_text_is_an_error(tmp_path: Path, title: str) -> None:
    with pytest.raises(CourseError, match="a title is one line of text"):
        new_course(tmp_path / "course", title)


def test_a_folder_whose_name_makes_no_id_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="no id can be made of '課程'"):
        new_course(tmp_path / "課程")


def test_a_course_is_written_beside_what_the_folder_holds(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("mine")
    new_course(tmp_path)

    assert ((tmp_path / "LICENSE").read_text(), findings(tmp_path)) == ("mine", [])


def test_a_course_overwrites_nothing_and_names_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")

    with pytest.raises(CourseError, match=r"README\.md: this exists already"):
        new_course(tmp_path)

    assert tree(tmp_path) == {"README.md": b"mine"}


def test_a_course_that_cannot_be_written_whole_is_not_there_at_all(tmp_path: Path) -> None:
    (tmp_path / "demos").write_text("a file where a folder has to be")

    with pytest.raises(CourseError, match="cannot write this"):
        new_course(tmp_path)

    assert list(tree(tmp_path)) == ["demos"]


# A deck


def test_a_new_deck_has_no_finding_and_comes_last(starter: Course) -> None:
    new_deck(starter, "elbo", "Bounds::ELBO")
    course = again(starter)

    assert (findings(course.root), course.order, course.decks()[-1].title) == (
        [],
        ("estimates", "elbo"),
        "Bounds::ELBO",
    )


def test_course_toml_is_left_alone_if_it_lists_no_decks(make_course: MakeCourse) -> None:
    course = make_course()
    before = (course.root / "course.toml").read_bytes()
    created = new_deck(course, "elbo")

    assert (created.edited, (course.root / "course.toml").read_bytes()) == ((), before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('decks = ["a"]\n', 'decks = ["a", "new"]\n'),
        ("decks=['a','b']", "decks=['a','b', \"new\"]"),
        ('decks = [ "a", ] # order\nid = "]"\n', 'decks = [ "a", "new", ] # order\nid = "]"\n'),
        ('decks = [\n  "a",\n  "b",\n]\n', 'decks = [\n  "a",\n  "b",\n  "new",\n]\n'),
        ('decks = [\r\n\t"a"\r\n]\r\n', 'decks = [\r\n\t"a",\r\n\t"new"\r\n]\r\n'),
        ('\ufeffdecks = ["a"]', None),
        ('id = "x"\n', None),
        ('decks = ["a", # "not this"\n  "b"]\n', None),
        ('title = """\ndecks = ["a"]\n"""\ndecks = ["b"]\n', None),
    ],
)
def test_a_deck_is_listed_by_an_insertion_or_not_at_all(before: str, after: str | None) -> None:
    assert list_deck(before, "new") == after


NAMES = st.lists(st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True), min_size=1)


@pytest.mark.slow
@given(names=NAMES, gap=st.sampled_from([", ", ",", ",\n    ", " ,\r\n"]), comma=st.booleans())
def test_listing_a_deck_adds_its_name_to_the_end_of_the_list(
    names: list[str], gap: str, comma: bool
) -> None:
    quoted = gap.join(f'"{name}"' for name in names)
    settings = f'id = "x"\ndecks = [{quoted}{"," * comma}]\ntitle = "y"\n'

    listed = list_deck(settings, "new")

    assert listed is not None
    assert tomllib.loads(listed) == {"id": "x", "decks": [*names, "new"], "title": "y"}


def test_where_a_deck_cannot_be_listed_the_author_is_told(starter: Course) -> None:
    path = starter.root / "course.toml"
    text = path.read_text().replace('["estimates"]', '[ # "first"\n  "estimates"]')
    path.write_text(text)
    created = new_deck(again(starter), "elbo")

    assert (path.read_text(), "add 'elbo' to `decks`" in created.advice) == (text, True)


def test_a_deck_with_a_demo_links_it_and_claims_nothing(starter: Course) -> None:
    new_deck(starter, "means", demo="error-of-a-mean")
    course = again(starter)
    (written,) = course.decks()[-1].cards

    assert (written.demos, written.claims, findings(course.root)) == (("error-of-a-mean",), (), [])


def test_the_advice_on_a_claim_names_metrics_and_a_parameter_that_the_demo_has(
    starter: Course,
) -> None:
    advice = new_deck(starter, "means", demo="error-of-a-mean").advice

    assert [name in advice for name in ("predicted_error, rms_error", ":control draws=copied")] == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ("a: int = 2", ":control a=VALUE"),
        ("a: int = 2\n    fast: bool = True", ":control a=VALUE"),
        ("a: int = 2\n    kind: Literal['x', 'y'] = 'x'", ":control kind=y"),
        ("fast: bool = True", ":control fast=false"),
        ("nothing = 1", "has no parameters"),
    ],
)
def test_the_advice_on_a_control_prefers_a_named_mistake(
    make_course: MakeCourse, params: str, told: str
) -> None:
    demo = f'"""It holds."""\n\nclass Params:\n    """None."""\n\n    {params}\n'

    assert told in new_deck(make_course(demos={"it": demo}), "it", demo="it").advice


@pytest.mark.parametrize(
    "headline",
    [
        "Means err by sigma / sqrt(n).",
        "#### Not a card",
        ":claim x < 1",
        "```python",
        "x??",
        r"Half a formula \\( \\frac{1}{2 \\)",
        "$x_{1$",
        "![A picture](gone.png)",
        "",
    ],
)
def test_a_demo_s_first_line_is_the_answer_where_it_is_text(
    make_course: MakeCourse, headline: str
) -> None:
    course = make_course(demos={"it": f'"""{headline}\n\nMore."""'})
    new_deck(course, "it", demo="it")
    (written,) = again(course).decks()[0].cards
    told = [line for line in findings(course.root) if "no docstring" not in line]

    assert (told, headline == written.answer) == ([], headline.startswith("Means"))


@pytest.mark.parametrize("name", ["Elbo", "a_b", "-a", "a--b", "", "../up", "a/b", "β"])
@pytest.mark.parametrize("new", [new_deck, new_demo])
def test_a_name_is_kebab_case(starter: Course, new: Any, name: str) -> None:
    before = tree(starter.root)

    with pytest.raises(CourseError, match="this is no name for a"):
        new(starter, name)

    assert tree(starter.root) == before


@pytest.mark.parametrize("title", ["two\nlines", "caf√© au lait", " "])
def test_a_title_that_a_deck_cannot_carry_is_an_error(starter: Course, title: str) -> None:
    before = tree(starter.root)

    with pytest.raises(CourseError, match="--title: "):
        new_deck(starter, "elbo", title)

    assert tree(starter.root) == before


def test_a_deck_that_exists_is_not_overwritten(starter: Course) -> None:
    before = tree(starter.root)

    with pytest.raises(CourseError, match=r"cards/estimates\.md: this exists already"):
        new_deck(starter, "estimates")

    assert tree(starter.root) == before


def test_a_deck_for_an_unknown_demo_is_an_error_that_lists_the_known(starter: Course) -> None:
    with pytest.raises(CourseError, match=r"no demo 'dice'.\n.*error-of-a-mean"):
        new_deck(starter, "elbo", demo="dice")


# A demo


def test_a_new_demo_lacks_only_a_card(starter: Course) -> None:
    new_demo(starter, "half-a-log")

    assert findings(starter.root) == ["warning demos/half_a_log.py: no card links this demo."]


@pytest.mark.slow
def test_the_lines_for_a_card_are_verified_where_they_are_pasted(starter: Course) -> None:
    lines = new_demo(starter, "half-a-log").lines
    (starter.root / "cards" / "mine.md").write_text(deck(card("mine", lines)))

    assert (findings(starter.root), checked(starter.root)["mine"]) == ([], "verified")


@pytest.mark.slow
def test_the_card_that_comes_with_a_demo_is_verified(starter: Course) -> None:
    new_demo(starter, "half-a-log", deck="estimates")

    assert (findings(starter.root), checked(starter.root)["half-a-log-first"]) == ([], "verified")


@pytest.mark.parametrize(("scale", "spread"), [("std", 0.5), ("variance", 0.5**2)])
def test_the_demo_measures_the_deviation_of_a_gaussian(scale: str, spread: float) -> None:
    demo = import_module("vaeflash.templates.demo")

    metrics = demo.run(demo.Params(scale=scale), Bench(0)).metrics

    assert metrics["sample_std"] == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize(
    "before",
    [
        b"# Deck\n",
        b"# Deck",
        b"# Deck\n\n#### One {#one}\n\n:p What?\n??x\nThat.\nx??\n\n\n",
        b"\xef\xbb\xbf# Deck\r\n\r\n#### One {#one}\r\n\r\n:p What?\r\n??x\r\nThat.\r\nx??",
        b"# Deck\n\n**Rating: 8/10**\n\n#### One\n\n:p What?\n??x\nThat.\n\n---\n\n",
    ],
)
def test_a_card_is_appended_below_unchanged_bytes(make_course: MakeCourse, before: bytes) -> None:
    course = make_course()
    (course.root / "cards" / "mine.md").write_bytes(before)
    new_demo(course, "it", deck="mine")
    after = (course.root / "cards" / "mine.md").read_bytes()
    ids = [one.id for one in parse_deck(after.decode()).cards]

    assert (after.startswith(before), ids[-1], b"\r\n" in before) == (
        True,
        "it-first",
        after.count(b"\n") == after.count(b"\r\n"),
    )


def test_a_deck_whose_errors_a_card_would_add_to_is_left_alone(make_course: MakeCourse) -> None:
    course = make_course(cards={"mine": "# Deck\n\n#### No question yet {#it-first}\n"})
    before = tree(course.root)

    with pytest.raises(CardError, match=r"(?s)it-first.*\ncards/mine\.md: what stands here"):
        new_demo(course, "it", deck="mine")

    assert tree(course.root) == before


@pytest.mark.parametrize(
    ("name", "into", "told"),
    [
        ("error-of-a-mean", "", r"demos/error_of_a_mean\.py: this exists already"),
        ("it", "gone", r"no deck 'gone'.\n  Its decks: estimates"),
    ],
)
def test_a_demo_that_cannot_be_added_changes_nothing(
    starter: Course, name: str, into: str, told: str
) -> None:
    before = tree(starter.root)

    with pytest.raises(CourseError, match=told):
        new_demo(starter, name, into)

    assert tree(starter.root) == before


def test_a_demo_is_not_left_behind_when_its_card_cannot_be_written(
    starter: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(starter.root)

    def refuse(path: Path, _: str | bytes) -> None:
        if path.suffix == ".md":
            raise KeyboardInterrupt
        shutil.copy(__file__, path)

    monkeypatch.setattr("vaeflash.course.scaffold.write_atomically", refuse)
    with pytest.raises(KeyboardInterrupt):
        new_demo(starter, "it", deck="estimates")

    assert tree(starter.root) == before


def test_ids_of_new_cards_are_unique_in_the_course(make_course: MakeCourse) -> None:
    course = make_course(demos={"coin": COIN, "two_and_two": SUM})
    new_deck(course, "sum", demo="two-and-two")
    new_demo(again(course), "sum", deck="sum")
    (written,) = again(course).decks()

    assert [one.id for one in written.cards] == ["sum-first", "sum-first-2"]


# The commands


def printed(command: Any, *arguments: Any) -> str:
    output = io.StringIO()
    command(*arguments, Screen(Console(file=output, width=80)))
    return output.getvalue()


def test_a_new_course_tells_its_files_and_what_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = printed(start_course, Path("a course"), "")

    assert ("a course/course.toml written\n" in told, "  cd 'a course'\n" in told) == (True, True)


def test_a_new_demo_prints_the_lines_to_paste(starter: Course) -> None:
    told = printed(start_demo, starter, "half-a-log", "")

    assert (TEMPLATES / "demo.md").read_text().partition(":claim")[2] in f"{told}\n"


def test_a_new_deck_tells_what_was_added_to(starter: Course) -> None:
    told = printed(start_deck, starter, "elbo", "", "")

    assert told == "cards/elbo.md written\ncourse.toml added to\n"


@pytest.mark.parametrize("command", [start_deck, start_demo])
def test_the_bundled_course_is_not_written_into_from_elsewhere(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["it", "", ""] if command is start_deck else ["it", ""]

    with pytest.raises(VaeflashError, match="there is no course here to add to"):
        printed(command, open_course(bundled_root()), *names)
