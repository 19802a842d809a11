"""Who makes the runs: processes of this machine, or of a cluster.

A run is never made in the process that judges it. Whatever `concurrent.futures.Executor` takes the
job, the run itself happens in a child process of the thread that got it (`vaeflash.worker`): a
demo that crashes, hangs or runs out of memory takes its child along and nothing else, and torch's
global generator belongs to one run at a time. docs/decisions has the reasons.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from vaeflash.errors import DemoError, Problem, VaeflashError
from vaeflash.jobs import Job
from vaeflash.machine import processors
from vaeflash.printable import command
from vaeflash.runner import Track, run_demo
from vaeflash.runs import Run

Order: TypeAlias = "dict[str, Any]"
"""A job as plain data, for another process or machine; `vaeflash.worker` reads it."""

DEFAULT_LIMIT = 600.0
"""Seconds that a run may take."""
MOST_JOBS = 8
"""More than this are asked for, not guessed: each holds a torch of its own in memory."""


class Child:
    """One process that makes one run at a time.

    Args:
        check: Whose runs it makes. It never serves another: a demo that was edited since would stay
            imported as it was.
    """

    def __init__(self, check: str = "") -> None:
        self.check = check
        # Open as long as the child lives, so no `with`; what it says last tells why it died.
        self._complaints = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            # -P: a torch.py in the working directory is not torch.
            [sys.executable, "-P", "-m", "vaeflash.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # a Ctrl-C is for us; we end the children
        )
        self._ready = False

    @property
    def alive(self) -> bool:
        """Whether the process can take another order."""
        return self._process.poll() is None

    def make(self, order: Order, limit: float | None) -> Run:
        """The run of an order.

        Raises:
            DemoError: The process died, or did not answer within `limit` seconds; or the demo
                breaks its contract.
        """
        self._complaints.seek(0)
        self._complaints.truncate()
        self._ready = self._ready or bool(self._listen())
        too_slow = threading.Event()

        def stop() -> None:
            too_slow.set()
            self._process.kill()

        watch = threading.Timer(limit or 0, stop)
        watch.daemon = True
        if limit:
            watch.start()
        reply = self._ask(order)
        watch.cancel()
        if reply:
            return _read_reply(json.loads(reply))
        code = self._process.wait()
        if too_slow.is_set():
            raise DemoError(_too_slow(order, limit or 0))
        self._complaints.seek(0)
        raise DemoError(_crashed(order, code, self._complaints.read()))

    def _ask(self, order: Order) -> str:
        """The reply, or nothing if the process died over it."""
        orders = self._process.stdin
        if orders:
            with contextlib.suppress(OSError):
                orders.write(json.dumps(order) + "\n")
                orders.flush()
        return self._listen()

    def _listen(self) -> str:
        """The next line that it says, or nothing if it died."""
        return self._process.stdout.readline() if self._process.stdout else ""

    def end(self) -> None:
        """End the process, and with it the run that it is making."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close what an ended process leaves open."""
        self.end()
        for stream in (self._process.stdin, self._process.stdout, self._complaints):
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
            DemoError: See `Child.make`.
        """
        return self._mine(order, check).make(order, limit)

    def _mine(self, order: Order, check: str) -> Child:
        thread = threading.get_ident()
        with self._lock:  # so that no child is born while all are ended
            if self._ended:
                raise DemoError(Problem(order["shown"], "the check was stopped."))
            child = self._of_thread.get(thread)
            if child and not (child.alive and child.check == check):
                child.close()
                child = None
            if child is None:
                child = self._of_thread[thread] = Child(check)
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
        raise DemoError(*(Problem(**problem) for problem in reply["problems"]))
    return Run.from_json(reply["run"])


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
        return self.executor.submit(self.make, order, self.limit)


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
