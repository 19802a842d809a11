"""`import`: a deck in the wider format, written in this course's."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from vaeflash.cli.screen import Screen, problem_text
from vaeflash.course.card_ids import ids_of
from vaeflash.course.course import Course
from vaeflash.errors import CardError, CourseError, Problem
from vaeflash.files import check_writable, read_text, write_atomically
from vaeflash.parse import read_deck, with_ids, write_deck


def import_deck(course: Course, file: Path, output: Path, screen: Screen, *, force: bool) -> None:
    """Write a deck from the wild in canonical form and print its repairs.

    New ids avoid those of the course that the deck is written into.

    Raises:
        CardError: The deck has errors that cannot be repaired; nothing is written then.
        CourseError: The output exists, or cannot be written.
    """
    check_writable(output)
    if output.exists() and not force:
        raise CourseError(
            Problem(str(output), "this file exists.", "Choose another, or overwrite by --force.")
        )
    reading = read_deck(read_text(file, piped=True), str(file))
    if reading.errors:
        raise CardError(*reading.errors)
    inside = course.root in output.resolve().parents
    deck = with_ids(reading.deck, ids_of(course) if inside else ())
    write_atomically(output, write_deck(deck))
    for repair in reading.repairs:
        screen.print(problem_text(repair, "repaired", "cyan"), soft_wrap=True)
    screen.print(
        Text(f"{output}: {len(deck.cards)} cards, {len(reading.repairs)} repairs.", style="bold")
    )
