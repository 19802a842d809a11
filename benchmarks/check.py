"""What `check` costs beside the runs that it asks for, on courses made for the purpose.

    everything known      CPU time of a check that finds every run in the cache; goal: under 1.5 s
    planner and judge     CPU time of this process against the time in demos; goal: under 1%
    two jobs              wall time against one job, each check as a whole; goal: at most 0.60 x

Two jobs are held against what two bare processes gain on the same work: more than that, at the
machine's present load, nobody could.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from vaeflash.course.course import open_course
from vaeflash.judging.cases import choose
from vaeflash.judging.check import check
from vaeflash.runs.known import Job, Runs
from vaeflash.runs.processes import Workers, local_workers
from vaeflash.runs.run import NO_ERROR, Run

DEMO = '''"""A number that the seed moves, and that a broken run puts out of reach."""

import random
import time
from dataclasses import dataclass

from vaeflash.demo import Lab, Result

NEEDS = {needs}


@dataclass(frozen=True, slots=True)
class Params:
    """What tells claims apart, and what breaks them."""

    level: int = 0
    broken: bool = False


def run(params: Params, lab: Lab) -> Result:
    """Work, then draw."""
    {work}
    return Result(metrics={{"value": random.Random(lab.seed).random() + params.broken}})
'''
BUSY = "until = time.perf_counter() + {seconds}\n    while time.perf_counter() < until: pass"
COMPUTE = """import torch
    matrix = torch.eye(512)
    for _ in range(250): matrix = matrix @ matrix"""
"""About a second on one thread."""
BARE = """import vaeflash.lab.bench
def work():
    {work}
for _ in range({times}): work()"""
STARTED = """import sys
from vaeflash.cli import main
try: main()
finally: print("with torch" if "torch" in sys.modules else "without torch", file=sys.stderr)"""
BASE = [sys.executable, "-c", "import typer, rich"]
RUNS_A_CLAIM = 5 + 2
"""Five clean seeds hold, two failures refute the control."""
ROUNDS = 3


def write_course(root: Path, demos: int, claims: int, work: str = "") -> Path:
    """A course whose claims all hold, none of them sharing a run; every other demo needs data."""
    for folder in ("cards", "demos"):
        (root / folder).mkdir(parents=True)
    (root / "course.toml").write_text('id = "bench"\ntitle = "A course to measure"\n')
    for number in range(demos):
        needs = ("digits",) if number % 2 else ()
        source = DEMO.format(needs=needs, work=work or "pass")
        (root / "demos" / f"demo_{number}.py").write_text(source)
    cards = "\n".join(
        f"#### Card {number} {{#card-{number}}}\n\n:p Is it?\n??x\nIt is.\nx??\n\n"
        f":demo demo-{number % demos}\n:claim value[level={number}] < 1\n:control broken=true\n"
        for number in range(claims)
    )
    (root / "cards" / "deck.md").write_text(f"# Deck\n\n{cards}")
    return root


class Instant:
    """Runs that measure what the demo would, and take no time."""

    slots = 1

    def submit(self, job: Job) -> Future[Run]:
        """The run, at once."""
        value = random.Random(job.seed).random() + bool(job.params.get("broken"))
        future: Future[Run] = Future()
        future.set_result(Run({"value": value, "error": NO_ERROR}, 0.0, "2000-01-01"))
        return future


def judge_all(root: Path, workers: Workers) -> tuple[int, float, float]:
    """Judge a course; how many runs that took, their seconds, and CPU seconds of this process."""
    runs = Runs()
    items = choose(open_course(root)).items
    started = time.process_time()
    outcomes = check(items, runs, workers, lambda outcome: None)  # noqa: ARG005 -- nobody watches
    cpu = time.process_time() - started
    return runs.made, sum(outcome.seconds for outcome in outcomes), cpu


def command(root: Path, *options: str, start: Sequence[str] = ("-m", "vaeflash")) -> list[str]:
    """A check of a course."""
    return [sys.executable, *start, "--course", str(root), "check", "--trust", *options]


def cpu_seconds(words: Sequence[str]) -> tuple[float, str]:
    """User and system time of a command, and the last thing that it said on standard error."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(words, capture_output=True, text=True, check=True).stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, said.strip().rpartition("\n")[2]


def wall_seconds(*commands: Sequence[str]) -> float:
    """Until all of these have ended, started together."""
    started = time.perf_counter()
    processes = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for words in commands]
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"exit codes {codes}: {commands[0]}")
    return time.perf_counter() - started


def everything_known(folder: Path) -> None:
    """A check of 250 claims whose every run is in the cache, in a process of its own."""
    root = write_course(folder / "known", demos=30, claims=250)
    made, _, filled = judge_all(root, Instant())
    told = command(root, start=("-c", STARTED))
    cpu_seconds(told)  # writes the ledger
    pairs = [(cpu_seconds(BASE), cpu_seconds(told)) for _ in range(2 * ROUNDS)]
    torch = " and ".join(sorted({said for _, (_, said) in pairs}))
    base, ours = (
        statistics.median(cpu for cpu, _ in column) for column in zip(*pairs, strict=True)
    )
    said = f"{ours:.2f} s CPU {torch}, {ours / base:.1f} x import typer, rich"
    print(f"{'250 claims, every run known':32s} {said}")
    print(f"{'the same, none known':32s} {1000 * filled / made:.2f} ms CPU a run beside the run")


def planner_and_judge(folder: Path, seconds: float, claims: int) -> None:
    """What this process does while a child makes runs of such a length."""
    busy = BUSY.format(seconds=seconds)
    root = write_course(folder / f"busy-{seconds}", demos=2, claims=claims, work=busy)
    with local_workers(1) as workers:
        made, in_demos, cpu = judge_all(root, workers)
    share = f"{cpu / in_demos:.2%} of the time in demos, {1000 * cpu / made:.2f} ms CPU a run"
    print(f"{f'planner and judge, {seconds:g} s a run':32s} {share}")


def two_jobs(folder: Path, claims: int) -> None:
    """One job and two, and the same work by bare processes, in turn."""
    root = write_course(folder / "jobs", demos=2, claims=claims, work=COMPUTE)

    def checked(jobs: int) -> list[Sequence[str]]:
        return [command(root, "--fresh", "--jobs", str(jobs))]

    def bare(processes: int) -> list[Sequence[str]]:
        times = claims * RUNS_A_CLAIM // processes
        return [[sys.executable, "-c", BARE.format(work=COMPUTE, times=times)]] * processes

    ways: dict[str, Callable[[int], list[Sequence[str]]]] = {"check": checked, "bare": bare}
    taken: dict[tuple[str, int], list[float]] = {(w, n): [] for w in ways for n in (1, 2)}
    for _ in range(ROUNDS):
        for (way, number), times in taken.items():
            times.append(wall_seconds(*ways[way](number)))
    median = {key: statistics.median(times) for key, times in taken.items()}
    names = {"check": "check, two jobs", "bare": "as much by bare processes"}
    for way, name in names.items():
        one, two = median[way, 1], median[way, 2]
        rounds = [b / a for a, b in zip(taken[way, 1], taken[way, 2], strict=True)]
        spread = f"rounds {min(rounds):.2f} to {max(rounds):.2f}"
        print(f"{name:32s} {two / one:.2f} x one ({two:.1f} s, {one:.1f} s; {spread})")


def main() -> None:
    """Print one line a figure, in a cache and a home of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ |= {
            "VAEFLASH_CACHE": str(folder / "cache"),
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder / "data"),
        }
        everything_known(folder)
        planner_and_judge(folder, seconds=0.2, claims=6)
        planner_and_judge(folder, seconds=1, claims=2)
        print(
            f"{'load before two jobs':32s} {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
        )
        two_jobs(folder, claims=4)


if __name__ == "__main__":
    main()
