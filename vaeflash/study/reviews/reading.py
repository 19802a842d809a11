"""Reading reviews: what there is to ask, where cards stand, and what was done."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, datetime, tzinfo
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from vaeflash.study.memory import day_of, is_due, to_milliseconds
from vaeflash.study.reviews.database import open_database, told, unreadable
from vaeflash.study.reviews.records import CardKey, CardState, DayCount, Queues, Review, Today
from vaeflash.study.reviews.rows import (
    LOG,
    STATES,
    day_count_in,
    expected_in,
    plain_in,
    review_in,
    state_in,
)

Made = TypeVar("Made")

_COUNTED: Final = """
    FROM answer JOIN card ON card.id = answer.card
    LEFT JOIN log AS former ON former.id = answer.previous
"""
_SOME_CARDS: Final = " AND card.card IN (SELECT value FROM json_each(?))"
_ASKED_BY: Final = """
    NOT state.suspended AND coalesce(state.buried, '') <= ?2
    AND (state.answer IS NULL OR log.due_at IS NOT NULL OR log.due_day <= ?2)
"""
"""Nobody put the card aside, and it is new, in learning, or due."""


class ReviewReader:
    """The reviews in one file, to be read.

    All methods raise `StoreError` if the file cannot be read, or is damaged.

    Args:
        path: The file.
        zone: Whose days; by default those of this machine's clock.
    """

    def __init__(self, path: Path, zone: tzinfo | None = None) -> None:
        self.path = path
        self.zone = zone
        self._connection = open_database(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with told(self.path):
            self._connection.close()

    # What there is to ask

    def state(self, key: CardKey) -> CardState:
        """Where a card stands."""
        where = "card.course = ? AND card.card = ? AND card.template = ?"
        row = self._row(f"{STATES} WHERE {where}", *key)
        return CardState(key) if row is None else self._made(state_in, row)

    def states(self, course: str) -> list[CardState]:
        """Where each card stands to which anything happened, in the course or no longer."""
        order = "ORDER BY card.card, card.template"
        rows = self._rows(f"{STATES} WHERE card.course = ? {order}", course)
        return [self._made(state_in, row) for row in rows]

    def queues(self, course: str, cards: Sequence[CardKey], now: datetime) -> Queues:
        """What there is to ask of these cards of a course, without limits."""
        today = day_of(now, self.zone)
        rows = self._rows(
            f"{STATES} WHERE card.course = ?1 AND {_ASKED_BY}", course, today.isoformat()
        )
        # Of 10,000 cards a few are due, and only those become records.
        asked = {state.key: state for state in (self._made(state_in, row) for row in rows)}
        known = {
            tuple(row)
            for row in self._rows(
                "SELECT course, card, template FROM card WHERE course = ?", course
            )
        }
        new: list[CardState] = []
        timed: list[CardState] = []
        review: list[CardState] = []
        for key in dict.fromkeys(cards):
            if key not in known:
                new.append(CardState(key))
            elif state := asked.get(key):
                memory = state.memory
                queue = new if memory.due_day is None else timed if memory.due_at else review
                queue.append(state)
        # Sorting is stable: equals stay in the course's order.
        timed.sort(key=lambda state: to_milliseconds(state.memory.due_at or now))
        review.sort(key=lambda state: state.memory.due_day or today)
        return Queues(
            learning=tuple(state for state in timed if is_due(state.memory, now, self.zone)),
            review=tuple(review),
            new=tuple(new),
            later=tuple(state for state in timed if not is_due(state.memory, now, self.zone)),
        )

    def orphans(self, course: str, cards: Collection[CardKey]) -> list[CardState]:
        """Cards to which something happened and that the course no longer has."""
        existing = set(cards)
        return [state for state in self.states(course) if state.key not in existing]

    # What was done

    def today(self, course: str, now: datetime) -> Today:
        """What was done since the day began."""
        row = self._row(
            "SELECT count(*) AS answers, coalesce(sum(former.id IS NULL), 0) AS new,"
            " coalesce(sum(former.id IS NOT NULL AND former.due_at IS NULL), 0) AS reviews,"
            f" coalesce(sum(answer.duration), 0) AS duration {_COUNTED}"
            " WHERE answer.day = ? AND card.course = ?",
            day_of(now, self.zone).isoformat(),
            course,
        )
        return Today(row["new"], row["reviews"], row["answers"], row["duration"])

    def days(self, course: str, cards: Collection[str] | None = None) -> list[DayCount]:
        """What was answered on each day on which something was, the first day first.

        Args:
            course: Its id.
            cards: Only answers to these card ids, such as those of one deck.
        """
        chosen, values = _chosen(cards)
        rows = self._rows(
            "SELECT answer.day, count(*) AS answers, sum(former.id IS NULL) AS new,"
            " sum(former.phase IS 'review') AS reviews,"
            " sum(former.phase IS 'review' AND answer.rating > 1) AS passed,"
            f" sum(answer.duration) AS duration {_COUNTED}"
            f" WHERE card.course = ?{chosen} GROUP BY answer.day ORDER BY answer.day",
            course,
            *values,
        )
        return [self._made(day_count_in, row) for row in rows]

    def forecast(
        self, course: str, now: datetime, cards: Collection[str] | None = None
    ) -> dict[date, int]:
        """How many cards come back on each day; what is overdue counts for today.

        Args:
            course: Its id.
            now: Says what today is.
            cards: Only these card ids, such as those of the decks that exist.
        """
        chosen, values = _chosen(cards)
        rows = self._rows(
            "SELECT max(log.due_day, coalesce(state.buried, ''), ?) AS day, count(*) AS cards"
            " FROM state JOIN card ON card.id = state.card JOIN log ON log.id = state.answer"
            f" WHERE NOT state.suspended AND card.course = ?{chosen} GROUP BY 1 ORDER BY 1",
            day_of(now, self.zone).isoformat(),
            course,
            *values,
        )
        return dict(self._made(expected_in, row) for row in rows)

    def answers(self) -> int:
        """How many there are of all courses, without what was taken back."""
        return int(self._row("SELECT count(*) AS answers FROM answer")["answers"])

    def reviews(self, course: str) -> Iterator[Review]:
        """Every answer, in order, those that were taken back too, which say so."""
        for row in self._rows(
            f"{LOG} WHERE card.course = ? AND log.rating IS NOT NULL ORDER BY log.id", course
        ):
            yield self._made(review_in, row)

    def log(self, course: str | None = None) -> Iterator[dict[str, Any]]:
        """Everything that happened, in order, in plain values for JSON.

        Each has `number`, `course`, `card`, `template`, `at` in milliseconds since 1970 UTC, `day`
        and `what`: "answer" with `rating`, `duration` in milliseconds, `before` and `after`;
        "suspend" or "flag" with a `value`; "bury" with the day `until` which; each of these says
        whether it was `undone`, and "undo" which number it `undoes`.
        """
        where = "" if course is None else " WHERE card.course = ?"
        values = () if course is None else (course,)
        for row in self._rows(f"{LOG}{where} ORDER BY log.id", *values):
            yield self._made(plain_in, row)

    # How

    def _made(self, make: Callable[[sqlite3.Row], Made], row: sqlite3.Row) -> Made:
        """The record of a row."""
        try:
            return make(row)
        except ValueError as error:
            raise unreadable(self.path, str(error)) from error

    def _rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with told(self.path):
            return self._connection.execute(query, values).fetchall()

    def _row(self, query: str, *values: object) -> Any:
        with told(self.path):
            return self._connection.execute(query, values).fetchone()


def _chosen(cards: Collection[str] | None) -> tuple[str, tuple[str, ...]]:
    """A condition for these card ids, with its values."""
    return ("", ()) if cards is None else (_SOME_CARDS, (json.dumps(list(cards)),))
