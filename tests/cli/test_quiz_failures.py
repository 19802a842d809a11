"""When the disk, the file or another quiz stands in the way: nothing is lost, and it is said."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from conftest import MakeCourse, card, deck
from typer.testing import CliRunner

from vaeflash.cli import app
from vaeflash.cli import quiz as quiz_command
from vaeflash.course.course import Course
from vaeflash.errors import Problem
from vaeflash.study.reviews import CardKey, Store, StoreError, open_store, reviews_path

CARDS = 6
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KILLS = int(os.environ.get("VAEFLASH_KILLS", "30"))
MOMENTS_A_KILL = 120
"""So many statements are begun, and lines printed, before a kill, at most; about ten to a card."""


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    return make_course(cards={"deck": deck(*(card(f"card-{n}", "") for n in range(CARDS)))})


def quiz(course: Course, keys: str) -> Result:
    """The command, told a key by each character; a space is the enter key."""
    lines = "".join("\n" if key == " " else f"{key}\n" for key in keys)
    return CliRunner().invoke(app, ["--course", str(course.root), "quiz"], input=lines)


def answered(course: str = "course") -> list[tuple[str, int]]:
    with open_store() as store:
        return [(r.key.card, int(r.rating)) for r in store.reviews(course) if not r.undone]


def after(monkeypatch: pytest.MonkeyPatch, answers: int, change: Callable[[Store], object]) -> None:
    """Something happens to the store of the next quiz once so many answers are in it."""

    class Changing(Store):
        def answer(self, *arguments, **options) -> int:
            if len(list(self.reviews("course"))) == answers:
                change(self)
            return super().answer(*arguments, **options)

    monkeypatch.setattr(quiz_command, "open_store", lambda: Changing(reviews_path()))


def fill_the_disk(store: Store) -> None:
    """Not a page more can be had, and the ones that are there are full."""
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with suppress(StoreError):
        while True:
            store.flag(CardKey("course", "card-0"), 1, NOON)


def make_read_only(store: Store) -> None:
    store._connection.execute("PRAGMA query_only = ON")


@pytest.mark.parametrize(
    ("change", "reason"), [(fill_the_disk, "disk is full"), (make_read_only, "readonly")]
)
def test_an_answer_that_cannot_be_stored_is_told_of_after_those_that_were(
    course: Course,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Store], object],
    reason: str,
) -> None:
    after(monkeypatch, 2, change)
    done = quiz(course, " 4 3 1 1")

    assert (done.exit_code, answered()) == (2, [("card-0", 4), ("card-1", 3)])
    assert "2 answers in 0:00 min: 1 Good, 1 Easy." in done.stdout
    assert "card 'card-2': this answer was not stored, and the quiz ends here." in done.stderr
    assert reason in done.stderr


def test_a_mark_that_cannot_be_stored_is_told_of(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiz_command, "open_store", lambda: read_only_store())
    done = quiz(course, "b")

    assert (done.exit_code, "card 'card-0': this was not stored" in done.stderr) == (2, True)


def read_only_store() -> Store:
    store = open_store()
    make_read_only(store)
    return store


class Gone(Store):
    """Reviews on a disk that is pulled out after the first card was asked."""

    def answer(self, *_, **__) -> int:
        raise StoreError(Problem(str(self.path), "it is gone."))

    forecast = answer


def test_reviews_that_can_be_read_no_more_still_leave_a_summary(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiz_command, "open_store", lambda: Gone(reviews_path()))
    done = quiz(course, " 4")

    assert (done.exit_code, "No answers given." in done.stdout) == (2, True)
    assert "it is gone." in done.stderr


def overwrite(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def make_newer(path: Path) -> None:
    with Store(path) as store:
        store._connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("spoil", "told", "copies"),
    [
        (overwrite, "this file is damaged", 1),
        (lambda path: path.write_bytes(b"not a database, " * 500), "this file is damaged", 1),
        (make_newer, "a newer vaeflash wrote", 0),
    ],
    ids=["overwritten", "another kind of file", "newer"],
)
def test_a_quiz_leaves_a_file_alone_that_it_cannot_use(
    course: Course, spoil: Callable[[Path], None], told: str, copies: int
) -> None:
    path = reviews_path()
    with open_store() as store:
        for number in range(200):
            store.flag(CardKey("course", f"other-{number}"), 1, NOON)
    spoil(path)
    before = path.read_bytes()
    done = quiz(course, " 4")

    kept = [copy.read_bytes() for copy in path.parent.glob("reviews-damaged-*.sqlite3")]
    assert (done.exit_code, path.read_bytes(), kept) == (2, before, [before] * copies)
    assert (told in done.stderr, "Traceback" in done.output) == (True, False)


# Processes


WATCHED = """
import os, sys
from vaeflash.study.reviews import reading
opened = reading.open_database
def watched(path):
    connection = opened(path)
    connection.set_trace_callback(lambda statement: os.write(1, b".\\n"))
    return connection
reading.open_database = watched
from vaeflash.cli import main
sys.argv = ["vaeflash", "--course", sys.argv[1], "quiz", "--new", "9999", "--limit", "9999"]
main()
"""
"""A quiz that prints a dot at each statement of SQL, so that it can be killed between any two."""


def typed(draw: random.Random, count: int) -> bytes:
    """What somebody types who answers, changes their mind, and puts cards aside."""
    deeds = ["\n1\n", "\n2\n", "\n3\n", "\n4\n", "\n4\n", "u\n", "b\n"]
    return "".join(draw.choices(deeds, k=count)).encode()


def began(course: Course, keys: bytes) -> subprocess.Popen[bytes]:
    typed_keys = course.root / "keys"
    typed_keys.write_bytes(keys)
    with typed_keys.open("rb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", WATCHED, str(course.root)],
            stdin=file,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        )


def acknowledged(output: bytes) -> Iterator[tuple[str, str]]:
    """What a quiz said it had stored: what, and of which card."""
    for line in output.decode(errors="replace").splitlines(keepends=True):
        words = line.split()
        if not line.endswith("\n") or not words:
            continue
        if words[0] in ("Again", "Hard", "Good", "Easy") and "back in" in line:
            yield "answer", words[1]
        elif line.startswith("Taken back"):
            yield "undo", words[-1].rstrip(".")
        elif line.startswith("Buried until tomorrow"):
            yield "bury", words[3].rstrip(".")


def logged() -> list[tuple[str, str]]:
    with open_store() as store:
        assert store.check() == []
        return [(entry["what"], entry["card"]) for entry in store.log("course")]


@pytest.fixture
def many(make_course: MakeCourse) -> Course:
    return make_course(cards={"deck": deck(*(card(f"card-{n}", "") for n in range(400)))})


@pytest.mark.slow
def test_a_quiz_that_is_killed_has_stored_what_it_said(many: Course) -> None:
    draw = random.Random(KILLS)
    before: list[tuple[str, str]] = []
    told_in_all = 0
    for _ in range(KILLS):
        with began(many, typed(draw, 200)) as process:
            assert process.stdout
            moments = draw.randrange(MOMENTS_A_KILL)
            output = b"".join(process.stdout.readline() for _ in range(moments))
            process.kill()
            output += process.stdout.read()
        told = list(acknowledged(output))
        stored = logged()[len(before) :]

        # One more at most was stored, and the word about it not printed any more.
        assert (stored[: len(told)], len(stored) - len(told) in (0, 1)) == (told, True)
        before += stored
        told_in_all += len(told)

    assert told_in_all > KILLS


@pytest.mark.slow
def test_two_quizzes_at_once_store_each_answer_once(many: Course) -> None:
    quizzes = [began(many, b"\n4\n" * 60) for _ in range(2)]
    outputs = [process.communicate()[0] for process in quizzes]
    told = [list(acknowledged(output)) for output in outputs]

    assert sorted(told[0] + told[1]) == sorted(logged())
    assert [process.returncode for process in quizzes] == [0, 0]
    assert len(set(logged())) == len(logged())


def test_an_answer_that_another_quiz_gave_meanwhile_is_not_given_again(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(monkeypatch, 0, lambda _: elsewhere(course, monkeypatch))
    done = quiz(course, " 3 2")

    assert answered() == [("card-0", 4), ("card-1", 2)]
    assert "this answer was not stored: it was answered elsewhere" in " ".join(done.stdout.split())


def elsewhere(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiz_command, "open_store", open_store)
    quiz(course, " 4q")
