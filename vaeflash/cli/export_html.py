"""`export-html`: the course as pages of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from vaeflash.cli.screen import Screen, problem_text
from vaeflash.course.course import Course
from vaeflash.export.edition import edition_of, outdated_figures


def write_pages(
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
    from vaeflash.export.site import build_site, check_folder

    out = output or Path(f"{course.id}-html")
    check_folder(out, course.id)
    edition = edition_of(course, decks, tags)
    report = build_site(edition, out)
    warnings = [*report.warnings, *outdated_figures(course, edition.gallery)]
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
