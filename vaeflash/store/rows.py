"""Rows of the database, and what they say: the columns to ask for, and records made of them."""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import Any, Final

from vaeflash.schedule import NEW, Memory, Rating
from vaeflash.store.records import CardKey, CardState, Review

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


def key_of(row: sqlite3.Row) -> CardKey:
    """Which card it is about."""
    return CardKey(row["course"], row["card"], row["template"])


def memory_in(row: sqlite3.Row, prefix: str = "") -> Memory:
    """The memory in the columns of `memory_of` with the same prefix."""
    if row[f"{prefix}phase"] is None:
        return NEW
    return Memory.from_dict({name: row[f"{prefix}{name}"] for name in (*MEMORY, "last_review")})


def state_in(row: sqlite3.Row) -> CardState:
    """A row of STATES."""
    return CardState(
        key=key_of(row),
        memory=memory_in(row),
        suspended=bool(row["suspended"]),
        flag=row["flag"],
        buried_until=row["buried"] and date.fromisoformat(row["buried"]),
    )


def review_in(row: sqlite3.Row) -> Review:
    """A row of LOG that is an answer."""
    return Review(
        number=row["id"],
        key=key_of(row),
        day=date.fromisoformat(row["day"]),
        rating=Rating(row["rating"]),
        duration=row["duration"],
        before=memory_in(row, "before_"),
        after=memory_in(row, "after_"),
        undone=bool(row["undone"]),
    )


def plain_in(row: sqlite3.Row) -> dict[str, Any]:
    """A row of LOG in plain values for JSON."""
    entry = {"number": row["id"]}
    entry |= {name: row[name] for name in ("course", "card", "template", "at", "day")}
    if row["undoes"] is not None:
        return entry | {"what": "undo", "undoes": row["undoes"]}
    return entry | _deed(row) | {"undone": bool(row["undone"])}


def _deed(row: sqlite3.Row) -> dict[str, Any]:
    """What was done, which a later row may take back."""
    if row["rating"] is not None:
        return {
            "what": "answer",
            "rating": row["rating"],
            "duration": row["duration"],
            "before": memory_in(row, "before_").to_dict(),
            "after": memory_in(row, "after_").to_dict(),
        }
    if row["buried"] is not None:
        return {"what": "bury", "until": row["buried"]}
    if row["flag"] is not None:
        return {"what": "flag", "value": row["flag"]}
    return {"what": "suspend", "value": bool(row["suspended"])}
