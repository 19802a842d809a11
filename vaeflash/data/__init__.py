"""Named data sets: where each may come from, and which one is here. Without torch and numpy.

A data set that is half there is an error and never a reason to fall back: a run must not change
its data because a copy was interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vaeflash.data import digits, faces, molecules, scroll
from vaeflash.data.digits import MNIST_FILES, VARIABLE, user_folder
from vaeflash.data.source import DataSource
from vaeflash.errors import DataError, Problem

__all__ = [
    "CHOOSABLE",
    "MNIST_FILES",
    "VARIABLE",
    "DataSet",
    "DataSource",
    "available",
    "find",
    "user_folder",
]


@dataclass(frozen=True, slots=True)
class DataSet:
    """A known data set, as `vaeflash data` lists it.

    Attributes:
        source: Where it is here, or none.
        problem: Why it is not here, or cannot be used.
        choices: What it may come from, best first, and how to get it.
        licence: Under which terms the data are.
    """

    name: str
    source: DataSource | None
    problem: Problem | None
    choices: tuple[str, ...]
    licence: str


def find(name: str, env: Mapping[str, str] = os.environ, *, choice: str = "") -> DataSource:
    """The data set called `name` that this machine uses.

    Args:
        name: E.g. "digits".
        env: Where variables that point to data are looked up.
        choice: Which one, for a data set that is `CHOOSABLE`; empty for the default.

    Raises:
        DataError: The name is unknown, or the data set is missing, incomplete or unreadable.
    """
    if name not in _KNOWN:
        raise DataError(
            Problem(
                f"data set '{name}'",
                "there is no data set of this name.",
                f"Known: {', '.join(_KNOWN)}.",
            )
        )
    try:
        return _KNOWN[name].find(env, choice)
    except (OSError, RuntimeError, ValueError) as error:
        # A place that no file can have, or that this user may not look at; `~nobody`; half a URL.
        reason = getattr(error, "strerror", None) or str(error)
        where = f"{name}={choice}" if choice else f"data set '{name}'"
        raise DataError(
            Problem(
                where,
                f"cannot look for this: {reason}.",
                "Check the path and its permissions.",
            )
        ) from error


def available(env: Mapping[str, str] = os.environ) -> list[DataSet]:
    """Every known data set, whether it is here or not."""
    listed = []
    for name, known in _KNOWN.items():
        source, problem = None, None
        try:
            source = find(name, env)
        except DataError as error:
            problem = error.problems[0]
        listed.append(DataSet(name, source, problem, known.choices, known.licence))
    return listed


@dataclass(frozen=True, slots=True)
class _Known:
    find: Callable[[Mapping[str, str], str], DataSource]
    choices: tuple[str, ...]
    licence: str


_KNOWN = {
    "digits": _Known(
        lambda env, choice: digits.find_digits(env),  # noqa: ARG005
        digits.CHOICES,
        digits.LICENCE,
    ),
    "faces": _Known(
        lambda env, choice: faces.find_faces(choice),  # noqa: ARG005
        faces.CHOICES,
        faces.LICENCE,
    ),
    "scroll": _Known(
        lambda env, choice: scroll.find_scroll(choice),  # noqa: ARG005
        scroll.CHOICES,
        scroll.LICENCE,
    ),
    "molecules": _Known(
        lambda env, choice: molecules.find_molecules(),  # noqa: ARG005
        molecules.CHOICES,
        molecules.LICENCE,
    ),
}
CHOOSABLE = frozenset({"faces", "scroll"})
"""Data sets of which a demo's parameter of the same name says which one: `--set faces=DIR`."""
