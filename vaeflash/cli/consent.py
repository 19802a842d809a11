"""The one question before the demos of somebody's course run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.text import Text

from vaeflash.consent import is_trusted, trust
from vaeflash.course import Course
from vaeflash.errors import CourseError, Problem
from vaeflash.machine import is_joined

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings

WARNING = (
    "Its demos are Python programs: they can do whatever you can do on this machine. "
    "Look into the folder first. This asks for your consent; it is no sandbox."
)


def ask_to_run(settings: Settings, *, trusted: bool) -> None:
    """Make sure that the user wants the demos of this course to run.

    Args:
        trusted: The user has said so already, by --trust.

    Raises:
        CourseError: They said no, or nobody is there to ask.
    """
    course: Course = settings.course
    if is_trusted(course):
        return
    if trusted:
        trust(course)
        return
    where = str(course.root / "demos")
    if is_joined() or not (sys.stdin.isatty() and settings.err.console.is_terminal):
        raise CourseError(
            Problem(
                where,
                "the demos of this course have not run here before, or have changed since.",
                f"{WARNING}\nIf you trust them, say so once with --trust.",
            )
        )
    settings.err.print(
        Text.assemble(
            (course.title, "bold"), f" is not the course that came with vaeflash.\n{where}"
        )
    )
    settings.err.print(Text(WARNING))
    settings.err.print(
        Text("Run them? yes / always (from this folder, also when they change) / no: "), end=""
    )
    reply = sys.stdin.readline().strip().lower()
    if reply in ("y", "yes", "a", "always"):
        trust(course, whatever_they_become=reply.startswith("a"))
        return
    raise CourseError(Problem(where, "nothing was run.", "Cards can be read without."))
