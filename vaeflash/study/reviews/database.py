"""The file in which reviews are kept: opened, brought up to date, and refused with a reason."""

from __future__ import annotations

import filecmp
import itertools
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

import platformdirs

from vaeflash.errors import Problem, VaeflashError

APPLICATION_ID: Final = int.from_bytes(b"vaef", "big")
BUSY_SECONDS: Final = 10.0
"""How long to wait for another process that is writing."""

_HERE = Path(__file__).parent
_SCRIPTS: Final = ("schema.sql", "schema-2.sql")
"""What makes version 1 of the database, what makes version 2 of it, and so on."""


class StoreError(VaeflashError):
    """Reviews that cannot be read or written."""


def reviews_path() -> Path:
    """The user's reviews: the file VAEFLASH_REVIEWS names, or one in the user's data folder."""
    chosen = os.environ.get("VAEFLASH_REVIEWS")
    return Path(chosen) if chosen else platformdirs.user_data_path("vaeflash") / "reviews.sqlite3"


def open_database(path: Path) -> sqlite3.Connection:
    """A connection to the reviews in a file, which is made or brought up to date if need be.

    Every transaction that it commits is on the disk before the commit returns.

    Raises:
        StoreError: It is damaged, from a newer vaeflash or another program, or not writable.
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Transactions are begun by hand: the module's own begin too late to read in them.
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            _check_kind(connection, path)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            scripts = tuple((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
            migrate(connection, scripts, path)
            _check_tables(connection, scripts, path)
            # Another process may be at work, and then it stays as it is: slower, as safe.
            with suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode = WAL")
        except BaseException:
            connection.close()
            raise
    return connection


def migrate(connection: sqlite3.Connection, scripts: Sequence[str], path: Path) -> None:
    """Run the scripts that this database has not seen, all of them or none.

    Args:
        connection: In no transaction.
        scripts: The first makes version 1, the second turns it into version 2, and so on.
        path: For messages.

    Raises:
        StoreError: The database has seen more than these, or says what none has seen.
    """
    version = _version(connection)
    if version < 0:
        raise damaged(path, f"it says that its format is {version}")
    if version > len(scripts):
        raise StoreError(
            Problem(
                str(path),
                f"these reviews are in format {version}, which a newer vaeflash wrote;"
                f" this one knows formats up to {len(scripts)}.",
                "Update vaeflash. Nothing was changed.",
            )
        )
    if version == len(scripts):
        return
    with transaction(connection):
        # Read again: another process may have been faster.
        for number in range(_version(connection), len(scripts)):
            for statement in _statements(scripts[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that happens inside, on the disk when it ends, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Says in words what SQLite or the operating system refuse to do.

    Raises:
        StoreError: Instead of theirs.
    """
    try:
        yield
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:  # what SQLite says of it cannot be read either
        raise damaged(path, "it names a table by what is no text") from error
    except sqlite3.Error as error:
        if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
            raise  # a mistake of ours
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _busy(path) from error
        if code in _REFUSALS:
            raise _unusable(path, str(error)) from error
        # Our statements fit the tables that we make: it is the file that does not.
        raise damaged(path, str(error)) from error


def reviews_exist(path: Path) -> bool:
    """Whether there are reviews in this place.

    Raises:
        StoreError: No file can be there, or nobody lets us look.
    """
    with told(path):
        return path.exists()


def damaged(path: Path, reason: str) -> StoreError:
    """The error that says so and what to do, after a copy of the file was made."""
    try:
        saved = f"A copy is in {_copied(path)}."
    except OSError as error:
        saved = f"It could not be copied: {error.strerror or error}."
    return StoreError(
        Problem(
            str(path),
            f"this file is damaged: {reason}.",
            f"{saved} Nothing was changed. Put a backup of yours in its place; or rescue what can"
            f" be read with `sqlite3 {path} .recover`; or move the file away to start anew.",
        )
    )


def unreadable(path: Path, what: str) -> StoreError:
    """The error that an entry says what no vaeflash writes."""
    return StoreError(
        Problem(
            str(path),
            f"what is stored here cannot be read: {what}.",
            "`vaeflash doctor --rebuild-reviews` makes the states of cards from the log. If that"
            " does not mend it, put a backup of yours in the file's place, or move it away to"
            " start anew. Nothing was changed.",
        )
    )


_REFUSALS: Final = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check_kind(connection: sqlite3.Connection, path: Path) -> None:
    """That the file is empty or ours.

    Raises:
        StoreError: It is somebody else's.
    """
    (kind,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and kind != APPLICATION_ID:
        raise StoreError(
            Problem(
                str(path),
                "this is a database of another program, not of reviews.",
                "Name another file in VAEFLASH_REVIEWS. Nothing was changed.",
            )
        )


def _check_tables(connection: sqlite3.Connection, scripts: Sequence[str], path: Path) -> None:
    """That the file has every table and view that the scripts make.

    Raises:
        StoreError: One is missing, or lacks a column.
    """
    found = _columns(connection)
    lacking = [column for column in _expected_columns(scripts) if column not in found]
    if lacking:
        raise damaged(path, f"it has no {'.'.join(lacking[0])}")


@cache
def _expected_columns(scripts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    with closing(sqlite3.connect(":memory:")) as sound:
        for script in scripts:
            sound.executescript(script)
        return _columns(sound)


def _columns(connection: sqlite3.Connection) -> tuple[tuple[str, str], ...]:
    """Table or view and column, in the order in which they were made."""
    rows = connection.execute(
        "SELECT made.name, has.name FROM sqlite_master AS made"
        " JOIN pragma_table_info(made.name) AS has WHERE made.type IN ('table', 'view')"
    )
    return tuple((made, has) for made, has in rows)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one, so that they can share a transaction."""
    begun = ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            yield begun
            begun = ""


def _unusable(path: Path, reason: str) -> StoreError:
    return StoreError(
        Problem(
            str(path),
            f"reviews cannot be read or written here: {reason}.",
            "Check the path and its permissions, and that the disk has room."
            " What was stored before is untouched.",
        )
    )


def _busy(path: Path) -> StoreError:
    return StoreError(
        Problem(
            str(path),
            f"another process has been writing here for over {BUSY_SECONDS:g} seconds.",
            "Close the other quiz, or try again. Nothing was stored by this one.",
        )
    )


def _copied(path: Path) -> Path:
    """A copy of a file beside it, named with the date; nothing is overwritten, nothing made twice.

    Raises:
        OSError: There is no room for it.
    """
    today = date.today().isoformat()
    for number in itertools.count(1):
        count = "" if number == 1 else f"-{number}"
        copy = path.with_name(f"{path.stem}-damaged-{today}{count}{path.suffix}")
        if not copy.exists():
            break
        if filecmp.cmp(path, copy, shallow=False):
            return copy
    for ending in ("", "-wal"):
        source = Path(f"{path}{ending}")
        if source.exists() and source.stat().st_size:
            with source.open("rb") as old, Path(f"{copy}{ending}").open("xb") as new:
                shutil.copyfileobj(old, new)
    return copy
