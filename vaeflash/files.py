"""Reading and writing files so that nothing is lost and every failure names its file."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

import platformdirs

from vaeflash.errors import CourseError, Problem

LIMIT: Final = 64 << 20
"""Bytes that a file of a course may have; only a scroll has more, and is not read as a whole."""
_OUTSIDE: Final = "a link leads out of the course here."


def cache_folder() -> Path:
    """What can be worked out again: the user's cache folder, or the one VAEFLASH_CACHE names."""
    chosen = os.environ.get("VAEFLASH_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("vaeflash")


def read_bytes(
    path: Path,
    shown: str = "",
    *,
    inside: Path | None = None,
    limit: int = LIMIT,
    piped: bool = False,
) -> bytes:
    """The file's content. What is no file is never opened: a pipe would not end, nor a device.

    Args:
        path: Links are followed.
        shown: The file as messages show it.
        inside: A folder, with its own links resolved, that no link may lead out of.
        limit: Most bytes that are read.
        piped: Whether a pipe will do, since the user named it.

    Raises:
        CourseError: It is missing, unreadable, no file, too large or elsewhere.
    """
    where = shown or str(path)
    try:
        if inside is not None and not path.resolve().is_relative_to(inside):
            raise CourseError(Problem(where, _OUTSIDE, "Put the file itself into the course."))
        kind = path.stat().st_mode
        if not (stat.S_ISREG(kind) or (piped and stat.S_ISFIFO(kind))):
            raise CourseError(
                Problem(
                    where,
                    "this is no file but a folder, a pipe or a device.",
                    "Put a file in its place.",
                )
            )
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise unusable(where, "read", error) from error
    except (ValueError, RuntimeError) as error:  # a name that holds NUL; links in a circle
        raise CourseError(
            Problem(where, "this leads to no file.", "Check the name, and where links lead.")
        ) from error
    if len(content) > limit:
        raise CourseError(
            Problem(
                where,
                f"this is larger than {limit >> 20} MiB.",
                "Make several files of it, or a smaller one.",
            )
        )
    return content


def read_text(
    path: Path,
    shown: str = "",
    *,
    inside: Path | None = None,
    limit: int = LIMIT,
    piped: bool = False,
) -> str:
    """The file's text, UTF-8 with or without a byte order mark; `read_bytes` says more.

    Raises:
        CourseError: Likewise; or it is not text.
    """
    where = shown or str(path)
    content = read_bytes(path, shown, inside=inside, limit=limit, piped=piped)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CourseError(
            Problem(
                where,
                f"this is not UTF-8 text (byte {error.start} cannot be read).",
                "Save it as UTF-8; a binary file does not belong here.",
            )
        ) from error


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file as a whole: after any crash it is the old one or the new one.

    Raises:
        CourseError: The folder or disk does not take it; the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    # Not tempfile: it makes private files, and a course is shared as the user's umask says.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise unusable(str(path), "write", error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def unusable(where: str, verb: str, error: OSError) -> CourseError:
    """The error that says why the operating system refused to read or write `where`."""
    reason = error.strerror or str(error)
    advice = "Check the path and its permissions, and that the disk has room."
    return CourseError(Problem(where, f"cannot {verb} this: {reason}.", advice))
