"""What there is to ask now, within the limits of the day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from vaeflash.study.question import Question
from vaeflash.study.reviews import Queues, Store


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a course a day brings, as Anki counts it.

    Attributes:
        new: New cards.
        reviews: Reviews, with new cards among them; steps of learning are never held back.
    """

    new: int = 20
    reviews: int = 200


def due_now(
    store: Store, questions: Sequence[Question], now: datetime, limits: Limits | None = None
) -> Queues:
    """What there is to ask of these questions of one course, within the limits of the day.

    New cards come in the course's order, but all first questions before all second ones, so that
    two of a card do not follow each other.
    """
    if not questions:
        return Queues((), (), (), ())
    course, limits = questions[0].key.course, limits or Limits()
    rank = {question.key: question.rank for question in questions}
    queues = store.queues(course, list(rank), now)
    done = store.today(course, now)
    left = max(0, limits.reviews - done.reviews - done.new)
    reviews = queues.review[:left]
    new = queues.new[: max(0, min(limits.new - done.new, left - len(reviews)))]
    return replace(
        queues, review=reviews, new=tuple(sorted(new, key=lambda state: rank[state.key]))
    )
