"""Who makes the runs: processes of this machine, or of a cluster.

A run is never made in the process that judges it. Whatever `concurrent.futures.Executor` takes the
job, the run itself happens in a child process of the thread that got it (`vaeflash.runs.child`): a
demo that crashes, hangs or runs out of memory takes its child along and nothing else, and torch's
global generator belongs to one run at a time. docs/decisions has the reasons.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from vaeflash.errors import DemoError, MachineError, Problem, VaeflashError
from vaeflash.interrupts import uninterrupted
from vaeflash.machine import processors
from vaeflash.printable import command
from vaeflash.runs.in_process import Track, run_demo
from vaeflash.runs.known import Job
from vaeflash.runs.process_tree import end_family
from vaeflash.runs.run import Run

Order: TypeAlias = "dict[str, Any]"
"""A job as plain data, for another process or machine; `vaeflash.runs.child` reads it."""

DEFAULT_LIMIT = 600.0
"""Seconds that a run may take."""
MOST_JOBS = 8
"""More than this are asked for, not guessed: each holds a torch of its own in memory."""


class Child:
    """One process that makes one run at a time.

    Args:
        check: Whose runs it makes. It never serves another: a demo that was edited since would stay
            imported as it was.

    Raises:
        OSError, RuntimeError: This machine has no room for another process or thread.
    """

    def __init__(self, check: str = "") -> None:
        self.check = check
        self._ended = self._ready = False
        # Open as long as the child lives, so no `with`; what it says last tells why it died.
        self._complaints = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                # -P: a torch.py in the working directory is not torch.
                [sys.executable, "-P", "-m", "vaeflash.runs.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # a Ctrl-C is for us; we end the children
            )
        except OSError:
            self._complaints.close()
            raise
        # Heard by a thread of its own: a limit holds whoever keeps the other end of a pipe open.
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def alive(self) -> bool:
        """Whether the process can take another order."""
        return not self._ended and self._process.poll() is None

    def make(self, order: Order, limit: float | None) -> Run:
        """Have the child make a run, and wait for it.

        If the run left processes behind, they are ended, and the child with them.

        Raises:
            MachineError: The process died, or did not answer within `limit` seconds.
            DemoError: The demo breaks its contract.
        """
        self._complaints.seek(0)
        self._complaints.truncate()
        self._ready = self._ready or bool(self._said.get())
        try:
            said = self._ask(order, limit)
        except (queue.Empty, subprocess.TimeoutExpired) as error:
            self.end()
            raise MachineError(_too_slow(order, limit or 0)) from error
        if not said:
            self.end()
            self._complaints.seek(0)
            raise MachineError(_crashed(order, self._process.returncode, self._complaints.read()))
        reply = json.loads(said)
        if reply["left"]:
            self.end()
        return _read_reply(reply)

    def _ask(self, order: Order, limit: float | None) -> str:
        """The reply, or nothing if the process died over it.

        Raises:
            queue.Empty, subprocess.TimeoutExpired: It took longer than `limit` seconds.
        """
        started = time.monotonic()
        if self._process.stdin:
            with contextlib.suppress(OSError):  # it is dead, which its silence will tell
                self._process.stdin.write(json.dumps(order) + "\n")
                self._process.stdin.flush()
        said = self._said.get(timeout=limit) if self._ready else ""
        if not said:  # it ends presently, unless it has threads that never do
            left = limit and max(0.0, started + limit - time.monotonic())
            self._process.wait(left)
        return said

    def _listen(self) -> None:
        """Pass on each line that it says, and nothing at its end."""
        if self._process.stdout:
            with self._process.stdout as lines:
                for line in lines:
                    self._said.put(line)
        self._said.put("")

    def end(self) -> None:
        """End the process, the run that it is making, and all that this started."""
        if not self._ended:  # once: its number may be another's afterwards
            self._ended = True
            with contextlib.suppress(OSError):  # so few open files that nobody can be looked for
                end_family(self._process.pid, orphaned=self._process.poll() is not None)
            self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close what an ended process leaves open."""
        self.end()
        self._listener.join(1)  # at once, unless somebody else holds the pipe, who has no claim
        for stream in (self._process.stdin, self._complaints):
            with contextlib.suppress(OSError):  # an order that it never read
                stream and stream.close()


class Children:
    """A child process for each thread that asks; a new one where the last has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_thread: dict[int, Child] = {}
        self._ended = False

    def make(self, order: Order, limit: float | None, check: str = "") -> Run:
        """Make a run in the child of this thread.

        Raises:
            MachineError: There is no room for a process, or see `Child.make`.
            DemoError: See there.
        """
        return self._mine(order, check).make(order, limit)

    def _mine(self, order: Order, check: str) -> Child:
        thread = threading.get_ident()
        with self._lock:  # so that no child is born while all are ended
            if self._ended:
                raise MachineError(Problem(order["shown"], "the check was stopped."))
            child = self._of_thread.get(thread)
            if child and not (child.alive and child.check == check):
                child.close()
                child = None
            if child is None:
                try:
                    child = self._of_thread[thread] = Child(check)
                except (OSError, RuntimeError) as error:
                    raise MachineError(_no_process(order, error)) from error
            return child

    def end_run(self, thread: int, done: threading.Event) -> None:
        """End the run that a thread waits for, with its child, unless it is done by now."""
        with self._lock:  # so that no later run of this thread is hit
            child = self._of_thread.get(thread)
            if child and not done.is_set():
                child.end()

    def end(self) -> None:
        """End every child, now and for good."""
        with self._lock:
            self._ended = True
            for child in self._of_thread.values():
                child.end()

    def close(self) -> None:
        """Close what the ended children leave open, once nobody asks them any more."""
        for child in self._of_thread.values():
            child.close()


def _read_reply(reply: dict[str, Any]) -> Run:
    if "problems" in reply:
        kind = MachineError if reply["of_this_machine"] else DemoError
        raise kind(*(Problem(**problem) for problem in reply["problems"]))
    return Run.from_json(reply["run"])


def _no_process(order: Order, error: OSError | RuntimeError) -> Problem:
    return Problem(
        order["shown"],
        f"no process could be started for the run on seed {order['seed']}: {error}.",
        "Close other programs, raise the limits (`ulimit -a`), or take fewer at a time (--jobs).",
    )


def _too_slow(order: Order, limit: float) -> Problem:
    return Problem(
        order["shown"],
        f"the run on seed {order['seed']} was stopped after {limit:g} s.",
        "Make it shorter, or allow more with --timeout.",
    )


def _crashed(order: Order, code: int, complaints: str) -> Problem:
    """Why a process died, as far as its exit code and last words tell."""
    # faulthandler writes the innermost frame first.
    line = re.search(rf'File "{re.escape(order["path"])}", line (\d+)', complaints)
    cause = f"the process ended with exit code {code}"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        cause = {
            "SIGSEGV": "segmentation fault",
            "SIGKILL": "killed, perhaps because memory ran out",
            "SIGABRT": "aborted",
        }.get(name, "killed") + f" ({name})"
    settings = [
        word for name, value in order["params"].items() for word in ("--set", f"{name}={value}")
    ]
    return Problem(
        f"{order['shown']}:{line[1]}" if line else order["shown"],
        f"the run on seed {order['seed']} crashed: {cause}.",
        f"See it with: {command('demo', order['demo'], '--seed', str(order['seed']), *settings)}",
    )


class Workers(Protocol):
    """Where runs are made.

    Attributes:
        slots: How many at a time.
    """

    slots: int

    def submit(self, job: Job) -> Future[Run]:
        """Have a run made; the future's exception is a VaeflashError, or means a lost worker."""


@dataclass(slots=True)
class OnExecutor:
    """Runs made by an executor of any kind.

    Attributes:
        make: What it is given to do; picklable where it works in other processes.
        threads: What one run may use of its machine; none means all of it.
        limit: Seconds that a run may take, or none.
    """

    executor: Executor
    slots: int
    make: Callable[[Order, float | None], Run]
    threads: int | None = None
    limit: float | None = None

    def submit(self, job: Job) -> Future[Run]:
        """Have a run made."""
        order: Order = {
            "demo": job.source.name,
            "path": str(job.source.path),
            "shown": job.source.shown,
            "params": job.params,
            "seed": job.seed,
            "device": job.device,
            "key": job.request.key,
            "threads": self.threads,
        }
        try:
            return self.executor.submit(self.make, order, self.limit)
        except RuntimeError as error:  # no thread for it
            failed: Future[Run] = Future()
            failed.set_exception(MachineError(_no_process(order, error)))
            return failed


def default_jobs(device: str) -> int:
    """How many runs at a time: one a processor, or one on a GPU, which it fills alone."""
    return 1 if device != "cpu" else min(processors(), MOST_JOBS)


@contextlib.contextmanager
def local_workers(jobs: int, limit: float | None = DEFAULT_LIMIT) -> Iterator[OnExecutor]:
    """Child processes of this machine, each with its share of the threads.

    Leaving it, for whatever reason, ends them all.
    """
    children = Children()
    executor = ThreadPoolExecutor(jobs, thread_name_prefix="vaeflash-worker")
    try:
        yield OnExecutor(executor, jobs, children.make, max(1, processors() // jobs), limit)
    finally:
        with uninterrupted():  # or a thread would wait for its child for ever
            executor.shutdown(wait=False, cancel_futures=True)
            children.end()
            executor.shutdown()
            children.close()


@dataclass(slots=True)
class InProcess:
    """Makes each run in this very process, when it is asked for: for a debugger, and for tests.

    A crash is then everybody's crash, and there is no limit.
    """

    track: Track | None = None
    slots: int = 1

    def submit(self, job: Job) -> Future[Run]:
        """The run, made before this returns."""
        future: Future[Run] = Future()
        try:
            run = run_demo(job.source, job.params, job.seed, job.device, self.track)
            future.set_result(run)
        except VaeflashError as error:
            future.set_exception(error)
        return future
