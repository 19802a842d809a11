"""Being told to stop: by Ctrl-C, by `kill`, by a terminal that goes away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

TOLD = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Stopped(KeyboardInterrupt):
    """A Ctrl-C by other means.

    Attributes:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Stops:
    """Which signal told us to stop, if one did.

    Attributes:
        number: Of the last one.
    """

    number = 0

    def stop(self, number: int, _: object) -> None:
        """Interrupt whatever is being done."""
        self.number = number
        raise Stopped(number)


@contextmanager
def stoppable() -> Iterator[Stops]:
    """Have SIGTERM and SIGHUP interrupt what is being done, as a Ctrl-C does.

    A signal that is ignored, as under `nohup`, or that somebody else handles is left as it is.
    """
    stops = Stops()
    ours = {n: stops.stop for n in TOLD if signal.getsignal(n) is signal.SIG_DFL}
    with _handled(ours):
        yield stops


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Have a Ctrl-C and its like wait until this is done: for what must not be left half-way."""
    late: list[tuple[int, Any]] = []
    before = {n: handler for n in TOLD if callable(handler := signal.getsignal(n))}
    with _handled(dict.fromkeys(before, lambda *told: late.append(told))):
        yield
    for number, frame in late:
        before[number](number, frame)


@contextmanager
def _handled(handlers: Mapping[int, Callable[[int, Any], Any]]) -> Iterator[None]:
    """Handlers of signals, for a while; elsewhere than in the main thread no signal arrives."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
