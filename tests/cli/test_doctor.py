"""The doctor looks at the reviews, too, and says what to do about them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from conftest import MakeCourse, card, deck
from rich.console import Console

from vaeflash.cli.app import Settings
from vaeflash.cli.doctor import print_doctor
from vaeflash.cli.screen import Screen
from vaeflash.course.course import Course
from vaeflash.study.memory import NEW, Rating
from vaeflash.study.reviews import CardKey, CardState, Store, StoreError, open_store, reviews_path
from vaeflash.study.schedule import Scheduler

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEYS = [CardKey("course", f"card-{number}") for number in range(3)]


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    return make_course(cards={"deck": deck(card("it", ""))})


def examined(course: Course, **options: bool) -> tuple[bool, str]:
    """Whether all is well, and what was printed, problems among it."""
    settings = Settings(course.root, no_color=True, debug=False)
    console = Console(width=200, color_system=None)
    settings.out = settings.err = Screen(console)
    with console.capture() as capture:
        well = print_doctor(settings, **({"as_json": False} | options))
    return well, capture.get()


def study() -> list[CardState]:
    """Three answers, one of them taken back; where the cards stand."""
    scheduler = Scheduler(UTC)
    with open_store() as store:
        for key in KEYS:
            store.answer(key, NEW, Rating.GOOD, scheduler.next(NEW, Rating.GOOD, NOON))
        store.undo("course", NOON)
        return store.states("course")


def spoil_states() -> None:
    with Store(reviews_path()) as store:
        store._connection.execute("UPDATE state SET answer = NULL, suspended = 1")


def test_the_doctor_counts_answers_and_says_that_they_are_sound(course: Course) -> None:
    study()
    well, printed = examined(course)

    assert (well, str(reviews_path()) in printed) == (True, True)
    assert "2 answers, log and states agree" in printed


def test_the_doctor_makes_no_file_where_there_is_none(course: Course) -> None:
    well, printed = examined(course, rebuild_reviews=True)

    assert (well, "0 answers" in printed, reviews_path().exists()) == (True, True, False)


def test_the_doctor_says_that_log_and_states_disagree_and_what_to_do(course: Course) -> None:
    study()
    spoil_states()
    well, printed = examined(course)

    assert (well, "the log and the states of cards disagree" in printed) == (False, True)
    assert "`vaeflash doctor --rebuild-reviews`" in printed


def test_the_doctor_makes_the_states_from_the_log(course: Course) -> None:
    before = study()
    spoil_states()
    well, _ = examined(course, rebuild_reviews=True)

    with open_store() as store:
        assert (well, store.states("course")) == (True, before)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"not a database, " * 500, "this file is damaged"), (None, "a newer vaeflash wrote")],
)
def test_the_doctor_goes_on_where_reviews_cannot_be_read(
    course: Course, content: bytes | None, told: str
) -> None:
    study()
    if content is None:
        with open_store() as store:
            store._connection.execute("PRAGMA user_version = 99")
    else:
        reviews_path().write_bytes(content)
    well, printed = examined(course)

    assert (well, told in printed, "runs go to" in printed) == (False, True, True)


def test_damaged_reviews_cannot_be_made_anew(course: Course) -> None:
    study()
    reviews_path().write_bytes(b"not a database, " * 500)

    with pytest.raises(StoreError, match="this file is damaged"):
        examined(course, rebuild_reviews=True)


def test_the_doctor_tells_all_of_it_as_json(course: Course) -> None:
    study()
    spoil_states()
    told = json.loads(examined(course, as_json=True)[1])["reviews"]

    assert (told["answers"], len(told["problems"])) == (2, 1)


def test_a_log_that_contradicts_itself_is_not_to_be_rebuilt(course: Course) -> None:
    with open_store() as store:
        seventh = replace(Scheduler(UTC).next(NEW, Rating.GOOD, NOON), reps=7)
        store.answer(KEYS[0], NEW, Rating.GOOD, seventh)
    printed = examined(course)[1]

    assert ("does not build on the one before" in printed, "rebuild" in printed) == (True, False)


def test_the_doctor_examines_a_machine_beside_demos_that_cannot_be_read(course: Course) -> None:
    os.mkfifo(course.root / "demos" / "pipe")

    well, printed = examined(course)

    assert (well, "python" in printed) == (True, True)
