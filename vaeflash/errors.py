"""What can be wrong with a user's files, and the words to say it in.

Every problem is told the same way: where, what, and on the next line what to do about it.

    VaeflashError              a list of problems; the only exception a user's mistake may raise
      CardError                a deck file that cannot be read as cards
      ClaimError               a claim or a parameter list that cannot be read or evaluated
      CourseError              a course, a ledger or a file of it that is missing or damaged
      DemoError                a demo that breaks its contract: no `run`, a wrong result
        MachineError           a run that this machine could not finish: no fault of the demo's
      OutputError              standard output or standard error that takes no more
      DataError                a data set that is damaged or of the wrong kind
        MissingDataError       a data set that is not here: no fault, and no verdict
      StoreError               reviews that cannot be read or written
        ConflictError          an answer to a card that was answered elsewhere since
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from textwrap import indent
from typing import Any


def as_utf8(value: Any) -> Any:
    r"""The same value with every lone surrogate in its texts written as an escape, `\ud800`.

    Python reads such halves of characters out of JSON, and out of file names that are not UTF-8.
    No file and no terminal takes them.

    Args:
        value: A text, or whatever lists, tuples and mappings hold such.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [as_utf8(item) for item in value]
    if isinstance(value, tuple):
        return tuple(as_utf8(item) for item in value)
    if isinstance(value, Mapping):
        return {as_utf8(key): as_utf8(item) for key, item in value.items()}
    return value


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, or that was repaired.

    Attributes:
        where: A file and line such as `cards/elbo.md:42`, or whatever the user can find it by.
        what: One sentence, ending in a full stop.
        advice: What to do, or what was expected instead.
    """

    where: str
    what: str
    advice: str = ""

    def __post_init__(self) -> None:
        for name in ("where", "what", "advice"):
            object.__setattr__(self, name, as_utf8(getattr(self, name)))

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}"
        return f"{head}\n{indent(self.advice, '  ')}" if self.advice else head

    def within(self, where: str) -> Problem:
        """The same problem seen from outside: `column 5` within `a.md:3` is `a.md:3, column 5`."""
        return replace(self, where=f"{where}, {self.where}")


class VaeflashError(Exception):
    """The user's input cannot be used; `problems` says everything that is wrong with it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems: tuple[Problem, ...] = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class CardError(VaeflashError):
    """A deck file that cannot be read as cards."""


class ClaimError(VaeflashError):
    """A claim or a parameter list that cannot be read or evaluated."""


class CourseError(VaeflashError):
    """A course, or a file of it, that is missing, damaged or cannot be written."""


class DemoError(VaeflashError):
    """A demo that breaks its contract."""


class MachineError(DemoError):
    """A run that this machine could not finish; it says nothing of the demo."""


class DataError(VaeflashError):
    """A data set that is damaged or of the wrong kind."""


class MissingDataError(DataError):
    """A data set that is not on this machine: no fault, and no verdict either."""
