"""A course is found, read whole, and every error of every file is told at once."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import COIN, MakeCourse, card, deck

from vaeflash.course.course import DECK_LIMIT, bundled_root, find_course, open_course
from vaeflash.errors import CardError, CourseError
from vaeflash.study.questions import catalogue_of


def test_an_explicit_folder_comes_first(make_course: MakeCourse) -> None:
    here, there = make_course(name="here"), make_course(name="there")

    assert find_course(there.root, start=here.root).id == "there"


def test_the_nearest_folder_above_comes_next(make_course: MakeCourse) -> None:
    course = make_course(name="outer")

    assert find_course(start=course.root / "cards").root == course.root


def test_the_bundled_course_comes_last(tmp_path: Path) -> None:
    assert find_course(start=tmp_path).root == bundled_root()


def test_a_folder_without_course_toml_is_no_course(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"not a course: it has no course\.toml"):
        find_course(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("id = ", "this is not TOML"),
        ("", "'id' is missing.*\n.*\n.*'title' is missing"),
        ('id = 3\ntitle = "T"', "'id' is missing or not a text"),
        ('id = "a"\ntitle = "T"\ndecks = "one"', "'decks' is not a list"),
        ('id = "a"\ntitle = "T"\nformat = 2', "format 2 is not known"),
        ('id = "a"\ntitle = "T"\ndecks = ' + "[" * 5000, "this is not TOML"),
    ],
)
def test_a_damaged_course_toml_is_told(tmp_path: Path, toml: str, told: str) -> None:
    (tmp_path / "course.toml").write_text(toml)

    with pytest.raises(CourseError, match=told):
        open_course(tmp_path)


def test_decks_come_in_the_order_of_course_toml_and_then_by_name(make_course: MakeCourse) -> None:
    course = make_course(cards={stem: deck(card(stem, "")) for stem in ("a", "b", "c")})
    (course.root / "course.toml").write_text('id = "x"\ntitle = "T"\ndecks = ["c"]')

    assert [path.stem for path in open_course(course.root).deck_paths] == ["c", "a", "b"]


def test_every_error_of_every_deck_is_told(make_course: MakeCourse) -> None:
    course = make_course(
        cards={"a": deck(card("x", ":claim y < 1")), "b": deck(card("z", ":control y=1"))}
    )
    (course.root / "cards" / "c.md").write_bytes(b"\x00\xff\xfe binary")

    with pytest.raises(CardError) as caught:
        course.decks()

    assert [p.where for p in caught.value.problems] == [
        "cards/a.md:10",
        "cards/b.md:10",
        "cards/c.md",
    ]


def test_an_id_used_in_two_decks_is_an_error(make_course: MakeCourse) -> None:
    course = make_course(cards={"a": deck(card("same", "")), "b": deck(card("same", ""))})

    with pytest.raises(CardError, match=r"cards/b\.md:3: the id 'same' is taken.*cards/a\.md"):
        course.decks()


def test_demos_are_modules_without_a_leading_underscore(make_course: MakeCourse) -> None:
    course = make_course(demos={"fair_coin": COIN, "_helper": ""})

    assert list(course.demo_paths) == ["fair-coin"]


def test_reading_a_course_runs_no_demo(make_course: MakeCourse) -> None:
    text = deck(card("x", ":demo bomb\n:claim y < 1"))
    course = make_course(cards={"a": text}, demos={"bomb": "raise SystemExit('went off')"})

    assert (len(course.cards()), course.demo("bomb").lesson) == (1, "")


@pytest.mark.parametrize(
    "identity",
    [
        "../../pwn",
        "a/b",
        "..",
        "My course",
        "my_course",
        "Course",
        "a-",
        "a--b",
        "é",
        "a" * 65,
        "a\\nb",
    ],
)
def test_an_id_that_is_not_kebab_case_is_refused(tmp_path: Path, identity: str) -> None:
    (tmp_path / "course.toml").write_text(f'id = "{identity}"\ntitle = "T"')

    with pytest.raises(CourseError, match=r'(?s)is not kebab-case.*id = "[a-z0-9-]{1,64}"'):
        open_course(tmp_path)


# What stands where a deck should: put there in a course, with a file beside it that is not of it.

NO_DECKS: dict[str, Callable[[Path, Path], object]] = {
    "a link out of the course": lambda path, beside: path.symlink_to(beside),
    "a device": lambda path, _: path.symlink_to("/dev/zero"),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a folder": lambda path, _: path.mkdir(),
    "a link to nothing": lambda path, _: path.symlink_to("nothing"),
    "a link to itself": lambda path, _: path.symlink_to(path),
    "more than a deck": lambda path, _: (path.touch(), os.truncate(path, DECK_LIMIT + 1)),
}


@pytest.mark.parametrize("put", NO_DECKS.values(), ids=NO_DECKS)
def test_what_is_no_file_of_the_course_is_a_problem_of_that_deck(
    make_course: MakeCourse, tmp_path: Path, put: Callable[[Path, Path], object]
) -> None:
    course = make_course(cards={"good": deck(card("x", ""))})
    (tmp_path / "passwd").write_text(deck(card("stolen", "")))
    put(course.root / "cards" / "bad.md", tmp_path / "passwd")

    told = [problem.where for problem in course.problems()]

    assert told == ["cards/bad.md"]


@pytest.mark.parametrize("put", [*NO_DECKS.values()][:-1], ids=[*NO_DECKS][:-1])
def test_what_is_no_deck_is_never_opened(
    make_course: MakeCourse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    put: Callable[[Path, Path], object],
) -> None:
    course = make_course(cards={"good": deck(card("x", ""))})
    (tmp_path / "passwd").write_text("")
    put(course.root / "cards" / "bad.md", tmp_path / "passwd")
    opened = []
    plain = Path.open

    def noted(path: Path, *how: Any) -> Any:
        opened.append(path.name)
        return plain(path, *how)

    monkeypatch.setattr(Path, "open", noted)

    course.problems()

    assert opened == ["good.md"]


def test_a_deck_may_be_a_link_inside_the_course(make_course: MakeCourse) -> None:
    course = make_course(cards={"a": deck(card("x", ""))})
    (course.root / "cards" / "a.md").rename(course.root / "elsewhere.md")
    (course.root / "cards" / "a.md").symlink_to("../elsewhere.md")

    assert [card.id for _, card in course.cards()] == ["x"]


def test_a_card_of_many_clozes_in_one_another_leaves_the_others_alone(
    make_course: MakeCourse,
) -> None:
    nested = "{{c1::" * 1000 + "x" + "}}" * 1000
    text = f"# D\n\n#### A {{#deep}}\n\n:p {nested}\nx??\n\n:cloze\n\n" + card("x", "")

    asked = catalogue_of(make_course(cards={"a": text})).questions

    assert [question.key.card for question in asked] == ["deep", "x"]


@pytest.mark.parametrize("value", ["[" * 5_000, "9" * 5_000, '"\\ud800"'])
def test_a_course_toml_that_defeats_its_parser_is_no_toml(tmp_path: Path, value: str) -> None:
    (tmp_path / "course.toml").write_text(f'id = "a"\ntitle = "A"\nx = {value}\n')

    with pytest.raises(CourseError, match=r"course\.toml: this is not TOML"):
        open_course(tmp_path)


def test_a_working_directory_that_was_removed_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    with pytest.raises(CourseError, match="the working directory: cannot read this"):
        find_course()
