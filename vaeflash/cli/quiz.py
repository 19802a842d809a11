"""`quiz`: a course, the user's reviews and a keyboard, brought together."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vaeflash.cli import quiz_view as view
from vaeflash.cli.keys import Keys, open_keys
from vaeflash.cli.quiz_session import Sitting
from vaeflash.course.course import Course
from vaeflash.study.due import Limits
from vaeflash.study.memory import day_of
from vaeflash.study.question import Question
from vaeflash.study.questions import Catalogue, catalogue_of
from vaeflash.study.reviews import Store, StoreError, open_store
from vaeflash.study.session import Clock, Session

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings


def run_quiz(
    settings: Settings,
    decks: Sequence[str] = (),
    tags: Sequence[str] = (),
    *,
    limits: Limits | None = None,
    minutes: float | None = None,
    cram: bool = False,
    unsuspend: bool = False,
    trusted: bool = False,
    keys: Keys | None = None,
    clock: Clock | None = None,
) -> None:
    """Ask what is due, until nothing is left or the user ends.

    Args:
        settings: The course, and the screens.
        decks: Files or titles of decks; all by default.
        tags: Only cards with one of these.
        limits: Of the day.
        minutes: After these no further card is asked.
        cram: Ask everything, and leave the schedule alone.
        unsuspend: Ask again what was suspended.
        trusted: The demos may run, said by --trust.
        keys: Where key presses come from; standard input by default.
        clock: Tells the time; that of this machine by default.

    Raises:
        VaeflashError: The decks or the reviews cannot be read, or an answer not be stored. What was
            stored before is, and was summed up.
    """
    course: Course = settings.course
    now = clock or _now
    with ExitStack() as stack:
        with _built_to_last():
            catalogue = catalogue_of(course)
            chosen = catalogue.chosen(course, decks, tags)
            _tell_of_cards_without_id(settings, catalogue)
            store = stack.enter_context(open_store())
            if unsuspend:
                _unsuspend(store, chosen, now())
            session = Session(
                store,
                catalogue.questions,
                now,
                chosen=chosen,
                limits=limits,
                length=None if minutes is None else timedelta(minutes=minutes),
                cram=cram,
            )
        interactive = settings.out.console.is_terminal
        source = keys or stack.enter_context(open_keys(interactive=interactive))
        try:
            Sitting(settings, session, source, trusted=trusted).run()
        finally:
            settings.out.print(view.summary(session, _due_tomorrow(store, course, now())))


@contextmanager
def _built_to_last() -> Iterator[None]:
    """What is built inside lives until the process ends, so no collector looks for it to die.

    With 10,000 cards that is a tenth of the time to the first one.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _due_tomorrow(store: Store, course: Course, now: datetime) -> int | None:
    """How many questions are; none if the reviews cannot be read any more."""
    try:
        coming = store.forecast(course.id, now)
    except StoreError:
        return None
    return coming.get(day_of(now, store.zone) + timedelta(days=1), 0)


def _now() -> datetime:
    return datetime.now(UTC)


def _tell_of_cards_without_id(settings: Settings, catalogue: Catalogue) -> None:
    if catalogue.without_id:
        settings.err.note(
            f"Cards without an id cannot be scheduled, and there are {catalogue.without_id}: "
            "`vaeflash id` stamps them."
        )


def _unsuspend(store: Store, questions: Sequence[Question], now: datetime) -> None:
    chosen = {question.key for question in questions}
    for state in store.states(questions[0].key.course) if questions else ():
        if state.suspended and state.key in chosen:
            store.unsuspend(state.key, now)
