"""What is planned after an answer, and when the day is over."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.study.memory import NEW, Memory, Phase, Rating, day_ends, day_of, is_due
from vaeflash.study.schedule import (
    MAXIMUM_INTERVAL,
    Scheduler,
    _not_less_than_last,
    interval_words,
    spread_range,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SCHEDULER = Scheduler(UTC)
AGAIN, HARD, GOOD, EASY = Rating


def after(*answers: tuple[Rating, timedelta], start: datetime = NOON) -> Memory:
    """The memory after answers, each so long after the one before."""
    memory, now = NEW, start
    for rating, gap in answers:
        now += gap
        memory = SCHEDULER.next(memory, rating, now)
    return memory


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def days(number: float) -> timedelta:
    return timedelta(days=number)


GAPS = st.one_of(
    st.integers(0, 86_400 * 1000),
    st.integers(0, 86_400 * 1000 * 400),
).map(lambda gap: timedelta(milliseconds=gap))
HISTORIES = st.lists(st.tuples(st.sampled_from(Rating), GAPS), max_size=8)
LEARNED = after((EASY, days(0)))


def test_a_new_card_goes_through_two_steps() -> None:
    plan = SCHEDULER.preview(NEW, NOON)

    assert [plan[rating].due_at for rating in Rating] == [
        NOON + minutes(1),
        NOON + minutes(5.5),
        NOON + minutes(10),
        None,
    ]


def test_easy_skips_the_steps() -> None:
    assert (LEARNED.phase, LEARNED.due_day) == (Phase.REVIEW, date(2026, 11, 29))


def test_the_second_good_makes_a_review_card() -> None:
    memory = after((GOOD, days(0)), (GOOD, minutes(10)))

    assert (memory.phase, memory.due_at, memory.reps) == (Phase.REVIEW, None, 2)


def test_a_forgotten_card_is_relearned_and_counts_as_a_lapse() -> None:
    memory = SCHEDULER.next(LEARNED, AGAIN, NOON + days(8))

    assert (memory.phase, memory.lapses, memory.due_at) == (
        Phase.RELEARNING,
        1,
        NOON + days(8) + minutes(10),
    )


def test_hard_on_the_only_relearning_step_waits_half_as_long_again() -> None:
    memory = after((EASY, days(0)), (AGAIN, days(8)), (HARD, minutes(10)))

    assert SCHEDULER.words(memory) == "15m"


def test_a_step_that_outlasts_the_day_is_due_on_the_next_at_any_time() -> None:
    late = datetime(2026, 11, 22, 3, 55, tzinfo=UTC)

    memory = SCHEDULER.next(NEW, GOOD, late)

    assert (memory.phase, memory.due_day, memory.due_at) == (
        Phase.LEARNING,
        date(2026, 11, 22),
        None,
    )


def test_a_step_that_ends_before_four_is_due_in_the_same_night() -> None:
    late = datetime(2026, 11, 22, 3, 49, tzinfo=UTC)

    memory = SCHEDULER.next(NEW, GOOD, late)

    assert (memory.due_day, memory.due_at) == (date(2026, 11, 21), late + minutes(10))


def test_a_night_counts_as_a_day_gone_by_from_four_on() -> None:
    """Learned at 03:00, a card is asked on the same day at 03:30, and on the next at 04:30."""
    three = datetime(2026, 11, 22, 3, tzinfo=UTC)
    learned = SCHEDULER.next(NEW, EASY, three)

    same_day = SCHEDULER.next(learned, GOOD, three + minutes(30))
    next_day = SCHEDULER.next(learned, GOOD, three + minutes(90))

    assert (same_day.stability, next_day.stability > learned.stability) == (8.2956, True)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        (UTC, datetime(2026, 11, 22, 3, 59, 59, tzinfo=UTC), date(2026, 11, 21)),
        (UTC, datetime(2026, 11, 22, 4, tzinfo=UTC), date(2026, 11, 22)),
        (timezone(timedelta(hours=9)), datetime(2026, 11, 21, 18, tzinfo=UTC), date(2026, 11, 21)),
        (timezone(timedelta(hours=9)), datetime(2026, 11, 21, 19, tzinfo=UTC), date(2026, 11, 22)),
        (timezone(timedelta(hours=-8)), datetime(2026, 11, 21, 5, tzinfo=UTC), date(2026, 11, 20)),
    ],
)
def test_the_day_begins_at_four_by_the_wall(zone: timezone, moment: datetime, day: date) -> None:
    assert day_of(moment, zone) == day


@pytest.mark.parametrize("morning", [datetime(2026, 3, 29, 4), datetime(2026, 10, 25, 4)])
def test_a_night_in_which_the_clock_is_changed_ends_at_four_by_the_wall(morning: datetime) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    four = morning.replace(tzinfo=berlin).astimezone(UTC)

    assert day_ends(four - minutes(30), berlin) == four


@pytest.mark.slow
@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(-23 * 60, 23 * 60))
def test_a_day_ends_when_the_next_begins(naive: datetime, west: int) -> None:
    zone, moment = timezone(minutes(west)), naive.replace(tzinfo=UTC)

    end = day_ends(moment, zone)

    assert (day_of(end, zone) - day_of(moment, zone), day_of(end - minutes(1), zone)) == (
        days(1),
        day_of(moment, zone),
    )


def test_a_card_is_due_from_the_beginning_of_its_day() -> None:
    four = datetime(2026, 11, 29, 4, tzinfo=UTC)

    assert [is_due(LEARNED, four - minutes(1), UTC), is_due(LEARNED, four, UTC)] == [False, True]


def test_a_card_in_a_step_is_due_at_its_minute() -> None:
    memory = after((GOOD, days(0)))

    assert [is_due(memory, NOON + minutes(m), UTC) for m in (9, 10)] == [False, True]


def test_a_new_card_is_not_due() -> None:
    assert not is_due(NEW, NOON, UTC)


@pytest.mark.slow
@given(HISTORIES, st.sampled_from(Rating), GAPS)
def test_a_clock_set_back_counts_as_no_time_gone_by(
    history: Sequence[tuple[Rating, timedelta]], rating: Rating, back: timedelta
) -> None:
    memory = after(*history)
    last = memory.last_review or NOON

    early = SCHEDULER.next(memory, rating, last - back)
    at_once = SCHEDULER.next(memory, rating, last)

    assert (early.stability, early.difficulty, early.interval, early.phase) == (
        at_once.stability,
        at_once.difficulty,
        at_once.interval,
        at_once.phase,
    )


@pytest.mark.slow
@given(HISTORIES, GAPS)
def test_a_better_answer_never_brings_a_card_back_sooner(
    history: Sequence[tuple[Rating, timedelta]], gap: timedelta
) -> None:
    memory = after(*history)
    now = (memory.last_review or NOON) + gap

    plan = SCHEDULER.preview(memory, now)

    end = datetime.max.replace(tzinfo=UTC)
    due = [(plan[rating].due_day, plan[rating].due_at or end) for rating in Rating]
    assert due == sorted(due)


@pytest.mark.slow
@given(HISTORIES, GAPS, st.text(max_size=8))
def test_what_is_shown_is_what_is_stored(
    history: Sequence[tuple[Rating, timedelta]], gap: timedelta, seed: str
) -> None:
    memory = after(*history)
    now = (memory.last_review or NOON) + gap

    plan = SCHEDULER.preview(memory, now, seed)

    assert plan == {rating: SCHEDULER.next(memory, rating, now, seed) for rating in Rating}


@pytest.mark.slow
@given(HISTORIES, GAPS, st.text(max_size=8))
def test_fuzz_stays_within_its_range_and_in_order(
    history: Sequence[tuple[Rating, timedelta]], gap: timedelta, seed: str
) -> None:
    memory = after(*history, (EASY, days(0)))
    assert memory.last_review

    plan = SCHEDULER.preview(memory, memory.last_review + gap, seed)

    hard, good, easy = (plan[rating].interval for rating in (HARD, GOOD, EASY))
    # The stability that is kept is rounded, the interval comes from the one that is not.
    ideals = [plan[HARD].stability + rounding for rounding in (-1e-4, 1e-4)]
    ends = [spread_range(i, _not_less_than_last(i, memory.interval)) for i in ideals]
    assert min(ends)[0] <= hard <= max(high for _, high in ends)
    assert hard < good < easy or easy == MAXIMUM_INTERVAL


def test_fuzz_spreads_cards_that_were_learned_together() -> None:
    seeds = [f"card-{number}" for number in range(200)]

    planned = {SCHEDULER.next(LEARNED, GOOD, NOON + days(8), seed).interval for seed in seeds}

    ideal = SCHEDULER.next(LEARNED, GOOD, NOON + days(8)).stability
    low, high = spread_range(ideal, 1)
    assert planned == set(range(low, high + 1))


def well_learned(reps: int, stability: float = 400.0) -> Memory:
    return Memory(
        phase=Phase.REVIEW,
        stability=stability,
        difficulty=1.0,
        interval=round(stability),
        due_day=(NOON + days(stability)).date(),
        last_review=NOON,
        reps=reps,
    )


def test_fuzz_differs_from_answer_to_answer() -> None:
    memories = [well_learned(reps) for reps in range(20)]

    spread = {SCHEDULER.next(m, GOOD, NOON + days(400), "a card").interval for m in memories}

    assert len(spread) > 5


@pytest.mark.slow
@given(HISTORIES)
def test_a_memory_survives_being_written_down(
    history: Sequence[tuple[Rating, timedelta]],
) -> None:
    memory = after(*history)

    assert Memory.from_dict(json.loads(json.dumps(memory.to_dict()))) == memory


@pytest.mark.slow
@given(HISTORIES, st.text(max_size=8))
def test_a_written_log_played_again_gives_the_same_memory(
    history: Sequence[tuple[Rating, timedelta]], seed: str
) -> None:
    memory, now, log = NEW, NOON, []
    for rating, gap in history:
        now += gap
        memory = SCHEDULER.next(memory, rating, now, seed)
        assert memory.last_review
        log.append((int(rating), memory.last_review.isoformat()))

    again = NEW
    for number, at in log:
        written = Memory.from_dict(again.to_dict())
        again = Scheduler(UTC).next(written, Rating(number), datetime.fromisoformat(at), seed)

    assert again == memory


@pytest.mark.slow
@given(HISTORIES)
def test_intervals_and_stabilities_stay_within_bounds(
    history: Sequence[tuple[Rating, timedelta]],
) -> None:
    memory = after(*history, (GOOD, days(0)))

    assert 0 < memory.stability <= 36_500
    assert 1 <= memory.difficulty <= 10
    assert 0 <= memory.interval <= MAXIMUM_INTERVAL


def test_the_longest_interval_is_a_hundred_years() -> None:
    plan = SCHEDULER.preview(well_learned(3, 36_400.0), NOON + days(36_400))

    assert [plan[rating].interval for rating in (HARD, GOOD, EASY)] == [36_500] * 3


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        (minutes(0.5), "30s"),
        (minutes(1), "1m"),
        (minutes(5.5), "6m"),
        (minutes(90), "1.5h"),
        (days(1), "1d"),
        (days(30), "30d"),
        (days(31), "1mo"),
        (days(37), "1.2mo"),
        (days(364), "12mo"),
        (days(365), "1y"),
        (days(550), "1.5y"),
    ],
)
def test_an_interval_in_words(interval: timedelta, words: str) -> None:
    assert interval_words(interval.total_seconds()) == words


def test_days_in_words_are_those_that_were_planned() -> None:
    plan = SCHEDULER.preview(NEW, NOON)

    assert [SCHEDULER.words(plan[rating]) for rating in Rating] == ["1m", "6m", "10m", "8d"]


def test_a_new_card_has_no_interval() -> None:
    assert SCHEDULER.words(NEW) == ""


@pytest.mark.parametrize(
    ("use", "loaded"),
    [
        ("", {"fsrs": False, "torch": False}),
        (
            "s.Scheduler().preview(m.NEW, datetime.now(UTC))",
            {"fsrs": True, "torch": False},
        ),
    ],
)
def test_fsrs_is_loaded_when_a_card_is_planned_and_torch_never(
    use: str, loaded: dict[str, bool]
) -> None:
    script = (
        "import json, sys\nfrom datetime import UTC, datetime\nimport vaeflash.study.memory as m\n"
        "import vaeflash.study.schedule as s\n"
        f"{use}\nprint(json.dumps({{n: n in sys.modules for n in ('fsrs', 'torch')}}))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert json.loads(done.stdout) == loaded
