"""One sitting: which question next, and what an answer does to it.

Nothing is printed and no key is read here. What an answer leads to is planned once, when it is
shown, and stored as it was shown.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from vaeflash.study.due import Limits, due_now
from vaeflash.study.memory import Memory, Phase, Rating, day_of, is_due
from vaeflash.study.question import Question
from vaeflash.study.reviews import Act, CardState, ConflictError, Queues, Store, Undone
from vaeflash.study.schedule import Scheduler

LEARN_AHEAD: Final = timedelta(minutes=20)
"""When nothing else is left, a card in learning that is due this soon is asked now, as in Anki."""


LONGEST_ANSWER: Final = timedelta(seconds=60)
"""More than this is not counted as time spent on an answer, as in Anki."""


Clock = Callable[[], datetime]
"""Tells the time, in some time zone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on the table."""

    question: Question
    state: CardState
    since: datetime


@dataclass(frozen=True, slots=True)
class Left:
    """How many questions are left, the one on the table among them."""

    learning: int
    review: int
    new: int


@dataclass(slots=True)
class Tally:
    """What was done in a sitting, without what was taken back."""

    ratings: Counter[Rating] = field(default_factory=Counter)
    spent: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class _Deed:
    """Something that was done in this sitting.

    Attributes:
        state: Of the card, before.
        number: In the log; none where cramming left no trace.
    """

    act: Act
    state: CardState
    number: int | None
    rating: Rating | None = None
    spent: timedelta = timedelta()

    @property
    def undone(self) -> Undone:
        """What taking it back is told as."""
        return Undone(self.act, self.state.key, self.number, self.rating)


class Session:
    """A sitting with the questions of one course.

    Args:
        store: Keeps the answers.
        questions: All of the course.
        clock: Tells the time.
        chosen: Those to ask; all by default.
        limits: Of the day.
        length: After this time no new question is asked.
        cram: Ask every chosen question, due or not, and leave the schedule alone.
    """

    def __init__(
        self,
        store: Store,
        questions: Sequence[Question],
        clock: Clock,
        *,
        chosen: Sequence[Question] | None = None,
        limits: Limits | None = None,
        length: timedelta | None = None,
        cram: bool = False,
    ) -> None:
        self.cram = cram
        self.current: Asked | None = None
        self.plan: Mapping[Rating, Memory] = {}
        self.tally = Tally()
        self.scheduler = Scheduler(store.zone)
        self._store = store
        self._clock = clock
        self._questions = {question.key: question for question in questions}
        self._chosen = tuple(questions if chosen is None else chosen)
        self._limits = limits or Limits()
        self._started = clock()
        self._ends = None if length is None else self._started + length
        self._deeds: list[_Deed] = []
        self._fill(self._started)

    # What is asked

    def next(self) -> Asked | None:
        """Put the next question on the table; none if the sitting is over."""
        now = self._clock()
        self.current, self.plan = None, {}
        if self._ends is not None and now >= self._ends:
            return None
        if not self.cram and day_of(now, self._store.zone) != self._day:
            self._fill(now)
        state = self._take(now)
        if state is not None:
            self.current = Asked(self._questions[state.key], state, now)
        return self.current

    def reveal(self) -> Mapping[Rating, Memory]:
        """Show the answer: plan what each rating leads to, which is what will be stored."""
        asked = self._asked()
        if not self.plan and not self.cram:
            key, memory = asked.state.key, asked.state.memory
            self.plan = self.scheduler.preview(memory, self._clock(), seed=str(key))
        return self.plan

    @property
    def left(self) -> Left:
        """How many questions are left, the one on the table among them."""
        states = [*self._again, *self._learning, *self._review, *self._new]
        if self.current is not None:
            states.append(self.current.state)
        phases = Counter(state.memory.phase for state in states)
        learning = phases[Phase.LEARNING] + phases[Phase.RELEARNING]
        return Left(learning, phases[Phase.REVIEW], phases[Phase.NEW])

    @property
    def waiting(self) -> tuple[datetime, ...]:
        """When the cards in learning that are not due yet come back today, the earliest first."""
        return tuple(state.memory.due_at for state in self._learning if state.memory.due_at)

    # What is done with it

    def answer(self, rating: Rating) -> Memory | None:
        """Store an answer; the memory that follows, or none when cramming.

        Raises:
            ConflictError: The card was answered elsewhere. This answer is not stored.
            StoreError: The answer could not be stored.
        """
        asked = self._asked()
        state = asked.state
        spent = min(max(self._clock() - asked.since, timedelta()), LONGEST_ANSWER)
        after = number = None
        if self.cram:
            if rating is Rating.AGAIN:
                self._new.append(state)
        else:
            after = self.reveal()[rating]
            try:
                duration = spent // timedelta(milliseconds=1)
                number = self._store.answer(state.key, state.memory, rating, after, duration)
            except ConflictError:
                self.current = None
                self._keep(self._store.state(state.key))
                raise
            self._keep(replace(state, memory=after))
        self._did(Act.ANSWER, number, rating, spent)
        return after

    def bury(self) -> None:
        """Do not ask this question before tomorrow; when cramming, not again in this sitting."""
        key = self._asked().state.key
        self._did(Act.BURY, None if self.cram else self._store.bury(key, self._clock()))

    def suspend(self) -> None:
        """Do not ask this question until that is taken back."""
        self._did(Act.SUSPEND, self._store.suspend(self._asked().state.key, self._clock()))

    def flag(self) -> bool:
        """Flag this question, or take its flag away; whether it has one now."""
        asked = self._asked()
        flag = 0 if asked.state.flag else 1
        number = self._store.flag(asked.state.key, flag, self._clock())
        self._deeds.append(_Deed(Act.FLAG, asked.state, number))
        self.current = replace(asked, state=replace(asked.state, flag=flag))
        return bool(flag)

    @property
    def last(self) -> Undone | None:
        """What `undo` would take back now."""
        deed = self._deeds[-1] if self._deeds else None
        if self.cram and (deed is None or deed.number is None):
            return None if deed is None else deed.undone
        return self._store.last(self._course, self._clock())

    def undo(self) -> Undone | None:
        """Take back what was done last, here or in an earlier sitting; when cramming, only here.

        The question is the next one again, if it is due. One that was on the table follows.
        """
        deed = self._deeds[-1] if self._deeds else None
        if self.cram and (deed is None or deed.number is None):
            if deed is None:
                return None
            undone, state = deed.undone, deed.state
        else:
            stored = self._store.undo(self._course, self._clock())
            if stored is None:
                return None
            undone, state = stored, self._store.state(stored.key)
        self._forget(undone.number)
        self._put_back(state, surely=undone.act is Act.ANSWER)
        return undone

    # How

    @property
    def _course(self) -> str:
        return next(iter(self._questions)).course if self._questions else ""

    def _asked(self) -> Asked:
        if self.current is None:
            raise ValueError("no question is on the table")
        return self.current

    def _fill(self, now: datetime) -> None:
        self._day = day_of(now, self._store.zone)
        self._again: list[CardState] = []
        if self.cram:
            known = {state.key: state for state in self._store.states(self._course)}
            states = [known.get(q.key, CardState(q.key)) for q in self._chosen]
            queues = Queues((), (), tuple(s for s in states if not s.suspended), ())
        else:
            queues = due_now(self._store, self._chosen, now, self._limits)
        self._learning = [*queues.learning, *queues.later]
        self._review = deque(queues.review)
        self._new = deque(queues.new)

    def _take(self, now: datetime) -> CardState | None:
        """The next state to ask, as it is in the store now."""
        while True:
            if self._again:
                return self._again.pop()
            if self._learning and self._is_ready(self._learning[0], now, timedelta()):
                state = self._learning.pop(0)
            elif self._review:
                state = self._review.popleft()
            elif self._new:
                state = self._new.popleft()
            elif self._learning and self._is_ready(self._learning[0], now, LEARN_AHEAD):
                state = self._learning.pop(0)
            else:
                return None
            if self.cram:
                return state
            known = self._store.state(state.key)
            if known.memory == state.memory and known.is_asked(self._day):
                return known
            # It was answered, or put aside, in another sitting.
            self._keep(known)

    def _is_ready(self, state: CardState, now: datetime, ahead: timedelta) -> bool:
        return is_due(state.memory, now + ahead, self._store.zone)

    def _keep(self, state: CardState) -> None:
        """Ask a question again in this sitting if it is due again before the day is over."""
        if state.memory.due_at is not None and state.is_asked(self._day):
            insort(self._learning, state, key=_due_at)

    def _did(
        self,
        act: Act,
        number: int | None,
        rating: Rating | None = None,
        spent: timedelta = timedelta(),
    ) -> None:
        self._deeds.append(_Deed(act, self._asked().state, number, rating, spent))
        if rating is not None:
            self.tally.ratings[rating] += 1
            self.tally.spent += spent
        self.current, self.plan = None, {}

    def _forget(self, number: int | None) -> None:
        """Count a deed no longer, if it was of this sitting."""
        for deed in reversed(self._deeds):
            if deed.number == number:
                self._deeds.remove(deed)
                if deed.rating is not None:
                    self.tally.ratings[deed.rating] -= 1
                    self.tally.spent -= deed.spent
                return

    def _put_back(self, state: CardState, *, surely: bool) -> None:
        """Ask a question next, then the one on the table.

        Args:
            state: Of its card.
            surely: Even if it is not due.
        """
        on_table = self.current is not None and self.current.state.key == state.key
        if self.current is not None and not on_table:
            self._again.append(self.current.state)
        self.current, self.plan = None, {}
        for queue in (self._learning, self._review, self._new, self._again):
            for queued in [queued for queued in queue if queued.key == state.key]:
                queue.remove(queued)
        due = state.memory.due_day is None or state.memory.due_day <= self._day
        if state.key in self._questions and (surely or on_table or self.cram or due):
            self._again.append(state)


def _due_at(state: CardState) -> datetime:
    assert state.memory.due_at is not None
    return state.memory.due_at
