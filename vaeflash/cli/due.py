"""`due`: how much a quiz would ask now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from vaeflash.cli.screen import Screen
from vaeflash.course.course import Course
from vaeflash.study.due import Limits, due_now
from vaeflash.study.questions import catalogue_of
from vaeflash.study.reviews import open_store
from vaeflash.study.session import Clock


def print_due(
    course: Course,
    screen: Screen,
    decks: Sequence[str] = (),
    *,
    limits: Limits | None = None,
    number_only: bool = False,
    as_json: bool = False,
    clock: Clock | None = None,
) -> None:
    """Print how much a quiz would ask now, in one line."""
    questions = catalogue_of(course).chosen(course, decks)
    with open_store() as store:
        queues = due_now(store, questions, clock() if clock else datetime.now(UTC), limits)
    counts = {
        "learning": len(queues.learning),
        "review": len(queues.review),
        "new": len(queues.new),
        "later": len(queues.later),
    }
    total = counts["learning"] + counts["review"] + counts["new"]
    if as_json:
        screen.json("due", {"course": course.id, "due": total} | counts)
    elif number_only:
        screen.plain(str(total))
    else:
        asked = counts["learning"] + counts["review"]
        later = f", {counts['later']} later today" if counts["later"] else ""
        screen.plain(f"{asked} due, {counts['new']} new{later}")
