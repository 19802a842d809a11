"""When a card comes back: its memory, a rating and the time -> its next memory, as Anki has it.

Anki's v3 scheduler with FSRS-6 and default options: learning steps of 1 and 10 minutes, a
relearning step of 10, a desired retention of 0.9, days that begin at 04:00 local time. py-fsrs
works out stability and difficulty. The rest is Anki's own and differs from py-fsrs: time gone by is
counted in days that began, not in blocks of 24 hours; a step that outlasts the day comes back on a
later day, at any time; Hard, Good and Easy lie a day apart at least; and an interval is not made
shorter than the last one as long as fuzz alone would explain that one.

Not as in Anki: steps of minutes are not stretched at random, and nothing balances the load of days
or takes care of leeches.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from vaeflash.study.memory import (
    _DAY,
    _EPOCH,
    Memory,
    Phase,
    Rating,
    day_ends,
    day_of,
    from_milliseconds,
    to_milliseconds,
)

if TYPE_CHECKING:
    import fsrs


LEARNING_STEPS: Final = (60, 600)
"""Seconds."""


RELEARNING_STEPS: Final = (600,)
"""Seconds."""


MAXIMUM_INTERVAL: Final = 36_500
"""Days."""


_MAXIMUM_STABILITY: Final = 36_500.0


_STABILITY_DECIMALS: Final = 4


_DIFFICULTY_DECIMALS: Final = 3


class Scheduler:
    """Plans the next encounter with a card.

    Args:
        zone: Whose days; by default those of this machine's clock.
    """

    def __init__(self, zone: tzinfo | None = None) -> None:
        self.zone = zone

    def next(
        self, memory: Memory, rating: Rating, now: datetime, seed: str | None = None
    ) -> Memory:
        """The memory after an answer: `preview(memory, now, seed)[rating]`."""
        return self.preview(memory, now, seed)[rating]

    def preview(
        self, memory: Memory, now: datetime, seed: str | None = None
    ) -> dict[Rating, Memory]:
        """The memory after each of the four answers.

        A clock that was set back since the last answer counts as no time gone by.

        Args:
            memory: Before the answer.
            now: When it is given, in any time zone, but in one; milliseconds are kept.
            seed: The card's identity. With it, intervals of days are spread a little, so that
                cards learned together do not stay together; by how much depends on the seed and
                the number of answers alone. Without it they are not.
        """
        now = from_milliseconds(to_milliseconds(now))
        fuzz = None if seed is None else _fuzz(seed, memory.reps)
        recalled = self._recalled(memory, now)
        memories = {
            rating: replace(
                memory,
                stability=_rounded(stability, _STABILITY_DECIMALS),
                difficulty=_rounded(difficulty, _DIFFICULTY_DECIMALS),
                last_review=now,
                reps=memory.reps + 1,
            )
            for rating, (stability, difficulty) in recalled.items()
        }
        # What is recalled with 90% after its stability, and should be: that is the interval.
        ideals = {rating: stability for rating, (stability, _) in recalled.items()}
        plan = self._after_review if memory.phase is Phase.REVIEW else self._after_a_step
        return plan(memories, ideals, now, fuzz)

    def words(self, planned: Memory) -> str:
        """How long until a card comes back, from the answer that planned it: 10m, 3d, 1.2mo."""
        if planned.last_review is None or planned.due_day is None:
            return ""
        if planned.due_at is not None:
            return interval_words((planned.due_at - planned.last_review).total_seconds())
        days = (planned.due_day - day_of(planned.last_review, self.zone)).days
        return interval_words(days * _DAY)

    def _recalled(self, memory: Memory, now: datetime) -> dict[Rating, tuple[float, float]]:
        """Stability and difficulty after each answer, unrounded."""
        import fsrs

        new = memory.phase is Phase.NEW
        card = fsrs.Card(
            card_id=0,
            state=fsrs.State.Learning if new else fsrs.State.Review,
            step=0 if new else None,
            stability=None if new else memory.stability,
            difficulty=None if new else memory.difficulty,
            due=_EPOCH,
            last_review=None if new else _EPOCH,
        )
        # py-fsrs counts blocks of 24 hours, Anki the days that have begun: we count.
        when = _EPOCH + timedelta(days=self._elapsed_days(memory, now))
        found = {}
        for rating in Rating:
            after, _ = self._fsrs.review_card(card, fsrs.Rating(rating), when)
            stability, difficulty = after.stability or 0.0, after.difficulty or 0.0
            found[rating] = (min(stability, _MAXIMUM_STABILITY), difficulty)
        return found

    @cached_property
    def _fsrs(self) -> fsrs.Scheduler:
        """Imported when the first card is planned, which the other commands never do."""
        import fsrs

        return fsrs.Scheduler(enable_fuzzing=False)

    def _elapsed_days(self, memory: Memory, now: datetime) -> int:
        """Days begun since the last answer, never fewer than none."""
        if memory.last_review is None:
            return 0
        return max(0, (day_ends(now, self.zone) - memory.last_review) // timedelta(days=1))

    def _after_review(
        self,
        memories: Mapping[Rating, Memory],
        ideals: Mapping[Rating, float],
        now: datetime,
        fuzz: float | None,
    ) -> dict[Rating, Memory]:
        """Hard, Good and Easy come back in this order, a day apart at least."""
        again = memories[Rating.AGAIN]
        lapsed = replace(
            again,
            phase=Phase.RELEARNING,
            step=0,
            interval=max(1, _nearest(ideals[Rating.AGAIN])),
            lapses=again.lapses + 1,
        )
        planned = {Rating.AGAIN: self._in_seconds(lapsed, RELEARNING_STEPS[0], now)}
        shortest = 1
        for rating in (Rating.HARD, Rating.GOOD, Rating.EASY):
            ideal = ideals[rating]
            kept = _not_less_than_last(ideal, memories[rating].interval)
            days = _spread(ideal, max(shortest, kept), fuzz)
            planned[rating] = self._in_days(memories[rating], days, now)
            shortest = days + 1
        return planned

    def _after_a_step(
        self,
        memories: Mapping[Rating, Memory],
        ideals: Mapping[Rating, float],
        now: datetime,
        fuzz: float | None,
    ) -> dict[Rating, Memory]:
        """Again, Hard and Good follow the steps; Easy leaves them, a day after Good at least."""
        before = memories[Rating.AGAIN]
        relearning = before.phase is Phase.RELEARNING
        steps = RELEARNING_STEPS if relearning else LEARNING_STEPS
        phase = Phase.RELEARNING if relearning else Phase.LEARNING
        step = before.step
        interval = max(1, _nearest(ideals[Rating.AGAIN])) if relearning else before.interval

        again = replace(memories[Rating.AGAIN], phase=phase, step=0, interval=interval)
        hard = replace(memories[Rating.HARD], phase=phase)
        good = memories[Rating.GOOD]
        if step + 1 < len(steps):
            stepped = replace(good, phase=phase, step=step + 1)
            planned_good = self._in_seconds(stepped, steps[step + 1], now)
        else:
            days = _spread(max(1, _nearest(ideals[Rating.GOOD])), 1, fuzz)
            planned_good = self._in_days(good, days, now)
        after_good = _spread(ideals[Rating.GOOD], 1, fuzz) + 1
        easy = _spread(max(1, _nearest(ideals[Rating.EASY])), after_good, fuzz)
        return {
            Rating.AGAIN: self._in_seconds(again, steps[0], now),
            Rating.HARD: self._in_seconds(hard, _hard_delay(steps, step), now),
            Rating.GOOD: planned_good,
            Rating.EASY: self._in_days(memories[Rating.EASY], easy, now),
        }

    def _in_days(self, memory: Memory, days: int, now: datetime) -> Memory:
        return replace(
            memory,
            phase=Phase.REVIEW,
            step=0,
            interval=days,
            due_day=day_of(now, self.zone) + timedelta(days=days),
            due_at=None,
        )

    def _in_seconds(self, memory: Memory, seconds: int, now: datetime) -> Memory:
        """Later today; or on a later day, at any time, if the day is over by then."""
        due, over = now + timedelta(seconds=seconds), day_ends(now, self.zone)
        today = day_of(now, self.zone)
        if due < over:
            return replace(memory, due_day=today, due_at=due)
        days = (due - over) // timedelta(days=1) + 1
        return replace(memory, due_day=today + timedelta(days=days), due_at=None)


def interval_words(seconds: float) -> str:
    """An interval as Anki writes it above an answer button: 10m, 3d, 1.2mo."""
    spans = {"s": 1, "m": 60, "h": 3600, "d": _DAY, "mo": 30.417 * _DAY, "y": 365 * _DAY}
    unit = "y"
    for smaller, larger in pairwise(spans):
        if abs(seconds) < spans[larger]:
            unit = smaller
            break
    amount = seconds / spans[unit]
    if unit in ("s", "m", "d"):
        return f"{_nearest(amount)}{unit}"
    return f"{_rounded(amount, 1):g}{unit}"


def _hard_delay(steps: tuple[int, ...], step: int) -> int:
    """Seconds: between Again and Good on the first step, the step itself on a later one."""
    if step > 0:
        return steps[min(step, len(steps) - 1)]
    return (steps[0] + steps[1]) // 2 if len(steps) > 1 else steps[0] * 3 // 2


def _fuzz(seed: str, reps: int) -> float:
    """A number in [0, 1) that the card and the number of its answers decide."""
    digest = hashlib.sha256(f"{seed} {reps}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _spread(ideal: float, shortest: int, fuzz: float | None) -> int:
    """Whole days for an ideal interval: the nearest, or one of those around it.

    Args:
        ideal: Days.
        shortest: Days that it must have at least.
        fuzz: Which one, in [0, 1); none for the nearest.
    """
    shortest = min(max(shortest, 1), MAXIMUM_INTERVAL)
    if fuzz is None:
        return min(max(_nearest(ideal), shortest), MAXIMUM_INTERVAL)
    low, high = spread_range(ideal, shortest)
    return math.floor(low + fuzz * (1 + high - low))


def spread_range(ideal: float, shortest: int) -> tuple[int, int]:
    """The first and last of the days that fuzz may choose, as Anki has them.

    A day to either side from 2.5 days on, and more for each day beyond: 15% up to a week, 10% up
    to 20 days, then 5%.
    """
    ideal = min(max(ideal, shortest), MAXIMUM_INTERVAL)
    delta = 0.0
    if ideal >= 2.5:
        bands = ((2.5, 7.0, 0.15), (7.0, 20.0, 0.1), (20.0, math.inf, 0.05))
        delta = 1.0 + sum(share * max(0.0, min(ideal, end) - start) for start, end, share in bands)
    low = min(max(_nearest(ideal - delta), shortest), MAXIMUM_INTERVAL)
    high = min(max(_nearest(ideal + delta), shortest), MAXIMUM_INTERVAL)
    if high == low and 2 < high < MAXIMUM_INTERVAL:
        high = low + 1
    return low, high


def _not_less_than_last(ideal: float, last: int) -> int:
    """The shortest interval that does not undo the last one for fuzz alone.

    Args:
        ideal: Days.
        last: Days that were scheduled last; fuzz may have made them more than ideal.
    """
    if _nearest(ideal) > last:
        return last + 1
    return last if last <= spread_range(ideal, 1)[1] else 1


def _nearest(number: float) -> int:
    """The nearest whole number; halves away from zero, as Anki, where Python goes to even."""
    return math.floor(number + 0.5)


def _rounded(number: float, decimals: int) -> float:
    """As Anki keeps a card's memory; rounded here too, or the two would drift apart."""
    return float(_nearest(number * 10.0**decimals) / 10.0**decimals)
