"""Text -> Deck, in small stages.

text -> lines (repair) -> classified lines (lines) -> pieces of cards (sections, words) -> Deck

One card goes through at a time: the pieces of ten thousand would be many times their text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from vaeflash.card import Deck
from vaeflash.errors import CardError, Problem
from vaeflash.parse.assemble import check_ids, make_card
from vaeflash.parse.front import FrontMatter, read_front_matter
from vaeflash.parse.lines import Line, LineKind, scan
from vaeflash.parse.notes import Notes
from vaeflash.parse.repair import SUSPECT, clean, clean_noted
from vaeflash.parse.sections import (
    note_header,
    note_mark,
    note_rule,
    split_card,
    text_of,
)
from vaeflash.parse.text import Lines

_BYTE_ORDER_MARK = "\ufeff"
_UNTITLED = "Untitled deck"
_NEW_CARD = "Start the card with a heading of its own: `#### Title`."


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says as a deck.

    Attributes:
        deck: All cards that could be read.
        errors: What its author has to put right.
        repairs: What was irregular and read all the same; import writes it in canonical form.
    """

    deck: Deck
    errors: tuple[Problem, ...] = ()
    repairs: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Head:
    """What stands above the first card."""

    titles: list[Line]
    prose: list[Line]


def read_deck(text: str, path: str = "") -> Reading:
    """Read a deck in the native or the source form; no text makes this raise.

    Args:
        text: The file's content.
        path: The file as messages show it; a problem's `where` is `path:line`.
    """
    notes = Notes(path)
    front, lines = scan_deck(text, notes)
    parts = _split_at_headings(lines)
    top = _read_head(next(parts), notes)
    headings, titles, cards = [], [*top.titles], []
    for heading, *rest in parts:
        sections = split_card(heading, rest, notes)
        headings.append(heading)
        titles += sections.titles
        if card := make_card(sections, notes):
            cards.append(card)
    deck = Deck(
        title=_deck_title(front, titles, len(top.titles), path, notes),
        cards=tuple(cards),
        tags=front.tags,
        description=_description(front, top.prose, notes),
        path=path,
    )
    check_ids(headings, notes)
    return Reading(deck, notes.errors, notes.repairs)


def parse_deck(text: str, path: str = "") -> Deck:
    """Read a deck that has to be without errors.

    Raises:
        CardError: It has errors; the exception carries all of them.
    """
    reading = read_deck(text, path)
    if reading.errors:
        raise CardError(*reading.errors)
    return reading.deck


def scan_deck(text: str, notes: Notes) -> tuple[FrontMatter, Iterator[Line]]:
    """The front matter and the classified lines below it, after repair."""
    lines = Lines(text.lstrip(_BYTE_ORDER_MARK))
    front = read_front_matter(lines, notes)
    for index in lines.having(SUSPECT, front.lines):
        cleaned = clean_noted(lines[index], index + 1, notes)
        lines.mend(index, cleaned if index else cleaned.lstrip(_BYTE_ORDER_MARK))
    return front, scan(lines, front.lines, notes)


def _split_at_headings(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """The lines above the first heading, then each heading with the lines below it."""
    part: list[Line] = []
    for line in lines:
        if line.kind is LineKind.CARD:
            yield part
            part = []
        part.append(line)
    yield part


def _read_head(lines: Sequence[Line], notes: Notes) -> _Head:
    head = _Head([], [])
    for index, line in enumerate(lines):
        match line.kind:
            case LineKind.TITLE:
                head.titles.append(line)
            case LineKind.HEADER:
                note_header(line, notes)
            case LineKind.RATING:
                pass
            case LineKind.RULE:
                note_rule(lines, index, notes)
            case LineKind.MARK:
                note_mark(line, notes)
            case LineKind.WORD:
                notes.error(line.number, f"this ':{line.word}' belongs to no card.", _NEW_CARD)
            case LineKind.ASK:
                notes.error(line.number, "this question has no heading.", _NEW_CARD)
                break
            case _:
                head.prose.append(line)
    return head


def _deck_title(
    front: FrontMatter, titles: Sequence[Line], above: int, path: str, notes: Notes
) -> str:
    """The first `# ` heading, else the front matter's title, else the file's stem.

    `above` is how many of the headings stand above the first card.
    """
    named = [title for title in titles if title.value]
    for title in named[1:]:
        notes.error(
            title.number,
            f"this is a second deck title; the first is in line {named[0].number}.",
            "A file is one deck: keep one `# Title`; `::` in it makes sub-decks.",
        )
    if named:
        first = named[0]
        if first not in titles[:above]:
            notes.repair(first.number, "the deck's title was moved above the cards.")
        if front.title and front.title != first.value:
            notes.error(
                first.number,
                f"the front matter gives another title, {front.title!r}.",
                "Keep one of the two.",
            )
        return first.value
    if front.title:
        return front.title
    stem = " ".join(clean(PurePath(path).stem).split())
    name = stem or _UNTITLED
    notes.repair(1, f"the deck has no title and is called {name!r}.", "Write `# Title` on top.")
    return name


def _description(front: FrontMatter, prose: Sequence[Line], notes: Notes) -> str:
    text = text_of(prose)
    if text:
        line = next(x.number for x in prose if x.kind is not LineKind.BLANK)
        notes.repair(line, "the text above the first card was taken as the deck's description.")
    return "\n\n".join(part for part in (front.description, text) if part)
