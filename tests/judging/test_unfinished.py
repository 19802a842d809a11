"""What this machine could not finish says nothing of a demo, and takes no evidence away."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from conftest import SUM, MakeCourse, card, deck
from typer.testing import CliRunner

from vaeflash.card import Status
from vaeflash.cli import app
from vaeflash.course.consent import trust
from vaeflash.course.course import Course
from vaeflash.errors import CourseError, MachineError, Problem
from vaeflash.judging.cases import choose
from vaeflash.judging.check import check
from vaeflash.judging.ledger import Entry, Ledger
from vaeflash.machine import of_this_machine
from vaeflash.runs.known import Job, Runs
from vaeflash.runs.processes import InProcess
from vaeflash.runs.run import Run

META = ":demo sum\n:claim total == 4\n:control a=3"
TORCH_MEMORY = (
    "[enforce fail at alloc_cpu.cpp:128] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)"
)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (MemoryError(), True),
        (type("_ArrayMemoryError", (MemoryError,), {})("Unable to allocate 7 TiB"), True),
        (RuntimeError(TORCH_MEMORY), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `create`"), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), True),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), True),
        (OSError(errno.ENFILE, "in other words"), True),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), True),
        (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), True),
        (ImportError("libm.so.6: failed to map segment from shared object"), True),
        (MachineError(Problem("here", "it was stopped.")), True),
        (caused(ImportError("numpy"), OSError(errno.EMFILE, "")), True),
        (caused(CourseError(Problem("a.py", "no.")), caused(OSError(), MemoryError())), True),
        (ValueError("as asked"), False),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), False),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES)), False),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ZeroDivisionError(), False),
        (caused(ImportError("mine"), SyntaxError("invalid syntax")), False),
    ],
)
def test_a_shortage_is_told_from_a_fault(error: Exception, ours: bool) -> None:
    assert of_this_machine(error) is ours


class Short:
    """Workers that have no room for some runs."""

    slots = 1

    def __init__(self, error: BaseException, *, when: Callable[[Job], bool]) -> None:
        self._error, self._when = error, when

    def submit(self, job: Job) -> Future[Run]:
        if not self._when(job):
            return InProcess().submit(job)
        failed: Future[Run] = Future()
        failed.set_exception(self._error)
        return failed


def judged(course: Course, workers: Any) -> Entry:
    """The entry of the one claim, with every run made anew."""
    (outcome,) = check(choose(course).items, Runs(fresh=True), workers, lambda _: None)
    assert outcome.entry
    return outcome.entry


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    return make_course(cards={"deck": deck(card("it", META))}, demos={"sum": SUM})


LOST = [MachineError(Problem("sum.py", "it was stopped.")), OSError(24, "lost"), MemoryError()]


@pytest.mark.parametrize("control_only", [False, True])
@pytest.mark.parametrize("error", LOST)
def test_a_run_that_was_not_finished_replaces_no_evidence(
    course: Course, error: BaseException, control_only: bool
) -> None:
    known = judged(course, InProcess())
    short = Short(error, when=lambda job: bool(job.params) or not control_only)

    updated = Ledger([known]).updated([judged(course, short)], [known.key])

    assert list(updated) == [known]


def test_a_control_that_was_not_finished_leaves_the_claim_without_a_verdict(
    course: Course,
) -> None:
    entry = judged(course, Short(LOST[0], when=lambda job: bool(job.params)))

    told = "under the control a=3: it was stopped."
    assert (entry.status, entry.verdict, entry.values, entry.note) == (
        Status.ERROR,
        "unfinished",
        {},
        told,
    )


def test_where_there_is_no_evidence_it_is_recorded_why(course: Course) -> None:
    entry = judged(course, Short(LOST[0], when=lambda _: True))

    assert list(Ledger().updated([entry], [entry.key])) == [entry]


def test_a_fault_of_the_demo_replaces_its_evidence(course: Course) -> None:
    known = judged(course, InProcess())
    faulty = known.marked(Status.ERROR)

    assert list(Ledger([known]).updated([faulty], [known.key])) == [faulty]


SHORTAGES = SUM.replace(
    "    if params.fail:",
    "    import errno, os\n"
    "    short = os.environ.get('SHORT', '')\n"
    "    if short == 'control' and params.a == 2:\n"
    "        short = ''\n"
    "    if short == 'memory' or params.fail == 'memory':\n"
    "        raise MemoryError('none is left')\n"
    "    if short:\n"
    "        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'x')\n"
    "    if params.fail:",
)
"""Like SUM, but short of memory or room on the disk where the environment says so."""
ASKS = ':demo sum\n:claim error[fail=memory] == "MemoryError"\n:control fail=""'


@pytest.fixture
def short_course(make_course: MakeCourse) -> Course:
    made = make_course(
        cards={"deck": deck(card("it", META), card("asks", ASKS))}, demos={"sum": SHORTAGES}
    )
    trust(made)
    return made


def run(course: Course, *words: str) -> Any:
    return CliRunner().invoke(app, ["--course", str(course.root), "check", "-j0", *words])


def test_a_claim_may_ask_for_what_else_is_a_shortage(short_course: Course) -> None:
    run(short_course)

    assert short_course.ledger_path.read_text().count('"status": "verified"') == 2


@pytest.mark.parametrize("short", ["memory", "disk", "control"])
def test_a_check_short_of_something_says_so_and_changes_no_byte(
    short_course: Course, monkeypatch: pytest.MonkeyPatch, short: str
) -> None:
    run(short_course)
    before = short_course.ledger_path.read_bytes()
    monkeypatch.setenv("SHORT", short)

    done = run(short_course, "it", "--fresh")

    reason = "none is left" if short == "memory" else "No space left on device"
    told = reason in done.stderr and "what the ledger knows of them stays" in done.stderr
    assert (done.exit_code, told, short_course.ledger_path.read_bytes() == before) == (
        1,
        True,
        True,
    )


def test_a_shortage_while_the_course_is_read_judges_nothing(
    short_course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(short_course)
    before = short_course.ledger_path.read_bytes()
    opened = Path.open

    def scarce(path: Path, *how: Any, **more: Any) -> Any:
        if path.name == "sum.py":
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return opened(path, *how, **more)

    monkeypatch.setattr(Path, "open", scarce)
    trusted = "vaeflash.cli.check.ask_to_run"
    monkeypatch.setattr(trusted, lambda *_, **__: None)
    done = run(short_course)

    assert (done.exit_code, short_course.ledger_path.read_bytes() == before) == (2, True)
