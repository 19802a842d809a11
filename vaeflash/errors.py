"""What can be wrong with a user's files, and the words to say it in.

Every problem is told the same way: where, what, and on the next line what to do about it.

    VaeflashError              a list of problems; the only exception a user's mistake may raise
      CardError                a deck file that cannot be read as cards
      ClaimError               a claim or a parameter list that cannot be read or evaluated
      CourseError              a course, a ledger or a file of it that is missing or damaged
      DemoError                a demo that breaks its contract: no `run`, a wrong result
      OutputError              standard output or standard error that takes no more
      DataError                a data set that is damaged or of the wrong kind
        MissingDataError       a data set that is not here: no fault, and no verdict
      StoreError               reviews that cannot be read or written
        ConflictError          an answer to a card that was answered elsewhere since
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from textwrap import indent


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


class DataError(VaeflashError):
    """A data set that is damaged or of the wrong kind."""


class MissingDataError(DataError):
    """A data set that is not on this machine: no fault, and no verdict either."""
