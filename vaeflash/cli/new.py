"""`new course`, `new deck` and `new demo`: write a start, and say how to go on."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.text import Text

from vaeflash.cli.screen import Screen
from vaeflash.course.consent import code_of_texts, is_trusted, trust
from vaeflash.course.course import Course, bundled_root, open_course
from vaeflash.course.scaffold import Created, demos_of_new_course, new_course, new_deck, new_demo
from vaeflash.errors import CourseError, Problem
from vaeflash.printable import command

ABOUT_CONSENT = (
    "Before new or changed demos run, vaeflash asks. Of a course that only you write you can "
    "answer `always`; without a terminal, --trust says yes to the demos as they are."
)


def start_course(folder: Path, title: str, screen: Screen) -> None:
    """Write a course that lints and checks; the demo that was written may run, as it is."""
    _report(new_course(folder, title), screen)
    # Not whatever lies in the folder: somebody's demos may have been there before.
    trust(open_course(folder), code_of_texts(demos_of_new_course()))
    screen.print("\nTry it:")
    if folder.resolve() != Path.cwd():
        screen.plain(f"  cd {shlex.quote(str(folder))}")
    screen.plain("  vaeflash check")
    screen.note(f"\n{ABOUT_CONSENT}")


def start_deck(course: Course, name: str, title: str, demo: str, screen: Screen) -> None:
    """Write a deck with one card."""
    _require_own(course)
    _report(new_deck(course, name, title, demo), screen)


def start_demo(course: Course, name: str, card: str, screen: Screen) -> None:
    """Write a demo that works, and print or append what a card needs to link it."""
    _require_own(course)
    created = new_demo(course, name, card)
    _report(created, screen)
    if created.lines:
        screen.print("\nNo card links it yet. Below a card's answer go:")
        screen.plain(created.lines.rstrip("\n"))
    screen.print("\nTry it:")
    screen.plain(f"  {command('demo', name)}")
    if not is_trusted(course):
        screen.note(f"\n{ABOUT_CONSENT}")


def _report(created: Created, screen: Screen) -> None:
    for file in created.files:
        screen.plain(f"{file} written")
    for file in created.edited:
        screen.plain(f"{file} added to")
    if created.advice:
        screen.print(Text(f"\n{created.advice}"), soft_wrap=True)


def _require_own(course: Course) -> None:
    """Refuse to write into the bundled course from elsewhere: it is only the last resort.

    Raises:
        CourseError: There is no course here.
    """
    here = Path.cwd().resolve()
    if course.root == bundled_root().resolve() and course.root not in (here, *here.parents):
        raise CourseError(
            Problem(
                str(here),
                "there is no course here to add to.",
                "Go into a course's folder, or make one: vaeflash new course DIR",
            )
        )
