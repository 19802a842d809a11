"""Reading and writing files so that nothing is lost and every failure names its file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

import platformdirs

from vaeflash.errors import CourseError, Problem


def cache_folder() -> Path:
    """What can be worked out again: the user's cache folder, or the one VAEFLASH_CACHE names."""
    chosen = os.environ.get("VAEFLASH_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("vaeflash")


def read_text(path: Path, shown: str = "") -> str:
    """The file's text, UTF-8 with or without a byte order mark.

    Raises:
        CourseError: The file is missing, unreadable or not text.
    """
    where = shown or str(path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CourseError(
            Problem(
                where,
                f"this is not UTF-8 text (byte {error.start} cannot be read).",
                "Save it as UTF-8; a binary file does not belong here.",
            )
        ) from error
    except OSError as error:
        raise unusable(where, "read", error) from error


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


def write_sealed(path: Path, text: str) -> None:
    """Write a file of the cache, its first line a hash of all others.

    Raises:
        CourseError: The folder or disk does not take it.
    """
    write_atomically(path, f"{_seal(text)}\n{text}")


def read_sealed(path: Path) -> str:
    """The text that `write_sealed` wrote, to the letter.

    Raises:
        OSError: The file is not there, or cannot be read.
        ValueError: It is not what was written.
    """
    seal, _, text = path.read_bytes().decode().partition("\n")
    if seal != _seal(text):
        raise ValueError(f"{path} is not what was written")
    return text


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def unusable(where: str, verb: str, error: OSError) -> CourseError:
    """The error that says why the operating system refused to read or write `where`."""
    reason = error.strerror or str(error)
    advice = "Check the path and its permissions, and that the disk has room."
    return CourseError(Problem(where, f"cannot {verb} this: {reason}.", advice))
