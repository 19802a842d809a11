"""`id`, `import` and `export-anki`: the commands that write what was read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from vaeflash.cli.screen import Screen, problem_text
from vaeflash.course import Course
from vaeflash.errors import CardError, CourseError, Problem
from vaeflash.files import read_text, write_atomically
from vaeflash.parse import parse_deck, read_deck, stamp_ids, with_ids, write_deck
from vaeflash.standing import standing_of


def stamp(course: Course, decks: list[Path], screen: Screen) -> None:
    """Stamp missing ids into deck files.

    Raises:
        CardError: A deck has errors; nothing is written then.
    """
    taken = _ids(course)
    stamped: dict[Path, str] = {}
    for path in decks or list(course.deck_paths):
        shown = course.shown(path.resolve())
        text = read_text(path, shown)
        new = stamp_ids(text, shown, taken)
        before, after = parse_deck(text, shown), parse_deck(new, shown)
        added = {card.id for card in after.cards if card.id} - {card.id for card in before.cards}
        taken |= {name for name in added if name}
        if new != text:
            stamped[path] = new
        screen.print(f"{shown}: {len(added)} ids added.")
    for path, new in stamped.items():
        write_atomically(path, new)


def _ids(course: Course) -> set[str]:
    """Every id that a card of the course has."""
    return {card.id for _, reading in course.readings for card in reading.deck.cards if card.id}


def import_deck(course: Course, file: Path, output: Path, screen: Screen, *, force: bool) -> None:
    """Write a deck from the wild in canonical form and print its repairs.

    New ids avoid those of the course that the deck is written into.

    Raises:
        CardError: The deck has errors that cannot be repaired; nothing is written then.
        CourseError: The output exists, or cannot be written.
    """
    if output.exists() and not force:
        raise CourseError(
            Problem(str(output), "this file exists.", "Choose another, or overwrite by --force.")
        )
    reading = read_deck(read_text(file), str(file))
    if reading.errors:
        raise CardError(*reading.errors)
    inside = course.root in output.resolve().parents
    deck = with_ids(reading.deck, _ids(course) if inside else ())
    write_atomically(output, write_deck(deck))
    for repair in reading.repairs:
        screen.print(problem_text(repair, "repaired", "cyan"), soft_wrap=True)
    screen.print(
        Text(f"{output}: {len(deck.cards)} cards, {len(reading.repairs)} repairs.", style="bold")
    )


def export(course: Course, output: Path | None, screen: Screen, *, as_json: bool) -> None:
    """Write the Anki package, from cards and ledger alone."""
    from vaeflash.anki import build_package

    out = output or Path(f"{course.id}.apkg")
    decks = course.decks()
    report = build_package(
        course.id, course.title, decks, standing_of(course).current(), course.root, out
    )
    if as_json:
        screen.json("export-anki", {"path": str(out)} | asdict(report))
        return
    screen.print(
        Text.assemble(
            (str(out), "bold"),
            f": {report.notes} notes, {report.cards} cards, {report.media} pictures.",
        ),
        soft_wrap=True,
    )
    for warning in report.warnings:
        screen.print(problem_text(warning, "note", "yellow"), soft_wrap=True)
    screen.note("Import it in Anki: File, Import. A later export updates the same notes.")
