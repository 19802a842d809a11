"""Packages that read volumes come with an extra: what is said where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vaeflash.errors import DataError, Problem

INSTALL = 'pip install "vaeflash[volumes]"'


@contextmanager
def needing_extra(where: str) -> Iterator[None]:
    """Around late imports of what the extra `volumes` installs.

    Raises:
        DataError: It is not installed.
    """
    try:
        yield
    except ImportError as error:
        what = f"reading this needs {error.name or 'a package'}, which is not installed."
        raise DataError(Problem(where, what, f"Install it: {INSTALL}")) from error


def reason(error: BaseException) -> str:
    """An error of another package in one line, without its full stop."""
    first = next(iter(str(error).splitlines()), "").strip().rstrip(".")
    return first or type(error).__name__
