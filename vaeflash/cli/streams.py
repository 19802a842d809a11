"""Standard output and standard error: what every writer to them is held to.

Commands print by a console of `vaeflash.cli.screen`, which knows its own control sequences from the
characters of a text. Whoever writes to a stream directly (a demo that prints, a warning, a
traceback, the usage message for a mistyped command) is taken at no such word.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from vaeflash.errors import Problem, VaeflashError
from vaeflash.printable import printable

_RETURN: Final = re.compile(r"\r\n?")


class OutputError(VaeflashError):
    """Standard output or standard error takes no more; of a closed pipe nothing is to be told."""


class Stream:
    """A stream that tells by an `OutputError` when it takes no more.

    Args:
        stream: The one to write on.
        name: What it is called in messages.
    """

    def __init__(self, stream: Any, name: str) -> None:
        self._stream = stream
        self._name = name
        self._lost: OutputError | None = None

    def write(self, text: str) -> int:
        """Write a text."""
        if self._lost:
            raise self._lost
        if text:  # typer tries out a stream by writing nothing on it, and hides what comes of that
            self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Send off what was written."""
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except OSError as error:
            # What is held back goes nowhere, or the interpreter would fail over it at its end.
            with contextlib.suppress(OSError), Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())
            self._lost = OutputError(*_told(self._name, error))
            raise self._lost from error


def _told(name: str, error: OSError) -> list[Problem]:
    if isinstance(error, BrokenPipeError):  # whoever read has seen enough
        return []
    reason = error.strerror or str(error)
    return [Problem(name, f"cannot be written: {reason}.", "What was still to come is lost.")]


class Gate:
    """A stream on which everybody's text is only shown.

    Attributes:
        raw: The stream itself, for a console that cleans texts of its own accord.
    """

    def __init__(self, raw: Stream) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write a text, with a stand-in for what would do more than be seen.

        A carriage return begins a new line, instead of writing over what was said.
        """
        self.raw.write(printable(_RETURN.sub("\n", text)))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def guard_streams() -> None:
    """Put both streams behind a gate, until the process ends: its last word may be a traceback."""
    # From 3.13 on Python colours a traceback, and such colours would be shown, too.
    os.environ["PYTHON_COLORS"] = "0"
    for attribute, name in (("stdout", "standard output"), ("stderr", "standard error")):
        stream = getattr(sys, attribute)
        if stream is None or isinstance(stream, Gate):
            continue
        # A redirected Windows stream may be cp1252; the cards are Unicode.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
        setattr(sys, attribute, Gate(Stream(stream, name)))
