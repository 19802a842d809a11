"""Collects what is wrong with a deck and what was repaired, each with its line."""

from __future__ import annotations

from vaeflash.errors import Problem


class Notes:
    """The errors and repairs of one file.

    Args:
        path: As messages show it; a text without a file is shown as `<text>`.
    """

    def __init__(self, path: str) -> None:
        self._path = path or "<text>"
        self._errors: list[tuple[int, Problem]] = []
        self._repairs: list[tuple[int, Problem]] = []

    def error(self, line: int, what: str, advice: str) -> None:
        """Note something that only the author can put right."""
        self._errors.append((line, Problem(f"{self._path}:{line}", what, advice)))

    def repair(self, line: int, what: str, advice: str = "") -> None:
        """Note something irregular that was read all the same."""
        self._repairs.append((line, Problem(f"{self._path}:{line}", what, advice)))

    @property
    def errors(self) -> tuple[Problem, ...]:
        """All errors in the order of their lines."""
        return _in_order(self._errors)

    @property
    def repairs(self) -> tuple[Problem, ...]:
        """All repairs in the order of their lines."""
        return _in_order(self._repairs)


def _in_order(noted: list[tuple[int, Problem]]) -> tuple[Problem, ...]:
    return tuple(problem for _, problem in sorted(noted, key=lambda pair: pair[0]))
