"""Progress of the terminal in Anki: the same answers, carried over, are the rows that Anki writes.

The rows are compared with those of a real collection in which the same answers were given at the
same moments (`anki_carried`): by day with fuzz off, and around 04:00, where learning steps outlast
the day, with fuzz on, since Anki's own test mode sets the clock back there.
"""

from __future__ import annotations

import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from anki.collection import Collection
from conftest import MakeCourse, card, deck
from real_anki import answer_all, load, reviews
from typer.testing import CliRunner

from vaeflash.card import Card, Claim, Control, Deck, Kind
from vaeflash.cli import app
from vaeflash.course.course import bundled_root, open_course
from vaeflash.export.anki import Carried, ExportReport, Progress, build_package
from vaeflash.export.anki.notetypes import card_type
from vaeflash.export.edition import Edition
from vaeflash.judging.ledger import Ledger
from vaeflash.study.memory import Memory, Rating, day_of
from vaeflash.study.question import templates_of
from vaeflash.study.reviews import CardKey, Store, open_store
from vaeflash.study.schedule import Scheduler

CARRIER = Path(__file__).parents[1] / "anki_carried.py"
CARDS = 20
LAST = range(CARDS - 4, CARDS)
"""Answered once, on the last day, just before or after 04:00."""
DAY = 86_400
BY_DAY, BY_NIGHT = ("12:00", "23:30", "04:05"), ("12:00", "03:40", "03:51", "03:57")
MYTH = Claim("kl_error > 1", "kl-divergence", (Control("form=swapped"),), myth=True)
ONE = Card("One", "First question?", "First answer.", id="one")
TWO = Card("Two", "Second question?", "Second answer.", id="two", kind=Kind.REVERSED)
GUESS = Card("Guess", "Third question?", "Third answer.", id="guess", claims=(MYTH,))
GAPS = Card("Gaps", "A {{c1::gap}} and {{c3::one}}.", id="gaps", kind=Kind.CLOZE)
COURSE = (Deck("A", (ONE, TWO, GUESS, GAPS)),)
QUESTIONS = [
    CardKey("vae", card.id or "", t) for card in COURSE[0].cards for t in templates_of(card)
]
AGAIN, HARD, GOOD, EASY = Rating


# The same answers, given here and there


def steps(seed: int, clocks: tuple[str, ...]) -> list[dict[str, Any]]:
    """What to answer when, as `anki_histories` reads it: twice on each of some days."""
    draw = random.Random(seed)
    now, found = 1_600_000_000 // DAY * DAY, []
    for _ in range(14):
        hour, minute = map(int, draw.choice(clocks).split(":"))
        now = now // DAY * DAY + DAY * draw.choice((1, 1, 3, 30)) + hour * 3600 + minute * 60
        for at in (now, now + 11 * 60):
            chosen = [number for number in range(CARDS - 4) if draw.random() < 0.35]
            answers = [(number, draw.choices((1, 2, 3, 4), (3, 2, 6, 1))[0]) for number in chosen]
            found.append({"at": at, "answers": answers})
    last = now // DAY * DAY + DAY
    hour, minute = map(int, clocks[-1].split(":"))
    first = {"at": last + hour * 3600 + minute * 60, "answers": [(n, 3) for n in LAST]}
    return [*found, first, {"at": last + 12 * 3600, "answers": [(n, 1) for n in (1, 7, 13)]}]


@cache
def carried(seed: int, clocks: tuple[str, ...], *, fuzz: bool) -> dict[str, Any]:
    """What Anki holds after these answers, and what a new collection holds after the import."""
    environment = {name: value for name, value in os.environ.items() if name != "ANKI_TEST_MODE"}
    done = subprocess.run(
        [sys.executable, str(CARRIER)],
        input=json.dumps({"cards": CARDS, "steps": steps(seed, clocks)}),
        env=environment | ({} if fuzz else {"ANKI_TEST_MODE": "1"}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def by_day() -> dict[str, Any]:
    return carried(1, BY_DAY, fuzz=False)


def by_night() -> dict[str, Any]:
    return carried(2, BY_NIGHT, fuzz=True)


HISTORIES = pytest.mark.parametrize("history", [by_day, by_night])
COLUMNS = (
    "type",
    "queue",
    "due",
    "ivl",
    "factor",
    "reps",
    "lapses",
    "left",
    "flags",
    "data",
    "log",
)


def is_compared(column: str, row: dict[str, Any], history: object) -> bool:
    """Not a moment that Anki's fuzz put off, as minutes have none of it here.

    Nor the day of a step that is put aside, which an import would not move.
    """
    if column != "due" or row["type"] == 2 or row["queue"] == 3:
        return True
    return history is by_day and row["due"] > 1_000_000_000


@pytest.mark.slow
@HISTORIES
@pytest.mark.parametrize("column", COLUMNS)
def test_the_same_answers_are_written_down_as_anki_writes_them(history: Any, column: str) -> None:
    both = history()
    pairs = [
        (ours[column], theirs[column])
        for ours, theirs in zip(both["carried"], both["anki"], strict=True)
        if is_compared(column, theirs, history)
    ]

    # The memory is worked out with 64 bits here and 32 there.
    wrong = [
        (ours, theirs)
        for ours, theirs in pairs
        if ours != (pytest.approx(theirs, rel=1e-5) if column == "data" else theirs)
    ]
    assert (wrong, len(pairs) >= CARDS / 4) == ([], True)


@pytest.mark.slow
@HISTORIES
def test_anki_works_the_memory_out_of_the_log_that_was_carried(history: Any) -> None:
    both = history()
    answered = [number for number, row in enumerate(both["carried"]) if row["log"]]

    memories = [[both["carried"][number]["data"][name] for name in "sd"] for number in answered]

    worked_out = [pytest.approx(both["worked out"][number], rel=1e-3) for number in answered]
    assert memories == worked_out


@pytest.mark.slow
def test_anki_s_next_intervals_are_those_of_the_terminal() -> None:
    wrong = [each["words"] for each in by_day()["next"] if each["words"][0] != each["words"][1]]

    assert wrong == []


@pytest.mark.slow
@HISTORIES
def test_the_next_answer_leads_to_the_same_memory(history: Any) -> None:
    compared = slice(None) if history is by_day else slice(0, 2)
    pairs = [each["memory"] for each in history()["next"]]

    wrong = [
        (ours, theirs)
        for ours, theirs in pairs
        if ours[compared] != pytest.approx(theirs[compared], rel=1e-5)
    ]
    assert wrong == []


def test_the_histories_reach_every_phase_queue_and_kind_of_answer() -> None:
    rows = [*by_day()["carried"], *by_night()["carried"]]
    answers = [answer for row in rows for answer in row["log"]]
    *_, kinds = zip(*answers, strict=True)
    steps_over_a_day = [answer for answer in by_night()["carried"] for answer in answer["log"]]

    assert {row["type"] for row in rows} == {1, 2, 3}
    assert {row["queue"] for row in rows} == {-3, -1, 1, 2, 3}
    assert ({*kinds}, {answer[1] for answer in answers}) == ({0, 1, 2}, {1, 2, 3, 4})
    assert {interval for _, rating, interval, *_ in steps_over_a_day if rating == 1} > {1, -60}


@HISTORIES
def test_anki_finds_nothing_to_repair(history: Any) -> None:
    assert history()["integrity"][1]


# A learner's desk


class Desk:
    """A terminal with reviews, and an Anki."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "x.apkg"
        self.store = Store(folder / "reviews.sqlite3")
        self.now = datetime.now(UTC)
        self.anki = Collection(str(folder / "collection.anki2"))
        self.anki.set_config("fsrs", True)
        self.anki._backend.get_queued_cards(fetch_limit=1, intraday_learning_only=False)

    def answer(self, key: CardKey, *ratings: Rating, ago: timedelta = timedelta()) -> Memory:
        """Answer a card, each time when it is due or a moment later, the first time so long ago."""
        at = self.now - ago
        for rating in ratings:
            before = self.store.state(key).memory
            after = Scheduler().next(before, rating, at, str(key))
            self.store.answer(key, before, rating, after, duration=4000)
            at = after.due_at or at + timedelta(days=after.interval)
        return self.store.state(key).memory

    def export(self, decks: tuple[Deck, ...] = COURSE, **options: Any) -> Progress:
        """Write the package with what was learned."""
        progress = Progress.of(self.store, "vae", self.now)
        self.build(decks, progress=progress, **options)
        return progress

    def build(self, decks: tuple[Deck, ...] = COURSE, **options: Any) -> ExportReport:
        return build_package(
            Edition("vae", "VAE", decks, Ledger(), self.folder),
            self.package,
            **{"now": 1_795_000_000} | options,
        )

    def bring(self, decks: tuple[Deck, ...] = COURSE) -> Carried:
        """Write the package and import it with what was learned."""
        progress = self.export(decks)
        load(self.anki, self.package, with_scheduling=True)
        return progress.carried

    def row(self, key: CardKey, *columns: str) -> list[Any]:
        """Of the card that asks what the terminal calls so."""
        found = self.anki.find_cards(f"Id:{key.card}")
        if key.template.startswith("cloze"):
            number = int(key.template[5:]) - 1
        else:
            names = [template["name"].lower() for template in card_type().templates]
            number = names.index(key.template)
        (card,) = (card for card in found if self.anki.get_card(card).ord == number)
        return self.anki.db.first(f"select {', '.join(columns)} from cards where id = ?", card)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()
    made.anki.close()


MONTHS = timedelta(days=200)


@pytest.mark.parametrize("key", QUESTIONS, ids=str)
def test_each_question_is_the_card_that_asks_it_in_anki(desk: Desk, key: CardKey) -> None:
    memory = desk.answer(key, GOOD, GOOD, ago=MONTHS)

    assert desk.bring() == Carried(1, 2)
    assert desk.row(key, "reps", "ivl") == [2, memory.interval]
    assert len(desk.anki.find_cards("is:new")) == len(QUESTIONS) - 1


@pytest.mark.slow
def test_every_question_of_the_bundled_course_has_its_card(tmp_path: Path) -> None:
    course = open_course(bundled_root())
    every = [card for deck in course.decks() for card in deck.cards]
    keys = {CardKey(course.id, card.id or "", t) for card in every for t in templates_of(card)}
    with open_store(tmp_path / "reviews.sqlite3") as store:
        for key in keys:
            store.flag(key, 1, datetime.now(UTC))
        progress = Progress.of(store, course.id, datetime.now(UTC))

    report = build_package(
        Edition(course.id, course.title, course.decks(), Ledger(), course.root),
        tmp_path / "x.apkg",
        progress=progress,
    )

    assert (progress.carried, report.cards) == (Carried(len(keys), 0), len(keys))


def test_a_card_is_due_on_the_same_day(desk: Desk) -> None:
    memory = desk.answer(QUESTIONS[0], GOOD, GOOD, GOOD, GOOD, ago=MONTHS)

    desk.bring()

    today = desk.anki._backend.sched_timing_today().days_elapsed
    (due,) = desk.row(QUESTIONS[0], "due")
    assert memory.due_day
    assert due - today == (memory.due_day - day_of(desk.now)).days


@pytest.mark.parametrize(
    "created", [datetime(2015, 2, 3, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)]
)
@pytest.mark.parametrize("minutes_west", [-840, 0, 720])
def test_it_does_not_matter_when_and_where_the_collection_began(
    desk: Desk, created: datetime, minutes_west: int
) -> None:
    memory = desk.answer(QUESTIONS[0], EASY, ago=MONTHS)
    desk.anki.set_config("creationOffset", minutes_west)
    desk.anki.db.execute("update col set crt = ?", int(created.timestamp()))
    desk.anki.close()
    desk.anki = Collection(str(desk.folder / "collection.anki2"))

    desk.bring()

    today = desk.anki._backend.sched_timing_today().days_elapsed
    (due,) = desk.row(QUESTIONS[0], "due")
    assert memory.due_day
    assert due - today == (memory.due_day - day_of(desk.now)).days


@pytest.mark.parametrize("key", QUESTIONS[:1])
def test_without_fsrs_in_anki_the_day_and_the_log_arrive_all_the_same(
    desk: Desk, key: CardKey
) -> None:
    memory = desk.answer(key, GOOD, GOOD, HARD, ago=MONTHS)
    desk.anki.set_config("fsrs", False)

    desk.bring()

    assert desk.row(key, "ivl", "factor") == [memory.interval, 2350]
    assert desk.anki.db.scalar("select count() from revlog") == 3


def test_an_answer_that_was_taken_back_is_not_carried(desk: Desk) -> None:
    desk.answer(QUESTIONS[0], GOOD, GOOD, ago=MONTHS)
    desk.answer(QUESTIONS[1], GOOD)
    desk.store.undo("vae", desk.now)

    assert desk.bring() == Carried(1, 2)
    assert desk.row(QUESTIONS[1], "type", "queue", "reps") == [0, 0, 0]


def test_answers_of_the_same_moment_stay_two(desk: Desk) -> None:
    for key in QUESTIONS:
        desk.answer(key, GOOD)

    assert desk.bring().reviews == len(QUESTIONS)
    assert desk.anki.db.scalar("select count() from revlog") == len(QUESTIONS)


def test_marks_of_a_card_that_was_never_answered_are_carried(desk: Desk) -> None:
    for put_aside, key in zip((desk.store.suspend, desk.store.bury), QUESTIONS[1:3], strict=True):
        put_aside(key, desk.now)
    desk.store.flag(QUESTIONS[0], 4, desk.now)

    carried = desk.bring()

    rows = [desk.row(key, "type", "queue", "flags") for key in QUESTIONS[:3]]
    assert (carried, rows) == (Carried(3, 0), [[0, 0, 4], [0, -1, 0], [0, -3, 0]])


def test_what_was_buried_yesterday_is_not_buried(desk: Desk) -> None:
    desk.answer(QUESTIONS[0], EASY, ago=MONTHS)
    desk.store.bury(QUESTIONS[0], desk.now - timedelta(days=1))

    desk.bring()

    assert desk.row(QUESTIONS[0], "queue") == [2]


@pytest.mark.parametrize("put_aside", [Store.suspend, Store.bury])
def test_a_step_that_outlasts_the_day_and_is_put_aside_comes_back_on_its_day(
    desk: Desk, put_aside: Any
) -> None:
    before_the_day = datetime.combine(day_of(desk.now), time(3, 55)).astimezone()
    memory = desk.answer(QUESTIONS[0], GOOD, ago=desk.now - before_the_day)
    put_aside(desk.store, QUESTIONS[0], desk.now)

    desk.bring()

    desk.anki.sched.unsuspend_cards(desk.anki.find_cards("Id:one"))
    begins = datetime.combine(day_of(desk.now), time(4)).astimezone()
    assert (memory.due_at, memory.due_day) == (None, begins.date())
    assert desk.row(QUESTIONS[0], "type", "queue", "due") == [1, 1, int(begins.timestamp())]


def test_what_was_unsuspended_and_unflagged_is_nothing_to_carry(desk: Desk) -> None:
    desk.store.suspend(QUESTIONS[0], desk.now)
    desk.store.unsuspend(QUESTIONS[0], desk.now)

    assert desk.bring() == Carried(0, 0)


@pytest.mark.parametrize(
    "key",
    [
        CardKey("vae", "left"),
        CardKey("vae", "one", "reverse"),
        CardKey("vae", "one", "cloze1"),
        CardKey("vae", "gaps", "cloze2"),
        CardKey("vae", "gaps"),
        CardKey("vae", "one", "not-yet-invented"),
    ],
    ids=str,
)
def test_an_orphan_stays_and_is_told(desk: Desk, key: CardKey) -> None:
    desk.answer(key, EASY)

    assert desk.bring() == Carried(0, 0, (key,))
    assert desk.anki.db.scalar("select count() from cards where reps > 0") == 0
    assert desk.anki.db.scalar("select count() from revlog") == 0


def test_another_course_s_reviews_are_not_carried(desk: Desk) -> None:
    desk.answer(CardKey("another", "one"), EASY)

    assert desk.bring() == Carried(0, 0)


# A collection with reviews of its own


def test_a_second_import_leaves_the_reviews_that_are_there(desk: Desk) -> None:
    desk.answer(QUESTIONS[0], GOOD, GOOD, ago=MONTHS)
    desk.bring()
    answer_all(desk.anki)
    before = reviews(desk.anki)
    for key in QUESTIONS:
        desk.answer(key, AGAIN)

    desk.bring((replace(COURSE[0], cards=(replace(ONE, answer="Better."), *COURSE[0].cards[1:])),))

    assert reviews(desk.anki) == before


def test_reviews_made_in_anki_before_the_first_import_stay(desk: Desk) -> None:
    desk.build()
    load(desk.anki, desk.package)
    answer_all(desk.anki)
    before = reviews(desk.anki)
    for key in QUESTIONS:
        desk.answer(key, GOOD, GOOD, ago=MONTHS)

    desk.bring()

    assert reviews(desk.anki) == before


def test_a_later_import_brings_the_progress_of_cards_that_are_new_there(desk: Desk) -> None:
    desk.bring((Deck("A", (TWO,)),))
    answer_all(desk.anki)
    before = desk.anki.db.scalar("select count() from revlog")
    memory = desk.answer(QUESTIONS[0], GOOD, GOOD, ago=MONTHS)

    desk.bring()

    assert desk.row(QUESTIONS[0], "reps", "ivl") == [2, memory.interval]
    assert desk.anki.db.scalar("select count() from revlog") == before + 2


def test_without_the_option_of_the_import_all_is_new(desk: Desk) -> None:
    desk.answer(QUESTIONS[0], EASY, ago=MONTHS)
    desk.export()

    load(desk.anki, desk.package)

    assert len(desk.anki.find_cards("is:new")) == len(QUESTIONS)


# The package


def test_equal_progress_gives_equal_packages(desk: Desk) -> None:
    desk.answer(QUESTIONS[0], GOOD, GOOD, HARD, ago=MONTHS)
    desk.export()
    before = desk.package.read_bytes()

    desk.export()

    assert desk.package.read_bytes() == before


def test_a_card_without_progress_is_as_in_a_package_without_any(desk: Desk) -> None:
    query = "select c.*, n.* from cards c join notes n on n.id = nid where flds not like 'one%'"
    desk.build()
    plain = ask(desk.package, query)
    desk.answer(QUESTIONS[0], EASY)

    desk.export()

    assert (ask(desk.package, query), len(plain)) == (plain, len(QUESTIONS) - 1)


def ask(package: Path, query: str) -> list[tuple[Any, ...]]:
    with zipfile.ZipFile(package) as archive:
        content = archive.read("collection.anki2")
    database = sqlite3.connect(":memory:")
    database.deserialize(content)
    found = database.execute(query).fetchall()
    database.close()
    return found


# The command


class Shell:
    """A command line beside a course of two cards."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def export(self, *options: str) -> str:
        done = CliRunner().invoke(app, ["--course", str(self.root), "export-anki", *options])
        assert done.exit_code == 0, done.output
        return done.stdout

    def answer(self, card: str, *ratings: Rating) -> None:
        """Through the user's own store."""
        course, now = open_course(self.root).id, datetime.now(UTC)
        with open_store() as store:
            for rating in ratings:
                before = store.state(CardKey(course, card)).memory
                after = Scheduler().next(before, rating, now)
                store.answer(CardKey(course, card), before, rating, after)
                now += timedelta(minutes=10)


@pytest.fixture
def shell(make_course: MakeCourse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    course = make_course(
        cards={"one": deck(card("a", ":tags t-a"), card("b", ":tags t-b"), title="One")}
    )
    return Shell(course.root)


def test_what_was_carried_is_told(shell: Shell) -> None:
    shell.answer("a", GOOD, GOOD)
    shell.answer("b", EASY)

    assert "Progress: 2 cards with 3 reviews." in shell.export("--with-scheduling").splitlines()


def test_what_is_no_longer_in_the_course_is_told(shell: Shell) -> None:
    shell.answer("gone", GOOD, GOOD)

    told = shell.export("--with-scheduling").splitlines()

    assert [line for line in told if "Progress" in line or "no longer" in line] == [
        "Progress: 0 cards with 0 reviews.",
        "1 no longer in the course: gone (forward).",
    ]


def test_what_was_not_chosen_is_not_called_gone(shell: Shell) -> None:
    shell.answer("a", GOOD, GOOD)

    told = shell.export("--with-scheduling", "--tag", "t-b")

    assert ("Progress: 0 cards" in told, "no longer" in told) == (True, False)


def test_anki_calls_its_option_as_the_message_does(shell: Shell, desk: Desk) -> None:
    shell.answer("a", GOOD)

    (label,) = re.findall("In Anki tick '(.*)'", shell.export("--with-scheduling"))

    assert label == desk.anki.tr.importing_also_import_progress()


def test_what_was_carried_is_in_the_json_document(shell: Shell) -> None:
    shell.answer("a", GOOD, GOOD)
    shell.answer("gone", GOOD)

    document = json.loads(shell.export("--with-scheduling", "--json"))

    left = [{"card": "gone", "template": "forward"}]
    assert document["carried"] == {"cards": 1, "reviews": 2, "left": left}


def test_without_the_option_reviews_change_no_byte(shell: Shell) -> None:
    shell.export("-o", "x.apkg")
    shell.answer("a", GOOD, GOOD)
    shell.export("-o", "with.apkg", "--with-scheduling")

    told = shell.export("-o", "y.apkg")

    assert ("Progress" in told, Path("y.apkg").read_bytes()) == (
        False,
        Path("x.apkg").read_bytes(),
    )


def test_reviews_that_cannot_be_read_are_a_reason_not_to_export(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAEFLASH_REVIEWS", str(tmp_path / "damaged"))
    (tmp_path / "damaged").write_text("not a database")
    arguments = ["--course", str(shell.root), "export-anki", "--with-scheduling"]

    done = CliRunner().invoke(app, arguments)

    assert (done.exit_code, list(tmp_path.glob("*.apkg"))) == (2, [])
