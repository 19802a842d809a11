"""`id`: stamp missing ids into deck files."""

from __future__ import annotations

from pathlib import Path

from vaeflash.cli.screen import Screen
from vaeflash.course.card_ids import ids_of
from vaeflash.course.course import Course
from vaeflash.files import changing, check_writable, read_text, write_atomically
from vaeflash.parse import parse_deck, stamp_ids


def stamp(course: Course, decks: list[Path], screen: Screen) -> None:
    """Stamp missing ids into deck files.

    Raises:
        CardError: A deck has errors; nothing is written then.
    """
    with changing(course.root):
        _stamp(course, decks, screen)


def _stamp(course: Course, decks: list[Path], screen: Screen) -> None:
    taken = ids_of(course)
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
