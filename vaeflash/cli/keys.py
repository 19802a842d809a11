"""One key press at a time: from a terminal, or a line each from a pipe.

A press is told by a short name: a character in lower case, or "enter", "escape", "end" (nothing
more will come), "resize" (the terminal has another size), "" (a key that has no name here).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Protocol, TextIO

from vaeflash.errors import Problem, VaeflashError

_NAMES: Final = {"\r": "enter", "\n": "enter", "\x1b": "escape", "\x04": "end"}
_SEQUENCE_SECONDS: Final = 0.05
"""What follows an escape character within this time was sent by the same key."""


class Keys(Protocol):
    """Where key presses come from."""

    def press(self) -> str:
        """Wait for the next one."""

    def lent(self) -> AbstractContextManager[None]:
        """Leave the keyboard to somebody who reads lines."""


class LineKeys:
    """A file or pipe: each line is a press, an empty one is "enter"."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def press(self) -> str:
        """The next line, or "end"."""
        line = self._stream.readline()
        if not line:
            return "end"
        text = line.rstrip("\r\n")
        return text if text == " " else text.strip().lower() or "enter"

    def lent(self) -> AbstractContextManager[None]:
        """Nothing to do."""
        return nullcontext()


if sys.platform == "win32":
    import msvcrt

    class Keyboard:
        """A Windows console."""

        def __init__(self, descriptor: int) -> None:
            """The console has no descriptor of its own."""

        def press(self) -> str:
            """The next key."""
            char = msvcrt.getwch()
            if char == "\x03":
                raise KeyboardInterrupt
            if char in "\x00\xe0":  # of an arrow or a function key, whose own code follows
                msvcrt.getwch()
                return ""
            return _NAMES.get(char, char.lower() if char.isprintable() else "")

        def lent(self) -> AbstractContextManager[None]:
            """Nothing to do."""
            return nullcontext()

        def close(self) -> None:
            """Nothing to do."""

else:
    import select
    import termios
    import tty

    # After Ctrl-Z and `fg` the screen is another, too, and the terminal may be as before.
    _RESIZING: Final = frozenset({signal.SIGWINCH, signal.SIGCONT})

    class Keyboard:
        """A terminal that hands over every key at once and does not show it; Ctrl-C interrupts."""

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor
            self._before = termios.tcgetattr(descriptor)
            # A signal may come just before a read begins to wait, and Python's own handler would
            # run only after it: so the interpreter writes it down at once where that read sees it.
            self._signalled, self._signalling = os.pipe()
            os.set_blocking(self._signalling, False)
            self._wakeup = signal.set_wakeup_fd(self._signalling, warn_on_full_buffer=False)
            self._handlers: dict[int, Any] = {
                number: signal.signal(number, _written_down) for number in _RESIZING
            }
            tty.setcbreak(descriptor, termios.TCSADRAIN)

        def press(self) -> str:
            """The next key, or "resize"."""
            while True:
                ready, _, _ = select.select([self._descriptor, self._signalled], [], [])
                if self._signalled not in ready:
                    break
                if not _RESIZING.isdisjoint(os.read(self._signalled, 4096)):
                    tty.setcbreak(self._descriptor, termios.TCSADRAIN)
                    return "resize"
            char = self._character()
            if char == "\x1b" and self._skip_sequence():
                return ""
            return _NAMES.get(char, char.lower() if char.isprintable() else "")

        @contextmanager
        def lent(self) -> Iterator[None]:
            """Lines and echo, as before."""
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
            try:
                yield
            finally:
                tty.setcbreak(self._descriptor, termios.TCSADRAIN)

        def close(self) -> None:
            """Leave the terminal as it was."""
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._wakeup)
            os.close(self._signalled)
            os.close(self._signalling)

        def _character(self) -> str:
            """One character of UTF-8; the end of input counts as Ctrl-D."""
            try:
                read = os.read(self._descriptor, 1)
                while read and not _is_whole(read) and (more := os.read(self._descriptor, 1)):
                    read += more
            except OSError:  # the terminal was closed
                return "\x04"
            return read.decode(errors="replace") if read else "\x04"

        def _skip_sequence(self) -> bool:
            """Whether more follows at once, as of an arrow key; it is read and forgotten."""
            skipped = False
            while select.select([self._descriptor], [], [], _SEQUENCE_SECONDS)[0]:
                char = self._character()
                if char == "\x04":
                    break
                begins = not skipped and char in "[O"
                skipped = True
                if not begins and (char.isalpha() or char == "~"):
                    break
            return skipped


def _written_down(*_: object) -> None:
    """A signal of which the interpreter has told `signal.set_wakeup_fd` already."""


def _is_whole(read: bytes) -> bool:
    """Whether these bytes are a character of UTF-8, or cannot become one."""
    first = read[0]
    length = 4 if first >= 0xF0 else 3 if first >= 0xE0 else 2 if first >= 0xC0 else 1
    return len(read) >= length


@contextmanager
def open_keys(*, interactive: bool) -> Iterator[Keys]:
    """Standard input: keys if somebody sits there, else lines.

    Args:
        interactive: Whether what is printed can be seen while it is.

    Raises:
        VaeflashError: There is no standard input.
    """
    if sys.stdin is None:
        raise VaeflashError(
            Problem(
                "standard input",
                "it is closed, and this reads its keys there.",
                "Run it at a terminal, or give it a file or a pipe with a key on each line.",
            )
        )
    if not (interactive and sys.stdin.isatty()):
        yield LineKeys(sys.stdin)
        return
    keyboard = Keyboard(sys.stdin.fileno())
    try:
        yield keyboard
    finally:
        keyboard.close()
