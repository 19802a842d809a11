"""Runs on a real Dask cluster come to the same ledger; a worker that is killed loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import COIN, SUM, MakeCourse, card, deck

from vaeflash.check import check
from vaeflash.consent import trust
from vaeflash.course import Course
from vaeflash.errors import VaeflashError
from vaeflash.jobs import Job, Runs
from vaeflash.ledger import Entry, read_ledger
from vaeflash.selection import choose
from vaeflash.workers import InProcess, OnExecutor, cluster_workers

distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

pytestmark = pytest.mark.slow

TORCH = COIN.replace(
    "    heads = random.Random(lab.seed).random() < params.rate",
    "    import torch\n"
    "    layer = torch.nn.Linear(2, 2)\n"
    "    noise = torch.rand(1, generator=lab.generator()) + 0 * layer.weight.sum()\n"
    "    heads = noise.item() < params.rate",
)
CRASHING = COIN.replace(
    "    heads =",
    f"    import os\n    if params.rate < 1:\n        os.kill(os.getpid(), {signal.SIGSEGV:d})\n"
    "    heads =",
)
BEGINS = COIN.replace(
    "    heads =",
    "    import pathlib, threading\n"
    "    pipe = pathlib.Path(__file__).with_name('pipe')\n"
    "    if lab.seed == 1002 and pipe.exists():\n"
    "        writer = pipe.open('w')\n"
    "        writer.write(str(__import__('os').getppid()) + '\\n')\n"
    "        writer.flush()\n"
    "        threading.Event().wait()\n"
    "    heads =",
)
"""On its third seed it says on a pipe who ordered it, and waits for its end."""
DEMOS = {
    "coin": COIN,
    "two_and_two": SUM,
    "torched": TORCH,
    "crashing": CRASHING,
    "begins": BEGINS,
}
METAS = (
    ":demo coin\n:claim heads[rate=0.8] == 1\n:control rate=0.1",
    ":demo two-and-two\n:claim total == 4 and half == 2\n:control a=3",
    ":demo torched\n:claim value == 1 +- 0.001\n:control rate=0.2",
    ":demo crashing\n:claim heads == 1\n:control rate=0",
    ":demo begins\n:claim heads == 1\n:control rate=0",
)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A scheduler and two worker processes, each with one thread."""
    home = tmp_path_factory.mktemp("cluster")
    with (
        pytest.MonkeyPatch.context() as patch,
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            local_directory=str(home),
        ) as cluster,
    ):
        patch.setenv("DASK_TEMPORARY_DIRECTORY", str(home))
        yield cluster


@pytest.fixture
def address(scheduler: Any) -> str:
    return "dask://" + scheduler.scheduler_address.partition("://")[2]


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    cards = (card(f"c{n}", meta) for n, meta in enumerate(METAS))
    return make_course(cards={"deck": deck(*cards)}, demos=DEMOS)


def undated(entries: list[Entry]) -> list[Entry]:
    return [replace(entry, date="") for entry in entries]


def judged(course: Course, workers: Any, *names: str) -> list[Entry]:
    outcomes = check(choose(course, names).items, Runs(), workers, lambda _: None)
    return undated([outcome.entry for outcome in outcomes if outcome.entry])


def test_the_ledger_is_that_of_this_machine(course: Course, address: str) -> None:
    harmless = ("c0", "c1", "c2", "c4")
    here = judged(course, InProcess(), *harmless)

    with cluster_workers(address) as workers:
        # Without our cache, which the first judging has filled.
        os.environ["VAEFLASH_CACHE"] += "-of-another"
        there = judged(course, workers, *harmless)

    assert there == here


def test_a_crash_is_the_error_of_its_run_and_the_workers_live_on(
    course: Course, address: str
) -> None:
    with cluster_workers(address) as workers:
        before = set(workers.executor._client.scheduler_info()["workers"])  # type: ignore[attr-defined]
        (entry,) = judged(course, workers, "c3")
        after = set(workers.executor._client.scheduler_info()["workers"])  # type: ignore[attr-defined]

    control = entry.controls[0]
    assert (control.verdict, "segmentation fault" in control.note, after) == ("error", True, before)


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(course: Course, address: str) -> None:
    """Its run is made again by the other; the ledger is that of an unbroken check."""
    pipe = course.root / "demos" / "pipe"
    expected = judged(course, InProcess(), "c4")
    os.environ["VAEFLASH_CACHE"] += "-of-another"
    os.mkfifo(pipe)

    class Killing(OnExecutor):
        """Ends the worker that made the third run, once that run says that it has begun."""

        def submit(self, job: Job) -> Any:
            future = OnExecutor.submit(self, job)
            if job.seed == 1002 and pipe.exists():
                reader = pipe.open()
                worker = int(reader.readline())
                pipe.unlink()
                os.kill(worker, signal.SIGKILL)
                assert reader.read() == ""  # the run ends with the worker that ordered it
                reader.close()
            return future

    with cluster_workers(address) as given:
        workers = Killing(given.executor, given.slots, given.make, limit=given.limit)
        entries = judged(course, workers, "c4")

    assert entries == expected


def test_the_command_line_writes_the_same_ledger(
    course: Course, address: str, tmp_path: Path
) -> None:
    trust(course, whatever_they_become=True)
    ledgers = []
    for where in (["-j1"], ["--executor", address]):
        subprocess.run(
            [sys.executable, "-m", "vaeflash", "--course", str(course.root), "check", *where],
            env=os.environ | {"VAEFLASH_CACHE": str(tmp_path / where[0])},
            capture_output=True,
            check=False,
        )
        ledgers.append(undated(list(read_ledger(course.ledger_path))))
        course.ledger_path.unlink()

    assert (len(ledgers[0]), ledgers[0]) == (5, ledgers[1])


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("dask://", "--executor dask://: no such executor."),
        ("ray://127.0.0.1:1", "--executor ray://127.0.0.1:1: no such executor."),
        ("dask://127.0.0.1:1", "--executor dask://127.0.0.1:1: no scheduler answers"),
        ("dask://nonsense", "--executor dask://nonsense: no scheduler answers"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(address: str, told: str) -> None:
    with pytest.raises(VaeflashError) as caught, cluster_workers(address, patience=0.5):
        pass

    assert str(caught.value).startswith(told)


def test_a_cluster_without_workers_is_told() -> None:
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty,
        pytest.raises(VaeflashError, match="the cluster has no workers"),
        cluster_workers("dask://" + empty.scheduler_address.partition("://")[2]),
    ):
        pass
