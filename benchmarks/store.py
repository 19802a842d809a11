"""A store of 10,000 cards and 100,000 reviews: time to the first card due, and time of an answer.

Goals: the first card within 0.4 s of CPU, an answer on the disk in under 5 ms at the median. The
second depends on the disk, so a bare write with fsync is timed beside it, in turn.
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

from vaeflash.schedule import NEW, Rating, Scheduler, to_milliseconds
from vaeflash.store import CardKey, Store, open_store

CARDS = 10_000
REVIEWS = 100_000
ROUNDS = 15
ANSWERS = 300
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FIRST_CARD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from vaeflash.store import CardKey, open_store
cards = [CardKey("bench", f"card-{number}") for number in range(int(sys.argv[2]))]
with open_store(Path(sys.argv[1])) as store:
    queues = store.queues("bench", cards, datetime(2026, 11, 21, 12, tzinfo=UTC))
    first = (queues.learning + queues.review + queues.new)[0]
    print(first.key.card, len(queues.review), len(queues.new))
"""


def fill(path: Path) -> None:
    """Every tenth card new, the others answered equally often, every three minutes one."""
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
            now = NOW - timedelta(minutes=3 * (REVIEWS - number))
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
        fill(path)
        print(f"{CARDS} cards, {REVIEWS} reviews, {path.stat().st_size / 1e6:.1f} MB")
        bare = [sys.executable, "-c", "import sqlite3, datetime"]
        first = [sys.executable, "-c", FIRST_CARD, str(path), str(CARDS)]
        pairs = [(cpu_seconds(bare), cpu_seconds(first)) for _ in range(ROUNDS)]
        base, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"open and pick the first card: {ours:.3f} s CPU, of which python {base:.3f}")
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
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )


if __name__ == "__main__":
    main()
