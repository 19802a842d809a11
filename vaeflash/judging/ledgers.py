"""Which ledgers a course has: its own, and the user's, which is laid over it.

In a checkout, or in the course that somebody writes, a check writes the course's ledger. A course
that was installed is not ours to change, and some cannot be changed: what is measured there is
kept in the user's data folder, as theirs, on this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import sysconfig
from dataclasses import replace
from pathlib import Path

import platformdirs

from vaeflash.course.course import Course
from vaeflash.errors import CourseError
from vaeflash.files import check_writable
from vaeflash.judging.ledger import Ledger, read_ledger

_PACKAGE = Path(__file__).resolve().parents[1]


def own_path(course: Course) -> Path:
    """Where the user's own evidence on a course is; by id and place, as two may share an id."""
    place = hashlib.sha256(str(course.root).encode(errors="surrogateescape")).hexdigest()[:8]
    folder = platformdirs.user_data_path("vaeflash") / "evidence"
    return folder / f"{course.id}-{place}.jsonl"


def read_own(course: Course) -> Ledger:
    """The user's own evidence on a course, each entry marked as such.

    Raises:
        CourseError: A line of it is damaged; the message names it.
    """
    return Ledger(replace(entry, own=True) for entry in read_ledger(own_path(course)))


def is_installed(course: Course) -> bool:
    """Whether the course came with a package, whose files belong to the package manager."""
    installed = [_PACKAGE, *(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))]
    return any(course.root.is_relative_to(folder.resolve()) for folder in installed)


def path_to_record(course: Course) -> Path:
    """The ledger that a check of this course writes: known to take it, before anything is run.

    Raises:
        CourseError: Neither the course nor the user's data folder can be written.
    """
    if not is_installed(course):
        with contextlib.suppress(CourseError):
            check_writable(course.ledger_path, within=course.root)
            return course.ledger_path
    own = own_path(course)
    check_writable(own)
    return own
