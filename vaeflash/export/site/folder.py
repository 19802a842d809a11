"""A site's files -> a folder that may hold other things, and what earlier exports left there.

`vaeflash-site.json` says what is ours: each file with a hash of its content. Nothing else in the
folder is replaced or removed, and a page that somebody changed by hand is not removed either.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from vaeflash.errors import CourseError, Problem
from vaeflash.files import changing, check_writable, read_text, unusable, write_atomically
from vaeflash.plain import each_in, parse_json, record, text

MANIFEST: Final = "vaeflash-site.json"
_FORMAT: Final = 1


@dataclass(frozen=True)
class _Manifest:
    """What an export left: the course, and path -> hash of each file."""

    course: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def check_folder(out: Path, course: str) -> None:
    """Find out whether a folder takes the site of a course, before its pages are made.

    Raises:
        CourseError: It does not; why is told.
    """
    _read(out, course)
    check_writable(out / MANIFEST, within=out)


def write_site(
    out: Path, course: str, site: Mapping[str, bytes]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make the folder hold these files: what changed is written, what is no longer ours is removed.

    Each file is replaced as a whole. After a crash the next export goes on from there.

    Args:
        out: Made if it is not there.
        course: Id of the course; a folder takes one.
        site: Path in the folder, with `/` -> content.

    Returns:
        Paths of the files that were written, and of those that were removed.

    Raises:
        CourseError: The folder is none, holds another course, or a file of somebody else's is in
            the way; nothing is written then. Or the disk does not take it.
    """
    with changing(out / MANIFEST):
        return _write_site(out, course, site)


def _write_site(
    out: Path, course: str, site: Mapping[str, bytes]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    before = _read(out, course)
    problems = [*_in_the_way(out, before, site)]
    if problems:
        raise CourseError(*problems)
    now = {path: _hash(content) for path, content in site.items()}
    changed = tuple(path for path in site if _hash_of(out / path) != now[path])
    if changed or dict(before.files) != now:
        # First of all: whatever happens from here on, these files are known to be ours.
        _write(out, course, {**before.files, **now})
    for path in changed:
        write_atomically(out / path, site[path], within=out)
    gone = tuple(
        path
        for path, known in before.files.items()
        if path not in now and _hash_of(out / path) == known
    )
    for path in gone:
        _remove(out, path)
    _write(out, course, now)
    return changed, gone


def _read(out: Path, course: str) -> _Manifest:
    """What the last export left, if it is to be believed.

    Raises:
        CourseError: The folder is a file, or holds the site of another course.
    """
    if os.path.exists(out) and not out.is_dir():  # noqa: PTH110 -- true of any name, however long
        raise CourseError(
            Problem(
                str(out),
                "this is a file; a site is a folder.",
                "Name a folder by -o: it is made if it is not there.",
            )
        )
    path = out / MANIFEST
    if not os.path.exists(path):  # noqa: PTH110
        return _Manifest()
    content = read_text(path)
    try:
        found = _CONTENT(parse_json(content))
    except ValueError as error:
        raise CourseError(
            Problem(
                str(path),
                f"this list of the pages cannot be read: {error}.",
                "Choose another folder; or delete this one if nothing else is in it.",
            )
        ) from error
    if found["course"] != course:
        raise CourseError(
            Problem(
                str(out),
                f"this holds the site of another course, '{found['course']}'.",
                "Choose another folder.",
            )
        )
    # A path that leads elsewhere was not written by an export.
    ours = {path: known for path, known in found["files"].items() if _is_inside(out, path)}
    return _Manifest(course, ours)


def _known_format(value: object) -> int:
    if value != _FORMAT:
        raise ValueError("this vaeflash does not know it")
    return _FORMAT


_CONTENT = record({"format": _known_format, "course": text, "files": each_in(text)})


def _in_the_way(out: Path, before: _Manifest, site: Mapping[str, bytes]) -> Iterator[Problem]:
    for path, content in site.items():
        target = out / path
        if not _is_inside(out, path):
            yield Problem(
                str(target), "a link leads out of the folder here.", "Choose another folder."
            )
        elif target.is_dir():
            yield Problem(str(target), "a folder is where a page goes.", "Choose another folder.")
        elif (
            (target.exists() or target.is_symlink())
            and path not in before.files
            and _hash_of(target) != _hash(content)
        ):
            yield Problem(
                str(target),
                "this file is not of an earlier export, and would be overwritten.",
                "Choose another folder, or move the file away.",
            )
        elif not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(out)):
            yield Problem(str(target), "a link leads out of the folder.", "Move the link away.")


def _is_inside(out: Path, path: str) -> bool:
    """Whether a path stays in the folder, wherever symlinks lead."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        return False
    try:
        return (out / path).parent.resolve().is_relative_to(out.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _remove(out: Path, path: str) -> None:
    target = out / path
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise unusable(str(target), "remove", error) from error
    if target.parent != out:
        with contextlib.suppress(OSError):  # unless it is empty
            target.parent.rmdir()


def _write(out: Path, course: str, files: Mapping[str, str]) -> None:
    """The list of what is ours, unless it says so already."""
    content = {"format": _FORMAT, "course": course, "files": dict(sorted(files.items()))}
    listed = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    path = out / MANIFEST
    if _hash_of(path) != _hash(listed.encode()):
        write_atomically(path, listed, within=out)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hash_of(path: Path) -> str:
    """Of a file; empty if there is none, if none can have this name, and of what is no file."""
    try:
        return _hash(path.read_bytes()) if path.is_file() else ""
    except ValueError:
        return ""
    except OSError as error:
        raise unusable(str(path), "read", error) from error
