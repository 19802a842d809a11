"""A run that crashes, hangs or prints takes only itself along."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import MakeCourse

from vaeflash.errors import MachineError
from vaeflash.machine import processors
from vaeflash.runs.in_process import run_demo
from vaeflash.runs.known import Job, Runs
from vaeflash.runs.processes import Children, InProcess, OnExecutor, default_jobs, local_workers
from vaeflash.runs.run import Run, RunCache

TROUBLE = '''
"""A run comes to whatever end it is asked for."""

import os
import signal
import sys
import threading
from dataclasses import dataclass

import torch

from vaeflash.demo import Lab, Result

MULTITHREADED = True


@dataclass(frozen=True, slots=True)
class Params:
    """How to end, and where to say that it has begun."""

    end: str = "well"
    pipe: str = ""
    left: str = ""


def leave(kind: str, pipe: str) -> None:
    """Leave a child behind that says when it has begun, and never ends."""
    waits, begins = os.pipe()
    if os.fork():
        os.close(begins)
        os.read(waits, 1)
        return
    if kind != "child":
        os.setsid()
    if kind == "orphan" and os.fork():
        os._exit(0)
    os.close(waits)
    os.write(os.open(pipe, os.O_WRONLY), b".")
    os.write(begins, b".")
    signal.pause()


def run(params: Params, lab: Lab) -> Result:
    """End so."""
    for kind in params.left.split():
        leave(kind, params.pipe)
    if params.end == "print":
        print("a word that is not a reply")
        os.write(1, b"nor is this\\n")
    if params.end == "raise":
        raise ValueError("as asked")
    if params.end == "memory":
        raise MemoryError
    if params.end == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if params.end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if params.end == "exit":
        sys.exit(3)
    if params.end == "hang":
        threading.Event().wait()
    return Result(
        metrics={
            "draw": torch.rand(1, generator=lab.generator()).item(),
            "weight": torch.nn.Linear(3, 1).weight.sum().item(),
            "nan": float("nan"),
            "big": 2**70,
            "shape": (1, 2),
            "threads": torch.get_num_threads(),
            "pid": os.getpid(),
        }
    )
'''


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    """One child for all tests of this module, or as many as crash: torch takes seconds to load."""
    made = Children()
    yield made
    made.end()
    made.close()


@pytest.fixture
def workers(children: Children) -> Iterator[OnExecutor]:
    with ThreadPoolExecutor(1) as executor:
        # The thread of each test is another; the child is the same.
        yield OnExecutor(executor, 1, lambda order, limit: children.make(order, limit), 2, 60)


def ask(make_course: MakeCourse, seed: int = 0, **params: str) -> Job:
    course = make_course(demos={"trouble": TROUBLE})
    return Runs().job(course.demo("trouble"), params, seed)


def failure(workers: OnExecutor, job: Job) -> str:
    with pytest.raises(MachineError) as caught:
        workers.submit(job).result()
    return str(caught.value)


def test_a_child_measures_what_this_process_measures(
    make_course: MakeCourse, workers: OnExecutor
) -> None:
    job = ask(make_course, seed=7)
    here = run_demo(job.source, {}, 7, threads=2).metrics

    there = workers.submit(job).result().metrics

    own = {"pid", "nan"}
    assert {k: v for k, v in there.items() if k not in own} == {
        k: v for k, v in here.items() if k not in own
    }


def test_a_child_is_another_process_and_serves_again(
    make_course: MakeCourse, workers: OnExecutor
) -> None:
    runs = [workers.submit(ask(make_course, seed)).result() for seed in (1, 2)]
    first, second = (run.metrics["pid"] for run in runs)

    assert first == second != os.getpid()


def test_what_a_demo_prints_does_not_garble_the_reply(
    make_course: MakeCourse, workers: OnExecutor
) -> None:
    assert workers.submit(ask(make_course, end="print")).result().error == "none"


@pytest.mark.slow
def test_an_exception_is_what_the_run_came_to(make_course: MakeCourse, workers: OnExecutor) -> None:
    run = workers.submit(ask(make_course, end="raise")).result()

    assert (run.error, run.message.rpartition(": ")[2]) == ("ValueError", "as asked")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("segfault", "segmentation fault (SIGSEGV)"),
        ("kill", "killed, perhaps because memory ran out (SIGKILL)"),
        ("exit", "the process ended with exit code 3"),
    ],
)
def test_a_crash_is_told_with_its_cause(
    make_course: MakeCourse, workers: OnExecutor, end: str, cause: str
) -> None:
    told = failure(workers, ask(make_course, seed=5, end=end))

    assert f"the run on seed 5 crashed: {cause}.\n  See it with: vaeflash demo trouble" in told


@pytest.mark.slow
def test_a_segmentation_fault_names_its_line(make_course: MakeCourse, workers: OnExecutor) -> None:
    line = 1 + TROUBLE.split("\n").index("        os.kill(os.getpid(), signal.SIGSEGV)")

    told = failure(workers, ask(make_course, end="segfault"))

    assert told.startswith(f"demos/trouble.py:{line}: ")


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A pipe for children that are left behind: its name, and its end to read from."""
    path = tmp_path / "left"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield str(path), reader
    os.close(reader)


def told_until_let_go(reader: int) -> bytes:
    """What was written, once nobody holds the other end; a fault of ours must not wait for ever."""
    said = b""
    while select.select([reader], [], [], 20)[0]:
        if not (more := os.read(reader, 99)):
            return said
        said += more
    return b"never let go"


@pytest.mark.slow
def test_after_a_crash_the_next_run_is_made_and_no_child_is_left(
    make_course: MakeCourse, workers: OnExecutor, pipe: tuple[str, int]
) -> None:
    failure(workers, ask(make_course, end="kill", left="child", pipe=pipe[0]))

    ends = told_until_let_go(pipe[1]), workers.submit(ask(make_course)).result().error
    assert ends == (b".", "none")


@pytest.mark.slow
def test_a_run_that_takes_too_long_is_stopped_with_all_its_children(
    make_course: MakeCourse, children: Children, pipe: tuple[str, int]
) -> None:
    job = ask(make_course, seed=3, end="hang", left="child session orphan", pipe=pipe[0])
    with ThreadPoolExecutor(1) as executor:
        hasty = OnExecutor(executor, 1, children.make, limit=0.5)

        told = failure(hasty, job)

    assert told.startswith("demos/trouble.py: the run on seed 3 was stopped after 0.5 s.\n")
    assert told_until_let_go(pipe[1]) in (b"", b".", b"..", b"...")


@pytest.mark.slow
def test_what_a_run_that_ended_well_left_behind_is_ended(
    make_course: MakeCourse, workers: OnExecutor, pipe: tuple[str, int]
) -> None:
    job = ask(make_course, left="child session orphan", pipe=pipe[0])

    error = workers.submit(job).result().error

    assert (error, told_until_let_go(pipe[1])) == ("none", b"...")


@pytest.mark.slow
@pytest.mark.parametrize("call", ["subprocess.Popen", "tempfile.TemporaryFile"])
def test_a_process_that_cannot_be_started_is_no_fault_of_the_demo(
    make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(f"vaeflash.runs.processes.{call}", refuse)
    with local_workers(1) as workers, pytest.raises(MachineError, match="no process could be"):
        workers.submit(ask(make_course)).result()


def test_a_thread_that_cannot_be_started_is_no_fault_of_the_demo(make_course: MakeCourse) -> None:
    class Full(ThreadPoolExecutor):
        def submit(self, *_: object, **__: object) -> Future[Run]:
            raise RuntimeError("can't start new thread")

    future = OnExecutor(Full(1), 1, Children().make).submit(ask(make_course))

    assert isinstance(future.exception(), MachineError)


def test_a_worker_with_other_code_refuses(make_course: MakeCourse, workers: OnExecutor) -> None:
    job = ask(make_course, seed=9)
    job.source.path.write_text(TROUBLE.replace("Linear(3, 1)", "Linear(2, 1)"))

    assert "other code, data or another torch" in failure(workers, job)


def test_memory_that_ran_out_is_not_remembered(make_course: MakeCourse, tmp_path: Path) -> None:
    job = ask(make_course, end="memory")
    runs = Runs(cache=RunCache(tmp_path / "runs"))

    runs.add(job, InProcess().submit(job).result())

    assert (runs.known(job).error, (tmp_path / "runs").exists()) == ("MemoryError", False)


def test_joined_processes_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = processors()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")

    assert processors() == max(1, alone // 2)


@pytest.mark.slow
def test_each_child_gets_its_share_of_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaeflash.runs.processes.processors", lambda: 8)

    with local_workers(3) as workers:
        assert workers.threads == 2


@pytest.mark.slow
@pytest.mark.parametrize(("device", "jobs"), [("cpu", 2), ("cuda", 1), ("cuda:1", 1)])
def test_a_gpu_gets_one_run_at_a_time(
    monkeypatch: pytest.MonkeyPatch, device: str, jobs: int
) -> None:
    monkeypatch.setattr("vaeflash.runs.processes.processors", lambda: 2)

    assert default_jobs(device) == jobs


def hanging(make_course: MakeCourse, tmp_path: Path) -> tuple[Job, Path]:
    """A job that says on a pipe when it has begun, and holds it as long as any of it lives."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    return ask(make_course, end="hang", left="orphan", pipe=str(pipe)), pipe


@pytest.mark.slow
def test_leaving_ends_the_run_in_progress(make_course: MakeCourse, tmp_path: Path) -> None:
    job, pipe = hanging(make_course, tmp_path)

    with local_workers(1) as workers:
        future = workers.submit(job)
        reader = pipe.open()
        assert reader.read(1) == "."

    assert (reader.read(), future.done()) == ("", True)  # the pipe ends with who held it
    reader.close()


@pytest.mark.slow
def test_a_child_dies_with_whoever_waits_for_it(make_course: MakeCourse, tmp_path: Path) -> None:
    job, pipe = hanging(make_course, tmp_path)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from vaeflash.course.course import open_course\n"
        "from vaeflash.runs.known import Runs\n"
        "from vaeflash.runs.processes import local_workers\n"
        "source = open_course(Path(sys.argv[1])).demo('trouble')\n"
        "with local_workers(1) as workers:\n"
        "    job = Runs().job(source, {'end': 'hang', 'left': 'orphan', 'pipe': sys.argv[2]}, 0)\n"
        "    workers.submit(job).result()\n"
    )
    course = job.source.path.parent.parent
    parent = subprocess.Popen([sys.executable, "-c", script, str(course), str(pipe)])
    reader = pipe.open()
    assert reader.read(1) == "."

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert reader.read() == ""
    reader.close()
