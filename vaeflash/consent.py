"""Whether a course's demos may run here: asked once, and remembered for this folder and this code.

A demo is a Python program and can do whatever its user can. This is consent, not a sandbox. The
bundled course came with the package that runs it, so there is nothing to ask.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import platformdirs

from vaeflash.course import Course, bundled_root
from vaeflash.files import write_atomically
from vaeflash.plain import parse_json

ANY_CODE = "any"
"""Remembered instead of a fingerprint: whatever the demos of this folder become."""


def code_of(course: Course) -> str:
    """A fingerprint of every Python file of the course, to the byte.

    Not that of `vaeflash.fingerprint`: it leaves out what does not change a measurement, and
    sees no file that is imported in a way of its own.
    """
    digest = hashlib.sha256()
    for path in sorted(course.root.rglob("*.py")):
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(course.root).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:16]


def is_trusted(course: Course) -> bool:
    """Whether the demos of this course, as they are now, may run."""
    if course.root == bundled_root().resolve():
        return True
    known = _read().get(str(course.root))
    return known == ANY_CODE or (known is not None and known == code_of(course))


def trust(course: Course, *, whatever_they_become: bool = False) -> None:
    """Remember that they may, as they are now or for good.

    Raises:
        CourseError: The user's data folder cannot be written.
    """
    known = _read()
    if known.get(str(course.root)) != ANY_CODE:
        known[str(course.root)] = ANY_CODE if whatever_they_become else code_of(course)
    write_atomically(_path(), json.dumps(known, indent=1, sort_keys=True) + "\n")


def _path() -> Path:
    return platformdirs.user_data_path("vaeflash") / "trusted-courses.json"


def _read() -> dict[str, str]:
    """What was agreed to; nothing if the file is not there or damaged, so that we ask again."""
    try:
        known = parse_json(_path().read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {folder: code for folder, code in known.items() if isinstance(code, str)}
