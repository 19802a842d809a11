"""A course is found, read whole, and every error of every file is told at once."""

from pathlib import Path

import pytest
from conftest import COIN, MakeCourse, card, deck

from vaeflash.course import bundled_root, find_course, open_course
from vaeflash.errors import CardError, CourseError


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
