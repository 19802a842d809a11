"""The one question before the demos of somebody's course run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.text import Text

from vaeflash.course.consent import code_of, is_trusted, trust
from vaeflash.course.course import Course
from vaeflash.errors import CourseError, Problem
from vaeflash.machine import is_joined

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings
    from vaeflash.cli.screen import Screen

WARNING = (
    "Its demos are Python programs: they can do whatever you can do on this machine. "
    "Look into the folder first. This asks for your consent; it is no sandbox."
)
FOR_GOOD = (
    "Every later version of these files will then run without asking, whoever changes them. "
    "That is for a course that you write yourself."
)
LONGEST_TITLE = 60
"""Characters; the rest of a longer one says nothing that a decision needs."""


def ask_to_run(settings: Settings, *, trusted: bool) -> None:
    """Make sure that the user wants the demos of this course to run.

    Args:
        trusted: The user has said so already, by --trust.

    Raises:
        CourseError: They said no, nobody is there to ask, or the demos cannot be read.
    """
    course: Course = settings.course
    if is_trusted(course):
        return
    if trusted:
        trust(course)
        return
    where = str(course.root / "demos")
    if is_joined() or not (sys.stdin and sys.stdin.isatty() and settings.err.console.is_terminal):
        raise CourseError(
            Problem(
                where,
                "the demos of this course have not run here before, or have changed since.",
                f"{WARNING}\nIf you trust them, say so once with --trust.",
            )
        )
    code = code_of(course)  # now: what is agreed to is what can be looked at during the question
    settings.err.print(Text("The demos in this folder did not come with vaeflash:"))
    settings.err.plain(f"  {_on_one_line(where)}")
    settings.err.print(Text(f"  Their course calls itself {_quoted(course.title)}."))
    settings.err.print(Text(WARNING))
    reply = _reply(
        settings.err, "Run them? yes (as they are now) / always (also when they change) / no: "
    )
    if reply in ("a", "always"):
        settings.err.print(Text(FOR_GOOD))
        reply = _reply(settings.err, "Type always again to agree; yes is for these files only: ")
        if reply == "always":
            trust(course, whatever_they_become=True)
            return
    if reply not in ("y", "yes"):
        raise CourseError(Problem(where, "nothing was run.", "Cards can be read without."))
    trust(course, code)
    if not is_trusted(course):
        raise CourseError(
            Problem(
                where, "the files changed while you were asked.", "Nothing was run. Look again."
            )
        )


def _quoted(title: str) -> str:
    """A title as what somebody says, in quotes that it cannot close."""
    short = title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
    return '"{}"'.format(_on_one_line(short).replace('"', "'"))


def _on_one_line(text: str) -> str:
    """A text that cannot redraw what stands around it: what is not printable is written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _reply(screen: Screen, question: str) -> str:
    screen.print(Text(question), end="")
    return sys.stdin.readline().strip().lower()
