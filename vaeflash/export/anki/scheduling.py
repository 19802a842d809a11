"""What was learned in the terminal -> the rows that Anki would have written of the same answers.

Anki takes them on import if asked to, and only for cards that it does not have yet. Days are
counted from a day of the package's own, and Anki moves them to the day from which its collection
counts; so a card is due on the same date there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from operator import itemgetter
from typing import Any, Final, Self

from vaeflash.export.anki.notes import note_guid
from vaeflash.export.anki.notetypes import card_type, cloze_type
from vaeflash.study.memory import (
    DAY_STARTS_AT,
    NEW,
    Memory,
    Phase,
    Rating,
    day_ends,
    day_of,
    to_milliseconds,
)
from vaeflash.study.reviews import CardKey, CardState, Review, Store
from vaeflash.study.schedule import LEARNING_STEPS, RELEARNING_STEPS

_DAY_ZERO: Final = date(2020, 1, 1)
_COUNTING: Final = {"schedVer": 2, "creationOffset": 0}
"""Has Anki count a collection's days from the date, in UTC, on which it began."""

_TYPES: Final = {Phase.NEW: 0, Phase.LEARNING: 1, Phase.REVIEW: 2, Phase.RELEARNING: 3}
_KINDS: Final = {Phase.NEW: 0, Phase.LEARNING: 0, Phase.REVIEW: 1, Phase.RELEARNING: 2}
"""What an answer was, by the phase before it."""
_TIMED, _REVIEW, _BY_DAY, _SUSPENDED, _BURIED = 1, 2, 3, -1, -3
"""Queues."""

_FIRST_EASE: Final = 2500
_LEAST_EASE: Final = 1300
_EASE_CHANGES: Final = {Rating.AGAIN: -200, Rating.HARD: -150, Rating.EASY: 150}
"""In thousandths. FSRS does not use it, but Anki keeps it, for those who turn FSRS off."""
_RETENTION_AND_DECAY: Final = {"dr": 0.9, "decay": 0.154}
"""As Anki writes the defaults of FSRS-6 down."""

_Place = tuple[str, int, int]
"""Where a package has a card: its note's guid, note type and template."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a package took along.

    Attributes:
        cards: Those that were answered, suspended, flagged or buried.
        reviews: Answers.
        left: Cards of which there was something to carry and that the package does not have.
    """

    cards: int
    reviews: int
    left: tuple[CardKey, ...] = ()


class Progress:
    """What was learned of one course.

    Answers that were taken back are not part of it, as they are not in Anki.

    Args:
        course: Its id.
        states: Where its cards stand, for their marks.
        reviews: Every answer, in order.
        now: Says what is buried; that ends with the day.
        zone: Whose days; by default those of this machine's clock.

    Attributes:
        carried: What the last package took along.
    """

    def __init__(
        self,
        course: str,
        states: Iterable[CardState],
        reviews: Iterable[Review],
        now: datetime,
        zone: tzinfo | None = None,
    ) -> None:
        self.carried = Carried(0, 0)
        self._course = course
        self._today = day_of(now, zone)
        self._zone = zone
        self._eases: dict[CardKey, int] = {}
        self._log: list[tuple[CardKey, int, tuple[int, ...]]] = []
        memories: dict[CardKey, Memory] = {}
        for review in reviews:
            if not review.undone:
                memories[review.key] = review.after
                self._eases[review.key] = _ease(self._eases.get(review.key, 0), review)
                self._log.append((review.key, to_milliseconds(review.at), _log_row(review, zone)))
        marked = {s.key: s for s in states if s.flag or not s.is_asked(self._today)}
        # The log is the truth, also of what was answered elsewhere while states were read.
        self._states = {
            key: replace(marked.get(key, CardState(key)), memory=memories.get(key, NEW))
            for key in marked | memories
        }

    @classmethod
    def of(cls, store: Store, course: str, now: datetime) -> Self:
        """That of a course, as the store has it now."""
        return cls(course, store.states(course), store.reviews(course), now, store.zone)

    def write(self, database: sqlite3.Connection) -> None:
        """Lay it over the new cards of a package's collection."""
        _count_days(database)
        wanted = {self._place(key): key for key in self._states}
        found: dict[CardKey, int] = {}
        cards = database.execute(
            "select cards.id, due, guid, mid, ord from cards join notes on notes.id = nid"
        )
        for card, position, *place in cards.fetchall():
            key = wanted.get(tuple(place))
            if key is not None:
                found[key] = card
                self._write_card(database, key, card, position)
        log = list(self._numbered(found))
        database.executemany("insert into revlog values (?, ?, -1, ?, ?, ?, ?, ?, ?)", log)
        self.carried = Carried(
            len(found), len(log), tuple(sorted(self._states.keys() - found.keys()))
        )

    def _write_card(
        self, database: sqlite3.Connection, key: CardKey, card: int, position: int
    ) -> None:
        columns = _columns(self._states[key], position, self._today, self._zone)
        if key in self._eases:
            columns["factor"] = self._eases[key]
        names = ", ".join(f"{name} = ?" for name in columns)
        database.execute(f"update cards set {names} where id = ?", [*columns.values(), card])

    def _numbered(self, cards: dict[CardKey, int]) -> Iterator[tuple[int, ...]]:
        """The log of these cards; Anki knows an answer by its moment, so no two share one."""
        last = 0
        for key, moment, row in sorted(self._log, key=itemgetter(1)):
            if key in cards:
                last = max(last + 1, moment)
                yield last, cards[key], *row

    def _place(self, key: CardKey) -> _Place:
        return note_guid(self._course, key.card), *_template(key.template)


def _template(name: str) -> tuple[int, int]:
    """The note type and the number of the template of what the terminal calls so."""
    if name.startswith("cloze"):
        return cloze_type().model_id, int(name.removeprefix("cloze")) - 1
    names = [template["name"].lower() for template in card_type().templates]
    return card_type().model_id, names.index(name) if name in names else -1


def _count_days(database: sqlite3.Connection) -> None:
    """Say from which day the days of the package are counted."""
    ((options,),) = database.execute("select conf from col")
    begun = int(datetime.combine(_DAY_ZERO, time(), UTC).timestamp())
    options = json.dumps(json.loads(options) | _COUNTING)
    database.execute("update col set crt = ?, conf = ?", (begun, options))


def _columns(state: CardState, position: int, today: date, zone: tzinfo | None) -> dict[str, Any]:
    """What is not in a row of a card that was never answered and never marked.

    Args:
        state: With something to carry.
        position: Among the new cards, where it would go if Anki is told to forget it.
        today: Says whether it is still buried.
        zone: Whose days.
    """
    memory, asked = state.memory, state.is_asked(today)
    columns: dict[str, Any] = {"flags": state.flag}
    if memory.phase is not Phase.NEW:
        queue, due = _queue(memory, zone, asked=asked)
        columns |= {
            "type": _TYPES[memory.phase],
            "queue": queue,
            "due": due,
            "ivl": memory.interval,
            "reps": memory.reps,
            "lapses": memory.lapses,
            "left": 0 if memory.phase is Phase.REVIEW else len(_steps(memory)) - memory.step,
            "data": _memory_text(memory, position),
        }
    if not asked:
        columns["queue"] = _SUSPENDED if state.suspended else _BURIED
    return columns


def _queue(memory: Memory, zone: tzinfo | None, *, asked: bool) -> tuple[int, int]:
    """The queue of a card, and the second or the day on which it is due there."""
    assert memory.due_day is not None
    if memory.due_at is not None:
        return _TIMED, to_milliseconds(memory.due_at) // 1000
    if memory.phase is not Phase.REVIEW and not asked:
        # On import Anki does not move the day of a step that is put aside: so, when it begins.
        begins = datetime.combine(memory.due_day, time(DAY_STARTS_AT), zone)
        return _TIMED, int(begins.timestamp())
    return _REVIEW if memory.phase is Phase.REVIEW else _BY_DAY, (memory.due_day - _DAY_ZERO).days


def _memory_text(memory: Memory, position: int) -> str:
    """Stability, difficulty, and what else Anki keeps with them."""
    assert memory.last_review is not None
    last = to_milliseconds(memory.last_review) // 1000
    data = {"pos": position, "s": memory.stability, "d": memory.difficulty}
    return json.dumps(data | _RETENTION_AND_DECAY | {"lrt": last}, separators=(",", ":"))


def _log_row(review: Review, zone: tzinfo | None) -> tuple[int, ...]:
    """Rating, interval, the one before it, difficulty, milliseconds, kind."""
    before, after = review.before, review.after
    assert after.due_day is not None
    if after.due_at is None:
        interval = (after.due_day - review.day).days
    else:
        interval = -((after.due_at - review.at) // timedelta(seconds=1))
    # From 1 to 10 becomes from 100 to 1100.
    difficulty = round((after.difficulty - 1) / 9 * 1000) + 100
    last = _last_interval(before, review.at, zone)
    return review.rating, interval, last, difficulty, review.duration, _KINDS[before.phase]


def _last_interval(before: Memory, at: datetime, zone: tzinfo | None) -> int:
    """Days, or seconds below zero: for a step its length, as if it had begun now."""
    if before.phase in (Phase.NEW, Phase.REVIEW):
        return before.interval
    seconds = _steps(before)[before.step]
    # No step is longer than a day.
    return -seconds if at + timedelta(seconds=seconds) < day_ends(at, zone) else 1


def _steps(memory: Memory) -> tuple[int, ...]:
    return RELEARNING_STEPS if memory.phase is Phase.RELEARNING else LEARNING_STEPS


def _ease(ease: int, review: Review) -> int:
    """In thousandths, after an answer; 0 until the card has been learned."""
    if review.before.phase is Phase.REVIEW:
        return max(_LEAST_EASE, ease + _EASE_CHANGES.get(review.rating, 0))
    return ease or (_FIRST_EASE if review.after.phase is Phase.REVIEW else 0)
