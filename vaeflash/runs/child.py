"""The other side of `vaeflash.runs.processes`: a process that makes one run after the other.

A first line says that it is ready. Then an order comes as a line of JSON on standard input, and its
run goes back as one on standard output, until the input ends. When it ends in the middle of a run,
whoever ordered it is gone, and so is this process with all that it started: a run that nobody waits
for should not keep a machine warm.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from vaeflash.card import value_of
from vaeflash.course.demo_source import DemoSource, read_demo
from vaeflash.errors import MachineError, Problem, VaeflashError
from vaeflash.machine import of_this_machine
from vaeflash.runs.in_process import run_demo
from vaeflash.runs.known import Runs
from vaeflash.runs.process_tree import adopt_orphans, end_descendants, has_descendants


def serve(orders: TextIO, replies: TextIO) -> None:
    """Answer each order."""
    # Torch takes seconds to load, which should not count as time of the first run.
    importlib.import_module("vaeflash.lab.bench")
    replies.write("ready\n")
    replies.flush()
    for order in _lines(orders):
        reply = answer(json.loads(order)) | {"left": _left_behind()}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def answer(order: dict[str, Any]) -> dict[str, Any]:
    """The run that an order asks for, or the problems that stood in its way."""
    try:
        source = read_demo(order["demo"], Path(order["path"]), order["shown"])
        params = {name: value_of(value) for name, value in order["params"].items()}
        seed, device = order["seed"], order["device"]
        _compare(source, order, Runs(device).job(source, params, seed).request.key)
        run = run_demo(source, params, seed, device, threads=order["threads"])
    except VaeflashError as error:
        return {
            "problems": [asdict(problem) for problem in error.problems],
            "of_this_machine": of_this_machine(error),
        }
    return {"run": run.to_json(), "traceback": run.traceback}


def _left_behind() -> bool:
    """Whether the run that has ended left processes behind."""
    try:
        if not has_descendants():
            return False
        gc.collect()  # which ends those of a torch DataLoader that nobody holds any more
        return has_descendants()
    except OSError:  # so few open files that nobody can be looked for
        return True


def _compare(source: DemoSource, order: dict[str, Any], key: str) -> None:
    """Refuse a run that would not be the one that was asked for.

    Raises:
        MachineError: Code, data or torch are not those of the machine that ordered.
    """
    if key != order["key"]:
        raise MachineError(
            Problem(
                source.shown,
                "this worker has other code, data or another torch than the machine that asks.",
                "Give both the same course, vaeflash, torch and data; do not edit during a check.",
            )
        )


def _lines(stream: TextIO) -> Iterator[str]:
    """The lines of a stream; its end is noticed, and obeyed, even between two of them."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        try:
            end_descendants(os.getpid())
        finally:
            os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield lines.get()


def main() -> None:
    """Serve; what a demo prints goes to standard error, so that it cannot garble a reply."""
    faulthandler.enable()
    adopt_orphans()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        # Where a demo forks, its child must not answer for us, nor keep the pipe open.
        if hasattr(os, "register_at_fork"):
            pipe, nowhere = replies.fileno(), os.open(os.devnull, os.O_WRONLY)
            os.register_at_fork(after_in_child=lambda: os.dup2(nowhere, pipe))
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        serve(sys.stdin, replies)


if __name__ == "__main__":
    main()
