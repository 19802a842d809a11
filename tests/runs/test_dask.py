"""Runs on a real Dask cluster come to the same ledger; a worker that is killed loses nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import COIN, SUM, MakeCourse, card, deck

from vaeflash.course.consent import trust
from vaeflash.course.course import Course
from vaeflash.errors import VaeflashError
from vaeflash.judging.cases import choose
from vaeflash.judging.check import check
from vaeflash.judging.ledger import Entry, read_ledger
from vaeflash.runs.dask import cluster_workers
from vaeflash.runs.known import Job, Runs
from vaeflash.runs.processes import InProcess, OnExecutor

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
    with pytest.MonkeyPatch.context() as patch:
        # The workers are older than the folders that each test gets.
        patch.setenv("VAEFLASH_CACHE", str(home / "cache"))
        with distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            local_directory=str(home),
        ) as cluster:
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
    assert (control.verdict, "segmentation fault" in control.note, after) == (
        "unfinished",
        True,
        before,
    )


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


def test_a_demo_may_be_edited_between_two_checks(course: Course, address: str) -> None:
    """Each worker has imported the demo as it was, and must not go on with that."""
    trust(course, whatever_they_become=True)
    checking = [sys.executable, "-m", "vaeflash", "--course", str(course.root)]
    checking += ["check", "--executor", address, "c0"]
    subprocess.run(checking, capture_output=True, check=False)
    first = next(iter(read_ledger(course.ledger_path)))
    demo = course.root / "demos" / "coin.py"
    demo.write_text(demo.read_text().replace('"value": params.scale', '"value": 2 * params.scale'))

    subprocess.run(checking, capture_output=True, check=False)

    second = next(iter(read_ledger(course.ledger_path)))
    assert (first.code == second.code, first.verdict) == (False, second.verdict)


@pytest.fixture
def begun(course: Course) -> Iterator[Any]:
    """Waits for the run that waits for its end; the pipe ends with that run."""
    pipe = course.root / "demos" / "pipe"
    os.mkfifo(pipe)
    readers = []

    def wait() -> Any:
        readers.append(pipe.open())
        readers[0].readline()
        return readers[0]

    yield wait
    for reader in readers:
        reader.close()


def test_a_check_that_is_stopped_ends_its_runs(course: Course, address: str, begun: Any) -> None:
    source = course.demo("begins")

    with cluster_workers(address) as workers:
        workers.submit(Runs().job(source, {}, 1002))
        reader = begun()

    assert reader.read() == ""


def test_the_runs_of_a_check_that_is_killed_end(course: Course, address: str, begun: Any) -> None:
    trust(course, whatever_they_become=True)
    checking = [sys.executable, "-m", "vaeflash", "--course", str(course.root)]
    with subprocess.Popen(
        [*checking, "check", "--executor", address, "c4"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        reader = begun()

        process.kill()

    assert reader.read() == ""


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("dask://", "no such executor."),
        ("ray://127.0.0.1:1", "no such executor."),
        ("dask://nonsense", "no such executor."),
        ("dask://127.0.0.1:port", "no such executor."),
        ("dask://127.0.0.1:65536", "no such executor."),
        ("dask://127.0.0.1:1/path", "no such executor."),
        ("dask://me@127.0.0.1:1", "no such executor."),
        ("dask://[:1", "no such executor."),
        ("dask://a..b:1", "no scheduler answers"),
        ("dask://127.0.0.1:1", "no scheduler answers"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(address: str, told: str) -> None:
    with pytest.raises(VaeflashError) as caught, cluster_workers(address, patience=0.5):
        pass

    assert str(caught.value).startswith(f"--executor {address}: {told}")


def test_somebody_who_takes_the_call_and_says_nothing_is_no_scheduler() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(VaeflashError, match="no scheduler answers: timed out"),
        cluster_workers(f"dask://127.0.0.1:{silent.getsockname()[1]}", patience=0.1),
    ):
        pass


def test_a_cluster_without_workers_is_told() -> None:
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty,
        pytest.raises(VaeflashError, match="the cluster has no workers"),
        cluster_workers("dask://" + empty.scheduler_address.partition("://")[2]),
    ):
        pass
