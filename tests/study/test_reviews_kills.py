"""However often a process that answers cards is killed, what it acknowledged is stored."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pytest

from vaeflash.study.reviews import open_store

KILLS = int(os.environ.get("VAEFLASH_KILLS", "30"))
MOMENTS_A_KILL = 60
"""So many statements are begun, and answers acknowledged, before a kill, at most; about five to an
answer."""
SESSION = """
import os, random, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from vaeflash.study.memory import Rating
from vaeflash.study.schedule import Scheduler
from vaeflash.study.reviews import CardKey, open_store

path, seed = sys.argv[1:]
draw, scheduler = random.Random(int(seed)), Scheduler(UTC)
now = datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(days=int(seed))
with open_store(Path(path), UTC) as store:
    store._connection.set_trace_callback(lambda statement: os.write(1, b".\\n"))
    while True:
        now += timedelta(seconds=draw.randrange(5000))
        if draw.random() < 0.2:
            undone = store.undo("vae", now)
            if undone:
                os.write(1, f"undone {undone.number}\\n".encode())
            continue
        key = CardKey("vae", f"card-{draw.randrange(20)}")
        before, rating = store.state(key).memory, draw.choice(list(Rating))
        number = store.answer(key, before, rating, scheduler.next(before, rating, now, str(key)))
        os.write(1, f"stored {number} {key.card} {int(rating)}\\n".encode())
"""


def acknowledged_before_a_kill(path: Path, seed: int, moments: int) -> list[list[str]]:
    """What a session said until it was killed after so many moments, or while saying more."""
    command = [sys.executable, "-c", SESSION, str(path), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        said = b"".join(process.stdout.readline() for _ in range(moments))
        process.kill()
        said += process.stdout.read()
    return [line.decode().split() for line in said.splitlines() if line not in (b".", b"")]


@pytest.mark.slow
def test_killed_sessions_lose_no_acknowledged_answer(tmp_path: Path) -> None:
    path, draw = tmp_path / "reviews.sqlite3", random.Random(KILLS)
    stored, undone = set(), set()
    for seed in range(KILLS):
        for what, *details in acknowledged_before_a_kill(
            path, seed, draw.randrange(MOMENTS_A_KILL)
        ):
            (stored if what == "stored" else undone).add(tuple(details))

        with open_store(path, UTC) as store:
            reviews = list(store.reviews("vae"))
            known = {(str(r.number), r.key.card, str(int(r.rating))) for r in reviews}
            back = {(str(r.number),) for r in reviews if r.undone}
            assert (stored - known, undone - back, store.check()) == (set(), set(), [])
        # At most one of each session was stored and not acknowledged any more.
        assert len(known - stored) + len(back - undone) <= seed + 1

    assert len(stored) > KILLS
