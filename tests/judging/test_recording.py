"""What a check found is news only where an answer changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import COIN, MakeCourse, card, deck

from vaeflash.card import Status
from vaeflash.course.course import Course
from vaeflash.judging.ledger import ControlEntry, Entry, Ledger, read_ledger, write_ledger
from vaeflash.judging.recording import record, says_the_same

CONTROL = ControlEntry("rate=0", "refuted", 0, 2, flipped=True)
ENTRY = Entry(
    card="it",
    claim="mse < 1 and mse > 0",
    myth=False,
    demo="coin",
    status=Status.VERIFIED,
    verdict="holds",
    yes=1,
    no=1,
    e_for=1.9,
    values={"1000": {"mse": 0.5}, "1001": {"mse": 2.0}},
    controls=(CONTROL,),
    code="c",
    data={"digits": "#1"},
    device="cpu",
    torch="2.13",
    date="2026-01-01",
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"date": "2027-01-01"},
        {"values": {"1000": {"mse": 0.5000001}, "1001": {"mse": 1.5}}},
        {"e_for": 1.8999},
        {"own": True},
    ],
)
def test_other_digits_are_no_news(changes: dict[str, Any]) -> None:
    assert says_the_same(ENTRY, replace(ENTRY, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"values": {"1000": {"mse": 2.0}, "1001": {"mse": 0.5}}},
        {"values": {"1000": {"mse": 0.5}, "1001": {"mse": -2.0}}},
        {"values": {"1000": {"mse": 0.5}}},
        {"yes": 2, "no": 0},
        {"status": Status.OPEN},
        {"verdict": "refuted"},
        {"controls": ()},
        {"controls": (replace(CONTROL, no=3),)},
        {"code": "d"},
        {"data": {"digits": "#2"}},
        {"device": "cuda"},
        {"torch": "2.14"},
        {"note": "undecided"},
    ],
)
def test_another_answer_or_another_origin_is_news(changes: dict[str, Any]) -> None:
    assert not says_the_same(ENTRY, replace(ENTRY, **changes))


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    meta = ":demo coin\n:claim mse < 1 and mse > 0\n:control rate=0"
    return make_course(cards={"deck": deck(card("it", meta))}, demos={"coin": COIN})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.jsonl"
    write_ledger(path, Ledger([ENTRY]))
    return path


AGAIN = replace(
    ENTRY, date="2027-01-01", values={"1000": {"mse": 0.51}, "1001": {"mse": 2.1}}, e_for=1.8999
)


def test_the_same_answers_change_no_byte(course: Course, path: Path) -> None:
    before = path.read_bytes()
    record(course, path, [AGAIN])

    assert path.read_bytes() == before


def test_new_values_are_written_where_they_are_asked_for(course: Course, path: Path) -> None:
    record(course, path, [AGAIN], new_values=True)

    assert list(read_ledger(path)) == [AGAIN]


def test_what_could_not_run_here_replaces_nothing(course: Course, path: Path) -> None:
    record(course, path, [ENTRY.marked(Status.NOT_RUN, "no GPU")])

    assert list(read_ledger(path)) == [ENTRY]
