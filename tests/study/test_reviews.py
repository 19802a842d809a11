"""Reviews in a file: nothing lost, nothing counted twice, and a reason for every refusal."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaeflash.study.memory import NEW, Memory, Rating, is_due
from vaeflash.study.reviews import (
    Act,
    CardKey,
    ConflictError,
    DayCount,
    Store,
    StoreError,
    Today,
    Undone,
    database,
    open_store,
    reviews_exist,
    reviews_path,
)
from vaeflash.study.reviews.database import migrate, open_database
from vaeflash.study.schedule import Scheduler

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TODAY = NOON.date()
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
KL, ELBO, TERM = (CardKey("vae", name) for name in ("kl", "elbo", "term"))
BACK = CardKey("vae", "term", "reverse")
COURSE = [KL, ELBO, TERM, BACK]
ELSEWHERE = CardKey("another", "kl")
SCHEDULER = Scheduler(UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "reviews.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(path, UTC) as opened:
        yield opened


def give(store: Store, key: CardKey, rating: Rating = Rating.GOOD, now: datetime = NOON) -> Memory:
    """Answer a card as it stands."""
    before = store.state(key).memory
    after = SCHEDULER.next(before, rating, now, str(key))
    store.answer(key, before, rating, after, duration=4000)
    return after


def names(states: tuple) -> list[str]:
    return [f"{state.key.card} {state.key.template}" for state in states]


def all_states(store: Store) -> list:
    return [store.states(course) for course in ("vae", "another")]


# Answers


def test_a_card_that_was_never_answered_is_new(store: Store) -> None:
    assert store.state(KL).memory == NEW


def test_an_answer_is_stored_with_the_memory_it_led_to(store: Store) -> None:
    after = give(store, KL)

    assert store.state(KL).memory == after


def test_an_answer_can_be_read_by_another_process_at_once(store: Store, path: Path) -> None:
    after = give(store, KL)

    with open_store(path, UTC) as other:
        assert other.state(KL).memory == after


def test_the_log_tells_what_was_known_before_and_after(store: Store) -> None:
    first = give(store, KL)
    second = give(store, KL, Rating.EASY, NOON + 10 * MINUTE)

    told = [
        (review.before, review.after, review.rating, review.at, review.duration)
        for review in store.reviews("vae")
    ]

    assert told == [
        (NEW, first, Rating.GOOD, NOON, 4000),
        (first, second, Rating.EASY, NOON + 10 * MINUTE, 4000),
    ]


def test_templates_of_a_card_are_scheduled_apart(store: Store) -> None:
    give(store, TERM)

    assert store.state(BACK).memory == NEW


def test_commits_are_on_the_disk_and_foreign_keys_are_watched(path: Path) -> None:
    with closing(open_database(path)) as connection:
        settings = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert settings == ["wal", 2, 1]


def test_an_answer_to_a_card_answered_elsewhere_is_refused(store: Store, path: Path) -> None:
    plan = SCHEDULER.preview(NEW, NOON)
    with open_store(path, UTC) as other:
        give(other, KL, Rating.EASY)

    with pytest.raises(ConflictError, match="answered elsewhere since it was asked here"):
        store.answer(KL, NEW, Rating.GOOD, plan[Rating.GOOD])

    assert len(list(store.reviews("vae"))) == 1


def test_an_answer_that_builds_on_one_taken_back_elsewhere_is_refused(store: Store) -> None:
    before = give(store, KL)
    store.undo("vae", NOON)

    with pytest.raises(ConflictError, match="was taken back elsewhere"):
        store.answer(KL, before, Rating.GOOD, SCHEDULER.next(before, Rating.GOOD, NOON))


def test_an_answer_that_builds_on_one_replaced_elsewhere_is_refused(store: Store) -> None:
    before = give(store, KL)
    store.undo("vae", NOON)
    give(store, KL, Rating.AGAIN)

    with pytest.raises(ConflictError, match="and another given"):
        store.answer(KL, before, Rating.GOOD, SCHEDULER.next(before, Rating.GOOD, NOON))


# Taking back


def test_undo_brings_back_what_was_known_before(store: Store) -> None:
    before = give(store, KL)
    give(store, KL, Rating.AGAIN, NOON + 10 * MINUTE)

    store.undo("vae", NOON + 11 * MINUTE)

    assert store.state(KL).memory == before


def test_undo_works_across_sessions(path: Path) -> None:
    with open_store(path, UTC) as store:
        give(store, KL)
    with open_store(path, UTC) as store:
        undone = store.undo("vae", NOON + DAY)

        assert (undone and undone.key, store.state(KL).memory) == (KL, NEW)


def test_undo_goes_further_back_each_time(store: Store) -> None:
    for key in (KL, ELBO, KL):
        give(store, key)

    undone = [store.undo("vae", NOON) for _ in range(4)]

    assert [review and review.key for review in undone] == [KL, ELBO, KL, None]


def test_undo_leaves_other_courses_alone(store: Store) -> None:
    give(store, KL)
    kept = give(store, ELSEWHERE)

    store.undo("vae", NOON)

    assert store.state(ELSEWHERE).memory == kept


def test_an_answer_taken_back_stays_in_the_log_and_says_so(store: Store) -> None:
    give(store, KL)
    store.undo("vae", NOON)
    give(store, KL, Rating.EASY)

    assert [(r.rating, r.undone) for r in store.reviews("vae")] == [
        (Rating.GOOD, True),
        (Rating.EASY, False),
    ]


def test_undo_of_an_answer_keeps_marks(store: Store) -> None:
    store.flag(KL, 3, NOON)
    give(store, KL)

    store.undo("vae", NOON)

    assert store.state(KL).flag == 3


def mark(store: Store, what: str, key: CardKey = KL, now: datetime = NOON) -> None:
    if what == "flag":
        store.flag(key, 2, now)
    else:
        getattr(store, what)(key, now)


@pytest.mark.parametrize("what", ["bury", "suspend", "flag"])
def test_a_mark_of_an_earlier_session_is_taken_back(path: Path, what: str) -> None:
    with open_store(path, UTC) as store:
        store.flag(KL, 1, NOON)
        give(store, KL)
        before = store.state(KL)
        mark(store, what)
    with open_store(path, UTC) as store:
        undone = store.undo("vae", NOON)

        assert (undone and undone.act, store.state(KL), store.check()) == (what, before, [])


def test_marks_and_answers_are_taken_back_in_turn(store: Store) -> None:
    give(store, KL)
    mark(store, "flag")
    give(store, ELBO)
    mark(store, "bury", TERM)

    undone = [store.undo("vae", NOON) for _ in range(5)]

    assert [(one.act, one.key) if one else None for one in undone] == [
        ("bury", TERM),
        ("answer", ELBO),
        ("flag", KL),
        ("answer", KL),
        None,
    ]


def test_marks_that_no_longer_count_are_passed_over_by_undo(store: Store) -> None:
    give(store, KL)
    mark(store, "bury")
    mark(store, "suspend")
    mark(store, "unsuspend")

    undone = store.undo("vae", NOON + DAY)

    assert undone == Undone(Act.ANSWER, KL, 1, Rating.GOOD)


# Marks


def test_a_buried_card_is_back_on_the_next_day(store: Store) -> None:
    store.bury(KL, NOON)

    asked = [
        names(store.queues("vae", [KL], now).new)
        for now in (NOON, datetime(2026, 11, 22, 3, 59, tzinfo=UTC), NOON + 16 * 60 * MINUTE)
    ]

    assert asked == [[], [], ["kl forward"]]


def test_a_suspended_card_is_not_asked_until_it_is_unsuspended(store: Store) -> None:
    give(store, KL, Rating.EASY)
    store.suspend(KL, NOON)
    before = names(store.queues("vae", COURSE, NOON + 100 * DAY).review)

    store.unsuspend(KL, NOON)

    after = names(store.queues("vae", COURSE, NOON + 100 * DAY).review)
    assert (before, after) == ([], ["kl forward"])


def test_a_flag_is_kept_and_taken_off(store: Store) -> None:
    seen = []
    for flag in (7, 0):
        store.flag(KL, flag, NOON)
        seen.append(store.state(KL).flag)

    assert seen == [7, 0]


# What there is to ask


def test_new_cards_come_in_the_course_s_order(store: Store) -> None:
    give(store, ELBO)
    store.flag(TERM, 1, NOON)

    assert names(store.queues("vae", COURSE, NOON).new) == [
        "kl forward",
        "term forward",
        "term reverse",
    ]


def test_steps_within_the_day_are_due_at_their_minute_the_earliest_first(store: Store) -> None:
    give(store, KL, Rating.GOOD)
    give(store, ELBO, Rating.AGAIN)
    give(store, TERM, Rating.HARD)

    queues = store.queues("vae", COURSE, NOON + 6 * MINUTE)

    assert (names(queues.learning), names(queues.later)) == (
        ["elbo forward", "term forward"],
        ["kl forward"],
    )


def test_reviews_are_due_on_their_day_the_longest_due_first(store: Store) -> None:
    give(store, KL, Rating.EASY, NOON)
    give(store, ELBO, Rating.EASY, NOON - 5 * DAY)
    give(store, TERM, Rating.EASY, NOON + 30 * DAY)

    queues = store.queues("vae", COURSE, NOON + 12 * DAY)

    assert names(queues.review) == ["elbo forward", "kl forward"]


def test_only_cards_that_exist_are_asked(store: Store) -> None:
    give(store, KL, Rating.EASY)
    give(store, ELBO, Rating.AGAIN)

    queues = store.queues("vae", [TERM], NOON + 100 * DAY)

    assert [*queues.review, *queues.learning, *queues.later] == []


def test_a_card_due_by_a_clock_since_set_back_waits_for_its_time(store: Store) -> None:
    give(store, KL, Rating.GOOD, NOON + 400 * DAY)

    queues = store.queues("vae", [KL], NOON)

    assert (names(queues.learning), names(queues.later)) == ([], ["kl forward"])


def test_a_card_that_left_the_course_is_an_orphan_and_keeps_its_history(store: Store) -> None:
    kept = give(store, KL)
    give(store, ELBO)

    (orphan,) = store.orphans("vae", [ELBO, TERM])

    assert (orphan.key, orphan.memory) == (KL, kept)


# What was done


def test_today_counts_new_cards_and_reviews_as_limits_do(store: Store) -> None:
    give(store, KL, Rating.EASY, NOON - 30 * DAY)
    give(store, KL, Rating.GOOD)
    give(store, ELBO, Rating.GOOD)
    give(store, ELBO, Rating.GOOD, NOON + 10 * MINUTE)
    give(store, ELSEWHERE)
    give(store, TERM)
    store.undo("vae", NOON)

    assert store.today("vae", NOON) == Today(new=1, reviews=1, answers=3, duration=12_000)


def test_a_step_that_outlasted_the_night_counts_as_a_review(store: Store) -> None:
    give(store, KL, Rating.GOOD, datetime(2026, 11, 21, 3, 55, tzinfo=UTC))
    give(store, KL, Rating.GOOD)

    assert store.today("vae", NOON).reviews == 1


def test_nothing_was_done_on_a_day_without_answers(store: Store) -> None:
    give(store, KL)

    assert store.today("vae", NOON + DAY) == Today(0, 0, 0, 0)


def test_an_answer_belongs_to_the_day_of_the_place_where_it_was_given(path: Path) -> None:
    with open_store(path, timezone(timedelta(hours=-8))) as store:
        give(store, KL, now=datetime(2026, 11, 21, 11, 59, tzinfo=UTC))

        assert [review.day for review in store.reviews("vae")] == [date(2026, 11, 20)]


def test_days_tell_answers_and_how_many_reviews_were_passed(store: Store) -> None:
    for key in (KL, ELBO, TERM):
        give(store, key, Rating.EASY, NOON - 30 * DAY)
    give(store, KL, Rating.GOOD)
    give(store, ELBO, Rating.AGAIN)
    give(store, ELBO, Rating.GOOD, NOON + 10 * MINUTE)
    give(store, TERM, Rating.AGAIN)
    store.undo("vae", NOON)

    assert store.days("vae") == [
        DayCount(date(2026, 10, 22), answers=3, new=3, reviews=0, passed=0, duration=12_000),
        DayCount(TODAY, answers=3, new=0, reviews=2, passed=1, duration=12_000),
    ]


def test_days_of_some_cards_leave_the_others_out(store: Store) -> None:
    give(store, KL)
    give(store, TERM)
    give(store, BACK)

    assert [day.answers for day in store.days("vae", cards=["term"])] == [2]


def test_the_forecast_counts_what_is_overdue_for_today(store: Store) -> None:
    give(store, KL, Rating.EASY, NOON - 60 * DAY)
    give(store, ELBO, Rating.EASY)
    give(store, TERM, Rating.EASY)
    give(store, BACK, Rating.GOOD)
    store.suspend(TERM, NOON)
    due = store.state(ELBO).memory.due_day

    assert store.forecast("vae", NOON) == {TODAY: 2, due: 1}


def test_a_buried_card_is_forecast_for_when_it_is_back(store: Store) -> None:
    give(store, KL, Rating.EASY, NOON - 60 * DAY)
    store.bury(KL, NOON)

    assert store.forecast("vae", NOON, cards=["kl"]) == {TODAY + DAY: 1}


def test_the_log_is_plain_values_for_json(store: Store) -> None:
    give(store, KL)
    store.flag(KL, 2, NOON)
    store.bury(KL, NOON)
    store.suspend(KL, NOON)
    store.undo("vae", NOON)
    give(store, ELSEWHERE)

    rows = json.loads(json.dumps(list(store.log("vae"))))

    details = [
        {name: row[name] for name in ("value", "until", "undoes", "undone") if name in row}
        for row in rows
    ]
    assert [(row["what"], detail) for row, detail in zip(rows, details, strict=True)] == [
        ("answer", {"undone": False}),
        ("flag", {"value": 2, "undone": False}),
        ("bury", {"until": "2026-11-22", "undone": False}),
        ("suspend", {"value": True, "undone": True}),
        ("undo", {"undoes": 4}),
    ]


def test_the_memories_in_the_log_can_be_read_back(store: Store) -> None:
    after = give(store, KL)

    (row,) = store.log()

    assert (Memory.from_dict(row["before"]), Memory.from_dict(row["after"])) == (NEW, after)


# The log is the truth


MARKS = ("bury", "suspend", "unsuspend", "flag", "undo")
HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from([*Rating, *MARKS]),
        st.sampled_from([*COURSE, ELSEWHERE]),
        st.integers(-3 * 86_400, 20 * 86_400),
    ),
    max_size=12,
)


def happen(store: Store, what: Rating | str, key: CardKey, now: datetime) -> None:
    if isinstance(what, Rating):
        give(store, key, what, now)
    elif what == "undo":
        store.undo(key.course, now)
    elif what == "flag":
        store.flag(key, now.second % 8, now)
    else:
        getattr(store, what)(key, now)


@pytest.mark.slow
@settings(max_examples=30)
@given(HAPPENINGS)
def test_the_states_can_be_made_from_the_log_alone(
    happenings: list[tuple[Rating | str, CardKey, int]],
) -> None:
    """The clock goes back at times."""
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "r", UTC) as store:
        now = NOON
        for what, key, gap in happenings:
            now += timedelta(seconds=gap)
            happen(store, what, key, now)
        before = all_states(store)
        store._connection.execute("DELETE FROM state")

        store.rebuild()

        assert (all_states(store), store.check()) == (before, [])


@pytest.mark.slow
@settings(max_examples=30)
@given(HAPPENINGS, st.sampled_from([Rating.HARD, "bury", "suspend", "flag"]))
def test_a_deed_and_its_undo_leave_no_trace_but_in_the_log(
    happenings: list[tuple[Rating | str, CardKey, int]], deed: Rating | str
) -> None:
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "r", UTC) as store:
        for what, key, gap in happenings:
            happen(store, what, key, NOON + timedelta(seconds=gap))
        give(store, KL, Rating.EASY)
        store.undo("vae", NOON)
        before = (store.state(KL), store.days("vae"), store.forecast("vae", NOON))

        happen(store, deed, KL, NOON)
        store.undo("vae", NOON)

        after = (store.state(KL), store.days("vae"), store.forecast("vae", NOON))
        assert after == before


@pytest.mark.slow
@settings(max_examples=30)
@given(HAPPENINGS, st.integers(-2, 30))
def test_what_there_is_to_ask_follows_from_the_states(
    happenings: list[tuple[Rating | str, CardKey, int]], days: int
) -> None:
    """The queues are picked by SQL, here by what each record says of itself."""
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "r", UTC) as store:
        for what, key, gap in happenings:
            happen(store, what, key, NOON + timedelta(seconds=gap))
        now = NOON + days * DAY
        states = [state for state in map(store.state, COURSE) if state.is_asked(now.date())]
        timed = [state for state in states if state.memory.due_at]
        whole = [state for state in states if state.memory.due_day and not state.memory.due_at]

        queues = store.queues("vae", COURSE, now)

        assert set(queues.new) == {state for state in states if state.memory == NEW}
        assert set(queues.learning) == {state for state in timed if is_due(state.memory, now, UTC)}
        assert set(queues.learning + queues.later) == set(timed)
        assert set(queues.review) == {state for state in whole if is_due(state.memory, now, UTC)}


def test_check_says_that_log_and_states_disagree(store: Store) -> None:
    give(store, KL)
    store._connection.execute("UPDATE state SET answer = NULL")

    (problem,) = store.check()

    assert "the log and the states of cards disagree" in str(problem)


def test_check_says_that_an_answer_builds_on_nothing(store: Store) -> None:
    give(store, KL)
    give(store, ELBO)
    columns = "card, at, day, rating, duration, phase, step, stability, difficulty, interval,"
    columns += " due_day, due_at, reps, lapses"
    store._connection.execute(
        f"INSERT INTO log ({columns}, previous) SELECT {columns}, 2 FROM log WHERE id = 1"
    )
    store.rebuild()

    (problem,) = store.check()

    assert "does not build on the one before it" in str(problem)


def test_an_answer_is_held_against_the_log_even_if_the_state_is_lost(store: Store) -> None:
    after = give(store, KL)
    store._connection.execute("DELETE FROM state")

    with pytest.raises(ConflictError):
        give(store, KL)

    store.rebuild()
    assert store.state(KL).memory == after


@pytest.mark.parametrize("change", ["UPDATE log SET rating = 4", "DELETE FROM log"])
def test_the_log_refuses_to_be_changed(store: Store, change: str) -> None:
    give(store, KL)

    with pytest.raises(sqlite3.IntegrityError, match="never"):
        store._connection.execute(change)


def test_an_answer_is_taken_back_once_at_most(store: Store) -> None:
    give(store, KL)
    store.undo("vae", NOON)
    again = "INSERT INTO log (card, at, day, undoes) SELECT card, at, day, undoes FROM log"

    with pytest.raises(sqlite3.IntegrityError):
        store._connection.execute(f"{again} WHERE undoes IS NOT NULL")


# Where it is kept


def test_reviews_are_kept_in_the_user_s_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAEFLASH_REVIEWS", raising=False)

    assert reviews_path() == platformdirs.user_data_path("vaeflash") / "reviews.sqlite3"


def test_the_environment_names_another_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAEFLASH_REVIEWS", str(path))

    with open_store(zone=UTC) as store:
        assert store.path == path


# Two at once


ANSWERER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from vaeflash.study.memory import Rating
from vaeflash.study.schedule import Scheduler
from vaeflash.study.reviews import CardKey, ConflictError, open_store

path, name, count = sys.argv[1:]
now = datetime(2026, 11, 21, 12, tzinfo=UTC)
sys.stdin.readline()
with open_store(Path(path), UTC) as store:
    for number in range(int(count)):
        key = CardKey("vae", f"card-{number}")
        before = store.state(key).memory
        after = Scheduler(UTC).next(before, Rating.GOOD, now)
        try:
            store.answer(key, before, Rating.GOOD, after)
        except ConflictError:
            continue
        print(name, number, before.reps, flush=True)
"""


@pytest.mark.slow
def test_processes_that_answer_the_same_cards_lose_nothing_and_count_nothing_twice(
    path: Path,
) -> None:
    """They even make the file together."""
    command = [sys.executable, "-c", ANSWERER, str(path)]
    started = [
        subprocess.Popen(
            [*command, name, "30"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("left", "right", "third")
    ]
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [line.split() for p in started for line in p.communicate()[0].splitlines()]

    with open_store(path, UTC) as store:
        stored = [(f"{review.key.card}", review.before.reps) for review in store.reviews("vae")]

        assert sorted(stored) == sorted((f"card-{number}", int(reps)) for _, number, reps in told)
        assert (len(set(stored)), store.check()) == (len(stored), [])
        assert [process.returncode for process in started] == [0, 0, 0]


def test_a_process_that_writes_for_too_long_is_told_of(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.0)
    with open_store(path, UTC) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreError, match="another process has been writing"):
            give(store, KL)


# What is refused


def test_a_newer_format_is_refused_and_left_alone(path: Path) -> None:
    with open_store(path, UTC) as store:
        give(store, KL)
        store._connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()

    with pytest.raises(StoreError, match=r"format 99, which a newer vaeflash wrote"):
        open_store(path)

    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (it)")
    before = path.read_bytes()

    with pytest.raises(StoreError, match="of another program"):
        open_store(path)

    assert path.read_bytes() == before


def damage(path: Path) -> bytes:
    """Leaves the first page, which says what the file is, and writes over the others."""
    with open_store(path, UTC) as store:
        for number in range(200):
            store.flag(CardKey("vae", f"card-{number}"), 1, NOON)
    content = path.read_bytes()
    content = content[:4096] + b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    return content


def use(path: Path) -> None:
    with open_store(path, UTC) as store:
        store.check()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"not a database at all, " * 400),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        damage,
    ],
    ids=["another kind of file", "cut off", "overwritten"],
)
def test_a_damaged_file_is_kept_and_copied(path: Path, spoil: Callable[[Path], object]) -> None:
    with open_store(path, UTC) as store:
        give(store, KL)
    spoil(path)
    before = path.read_bytes()

    with pytest.raises(StoreError, match=r"this file is damaged: .*\n  A copy is in "):
        use(path)

    (copy,) = path.parent.glob("reviews-damaged-*.sqlite3")
    assert (path.read_bytes(), copy.read_bytes()) == (before, before)


def test_the_same_damage_is_copied_once(path: Path) -> None:
    damage(path)

    for _ in range(3):
        with pytest.raises(StoreError):
            use(path)

    assert len(list(path.parent.glob("reviews-damaged-*"))) == 1


def test_a_copy_of_a_damaged_file_overwrites_no_other(path: Path) -> None:
    path.parent.mkdir()
    contents = [b"first damage" * 500, b"second damage" * 500]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(StoreError):
            use(path)

    copies = path.parent.glob("reviews-damaged-*")

    assert sorted(copy.read_bytes() for copy in copies) == contents


def test_a_full_disk_is_told_of_and_takes_nothing_away(store: Store) -> None:
    kept = give(store, KL)
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StoreError, match="disk is full"):
        give(store, CardKey("vae", "a name that takes a page or more " * 1000))

    store._connection.execute("PRAGMA max_page_count = 100000")
    assert ([s.memory for s in store.states("vae")], store.check()) == ([kept], [])


FILLER = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from vaeflash.study.reviews import CardKey, StoreError, open_store
with open_store(Path(sys.argv[1]), UTC) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        for number in range(100_000):
            store.flag(CardKey("vae", f"card-{number}"), 1, datetime.now(UTC))
            print(number, flush=True)
    except StoreError as error:
        print(error, file=sys.stderr)
"""


def test_what_was_stored_before_the_system_refused_to_write_is_there(path: Path) -> None:
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(path)], capture_output=True, text=True, check=True
    )

    with open_store(path, UTC) as store:
        flagged = {state.key.card for state in store.states("vae") if state.flag}
        assert f"{path}: reviews cannot be read or written here" in done.stderr
        assert {f"card-{number}" for number in done.stdout.split()} <= flagged
        assert store.check() == []


def test_a_file_that_cannot_be_written_is_told_of(store: Store) -> None:
    store._connection.execute("PRAGMA query_only = ON")

    with pytest.raises(StoreError, match=r"cannot be read or written here: .*readonly"):
        give(store, KL)


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="file/reviews: reviews cannot be read or written here"):
        open_store(tmp_path / "file" / "reviews")


# Migrations


def test_reviews_of_the_first_format_are_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(database, "_SCRIPTS", ("schema.sql",))
        with closing(open_database(path)) as first:
            first.executescript(FIRST_FORMAT)
    with open_store(path, UTC) as store:
        flag = store.state(ELBO).flag
        undone = [store.undo("vae", NOON) for _ in range(3)]

        assert (flag, [one and one.key for one in undone]) == (4, [ELBO, KL, None])
        assert store.check() == []


@pytest.fixture
def empty(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


FIRST_FORMAT = """
    INSERT INTO card VALUES (1, 'vae', 'kl', 'forward'), (2, 'vae', 'elbo', 'forward');
    INSERT INTO log (id, card, at, day, rating, duration, phase, step, stability, difficulty,
                     interval, due_day, reps, lapses)
    VALUES (1, 1, 0, '1970-01-01', 4, 1, 'review', 0, 8.0, 3.0, 8, '1970-01-09', 1, 0),
           (2, 2, 0, '1970-01-01', 4, 1, 'review', 0, 8.0, 3.0, 8, '1970-01-09', 1, 0);
    INSERT INTO log (id, card, at, day, undoes) VALUES (3, 2, 0, '1970-01-01', 2);
    INSERT INTO log (id, card, at, day, flag) VALUES (4, 2, 0, '1970-01-01', 4);
    INSERT INTO state (card, answer, flag) VALUES (1, 1, 0), (2, NULL, 4);
"""
"""An answer that counts, one that was taken back, and a flag, as version 1 wrote them."""
FIRST = "CREATE TABLE one (a);\nCREATE TRIGGER t AFTER INSERT ON one BEGIN SELECT 1; END;\n"
SECOND = "ALTER TABLE one ADD COLUMN b DEFAULT 2;\n"


def test_migrations_run_once_each_in_order(empty: sqlite3.Connection, path: Path) -> None:
    migrate(empty, [FIRST], path)
    empty.execute("INSERT INTO one VALUES (1)")

    for _ in range(2):
        migrate(empty, [FIRST, SECOND], path)

    assert empty.execute("SELECT a, b FROM one").fetchall() == [(1, 2)]


def test_a_migration_that_fails_leaves_everything_as_it_was(
    empty: sqlite3.Connection, path: Path
) -> None:
    migrate(empty, [FIRST], path)

    with pytest.raises(sqlite3.OperationalError):
        migrate(empty, [FIRST, SECOND + "CREATE TABLE one (c);\n"], path)

    columns = [row[1] for row in empty.execute("PRAGMA table_info(one)")]
    assert (columns, empty.execute("PRAGMA user_version").fetchone()) == (["a"], (1,))


# What no vaeflash writes


def spoiled(path: Path, change: str) -> Path:
    """Reviews of three cards, then changed by another program."""
    with open_store(path, UTC) as store:
        give(store, KL)
        store.bury(ELBO, NOON)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA ignore_check_constraints = ON")
        other.execute("DROP TRIGGER log_is_never_changed")
        other.execute("DROP TRIGGER log_is_never_shortened")
        other.execute(change)
    return path


LOST = {
    "DROP TABLE log": "main.log",
    "DROP TABLE state": "no state.card",
    "DROP VIEW deed": "deed",
    "ALTER TABLE card RENAME COLUMN template TO form": "template",
    "PRAGMA user_version = -3": "its format is -3",
    "PRAGMA user_version = 0": "already exists",
}
UNREADABLE = [
    "UPDATE log SET due_day = 'soon'",
    "UPDATE log SET due_day = '2026-W10-1'",
    "UPDATE log SET day = 20260302",
    "UPDATE log SET at = 1e300",
    "UPDATE log SET at = 'noon'",
    "UPDATE log SET stability = -1 WHERE rating IS NOT NULL",
    "UPDATE log SET stability = 'strong' WHERE rating IS NOT NULL",
    "UPDATE log SET difficulty = 99 WHERE rating IS NOT NULL",
    "UPDATE log SET due_at = 99999999999999999",
    "UPDATE log SET reps = 'many' WHERE rating IS NOT NULL",
    "UPDATE card SET card = x'ff' WHERE id = 1",
    "UPDATE card SET card = CAST(x'ff' AS TEXT) WHERE id = 1",
    "UPDATE state SET buried = 'later'",
    "UPDATE state SET flag = 'red'",
    "UPDATE state SET suspended = 'yes'",
]


@pytest.mark.parametrize(("change", "told"), LOST.items(), ids=LOST)
def test_a_file_that_lacks_a_table_is_damaged_and_says_which(
    path: Path, change: str, told: str
) -> None:
    spoiled(path, change)

    with pytest.raises(StoreError, match=f"this file is damaged: .*{told}"):
        open_store(path, UTC)


@pytest.mark.parametrize("change", UNREADABLE)
def test_what_no_vaeflash_writes_is_found_by_the_doctor_and_told_by_the_quiz(
    path: Path, change: str
) -> None:
    with open_store(spoiled(path, change), UTC) as store:
        try:
            found = store.check()
        except StoreError as error:
            found = list(error.problems)
        with pytest.raises(StoreError, match=r"(?s)damaged|cannot be read.*rebuild-reviews"):
            (store.states("vae"), [*store.log()], store.days("vae"))

        assert found


def test_states_that_cannot_be_read_are_made_anew_from_the_log(path: Path) -> None:
    with open_store(spoiled(path, "UPDATE state SET buried = 'later'"), UTC) as store:
        store.rebuild()

        assert (store.check(), len(store.states("vae"))) == ([], 2)


def test_a_place_that_nobody_may_look_at_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="reviews cannot be read or written here"):
        reviews_exist(tmp_path / ("x" * 300))


def test_a_table_whose_name_is_no_text_is_damage(path: Path) -> None:
    with open_store(path, UTC):
        pass
    with closing(sqlite3.connect(path)) as other:
        other.executescript(
            "PRAGMA writable_schema = ON;"
            "UPDATE sqlite_master SET name = CAST(x'ff' AS TEXT), sql = 'nothing'"
            " WHERE name = 'log'; PRAGMA user_version = 2;"
        )

    with pytest.raises(StoreError, match="this file is damaged"):
        open_store(path, UTC)
