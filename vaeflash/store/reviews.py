"""Storing what was answered, and telling what there is to ask and what was."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from vaeflash.errors import Problem
from vaeflash.schedule import (
    NEW,
    Memory,
    Rating,
    day_of,
    is_due,
    to_milliseconds,
)
from vaeflash.store.database import (
    StoreError,
    damaged,
    open_database,
    reviews_path,
    told,
    transaction,
)
from vaeflash.store.records import CardKey, CardState, DayCount, Queues, Review, Today

_MEMORY: Final = (
    "phase",
    "step",
    "stability",
    "difficulty",
    "interval",
    "due_day",
    "due_at",
    "reps",
    "lapses",
)
"""Columns of the log that hold the memory an answer led to; `at` is its last review."""


def _memory_of(alias: str, prefix: str) -> str:
    """The columns of a memory, from a table under an alias, under names of their own."""
    columns = [f"{alias}.{name} AS {prefix}{name}" for name in _MEMORY]
    return ", ".join([*columns, f"{alias}.at AS {prefix}last_review"])


_STATES: Final = f"""
    SELECT card.course, card.card, card.template, state.suspended, state.buried, state.flag,
           state.answer, {_memory_of("log", "")}
    FROM card JOIN state ON state.card = card.id LEFT JOIN log ON log.id = state.answer
"""
_LOG: Final = f"""
    SELECT log.id, card.course, card.card, card.template, log.at, log.day, log.rating, log.duration,
           log.undoes, log.suspended, log.buried, log.flag, undo.id IS NOT NULL AS undone,
           {_memory_of("log", "after_")}, {_memory_of("former", "before_")}
    FROM log JOIN card ON card.id = log.card
    LEFT JOIN log AS former ON former.id = log.previous
    LEFT JOIN log AS undo ON undo.undoes = log.id
"""
_COUNTED: Final = """
    FROM answer JOIN card ON card.id = answer.card
    LEFT JOIN log AS former ON former.id = answer.previous
"""
_SOME_CARDS: Final = " AND card.card IN (SELECT value FROM json_each(?))"


class ConflictError(StoreError):
    """An answer to a card that was answered elsewhere since it was asked."""


class Store:
    """The reviews in one file.

    Every method that changes something returns once that is on the disk. All raise `StoreError`
    if the file cannot be read or written, or is damaged.

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

    # What happens to a card

    def answer(
        self, key: CardKey, before: Memory, rating: Rating, after: Memory, duration: int = 0
    ) -> int:
        """Store an answer; return its number in the log.

        Args:
            key: The card.
            before: Its memory when it was asked.
            rating: The answer.
            after: The memory that follows, which also says when the answer was given.
            duration: Milliseconds that it took.

        Raises:
            ConflictError: The card's memory is no longer what it was when it was asked.
        """
        at = after.last_review
        if at is None:
            raise ValueError("the memory after an answer says when that was")
        with self._writing():
            number = self._number(key)
            known, previous = self._known(number)
            if known != before:
                raise _conflict(key, known, before)
            values = after.to_dict()
            return self._log(
                number,
                at,
                rating=int(rating),
                previous=previous,
                duration=duration,
                **{name: values[name] for name in _MEMORY},
            )

    def undo(self, course: str, now: datetime) -> Review | None:
        """Take back the last answer of a course, whenever it was given; tell which that was."""
        with self._writing():
            row = self._row(
                # CROSS JOIN: from the end of the log, not from the cards of the course.
                "SELECT answer.id, answer.card FROM answer"
                " CROSS JOIN card ON card.id = answer.card"
                " WHERE card.course = ? ORDER BY answer.id DESC LIMIT 1",
                course,
            )
            if row is None:
                return None
            self._log(row["card"], now, undoes=row["id"])
            return _review(self._row(f"{_LOG} WHERE log.id = ?", row["id"]))

    def bury(self, key: CardKey, now: datetime) -> None:
        """Do not ask a card until the next day."""
        tomorrow = day_of(now, self.zone) + timedelta(days=1)
        with self._writing():
            self._log(self._number(key), now, buried=tomorrow.isoformat())

    def suspend(self, key: CardKey, now: datetime) -> None:
        """Do not ask a card until that is taken back."""
        with self._writing():
            self._log(self._number(key), now, suspended=1)

    def unsuspend(self, key: CardKey, now: datetime) -> None:
        """Ask a card again."""
        with self._writing():
            self._log(self._number(key), now, suspended=0)

    def flag(self, key: CardKey, flag: int, now: datetime) -> None:
        """Mark a card with a flag from 1 to 7, or with none, 0."""
        with self._writing():
            self._log(self._number(key), now, flag=flag)

    # What there is to ask

    def state(self, key: CardKey) -> CardState:
        """Where a card stands."""
        where = "card.course = ? AND card.card = ? AND card.template = ?"
        row = self._row(f"{_STATES} WHERE {where}", *key)
        return CardState(key) if row is None else _state(row)

    def states(self, course: str) -> list[CardState]:
        """Where each card stands to which anything happened, in the course or no longer."""
        order = "ORDER BY card.card, card.template"
        rows = self._rows(f"{_STATES} WHERE card.course = ? {order}", course)
        return [_state(row) for row in rows]

    def queues(self, course: str, cards: Sequence[CardKey], now: datetime) -> Queues:
        """What there is to ask of these cards of a course, without limits."""
        today = day_of(now, self.zone)
        known = {_key(row): row for row in self._rows(f"{_STATES} WHERE card.course = ?", course)}
        new: list[CardState] = []
        timed: list[CardState] = []
        review: list[CardState] = []
        for key in dict.fromkeys(cards):
            row = known.get(key)
            if row is None:
                new.append(CardState(key))
                continue
            if row["answer"] is None:
                queue = new
            elif row["due_at"] is not None:
                queue = timed
            elif row["due_day"] <= today.isoformat():
                queue = review
            else:
                continue
            if (state := _state(row)).is_asked(today):
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
        return [DayCount(**{**row, "day": date.fromisoformat(row["day"])}) for row in rows]

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
        return {date.fromisoformat(row["day"]): row["cards"] for row in rows}

    def reviews(self, course: str) -> Iterator[Review]:
        """Every answer, in order, those that were taken back too, which say so."""
        for row in self._rows(
            f"{_LOG} WHERE card.course = ? AND log.rating IS NOT NULL ORDER BY log.id", course
        ):
            yield _review(row)

    def log(self, course: str | None = None) -> Iterator[dict[str, Any]]:
        """Everything that happened, in order, in plain values for JSON.

        Each has `number`, `course`, `card`, `template`, `at` in milliseconds since 1970 UTC, `day`
        and `what`: "answer" with `rating`, `duration` in milliseconds, `before`, `after` and
        `undone`; "undo" with the `answer` it took back; "suspend" or "flag" with a `value`; "bury"
        with the day `until` which.
        """
        where = "" if course is None else " WHERE card.course = ?"
        values = () if course is None else (course,)
        for row in self._rows(f"{_LOG}{where} ORDER BY log.id", *values):
            yield _plain(row)

    # Whether all is well

    def check(self) -> list[Problem]:
        """What is wrong with the file, or between the log and the states; nothing, if all is well.

        Raises:
            StoreError: The file is damaged.
        """
        (verdict, *_) = self._rows("PRAGMA integrity_check")
        if verdict[0] != "ok":
            raise damaged(self.path, str(verdict[0]))
        found = []
        if self._rows("PRAGMA foreign_key_check"):
            found.append("an entry of the log belongs to no card, or to no answer")
        if self._rows(
            "SELECT * FROM (SELECT * FROM state EXCEPT SELECT * FROM state_by_log)"
            " UNION ALL SELECT * FROM (SELECT * FROM state_by_log EXCEPT SELECT * FROM state)"
        ):
            found.append("the log and the states of cards disagree")
        if self._rows(
            "SELECT 1 FROM (SELECT previous, reps, lag(id) OVER chain AS former,"
            " coalesce(lag(reps) OVER chain, 0) AS known FROM answer"
            " WINDOW chain AS (PARTITION BY card ORDER BY id))"
            " WHERE previous IS NOT former OR reps != known + 1"
        ):
            found.append("an answer does not build on the one before it")
        advice = "`Store.rebuild` makes the states from the log, which is never changed."
        return [Problem(str(self.path), f"{what}.", advice) for what in found]

    def rebuild(self) -> None:
        """Make the states of all cards from the log alone."""
        with self._writing():
            self._connection.execute("DELETE FROM state")
            self._connection.execute("INSERT INTO state SELECT * FROM state_by_log")

    # How

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with told(self.path), transaction(self._connection):
            yield

    def _rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with told(self.path):
            return self._connection.execute(query, values).fetchall()

    def _row(self, query: str, *values: object) -> Any:
        with told(self.path):
            return self._connection.execute(query, values).fetchone()

    def _number(self, key: CardKey) -> int:
        """The number of a card in this file; a new one if nothing happened to it yet."""
        where = "course = ? AND card = ? AND template = ?"
        row = self._row(f"SELECT id FROM card WHERE {where}", *key)
        if row is not None:
            return int(row["id"])
        insert = "INSERT INTO card (course, card, template) VALUES (?, ?, ?)"
        number = self._connection.execute(insert, key).lastrowid
        self._connection.execute("INSERT INTO state (card) VALUES (?)", (number,))
        return int(number or 0)

    def _known(self, number: int) -> tuple[Memory, int | None]:
        """The memory of a card as the log has it, and the answer it comes from."""
        row = self._row(
            f"SELECT state_by_log.answer, {_memory_of('log', '')} FROM state_by_log"
            " LEFT JOIN log ON log.id = state_by_log.answer WHERE state_by_log.card = ?",
            number,
        )
        return _memory(row, ""), row["answer"]

    def _log(self, number: int, at: datetime, **values: object) -> int:
        """Write down what happened to a card, and bring its state up to date."""
        row = {"card": number, "at": to_milliseconds(at), "day": day_of(at, self.zone).isoformat()}
        row |= values
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        written = self._connection.execute(
            f"INSERT INTO log ({names}) VALUES ({marks})", tuple(row.values())
        )
        self._connection.execute(
            "REPLACE INTO state SELECT * FROM state_by_log WHERE card = ?", (number,)
        )
        return int(written.lastrowid or 0)


def open_store(path: Path | None = None, zone: tzinfo | None = None) -> Store:
    """The user's reviews, or those in another file; made if they are not there.

    Args:
        path: The file.
        zone: Whose days; by default those of this machine's clock.

    Raises:
        StoreError: It is damaged, from a newer vaeflash or another program, or not writable.
    """
    return Store(path or reviews_path(), zone)


def _conflict(key: CardKey, known: Memory, before: Memory) -> ConflictError:
    if known.reps == before.reps:
        what = "the answer it builds on was taken back elsewhere, and another given"
    elif known.reps < before.reps:
        what = "the answer it builds on was taken back elsewhere"
    else:
        what = "it was answered elsewhere since it was asked here"
    return ConflictError(
        Problem(
            f"card '{key.card}' ({key.template})",
            f"this answer was not stored: {what}.",
            "Go on with the next card; this one comes back when it is due.",
        )
    )


def _chosen(cards: Collection[str] | None) -> tuple[str, tuple[str, ...]]:
    """A condition for these card ids, with its values."""
    return ("", ()) if cards is None else (_SOME_CARDS, (json.dumps(list(cards)),))


def _key(row: sqlite3.Row) -> CardKey:
    return CardKey(row["course"], row["card"], row["template"])


def _memory(row: sqlite3.Row, prefix: str) -> Memory:
    if row[f"{prefix}phase"] is None:
        return NEW
    return Memory.from_dict({name: row[f"{prefix}{name}"] for name in (*_MEMORY, "last_review")})


def _state(row: sqlite3.Row) -> CardState:
    return CardState(
        key=_key(row),
        memory=_memory(row, ""),
        suspended=bool(row["suspended"]),
        flag=row["flag"],
        buried_until=row["buried"] and date.fromisoformat(row["buried"]),
    )


def _review(row: sqlite3.Row) -> Review:
    return Review(
        number=row["id"],
        key=_key(row),
        day=date.fromisoformat(row["day"]),
        rating=Rating(row["rating"]),
        duration=row["duration"],
        before=_memory(row, "before_"),
        after=_memory(row, "after_"),
        undone=bool(row["undone"]),
    )


def _plain(row: sqlite3.Row) -> dict[str, Any]:
    """A row of the log in plain values."""
    entry = {name: row[name] for name in ("course", "card", "template", "at", "day")}
    entry = {"number": row["id"]} | entry
    if row["rating"] is not None:
        return entry | {
            "what": "answer",
            "rating": row["rating"],
            "duration": row["duration"],
            "before": _memory(row, "before_").to_dict(),
            "after": _memory(row, "after_").to_dict(),
            "undone": bool(row["undone"]),
        }
    if row["undoes"] is not None:
        return entry | {"what": "undo", "answer": row["undoes"]}
    if row["buried"] is not None:
        return entry | {"what": "bury", "until": row["buried"]}
    what = "flag" if row["flag"] is not None else "suspend"
    return entry | {
        "what": what,
        "value": row["flag"] if what == "flag" else bool(row["suspended"]),
    }
