"""What the store is asked for and tells: cards, where they stand, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from vaeflash.study.memory import NEW, Memory, Rating


class CardKey(NamedTuple):
    """One question that is asked and scheduled.

    Attributes:
        course: The course's id.
        card: The card's id.
        template: What is asked of it: forward, reverse, prediction, cloze1, cloze2, ...
    """

    course: str
    card: str
    template: str = "forward"

    def __str__(self) -> str:
        return "/".join(self)


@dataclass(frozen=True, slots=True)
class CardState:
    """Where a card stands.

    Attributes:
        suspended: Never asked, until that is taken back.
        flag: 0 for none, up to 7.
        buried_until: Not asked before this day.
    """

    key: CardKey
    memory: Memory = NEW
    suspended: bool = False
    flag: int = 0
    buried_until: date | None = None

    def is_asked(self, today: date) -> bool:
        """Whether it may be asked on this day: it is neither suspended nor buried beyond it."""
        return not self.suspended and (self.buried_until is None or self.buried_until <= today)


@dataclass(frozen=True, slots=True)
class Queues:
    """What there is to ask.

    Attributes:
        learning: Due within the day and due now, the earliest first.
        review: Due today at any time, the longest due first, then in the course's order.
        new: Never answered, in the course's order.
        later: Due later today, the earliest first; when nothing else is left they may be asked.
    """

    learning: tuple[CardState, ...]
    review: tuple[CardState, ...]
    new: tuple[CardState, ...]
    later: tuple[CardState, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """An answer.

    Attributes:
        number: Its number in the log.
        day: Whose day it was there and then.
        duration: Milliseconds.
        before: The card's memory when it was asked.
        after: The memory that followed; `after.last_review` is when it was answered.
        undone: Whether it was taken back.
    """

    number: int
    key: CardKey
    day: date
    rating: Rating
    duration: int
    before: Memory
    after: Memory
    undone: bool = False

    @property
    def at(self) -> datetime:
        """When it was given."""
        assert self.after.last_review is not None
        return self.after.last_review


class Act(StrEnum):
    """What can be done to a card, and taken back."""

    ANSWER = "answer"
    BURY = "bury"
    SUSPEND = "suspend"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back, or can be.

    Attributes:
        key: Of which card, which may be gone from the course.
        number: Its number in the log; none if it was never written there.
        rating: Of an answer.
    """

    act: Act
    key: CardKey
    number: int | None = None
    rating: Rating | None = None


@dataclass(frozen=True, slots=True)
class Today:
    """What was done on a day, as limits count it; answers taken back are not.

    Attributes:
        new: Cards seen for the first time.
        reviews: Answers to cards that were due on that day at any time.
        answers: All of them, those to learning steps within the day too.
        duration: Milliseconds.
    """

    new: int
    reviews: int
    answers: int
    duration: int


@dataclass(frozen=True, slots=True)
class DayCount:
    """What was answered on one day, without what was taken back.

    Attributes:
        answers: All of them.
        new: To cards seen for the first time.
        reviews: To cards that had been learned; `passed` of them were not Again. The share of
            those is the retention.
        duration: Milliseconds.
    """

    day: date
    answers: int
    new: int
    reviews: int
    passed: int
    duration: int
