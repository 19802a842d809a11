"""Whether a course's demos may run here: asked once, and remembered for this folder and this code.

A demo is a Python program and can do whatever its user can. This is consent, not a sandbox;
docs/decisions tells what it covers. The bundled course came with the package that runs it, so there
is nothing to ask.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from vaeflash.course.course import Course, bundled_root
from vaeflash.errors import CourseError, Problem
from vaeflash.files import changing, unusable, write_atomically
from vaeflash.plain import parse_json


def code_of(course: Course) -> str:
    """A fingerprint of every file in `demos/`, to the byte, and of nothing else.

    Not that of `vaeflash.course.fingerprint`, which leaves out what does not change a measurement:
    a demo may run a text that it reads, or load a file in a way of its own. A link counts as what
    it leads to.

    Raises:
        CourseError: A file cannot be read, or is a device, a pipe or the like.
    """
    return _digest(_contents(course.root / "demos"))


def code_of_texts(texts: Mapping[str, str]) -> str:
    """The fingerprint of a `demos/` that holds these files, by name, and no others."""
    return _digest(
        (name, hashlib.sha256(text.encode()).hexdigest()) for name, text in texts.items()
    )


def is_trusted(course: Course) -> bool:
    """Whether the demos of this course, as they are now, may run.

    Raises:
        CourseError: They cannot be read.
    """
    if course.root == bundled_root().resolve():
        return True
    agreed = _read().get(str(course.root))
    return agreed is not None and (agreed == _identity(course) or agreed == code_of(course))


def may_look_at_paths(course: Course) -> bool:
    """Whether data at paths that the course names may be looked at: where its demos may run.

    Not before: what a stranger's course names can be any folder of the user's, however large.
    """
    try:
        return is_trusted(course)
    except CourseError:  # its demos cannot be read
        return False


def trust(course: Course, code: str = "", *, whatever_they_become: bool = False) -> None:
    """Remember that they may, for good or as long as they stay as they are.

    Args:
        code: The fingerprint that was agreed to; that of now by default.

    Raises:
        CourseError: They cannot be read, or the user's data folder cannot be written.
    """
    root, identity = str(course.root), _identity(course)
    agreed = identity if whatever_they_become else code or code_of(course)
    with changing(_path()):
        known = _read()
        if known.get(root) != identity:
            known[root] = agreed
        write_atomically(_path(), json.dumps(known, indent=1, sort_keys=True) + "\n")


def _contents(demos: Path) -> Iterator[tuple[str, str]]:
    """The path of each file, and the digest of what it holds.

    A folder that links lead to again is told as the path where it was met before: so loops end, and
    a few links cannot make a walk without end.
    """
    met: dict[tuple[int, int], str] = {}
    waiting = [demos]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(demos).as_posix()
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                before = met.setdefault((status.st_dev, status.st_ino), name)
                if before != name:
                    yield name, f"-> {before}"  # which is no digest
                else:
                    waiting += sorted(path.iterdir(), reverse=True)
            elif stat.S_ISREG(status.st_mode):
                with path.open("rb") as file:
                    yield name, hashlib.file_digest(file, "sha256").hexdigest()
            else:
                raise CourseError(
                    Problem(
                        str(path),
                        "this is a device, a pipe or a socket.",
                        "Remove it: only files belong in demos/.",
                    )
                )
        except FileNotFoundError:
            continue  # a link that leads nowhere; what it may lead to one day will count
        except OSError as error:
            raise unusable(str(path), "read", error) from error


def _digest(contents: Iterable[tuple[str, str]]) -> str:
    """One digest of all: whole, since who writes a course could make two that share a short one."""
    parts = [os.fsencode(part) for pair in sorted(contents) for part in pair]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _identity(course: Course) -> dict[str, Any]:
    """What tells this folder from another that is put in its place."""
    status = course.root.stat()
    return {"course": course.id, "device": status.st_dev, "inode": status.st_ino}


def _path() -> Path:
    return platformdirs.user_data_path("vaeflash") / "trusted-courses.json"


def _read() -> dict[str, Any]:
    """What was agreed to, by folder: the fingerprint of some code, or whose code it may ever be.

    Nothing if the file is not there or damaged, so that we ask again; and so does whatever else an
    entry may hold, as it equals neither.
    """
    try:
        known = parse_json(_path().read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
