"""`export-html`: the course as pages of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from vaeflash.choice import choose_cards
from vaeflash.cli.authoring import outdated
from vaeflash.cli.screen import Screen, problem_text
from vaeflash.course import Course
from vaeflash.gallery import read_gallery
from vaeflash.standing import standing_of


def export(
    course: Course,
    output: Path | None,
    screen: Screen,
    *,
    decks: Sequence[str] = (),
    tags: Sequence[str] = (),
    as_json: bool,
) -> None:
    """Write the pages, from cards, ledger and drawn figures alone.

    Raises:
        VaeflashError: Cards cannot be shown as they are, no deck or tag is called so, or the folder
            cannot take them.
    """
    from vaeflash.site import build_site, check_folder

    out = output or Path(f"{course.id}-html")
    check_folder(out, course.id)
    everything = course.decks()
    gallery = read_gallery(course.root)
    report = build_site(
        course.id,
        course.title,
        everything,
        standing_of(course).current(),
        course.root,
        out,
        gallery=gallery,
        chosen=choose_cards(everything, decks, tags) if decks or tags else None,
    )
    warnings = [*report.warnings, *outdated(course, gallery)]
    if as_json:
        shown = asdict(report) | {"warnings": [asdict(warning) for warning in warnings]}
        screen.json("export-html", {"path": str(out)} | shown)
        return
    screen.print(
        Text.assemble(
            (str(out), "bold"),
            f": {report.cards} cards in {report.decks} decks, {report.media} media files, "
            f"{report.size / 1e6:.1f} MB. {len(report.written)} files written, "
            f"{len(report.removed)} removed.",
        ),
        soft_wrap=True,
    )
    for warning in warnings:
        screen.print(problem_text(warning, "note", "yellow"), soft_wrap=True)
    screen.note(f"Open {out / 'index.html'} in a browser, or put the folder on any web server.")
