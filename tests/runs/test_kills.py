"""However often a check is killed, what it left can be read, and the next one goes on."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import COIN, SUM, MakeCourse, card, deck

from vaeflash.course.consent import trust
from vaeflash.course.course import Course
from vaeflash.judging.ledger import Entry, read_ledger
from vaeflash.runs.run import Run, _read_entry

KILLS = int(os.environ.get("VAEFLASH_KILLS", "20"))
TELLING = COIN.replace("Random(lab.seed)", "Random(f'{lab.seed} {params.scale}')").replace(
    "    heads =",
    "    import os\n"
    "    if os.environ.get('TOLD'):\n"
    "        with open(os.environ['TOLD'], 'w') as pipe:\n"
    "            pipe.write('.')\n"
    "    heads =",
)
"""Says through a pipe that a run has begun; each scale has tosses of its own."""
RUNS_A_KILL = 8
"""So many begin before a kill, on average; each claim below takes about ten."""
METAS = [
    f":demo coin\n:claim value[rate=0.75, scale={n}] == {n} +- 0.1\n:control rate=0"
    for n in range(1, 1 + KILLS * RUNS_A_KILL // 20)
]


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    cards = (card(f"c{n:03}", meta) for n, meta in enumerate(METAS))
    made = make_course(cards={"deck": deck(*cards)}, demos={"coin": TELLING})
    trust(made)
    return made


@contextmanager
def checking(course: Course, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A check under way."""
    with subprocess.Popen(
        [sys.executable, "-m", "vaeflash", "--course", str(course.root), "check", "-j2"],
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        yield process


def kill_after(course: Course, pipe: Path, *, begun: int, printed: int) -> None:
    """Kill a check once so many runs have begun, or so much is printed; it may end before."""
    with checking(course, TOLD=str(pipe)) as process:
        assert process.stdout
        # Open for writing too, so that it does not end while runs come and go.
        runs = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        rows = process.stdout.fileno()
        while begun > 0 and printed > 0:
            ready, _, _ = select.select([runs, rows], [], [])
            begun -= runs in ready and len(os.read(runs, 1))
            if rows in ready:
                said = os.read(rows, 4096)
                printed -= 1
                if not said:
                    break
        process.kill()
        os.close(runs)


def cached() -> dict[str, Run]:
    """Every remembered run; each must be whole."""
    folder = Path(os.environ["VAEFLASH_CACHE"]) / "runs"
    files = sorted(folder.rglob("[!.]*.json"))
    return {
        path.stem: _read_entry(path.read_bytes(), path.parent.name + path.stem) for path in files
    }


def undated(course: Course) -> list[Entry]:
    return [replace(entry, date="") for entry in read_ledger(course.ledger_path)]


@pytest.mark.slow
def test_killed_checks_lose_no_finished_run_and_come_to_the_same_ledger(
    course: Course, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    draw = random.Random(KILLS)
    known = cached()
    for _ in range(KILLS):
        # Early on runs are what ends first, later rows: then verdicts fall at once.
        rows = draw.randrange(len(METAS) + 4)
        kill_after(course, pipe, begun=draw.randrange(2 * RUNS_A_KILL), printed=rows)
        before, known = known, cached()
        read_ledger(course.ledger_path)
        assert before.items() <= known.items()

    with checking(course) as process:
        process.communicate()
    broken = undated(course)
    course.ledger_path.unlink()
    with checking(course, VAEFLASH_CACHE=str(tmp_path / "another")) as process:
        process.communicate()

    assert (len(broken), broken) == (len(METAS), undated(course))


DYING = """
import os
import signal
import sys
from pathlib import Path

from vaeflash.cli import main

moment, *sys.argv[1:] = sys.argv[1:]
replace, fsync = Path.replace, os.fsync


def die(now):
    if now == moment:
        os.kill(os.getpid(), signal.SIGKILL)


def dying_fsync(file):
    if ".ledger" in os.readlink(f"/proc/self/fd/{file}"):
        die("written")
    fsync(file)


def dying_replace(path, target):
    if target.name == "ledger.jsonl":
        die("synced")
    replace(path, target)
    if target.name == "ledger.jsonl":
        die("replaced")


Path.replace, os.fsync = dying_replace, dying_fsync
main()
"""
"""The command line, killed at a moment of writing the ledger; the first argument says which."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux names open files")
@pytest.mark.parametrize(("moment", "lines"), [("written", 1), ("synced", 1), ("replaced", 2)])
def test_a_check_killed_over_its_ledger_leaves_the_old_one_or_the_new_one(
    make_course: MakeCourse, moment: str, lines: int
) -> None:
    cards = (card(f"c{n}", f":demo sum\n:claim total == 4\n:control a={n}") for n in (3, 5))
    course = make_course(cards={"deck": deck(*cards)}, demos={"sum": SUM})
    trust(course)
    check = ["--course", str(course.root), "check", "-j0"]
    subprocess.run([sys.executable, "-m", "vaeflash", *check, "c3"], check=True)

    died = subprocess.run([sys.executable, "-c", DYING, moment, *check], check=False)

    left = (died.returncode, len(list(read_ledger(course.ledger_path))))
    assert left == (-signal.SIGKILL, lines)
