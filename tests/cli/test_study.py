"""What the reviews say: counts for a prompt, statistics, orphans, the log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import MakeCourse, card, deck
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from vaeflash.cli.due import print_due
from vaeflash.cli.reviews import print_orphans, print_reviews
from vaeflash.cli.screen import Screen
from vaeflash.cli.stats import print_stats
from vaeflash.course.course import Course
from vaeflash.study.memory import Rating
from vaeflash.study.questions import catalogue_of
from vaeflash.study.reviews import open_store
from vaeflash.study.session import Session

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = START + timedelta(days=40)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Days are those of Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    return make_course(
        cards={
            "first": deck(*(card(f"card-{n}", "") for n in range(4)), title="AE::First"),
            "second": deck(card("other", ":reversed"), title="AE::Second"),
        }
    )


def study_on(course: Course, *sittings: tuple[datetime, list[Rating]]) -> None:
    """Answer the next cards of a course, at these times."""
    for when, ratings in sittings:
        with open_store() as store:
            session = Session(store, catalogue_of(course).questions, lambda when=when: when)
            for rating in ratings:
                assert session.next()
                session.answer(rating)


def printed(tell: Any, course: Course, *arguments: Any, width: int = 80, **options: Any) -> str:
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        tell(course, Screen(console), *arguments, **options)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


@pytest.fixture
def studied(course: Course) -> Course:
    """Three cards learned at once; when they come back, two are known and one is not."""
    easy, again = Rating.EASY, Rating.AGAIN
    study_on(course, (START, [easy, easy, easy, Rating.AGAIN]), (LATER, [easy, again, Rating.GOOD]))
    return course


def test_due_is_one_line(course: Course) -> None:
    assert printed(print_due, course, clock=lambda: START) == "0 due, 6 new"


def test_due_is_one_number_for_a_prompt(course: Course) -> None:
    assert printed(print_due, course, number_only=True, clock=lambda: START) == "6"


def test_due_counts_what_waits_for_later_today(course: Course) -> None:
    study_on(course, (START, [Rating.GOOD]))

    assert printed(print_due, course, clock=lambda: START) == "0 due, 5 new, 1 later today"


def test_due_counts_one_deck(course: Course) -> None:
    assert printed(print_due, course, ["second"], clock=lambda: START) == "0 due, 2 new"


def test_due_as_json_has_every_count(course: Course) -> None:
    told = json.loads(printed(print_due, course, as_json=True, clock=lambda: START))

    assert told == {
        "vaeflash": 1,
        "command": "due",
        "course": "course",
        "due": 6,
        "learning": 0,
        "review": 0,
        "new": 6,
        "later": 0,
    }


def test_retention_is_the_share_of_learned_cards_that_were_known(studied: Course) -> None:
    told = json.loads(printed(print_stats, studied, as_json=True, clock=lambda: LATER))

    assert told["retention"] == {"days": 30, "reviews": 2, "passed": 1}


@pytest.mark.parametrize(("days", "reviews"), [(29, 2), (30, 0)])
def test_retention_is_of_thirty_days_today_among_them(
    studied: Course, days: int, reviews: int
) -> None:
    then = LATER + timedelta(days=days)
    told = json.loads(printed(print_stats, studied, as_json=True, clock=lambda: then))

    assert told["retention"]["reviews"] == reviews


def test_the_forecast_is_of_two_weeks_and_begins_today(studied: Course) -> None:
    told = json.loads(printed(print_stats, studied, as_json=True, clock=lambda: LATER))
    days = [row["day"] for row in told["forecast"]]

    assert (days[0], days[-1], len(days)) == ("2026-04-11", "2026-04-24", 14)


def test_each_deck_has_its_own_row(studied: Course) -> None:
    told = json.loads(printed(print_stats, studied, as_json=True, clock=lambda: LATER))
    rows = {row["deck"]: (row["questions"], row["new"]) for row in told["decks"]}

    assert rows == {"AE::First": (4, 0), "AE::Second": (2, 2)}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_statistics_look_like_this(
    studied: Course, width: int, snapshot: SnapshotAssertion
) -> None:
    assert printed(print_stats, studied, width=width, clock=lambda: LATER) == snapshot


def test_statistics_of_nothing_say_how_to_begin(
    course: Course, snapshot: SnapshotAssertion
) -> None:
    assert printed(print_stats, course, clock=lambda: START) == snapshot


def test_a_card_that_left_the_course_is_an_orphan(studied: Course, make_course: MakeCourse) -> None:
    (studied.root / "cards" / "first.md").unlink()
    left = make_course(cards={"second": deck(card("other", ":reversed"))})
    told = json.loads(printed(print_orphans, left, as_json=True))

    assert [row["card"] for row in told["orphans"]] == [f"card-{n}" for n in range(4)]


def test_orphans_are_listed_with_what_is_known_of_them(
    studied: Course, make_course: MakeCourse
) -> None:
    (studied.root / "cards" / "first.md").unlink()
    left = make_course(cards={"second": deck(card("other", ":reversed"))})

    assert "card-1  forward  1 answer, the last on 2026-03-02" in printed(print_orphans, left)


def test_a_course_without_orphans_says_so(studied: Course) -> None:
    assert printed(print_orphans, studied) == "Every card with reviews is in the course."


def test_the_log_is_exported_with_what_was_taken_back(course: Course) -> None:
    study_on(course, (START, [Rating.EASY]))
    with open_store() as store:
        store.undo("course", START)
    told = json.loads(printed(print_reviews, course, as_json=True))

    assert [(entry["what"], entry.get("undone")) for entry in told["log"]] == [
        ("answer", True),
        ("undo", None),
    ]


def test_the_log_can_be_read(course: Course) -> None:
    study_on(course, (START, [Rating.EASY]))
    with open_store() as store:
        key = catalogue_of(course).questions[0].key
        store.bury(key, START)
        store.suspend(key, START)
        store.unsuspend(key, START)
        store.flag(key, 1, START)
        store.undo("course", START)
    lines = printed(print_reviews, course).splitlines()

    assert [line.split("card-0/forward  ")[1] for line in lines] == [
        "Easy",
        "buried until 2026-03-03",
        "suspended",
        "asked again",
        "flag 1  (taken back)",
        "takes back number 5",
    ]
