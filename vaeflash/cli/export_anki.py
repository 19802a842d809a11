"""`export-anki`: the course as an Anki package, and what changed since the last one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from vaeflash.card import Deck
from vaeflash.cli.screen import Screen, problem_text
from vaeflash.course.course import Course
from vaeflash.export.edition import edition_of, outdated_figures
from vaeflash.files import check_writable
from vaeflash.study.question import templates_of

if TYPE_CHECKING:
    from vaeflash.export.anki import Carried, Changes, Progress


def write_package(
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
    from vaeflash.export.anki import ExportMemory, Rendered, build_package

    out = output or Path(f"{course.id}.apkg")
    check_writable(out)
    progress = _progress(course) if with_scheduling else None
    edition = edition_of(course, decks, tags)
    report = build_package(
        edition,
        out,
        memory=ExportMemory.of(course.id),
        texts=Rendered.of(course.id),
        restamp=restamp,
        progress=progress,
    )
    warnings = [*report.warnings, *outdated_figures(course, edition.gallery)]
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
        _tell_carried(progress.carried, edition.decks, screen)
    screen.note("Import it in Anki: File, Import. A later export updates the same notes.")


def _progress(course: Course) -> Progress:
    """What was learned of a course in the terminal."""
    from vaeflash.export.anki import Progress
    from vaeflash.study.reviews import open_store

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
