"""However a command is stopped, it keeps what it has finished and says so by its exit code."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import COIN, SUM, MakeCourse, card, deck
from typer.testing import CliRunner

from vaeflash.cli import app
from vaeflash.course.consent import trust
from vaeflash.course.course import Course
from vaeflash.interrupts import TOLD
from vaeflash.judging.ledger import Ledger, read_ledger, write_ledger
from vaeflash.study.reviews import open_store

STOPS = COIN.replace(
    "    heads =",
    "    import os, signal\n"
    "    if os.environ.get('STOP'):\n"
    "        signal.raise_signal(int(os.environ['STOP']))\n"
    "    heads =",
)
"""A coin whose toss is a signal to the process that makes the run, if the environment says so."""


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """As a program starts with them, and afterwards as they were."""
    before = {number: signal.getsignal(number) for number in TOLD}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    first = card("first", ":demo sum\n:claim total == 4\n:control a=3")
    second = card("second", ":demo stops\n:claim heads == 1\n:control rate=0")
    made = make_course(cards={"deck": deck(first, second)}, demos={"sum": SUM, "stops": STOPS})
    trust(made)
    return made


def run(course: Course, *words: str, keys: str = "") -> Any:
    return CliRunner().invoke(app, ["--course", str(course.root), *words], input=keys)


@pytest.mark.parametrize("number", TOLD)
def test_a_check_that_is_stopped_records_what_it_has_judged(
    course: Course, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setenv("STOP", str(number))

    done = run(course, "check", "-j0")

    recorded = [entry.card for entry in read_ledger(course.ledger_path)]
    assert (done.exit_code, recorded) == (128 + number, ["first"])


def test_a_second_ctrl_c_while_the_ledger_is_written_does_not_lose_it(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOP", str(int(signal.SIGINT)))

    def impatient(path: Any, ledger: Ledger) -> None:
        signal.raise_signal(signal.SIGINT)
        write_ledger(path, ledger)

    monkeypatch.setattr("vaeflash.judging.recording.write_ledger", impatient)
    done = run(course, "check", "-j0")

    recorded = [entry.card for entry in read_ledger(course.ledger_path)]
    assert (done.exit_code, recorded) == (130, ["first"])


@pytest.mark.parametrize(
    ("number", "code", "answers"), [(signal.SIGINT, 0, 2), (signal.SIGTERM, 143, 1)]
)
def test_a_trial_in_a_quiz_is_stopped_by_ctrl_c_and_the_quiz_by_the_others(
    course: Course, monkeypatch: pytest.MonkeyPatch, number: int, code: int, answers: int
) -> None:
    monkeypatch.setenv("STOP", str(int(number)))

    done = run(course, "quiz", keys="\n3\n\nd\n3\n")

    with open_store() as store:
        stored = list(store.reviews(course.id))
    assert (done.exit_code, len(stored)) == (code, answers)


def test_a_signal_leaves_no_handler_behind(course: Course) -> None:
    run(course, "list")

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_terminal_that_went_away_does_not_hide_that_the_command_was_stopped(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        signal.raise_signal(signal.SIGHUP)

    def dead(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("vaeflash.cli.screen.Screen.note", dead)
    monkeypatch.setattr("vaeflash.cli.check.choose", gone)

    assert run(course, "check", "-j0").exit_code == 129
