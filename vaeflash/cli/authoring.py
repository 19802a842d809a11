"""`id`, `import` and `export-anki`: the commands that write what was read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from vaeflash.card import Deck
from vaeflash.choice import choose_cards
from vaeflash.cli.screen import Screen, problem_text
from vaeflash.course import Course
from vaeflash.errors import CardError, CourseError, Problem
from vaeflash.files import changing, check_writable, read_text, write_atomically
from vaeflash.gallery import Gallery, read_gallery
from vaeflash.parse import parse_deck, read_deck, stamp_ids, with_ids, write_deck
from vaeflash.printable import command
from vaeflash.question import templates_of
from vaeflash.standing import standing_of

if TYPE_CHECKING:
    from vaeflash.anki import Carried, Changes, Progress


def stamp(course: Course, decks: list[Path], screen: Screen) -> None:
    """Stamp missing ids into deck files.

    Raises:
        CardError: A deck has errors; nothing is written then.
    """
    with changing(course.root):
        _stamp(course, decks, screen)


def _stamp(course: Course, decks: list[Path], screen: Screen) -> None:
    taken = _ids(course)
    stamped: dict[Path, str] = {}
    for path in decks or list(course.deck_paths):
        text = read_text(path) if decks else course.text_of(path)
        shown = course.shown(path.resolve())
        new = stamp_ids(text, shown, taken)
        before, after = parse_deck(text, shown), parse_deck(new, shown)
        added = {card.id for card in after.cards if card.id} - {card.id for card in before.cards}
        taken |= {name for name in added if name}
        if new != text:
            stamped[path] = new
        screen.print(f"{shown}: {len(added)} ids added.")
    for path in stamped:
        check_writable(path)
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
    check_writable(output)
    if output.exists() and not force:
        raise CourseError(
            Problem(str(output), "this file exists.", "Choose another, or overwrite by --force.")
        )
    reading = read_deck(read_text(file, piped=True), str(file))
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


def export(
    course: Course,
    output: Path | None,
    screen: Screen,
    *,
    decks: Sequence[str] = (),
    tags: Sequence[str] = (),
    restamp: bool = False,
    with_scheduling: bool = False,
    as_json: bool,
) -> None:
    """Write the Anki package, from cards, ledger and drawn figures alone; reviews if asked to.

    Raises:
        VaeflashError: Cards cannot be exported as they are, or no deck or tag is called so.
        StoreError: Reviews are asked for and cannot be read.
    """
    from vaeflash.anki import ExportMemory, Rendered, build_package

    out = output or Path(f"{course.id}.apkg")
    check_writable(out)
    progress = _progress(course) if with_scheduling else None
    everything = course.decks()
    gallery = read_gallery(course.root)
    report = build_package(
        course.id,
        course.title,
        everything,
        standing_of(course).current(),
        course.root,
        out,
        gallery=gallery,
        chosen=choose_cards(everything, decks, tags) if decks or tags else None,
        memory=ExportMemory.of(course.id),
        texts=Rendered.of(course.id),
        restamp=restamp,
        progress=progress,
    )
    warnings = [*report.warnings, *outdated(course, gallery)]
    if as_json:
        shown = asdict(report) | {"warnings": [asdict(warning) for warning in warnings]}
        if progress is not None:
            shown["carried"] = _plain(progress.carried)
        screen.json("export-anki", {"path": str(out)} | shown)
        return
    screen.print(
        Text.assemble(
            (str(out), "bold"),
            f": {report.notes} notes, {report.cards} cards, {report.media} media files.",
        ),
        soft_wrap=True,
    )
    _tell(report.changes, screen)
    for warning in warnings:
        screen.print(problem_text(warning, "note", "yellow"), soft_wrap=True)
    if progress is not None:
        _tell_carried(progress.carried, everything, screen)
    screen.note("Import it in Anki: File, Import. A later export updates the same notes.")


def _progress(course: Course) -> Progress:
    """What was learned of a course in the terminal."""
    from vaeflash.anki import Progress
    from vaeflash.store import open_store

    with open_store() as store:
        return Progress.of(store, course.id, datetime.now(UTC))


def _plain(carried: Carried) -> dict[str, Any]:
    left = [{"card": key.card, "template": key.template} for key in carried.left]
    return {"cards": carried.cards, "reviews": carried.reviews, "left": left}


def _tell_carried(carried: Carried, decks: Sequence[Deck], screen: Screen) -> None:
    """What goes along, what stays here, and what it takes for Anki to have it."""
    cards = f"{carried.cards} {'card' if carried.cards == 1 else 'cards'}"
    reviews = f"{carried.reviews} {'review' if carried.reviews == 1 else 'reviews'}"
    screen.print(Text.assemble(("Progress: ", "green"), f"{cards} with {reviews}."), soft_wrap=True)
    asked = {
        (card.id, name) for deck in decks for card in deck.cards for name in templates_of(card)
    }
    gone = [f"{key.card} ({key.template})" for key in carried.left if key[1:] not in asked]
    if gone:
        told = Text.assemble((f"{len(gone)} no longer in the course: ", "yellow"), _some(gone))
        screen.print(told, soft_wrap=True)
        screen.note("  Their reviews stay here: `vaeflash orphans`.")
    if carried.cards:
        screen.note("  In Anki tick 'Import any learning progress', and have FSRS turned on.")
        screen.note("  Cards that are there already keep the reviews that they have there.")


def outdated(course: Course, gallery: Gallery) -> Iterator[Problem]:
    """Figures that another version of their demo drew."""
    for demo, code in gallery.codes.items():
        if demo in course.demo_paths and course.demo(demo).fingerprint != code:
            yield Problem(
                f"figures/{demo}",
                "the demo has changed since these were drawn.",
                f"`{command('figures', demo)}` draws them again.",
            )


def _tell(changes: Changes, screen: Screen) -> None:
    """What the learner will find changed, and what Anki does not do by itself."""
    if changes.first:
        screen.note("The first export from this machine: nothing to compare it with.")
        return
    for label, style, cards in (
        ("new", "green", changes.new),
        ("back again", "green", changes.returned),
        ("changed", "cyan", changes.changed),
        ("gone", "yellow", changes.gone),
    ):
        if cards:
            screen.print(
                Text.assemble((f"{len(cards)} {label}: ", style), _some(cards)), soft_wrap=True
            )
    if changes.gone:
        screen.note("  Anki keeps them. To find them there, search:")
        screen.plain(f"  {_search(changes.gone)}")
    for rename in changes.renamed:
        screen.print(
            Text.assemble(("renamed: ", "yellow"), f"'{rename.old}' is now '{rename.new}'."),
            soft_wrap=True,
        )
        screen.note("  Anki leaves cards where they are. To find them there and change their deck:")
        screen.plain(f'  "deck:{_quoted(rename.old)}"')
        screen.note("  Or rename the deck in Anki before you import, to:")
        screen.plain(f"  {rename.new}")
    for move in changes.moved:
        screen.print(
            Text.assemble(("moved: ", "yellow"), f"{move.card}, '{move.old}' to '{move.new}'."),
            soft_wrap=True,
        )
    if changes.moved:
        screen.note("  Anki leaves cards where they are. To find them there and change their deck:")
        screen.plain(f"  {_search([move.card for move in changes.moved])}")
    if not any(getattr(changes, kind.name) for kind in fields(changes)):
        screen.note("Nothing has changed since the last export.")


def _search(cards: Sequence[str]) -> str:
    """What finds these cards in Anki's browser."""
    return " or ".join(f"tag:vaeflash::card::{card}" for card in cards)


def _quoted(title: str) -> str:
    """A deck's name as Anki's search takes it between quotes."""
    return re.sub(r'([\\"*_])', r"\\\1", title)


def _some(cards: Sequence[str], limit: int = 10) -> str:
    """The first of many."""
    more = f" and {len(cards) - limit} more" if len(cards) > limit else ""
    return ", ".join(cards[:limit]) + more + "."
