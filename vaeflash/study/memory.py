"""What is remembered of a question between two answers, and when it is due: days begin at four."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import IntEnum, StrEnum
from typing import Any, Final

DAY_STARTS_AT: Final = 4
"""Hour, local time."""


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


_MILLISECOND: Final = timedelta(milliseconds=1)


_DAY: Final = 86_400


class Rating(IntEnum):
    """How well the answer was known."""

    AGAIN = 1
    HARD = 2
    GOOD = 3
    EASY = 4


class Phase(StrEnum):
    """How far a card has come."""

    NEW = "new"
    LEARNING = "learning"
    REVIEW = "review"
    RELEARNING = "relearning"


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of one card's place in somebody's head.

    Attributes:
        step: Which of the learning or relearning steps it is on, from 0.
        stability: Days after which it is recalled with 90%; 0 while the card is new.
        difficulty: 1 to 10; 0 while the card is new.
        interval: Days, the last that were scheduled; kept while the card is relearned.
        due_day: The local day on which it comes back; none while the card is new.
        due_at: The moment, if it comes back before the day is over.
        last_review: When it was answered last.
        reps: How often it was answered.
        lapses: How often it was forgotten after it had been learned.
    """

    phase: Phase = Phase.NEW
    step: int = 0
    stability: float = 0.0
    difficulty: float = 0.0
    interval: int = 0
    due_day: date | None = None
    due_at: datetime | None = None
    last_review: datetime | None = None
    reps: int = 0
    lapses: int = 0

    def to_dict(self) -> dict[str, str | int | float | None]:
        """Plain values: days as ISO texts, moments as milliseconds since 1970 UTC."""
        return asdict(self) | {
            "phase": self.phase.value,
            "due_day": self.due_day and self.due_day.isoformat(),
            "due_at": self.due_at and to_milliseconds(self.due_at),
            "last_review": self.last_review and to_milliseconds(self.last_review),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Memory:
        """The memory of which these are the plain values."""
        day, at, last = values["due_day"], values["due_at"], values["last_review"]
        return cls(
            phase=Phase(values["phase"]),
            step=values["step"],
            stability=values["stability"],
            difficulty=values["difficulty"],
            interval=values["interval"],
            due_day=None if day is None else date.fromisoformat(day),
            due_at=None if at is None else from_milliseconds(at),
            last_review=None if last is None else from_milliseconds(last),
            reps=values["reps"],
            lapses=values["lapses"],
        )


NEW: Final = Memory()
"""A card that was never answered."""


def to_milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970 UTC, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """The moment, in UTC."""
    return _EPOCH + milliseconds * _MILLISECOND


def day_of(moment: datetime, zone: tzinfo | None = None) -> date:
    """The day that a moment belongs to: before 04:00 it is still yesterday.

    Args:
        moment: In any time zone, but in one.
        zone: Whose clock on the wall; by default this machine's.
    """
    local = moment.astimezone(zone)
    # By the wall, not by the hours gone by: summer time begins and ends before 04:00.
    return local.date() - timedelta(days=local.hour < DAY_STARTS_AT)


def day_ends(moment: datetime, zone: tzinfo | None = None) -> datetime:
    """When the day that a moment belongs to is over, in UTC; as Anki, by the offset of now."""
    local = moment.astimezone(zone)
    fixed = local.utcoffset() or timedelta()
    midnight = datetime.combine(day_of(moment, zone), datetime.min.time(), UTC) - fixed
    return midnight + timedelta(days=1, hours=DAY_STARTS_AT)


def is_due(memory: Memory, now: datetime, zone: tzinfo | None = None) -> bool:
    """Whether a card that was answered before should be asked now; a new one is never due."""
    if memory.due_at is not None:
        return memory.due_at <= now
    return memory.due_day is not None and memory.due_day <= day_of(now, zone)
