"""What can be asked of a course is remembered, and never out of date."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import MakeCourse, card, deck

from vaeflash.course.course import Course, open_course
from vaeflash.errors import CardError, CourseError
from vaeflash.files import cache_folder
from vaeflash.study.questions import catalogue_of

ONE = deck(card("one", ""))
TWO = deck(card("one", ""), card("two", ":reversed"))


def names(root: Path) -> list[str]:
    """The questions, as another process finds them."""
    return [str(question.key) for question in catalogue_of(open_course(root)).questions]


def memory() -> Path:
    (path,) = (cache_folder() / "questions").iterdir()
    return path


def unread(course: Course) -> Course:
    """The same course, whose decks cannot be read as a whole."""
    fresh = open_course(course.root)
    vars(fresh)["readings"] = None
    return fresh


def test_an_unchanged_course_is_not_read_again(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": TWO})
    first = names(course.root)
    again = catalogue_of(unread(course)).questions

    assert [str(question.key) for question in again] == first


def test_a_remembered_question_has_its_card(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": TWO})
    catalogue_of(course)
    (question, *_) = catalogue_of(unread(course)).questions

    assert (question.card.title, question.deck.title, question.deck.path) == (
        "About one",
        "Deck",
        "cards/deck.md",
    )


def test_an_edit_is_seen(make_course: MakeCourse) -> None:
    root = make_course(cards={"deck": ONE}).root
    before = names(root)
    (root / "cards" / "deck.md").write_text(TWO)

    assert (before, names(root)) == (
        ["course/one/forward"],
        ["course/one/forward", "course/two/forward", "course/two/reverse"],
    )


def test_an_edit_that_keeps_the_size_is_seen(make_course: MakeCourse) -> None:
    root = make_course(cards={"deck": ONE}).root
    names(root)
    path = root / "cards" / "deck.md"
    path.write_text(ONE.replace("#one", "#uno"))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))

    assert names(root) == ["course/uno/forward"]


def test_a_deck_that_comes_or_goes_is_seen(make_course: MakeCourse) -> None:
    root = make_course(cards={"a": ONE}).root
    names(root)
    (root / "cards" / "b.md").write_text(deck(card("new", "")))
    with_it = names(root)
    (root / "cards" / "b.md").unlink()

    assert (with_it, names(root)) == (
        ["course/one/forward", "course/new/forward"],
        ["course/one/forward"],
    )


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"format": 7}', b"\xff"])
def test_a_damaged_memory_is_made_again(make_course: MakeCourse, content: bytes) -> None:
    root = make_course(cards={"deck": ONE}).root
    names(root)
    sound = memory().read_bytes()
    memory().write_bytes(content)

    assert (names(root), memory().read_bytes()) == (["course/one/forward"], sound)


def test_without_a_cache_everything_works(
    make_course: MakeCourse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VAEFLASH_CACHE", str(tmp_path / "file" / "cache"))

    assert names(make_course(cards={"deck": ONE}).root) == ["course/one/forward"]


def test_an_id_used_twice_is_told_again_each_time(make_course: MakeCourse) -> None:
    root = make_course(cards={"a": ONE, "b": ONE}).root
    for _ in range(2):
        with pytest.raises(CardError, match="'one' is taken"):
            names(root)


def test_cards_without_an_id_are_counted(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": ONE.replace(" {#one}", "")})

    assert (catalogue_of(course).questions, catalogue_of(course).without_id) == ((), 1)


def test_a_card_that_goes_while_it_waits_is_told(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": ONE})
    (question,) = catalogue_of(course).questions
    (course.root / "cards" / "deck.md").write_text(deck(card("other", "")))

    with pytest.raises(CardError, match="no longer"):
        _ = question.card


def test_decks_and_tags_choose(make_course: MakeCourse) -> None:
    course = make_course(
        cards={
            "a": deck(card("one", ":tags x"), card("two", "")),
            "b": deck(card("three", ":tags x")),
        }
    )
    chosen = catalogue_of(course).chosen(course, ["a"], ["x"])

    assert [question.key.card for question in chosen] == ["one"]


def test_an_unknown_tag_is_an_error(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": ONE})

    with pytest.raises(CourseError, match="--tag nothing"):
        catalogue_of(course).chosen(course, tags=["nothing"])


def test_a_catalogue_with_any_letter_changed_is_made_again(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": TWO})
    first = names(course.root)
    sound = memory().read_text()

    found = []
    for place in range(0, len(sound), 7):
        memory().write_text(f"{sound[:place]}~{sound[place + 1 :]}")
        found.append(names(course.root))

    assert [other for other in found if other != first] == []
