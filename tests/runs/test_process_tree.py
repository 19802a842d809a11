"""A process is ended with all that it started, wherever that went."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vaeflash.runs.process_tree import end_family

PARENT = """
import os, signal, sys
from vaeflash.runs.process_tree import adopt_orphans

def leave(session, orphan):
    if os.fork():
        if orphan:
            os.wait()
        return
    if session:
        os.setsid()
    if orphan and os.fork():
        os._exit(0)
    os.write(1, b".")
    signal.pause()

adopt_orphans()
leave(session=False, orphan=False)
leave(session=True, orphan=False)
leave(session=True, orphan=True)
os.write(1, b".")
signal.pause()
"""
"""Four processes that hold a pipe until they are ended: one in a session of its own, one that has
lost its parent besides."""


@contextmanager
def family() -> Iterator[subprocess.Popen[bytes]]:
    """The four, all of them begun."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout
        begun = b""
        while len(begun) < 4:
            begun += os.read(parent.stdout.fileno(), 4)
        yield parent


def is_let_go(pipe: int) -> bool:
    """Whether nobody holds the other end; a fault of ours is no reason to wait for ever."""
    return bool(select.select([pipe], [], [], 20)[0]) and os.read(pipe, 1) == b""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere orphans are nobody's")
def test_nobody_of_a_family_outlives_it() -> None:
    with family() as parent:
        end_family(parent.pid)

        assert is_let_go(parent.stdout.fileno())


def test_those_of_its_session_are_found_after_its_death() -> None:
    script = "import os, signal\nif os.fork():\n    os._exit(0)\nos.write(1, b'.')\nsignal.pause()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout.read(1) == b"."
        parent.wait()

        end_family(parent.pid, orphaned=True)

        assert is_let_go(parent.stdout.fileno())
