"""Rows of the database, and what they say: the columns to ask for, and records made of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date
from typing import Any, Final

from vaeflash.plain import amount, count, record, text
from vaeflash.study.memory import NEW, Memory, Phase, Rating
from vaeflash.study.reviews.records import Act, CardKey, CardState, DayCount, Review, Undone

MEMORY: Final = (
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


def memory_of(alias: str, prefix: str) -> str:
    """The columns of a memory, from a table under an alias, under names of their own."""
    columns = [f"{alias}.{name} AS {prefix}{name}" for name in MEMORY]
    return ", ".join([*columns, f"{alias}.at AS {prefix}last_review"])


STATES: Final = f"""
    SELECT card.course, card.card, card.template, state.suspended, state.buried, state.flag,
           state.answer, {memory_of("log", "")}
    FROM card JOIN state ON state.card = card.id LEFT JOIN log ON log.id = state.answer
"""
LOG: Final = f"""
    SELECT log.id, card.course, card.card, card.template, log.at, log.day, log.rating, log.duration,
           log.undoes, log.suspended, log.buried, log.flag, undo.id IS NOT NULL AS undone,
           {memory_of("log", "after_")}, {memory_of("former", "before_")}
    FROM log JOIN card ON card.id = log.card
    LEFT JOIN log AS former ON former.id = log.previous
    LEFT JOIN log AS undo ON undo.undoes = log.id
"""


# All that makes a record of a row raises ValueError where the row holds what no vaeflash writes:
# SQLite keeps any text where a number or a day belongs, and the file is the user's.


def key_of(row: sqlite3.Row, card: str = "card") -> CardKey:
    """Which card it is about; `card` is the column with its id."""
    return CardKey(text(row["course"]), text(row[card]), text(row["template"]))


def memory_in(row: sqlite3.Row, prefix: str = "") -> Memory:
    """The memory in the columns of `memory_of` with the same prefix."""
    if row[f"{prefix}phase"] is None:
        return NEW
    named = {name: row[f"{prefix}{name}"] for name in (*MEMORY, "last_review")}
    return Memory.from_dict(_MEMORY(named))


def _from_to(least: float, most: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if not least <= amount(value) <= most:
            raise ValueError(f"{value!r} is not from {least:g} to {most:g}")
        return float(value)

    return read


def _day(value: Any) -> date:
    # Other ways to write a day would be sorted elsewhere.
    day = date.fromisoformat(text(value))
    if day.isoformat() != value:
        raise ValueError(f"{value!r} is not written as 2026-03-31 is")
    return day


def _moment(value: Any) -> int:
    # About 1650 to 5100: far from where a time zone leads out of the calendar.
    if type(value) is not int or not -(10**13) <= value <= 10**14:
        raise ValueError(f"{value!r} is no moment in milliseconds since 1970")
    return value


def _none_or(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r} is no whole number")
    return value


_MEMORY: Final = record(
    {
        "phase": Phase,
        **dict.fromkeys(("step", "interval", "reps", "lapses"), count),
        "stability": _from_to(1e-6, 1e6),
        "difficulty": _from_to(1, 10),
        "due_day": lambda value: _day(value).isoformat(),
        "due_at": _none_or(_moment),
        "last_review": _moment,
    }
)


def state_in(row: sqlite3.Row) -> CardState:
    """A row of STATES."""
    return CardState(
        key=key_of(row),
        memory=memory_in(row),
        suspended=bool(_whole(row["suspended"])),
        flag=int(_from_to(0, 7)(row["flag"])),
        buried_until=_none_or(_day)(row["buried"]),
    )


def review_in(row: sqlite3.Row) -> Review:
    """A row of LOG that is an answer."""
    return Review(
        number=row["id"],
        key=key_of(row),
        day=_day(row["day"]),
        rating=Rating(row["rating"]),
        duration=_whole(row["duration"]),
        before=memory_in(row, "before_"),
        after=memory_in(row, "after_"),
        undone=bool(row["undone"]),
    )


def plain_in(row: sqlite3.Row) -> dict[str, Any]:
    """A row of LOG in plain values for JSON."""
    entry: dict[str, Any] = {"number": row["id"]} | key_of(row)._asdict()
    entry |= {"at": _moment(row["at"]), "day": _day(row["day"]).isoformat()}
    if row["undoes"] is not None:
        return entry | {"what": "undo", "undoes": row["undoes"]}
    return entry | _deed(row) | {"undone": bool(row["undone"])}


def _deed(row: sqlite3.Row) -> dict[str, Any]:
    """What was done, which a later row may take back."""
    if row["rating"] is not None:
        return {
            "what": "answer",
            "rating": Rating(row["rating"]).value,
            "duration": _whole(row["duration"]),
            "before": memory_in(row, "before_").to_dict(),
            "after": memory_in(row, "after_").to_dict(),
        }
    if row["buried"] is not None:
        return {"what": "bury", "until": _day(row["buried"]).isoformat()}
    if row["flag"] is not None:
        return {"what": "flag", "value": _whole(row["flag"])}
    return {"what": "suspend", "value": bool(row["suspended"])}


def undone_in(row: sqlite3.Row) -> Undone:
    """A row of the deeds, the card's id under `name`, as what would be taken back."""
    key = key_of(row, "name")
    if row["rating"] is not None:
        return Undone(Act.ANSWER, key, row["id"], Rating(row["rating"]))
    marks = {"flag": Act.FLAG, "buried": Act.BURY, "suspended": Act.SUSPEND}
    act = next(act for column, act in marks.items() if row[column] is not None)
    return Undone(act, key, row["id"])


def day_count_in(row: sqlite3.Row) -> DayCount:
    """A row that counts the answers of a day."""
    counts = {name: _whole(row[name]) for name in row.keys() if name != "day"}  # noqa: SIM118
    return DayCount(_day(row["day"]), **counts)


def expected_in(row: sqlite3.Row) -> tuple[date, int]:
    """A row that says how many cards come back on a day."""
    return _day(row["day"]), row["cards"]
