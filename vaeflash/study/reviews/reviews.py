"""Writing reviews: what was answered, and what marks a card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final

from vaeflash.errors import Problem
from vaeflash.study.memory import Memory, Rating, day_of, to_milliseconds
from vaeflash.study.reviews.database import StoreError, damaged, reviews_path, told, transaction
from vaeflash.study.reviews.reading import ReviewReader
from vaeflash.study.reviews.records import CardKey, Undone
from vaeflash.study.reviews.rows import MEMORY, STATES, memory_in, memory_of, state_in, undone_in

_OF_THE_STATES: Final = (
    "`vaeflash doctor --rebuild-reviews` makes the states from the log, which is never changed."
)
_OF_THE_LOG: Final = (
    "No vaeflash writes that. Put a backup of yours in its place; or go on, and each card follows"
    " its last answer."
)


class ConflictError(StoreError):
    """An answer to a card that was answered elsewhere since it was asked."""


class Store(ReviewReader):
    """The reviews in one file.

    Every method that changes something returns once that is on the disk; those that write one
    entry of the log return its number. All raise `StoreError` if the file cannot be read or
    written, or is damaged.

    Args:
        path: The file.
        zone: Whose days; by default those of this machine's clock.
    """

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
                **{name: values[name] for name in MEMORY},
            )

    def last(self, course: str, now: datetime) -> Undone | None:
        """What `undo` would take back now."""
        row = self._row(
            # CROSS JOIN: from the end of the log, not from the cards of the course.
            "SELECT deed.*, card.course, card.card AS name, card.template FROM deed"
            " CROSS JOIN card ON card.id = deed.card"
            " CROSS JOIN state ON state.card = deed.card"
            " WHERE card.course = ? AND (deed.rating IS NOT NULL OR deed.flag IS NOT NULL"
            " OR deed.buried > ? OR deed.suspended AND state.suspended)"
            " ORDER BY deed.id DESC LIMIT 1",
            course,
            day_of(now, self.zone).isoformat(),
        )
        return None if row is None else self._made(undone_in, row)

    def undo(self, course: str, now: datetime) -> Undone | None:
        """Take back what was done last to a card of a course, whenever that was; tell what it was.

        Marks that no longer count are passed over: a burial whose day has come, and a suspension
        that has ended.
        """
        with self._writing():
            last = self.last(course, now)
            if last is not None:
                self._log(self._number(last.key), now, undoes=last.number)
        return last

    def bury(self, key: CardKey, now: datetime) -> int:
        """Do not ask a card until the next day."""
        tomorrow = day_of(now, self.zone) + timedelta(days=1)
        with self._writing():
            return self._log(self._number(key), now, buried=tomorrow.isoformat())

    def suspend(self, key: CardKey, now: datetime) -> int:
        """Do not ask a card until that is taken back."""
        with self._writing():
            return self._log(self._number(key), now, suspended=1)

    def unsuspend(self, key: CardKey, now: datetime) -> int:
        """Ask a card again."""
        with self._writing():
            return self._log(self._number(key), now, suspended=0)

    def flag(self, key: CardKey, flag: int, now: datetime) -> int:
        """Mark a card with a flag from 1 to 7, or with none, 0."""
        with self._writing():
            return self._log(self._number(key), now, flag=flag)

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
            found.append(("an entry of the log belongs to no card, or to no answer", _OF_THE_LOG))
        if self._rows(
            "SELECT * FROM (SELECT * FROM state EXCEPT SELECT * FROM state_by_log)"
            " UNION ALL SELECT * FROM (SELECT * FROM state_by_log EXCEPT SELECT * FROM state)"
        ):
            found.append(("the log and the states of cards disagree", _OF_THE_STATES))
        if self._rows(
            "SELECT 1 FROM (SELECT previous, reps, lag(id) OVER chain AS former,"
            " coalesce(lag(reps) OVER chain, 0) AS known FROM answer"
            " WINDOW chain AS (PARTITION BY card ORDER BY id))"
            " WHERE previous IS NOT former OR reps != known + 1"
        ):
            found.append(("an answer does not build on the one before it", _OF_THE_LOG))
        problems = [Problem(str(self.path), f"{what}.", advice) for what, advice in found]
        return [*problems, *self._unreadable()]

    def _unreadable(self) -> Sequence[Problem]:
        """Why something of it cannot be read, as whoever came upon it would be told."""
        try:
            for _ in self.log():
                pass
            for row in self._rows(STATES):
                self._made(state_in, row)
        except StoreError as error:
            return error.problems
        return ()

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
            f"SELECT state_by_log.answer, {memory_of('log', '')} FROM state_by_log"
            " LEFT JOIN log ON log.id = state_by_log.answer WHERE state_by_log.card = ?",
            number,
        )
        return self._made(memory_in, row), row["answer"]

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
