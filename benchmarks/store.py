"""A course of 10,000 cards, 100,000 reviews: time to the quiz's first card, and time of an answer.

Goals: the first card within 0.4 s of CPU, an answer on the disk in under 5 ms at the median. The
first is given with `import typer, rich` timed in turn; the second depends on the disk, so a bare
write with fsync is timed beside it. Python may keep the bytecode of modules, as it does for users.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vaeflash.study.memory import NEW, Rating, to_milliseconds
from vaeflash.study.reviews import CardKey, Store, open_store
from vaeflash.study.schedule import Scheduler

CARDS = 10_000
REVIEWS = 100_000
ROUNDS = 15
ANSWERS = 300
NOW = datetime.now(UTC)
DECKS = 100
CARD = """#### About {n} {{#card-{n}}}

Context of card {n}, with its own \\( \\mu_{{{n}}} \\).

:p What is the sum over \\( d \\), in nats, of card {n}?
??x
\\[ \\tfrac12 \\sum_d \\left( \\mu_d^2 + \\sigma_d^2 - \\log \\sigma_d^2 - {n} \\right) \\]

- one thing
- **another**
x??

"""


def write_course(root: Path) -> None:
    """The cards, in decks of equal size."""
    (root / "cards").mkdir(parents=True)
    (root / "course.toml").write_text('id = "bench"\ntitle = "Bench"\n')
    each = CARDS // DECKS
    for number in range(DECKS):
        cards = [CARD.format(n=n) for n in range(number * each, (number + 1) * each)]
        text = f"# Deck {number}\n\n" + "".join(cards)
        (root / "cards" / f"deck-{number:03d}.md").write_text(text)


def fill(path: Path) -> None:
    """Every tenth card new, the others answered in turn, every three minutes until yesterday."""
    scheduler = Scheduler(UTC)
    seen = CARDS * 9 // 10
    columns = [name for name in NEW.to_dict() if name != "last_review"]
    draw = random.Random(0)
    marks = ", ".join("?" * (len(columns) + 6))
    with open_store(path, UTC) as store:
        database = store._connection
        database.execute("BEGIN")
        database.executemany(
            "INSERT INTO card (id, course, card, template) VALUES (?, 'bench', ?, 'forward')",
            [(number + 1, f"card-{number}") for number in range(seen)],
        )
        memories, former = [NEW] * seen, [None] * seen
        for number in range(REVIEWS):
            which = number % seen
            now = NOW - timedelta(days=1, minutes=3 * (REVIEWS - number))
            rating = draw.choices(list(Rating), [1, 1, 7, 1])[0]
            after = scheduler.next(memories[which], rating, now, seed=f"card-{which}")
            values = after.to_dict()
            written = database.execute(
                f"INSERT INTO log (card, at, day, rating, previous, duration, {', '.join(columns)})"
                f" VALUES ({marks})",
                [which + 1, to_milliseconds(now), now.date().isoformat(), int(rating)]
                + [former[which], 5000]
                + [values[name] for name in columns],
            )
            memories[which], former[which] = after, written.lastrowid
        database.execute("COMMIT")
        store.rebuild()


def seconds_of_an_answer(store: Store, scheduler: Scheduler, key: CardKey) -> float:
    """From the key press to the disk."""
    before = store.state(key).memory
    after = scheduler.preview(before, NOW, seed=str(key))[Rating.GOOD]
    started = time.perf_counter()
    store.answer(key, before, Rating.GOOD, after, 5000)
    return time.perf_counter() - started


def seconds_of_a_write(descriptor: int) -> float:
    """4 KiB, on the disk."""
    started = time.perf_counter()
    os.write(descriptor, b"x" * 4096)
    os.fsync(descriptor)
    return time.perf_counter() - started


def main() -> None:
    """Print one line a number."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.sqlite3"
        course = Path(folder) / "course"
        write_course(course)
        fill(path)
        print(f"{CARDS} cards, {REVIEWS} reviews, {path.stat().st_size / 1e6:.1f} MB")
        os.environ |= {"VAEFLASH_REVIEWS": str(path), "VAEFLASH_CACHE": f"{folder}/cache"}
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        base = [sys.executable, "-c", "import typer, rich"]
        quiz = [sys.executable, "-m", "vaeflash", "--course", str(course), "quiz"]
        cpu_seconds(quiz)
        pairs = [(cpu_seconds(base), cpu_seconds(quiz)) for _ in range(ROUNDS)]
        bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"quiz, to the first card and out: {ours:.3f} s CPU; import typer, rich {bare:.3f}")
        with open_store(path, UTC) as store, (Path(folder) / "bare").open("wb") as file:
            scheduler = Scheduler(UTC)
            keys = [CardKey("bench", f"card-{number}") for number in range(ANSWERS)]
            timed = [
                (seconds_of_an_answer(store, scheduler, key), seconds_of_a_write(file.fileno()))
                for key in keys
            ]
            answer, write = (statistics.median(column) for column in zip(*timed, strict=True))
            print(f"an answer: {answer * 1e3:.2f} ms, a bare write with fsync {write * 1e3:.2f} ms")
            started = time.process_time()
            problems = store.check()
            print(f"check: {time.process_time() - started:.2f} s CPU, {len(problems)} problems")


def cpu_seconds(command: list[str]) -> float:
    """User and system time of one run of a command."""
    before = os.times()
    subprocess.run(command, input=b"q\n", stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )


if __name__ == "__main__":
    main()
