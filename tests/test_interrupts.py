"""Whoever tells a command to stop, it stops as by Ctrl-C, and never in the middle of a write."""

import signal
from collections.abc import Iterator

import pytest

from vaeflash.interrupts import TOLD, Stopped, stoppable, uninterrupted


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """As a program starts with them, and afterwards as they were."""
    before = {number: signal.getsignal(number) for number in TOLD}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_interrupts_as_ctrl_c_does(number: int) -> None:
    with stoppable() as stops, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)

    assert stops.number == number


def test_afterwards_the_handlers_are_as_they_were() -> None:
    before = [signal.getsignal(number) for number in TOLD]
    with pytest.raises(Stopped), stoppable():
        signal.raise_signal(signal.SIGTERM)

    assert [signal.getsignal(number) for number in TOLD] == before


def test_what_the_shell_has_ignored_is_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with stoppable() as stops:
        signal.raise_signal(signal.SIGHUP)

    assert stops.number == 0


def test_what_somebody_else_handles_is_left_to_them() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))

    with stoppable():
        signal.raise_signal(signal.SIGTERM)

    assert seen == [signal.SIGTERM]


@pytest.mark.parametrize("number", TOLD)
def test_what_must_be_done_is_done_before_the_interrupt(number: int) -> None:
    done = []

    def write() -> None:
        with stoppable(), uninterrupted():
            signal.raise_signal(number)
            done.append("written")

    with pytest.raises(KeyboardInterrupt):
        write()

    assert done == ["written"]
