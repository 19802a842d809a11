"""Runs on the machines of a Dask cluster, through `distributed`'s own executor.

What a Dask worker is given to do is again to have the run made in a child process. The child serves
one check only: a demo may be edited before the next, and a process imports it once.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import socket
import threading
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from vaeflash.errors import Problem, VaeflashError
from vaeflash.machine import has_extra
from vaeflash.runs.processes import DEFAULT_LIMIT, Children, OnExecutor, Order
from vaeflash.runs.run import Run

_on_cluster = Children()
HEARTBEAT = 1.0
"""Seconds between two looks at whether anybody still waits for a run on a cluster."""


def make_on_cluster(check: str, order: Order, limit: float | None) -> Run:
    """Make a run in a child of the cluster's worker; a function, since it travels by its name.

    Raises:
        DemoError: See `Child.make`.
    """
    with _ending_when_unwanted():
        return _on_cluster.make(order, limit, check)


@contextlib.contextmanager
def _ending_when_unwanted() -> Iterator[None]:
    """End the run of this thread once its check was stopped, or is gone without a word.

    Dask then forgets the task, but leaves its thread alone.
    """
    from distributed import get_worker

    worker, thread, done = get_worker(), threading.get_ident(), threading.Event()
    key = worker.get_current_task()

    def look() -> None:
        while not done.wait(HEARTBEAT):
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                _on_cluster.end_run(thread, done)
                return

    threading.Thread(target=look, daemon=True).start()
    try:
        yield
    finally:
        done.set()


@contextlib.contextmanager
def cluster_workers(
    address: str, limit: float | None = DEFAULT_LIMIT, *, patience: float = 10
) -> Iterator[OnExecutor]:
    """The workers of a Dask cluster; each needs the same course at the same path.

    Args:
        address: `dask://HOST:PORT` of its scheduler.
        patience: Seconds to wait for an answer.

    Raises:
        VaeflashError: This is no such address, nobody answers there, or the extra is missing.
    """
    place = _place(address)
    if not has_extra("distributed"):
        raise VaeflashError(
            Problem(
                f"--executor {address}",
                "the extra 'cluster' is not installed.",
                "pip install 'vaeflash[cluster]'",
            )
        )
    from distributed import Client

    try:
        _knock(place, patience)
        client = Client(f"tcp://{place.netloc}", timeout=patience)
    except (OSError, UnicodeError) as error:  # the latter of a name that no host can have
        raise VaeflashError(
            Problem(
                f"--executor {address}",
                f"no scheduler answers: {error}.",
                "Start one with `dask scheduler`, and workers with `dask worker HOST:PORT`.",
            )
        ) from error
    with client:
        slots = sum(client.nthreads().values())
        if not slots:
            raise VaeflashError(
                Problem(
                    f"--executor {address}",
                    "the cluster has no workers.",
                    f"Start some with `dask worker {place.netloc}`.",
                )
            )
        make = functools.partial(make_on_cluster, secrets.token_hex(8))
        executor = client.get_executor(pure=False)
        try:
            yield OnExecutor(executor, slots, make, limit=limit)
        finally:
            executor.shutdown(wait=False)


def _place(address: str) -> SplitResult:
    """The parts of `dask://HOST:PORT`.

    Raises:
        VaeflashError: It is something else.
    """
    with contextlib.suppress(ValueError):  # a port that is no number
        place = urlsplit(address)
        extras = place.path.strip("/") or place.username
        if place.scheme == "dask" and place.hostname and place.port and not extras:
            return place
    raise VaeflashError(
        Problem(f"--executor {address}", "no such executor.", "Write dask://HOST:PORT.")
    )


def _knock(place: SplitResult, patience: float) -> None:
    """Wait for the first word of a scheduler; Dask itself waits for ever where none is said.

    Raises:
        OSError: Nobody is there, or says nothing.
    """
    with socket.create_connection((place.hostname, place.port), patience) as connection:
        connection.recv(1)
