"""Ending a process with all that it started, wherever that went."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

import psutil  # type: ignore[import-untyped]

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of whatever loses its own below this process, where Linux lets us.

    A program that daemonises itself would otherwise not be found among our descendants.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def has_descendants() -> bool:
    """Whether anything that this process started is still alive."""
    return any(map(_is_alive, psutil.Process().children(recursive=True)))


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def end_descendants(pid: int) -> None:
    """Kill everything that a process started, and what that started in turn.

    Told again and again until there is nothing new: what is being killed may have had one more
    child in the meantime.
    """
    ended: set[psutil.Process] = set()
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        while new := set(root.children(recursive=True)) - ended:
            for process in new:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            ended |= new


def end_family(pid: int, *, orphaned: bool = False) -> None:
    """Kill a process that leads a session, its descendants, and what is left of its session.

    Args:
        pid: Of the process.
        orphaned: Whether it is dead already. What it started is found in its session then; what
            went into a session of its own is not.
    """
    if not orphaned:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(pid)
            root.suspend()  # so that it starts nothing else meanwhile
            end_descendants(pid)
            root.kill()
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
