"""Reading and writing files so that nothing is lost and every failure names its file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import platformdirs

from vaeflash.errors import CourseError, Problem

LIMIT: Final = 64 << 20
"""Bytes that a file of a course may have; only a scroll has more, and is not read as a whole."""
LOCK_SECONDS: Final = 60.0
"""How long to wait for another process that changes the same file, before going on without it."""
_OUTSIDE: Final = "a link leads out of the course here."
_KINDS: Final = {
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


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


def write_atomically(path: Path, content: str | bytes, *, within: Path | None = None) -> None:
    """Replace a file as a whole: after any crash it is the old one or the new one.

    A link stays a link: what it leads to is replaced, or made. The new file has the mode of the old
    one, and its owner where we may give that. It is another file, though: a second name of the old
    one (a hard link) goes on naming the old one.

    Args:
        path: The file; missing folders above it are made.
        content: Text is written as UTF-8.
        within: A folder that no link may lead out of.

    Raises:
        CourseError: The text has no UTF-8, something that is no file stands there, or the folder or
            disk does not take it; the old file is untouched.
    """
    data = content if isinstance(content, bytes) else _encoded(content, path)
    target = _target(path, within)
    # Not tempfile: it makes private files, and a course is shared as the user's umask says. And
    # not the whole name, which may be as long as a name can be.
    partial = target.with_name(f".{target.name[:50]}.{secrets.token_hex(8)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            _resemble(target, partial)  # first: what was private is private all along
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise unusable(str(path), "write", error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def check_writable(path: Path, *, within: Path | None = None) -> None:
    """Find out whether `write_atomically` could write here, before hours of work rest on it.

    Raises:
        CourseError: It could not; why is told.
    """
    target = _target(path, within)
    folder = next(folder for folder in target.parents if os.path.lexists(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        reason = f"the folder {folder} cannot be written"
        raise unusable(str(path), "write", PermissionError(None, reason))


def _encoded(text: str, path: Path) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise CourseError(
            Problem(
                str(path),
                f"cannot write this: character {error.start} of the text, "
                f"{text[error.start]!r}, is half of one.",
                "Nothing was written. Mend whatever the text comes from.",
            )
        ) from error


def _target(path: Path, within: Path | None = None) -> Path:
    """The file that a path names at the end of all links, whether it is there or not.

    Raises:
        CourseError: Something that is no file is there, links go round in a circle, the path is
            none, or a link leads out of `within`.
    """
    try:
        found = Path(os.path.realpath(path))
        with contextlib.suppress(FileNotFoundError):
            kind = stat.S_IFMT(path.stat().st_mode)
            if kind != stat.S_IFREG:
                what = f"this is a {_KINDS.get(kind, 'special file')}, where a file should go."
                raise CourseError(Problem(str(path), what, "Name a file, or a new one."))
        if within and not found.is_relative_to(os.path.realpath(within)):
            advice = "Put the file itself there, or name another place."
            raise CourseError(Problem(str(path), f"a link leads out of {within} here.", advice))
    except (OSError, ValueError) as error:
        raise unusable(str(path), "write", error) from error
    return found


def _resemble(old: Path, new: Path) -> None:
    """Give a new file the owner and mode of the one that it is to replace, if there is one."""
    try:
        known, made = old.stat(), new.stat()
    except FileNotFoundError:
        return
    if (known.st_uid, known.st_gid) != (made.st_uid, made.st_gid):
        with contextlib.suppress(OSError):  # only root gives files away
            os.chown(new, known.st_uid, known.st_gid)
    if known.st_mode != made.st_mode:
        new.chmod(stat.S_IMODE(known.st_mode))


@contextlib.contextmanager
def changing(path: Path) -> Iterator[None]:
    """Keep other processes from changing a file between our reading it and our writing it.

    They are kept out by a lock in the cache folder, so that nothing is left beside the file. Where
    no lock can be had we warn and go on: that two processes meet is rare, and what is to be written
    may have taken hours.

    Args:
        path: The file, whether it is there or not, or a folder for several files in it; whoever
            changes them must ask likewise.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_lock(path))
        except (OSError, NotImplementedError, ImportError, MemoryError) as error:
            told = str(error) or type(error).__name__
            warnings.warn(f"{path}: changed without a lock: {told}.", stacklevel=3)
        yield


def _lock(path: Path) -> contextlib.AbstractContextManager[object]:
    from filelock import FileLock  # late: most commands change nothing, and it is slow to import

    place = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]
    file = cache_folder() / "locks" / f"{place}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(file, timeout=LOCK_SECONDS)


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


def unusable(where: str, verb: str, error: OSError | ValueError) -> CourseError:
    """The error that says why the operating system refused to read or write `where`."""
    reason = getattr(error, "strerror", None) or str(error)
    advice = "Check the path and its permissions, and that the disk has room."
    return CourseError(Problem(where, f"cannot {verb} this: {reason}.", advice))
