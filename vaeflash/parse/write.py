"""Deck -> text in canonical form, and the smallest edit that gives cards their ids."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import groupby

from vaeflash.card import Card, Deck, Kind
from vaeflash.parse.deck import read_deck, scan_deck
from vaeflash.parse.front import write_front_matter
from vaeflash.parse.ids import split_id, with_ids
from vaeflash.parse.lines import CLOSER, OPENER, LineKind, opens_fence
from vaeflash.parse.notes import Notes
from vaeflash.parse.words import is_citation


def write_deck(deck: Deck) -> str:
    """The deck in canonical form; reading it gives the same deck again."""
    head = write_front_matter(deck.tags, deck.description)
    return "\n".join([f"{head}# {deck.title}\n", *map(_write_card, deck.cards)])


def stamp_ids(text: str, path: str, taken: Collection[str] = ()) -> str:
    """Write ` {#id}` behind the headings of cards that have no id; nothing else changes.

    Cards that cannot be read get none.

    Args:
        text: A deck; its line ends are kept.
        path: The file as messages show it.
        taken: Ids of other decks of the course.
    """
    deck = read_deck(text, path).deck
    stamped = with_ids(deck, {*taken, *_heading_ids(text)})
    # Lines and line ends alternate, so that line n is piece 2 * (n - 1).
    pieces = re.split(r"(\r\n|\r|\n)", text)
    for old, new in zip(deck.cards, stamped.cards, strict=True):
        if old.id is None:
            index = 2 * (old.line - 1)
            heading = pieces[index].rstrip(" \t")
            pieces[index] = f"{heading} {{#{new.id}}}{pieces[index][len(heading) :]}"
    return "".join(pieces)


def _heading_ids(text: str) -> set[str]:
    """The ids in all headings, those of cards that cannot be read included."""
    _, lines = scan_deck(text, Notes(""))
    ids = (split_id(line.value)[1] for line in lines if line.kind is LineKind.CARD)
    return {id_ for id_ in ids if id_ is not None}


def _write_card(card: Card) -> str:
    heading = f"#### {card.title}" if card.id is None else f"#### {card.title} {{#{card.id}}}"
    context = [card.context, ""] if card.context else []
    closed = [CLOSER] if card.kind is Kind.CLOZE else [OPENER, card.answer, CLOSER]
    words = [f":{word:<8}{value}".rstrip(" ") for word, value in _words(card)]
    below = ["", *words] if words else []
    return "\n".join([heading, "", *context, _write_question(card.question), *closed, *below, ""])


def _write_question(question: str) -> str:
    """Behind `:p`; below it where the first line's indent or a code fence asks for that."""
    below = question.startswith((" ", "\t")) or opens_fence(question.split("\n", 1)[0])
    return f":p\n{question}" if below else f":p {question}"


def _words(card: Card) -> Iterator[tuple[str, str]]:
    """The `:word` lines in canonical order."""
    if card.kind is not Kind.BASIC:
        yield card.kind.value, ""
    demo = None
    for claim in card.claims:
        if claim.demo != demo:
            demo = claim.demo
            yield "demo", demo
        yield ("myth" if claim.myth else "claim"), claim.text
        for control in claim.controls:
            yield "control", control.text
    for name in card.demos:
        yield "demo", name
    if card.figure:
        yield "figure", card.figure
    for citation, group in groupby(card.sources, key=is_citation):
        for value in group if citation else [", ".join(group)]:
            yield "source", value
    if card.tags:
        yield "tags", ", ".join(card.tags)
