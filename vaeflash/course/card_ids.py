"""What a card is called in messages, and whether it has the id that every export needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from vaeflash.card import Card, Deck
from vaeflash.course.course import Course
from vaeflash.errors import Problem


def place(deck: Deck, card: Card) -> str:
    """Where a message says a card is."""
    file = f"{deck.path or deck.title}:{card.line}"
    return f"{file} (card '{card.id}')" if card.id else file


def ids_of(course: Course) -> set[str]:
    """Every id that a card of the course has; decks that are damaged in part count, too."""
    return {card.id for _, reading in course.readings for card in reading.deck.cards if card.id}


def identity_problems(decks: Sequence[Deck], without: str) -> Iterator[Problem]:
    """Each card that has no id, or another's.

    Args:
        decks: All of the course: an id is unique in it.
        without: What a card without an id costs, e.g. "nothing could link to it".
    """
    used = Counter(card.id for deck in decks for card in deck.cards)
    for deck in decks:
        for card in deck.cards:
            if card.id is None:
                yield Problem(
                    place(deck, card),
                    f"the card '{card.title}' has no id, so {without}.",
                    "Run `vaeflash id`, which writes one into the deck.",
                )
            elif used[card.id] > 1:
                yield Problem(
                    place(deck, card),
                    "another card of the course has the same id.",
                    "An id is unique in the course: choose another for the newer card.",
                )
