"""What is asked of a card: one question or several, each scheduled by itself.

    basic      forward                   with a myth also: prediction
    reversed   forward, reverse          with a myth also: prediction
    cloze      cloze1, cloze2, ...

These are the templates that the cards have in Anki, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from vaeflash.card import Card, Deck, Kind
from vaeflash.errors import CardError, Problem
from vaeflash.study.reviews.records import CardKey
from vaeflash.text.cloze import cloze_numbers, filled_in, with_hole

FORWARD, REVERSE, PREDICTION, CLOZE = "forward", "reverse", "prediction", "cloze"


@dataclass(frozen=True, slots=True)
class Front:
    """What is seen before the answer; texts are Markdown.

    Attributes:
        title: Plain text.
        ask: What to do, in plain words, where the text does not say it.
    """

    title: str = ""
    context: str = ""
    text: str = ""
    ask: str = ""


class LazyDeck:
    """A deck that is read once one of its cards is wanted.

    Args:
        path: As messages show it.
        title: The deck's.
        read: Gives the deck.
    """

    def __init__(self, path: str, title: str, read: Callable[[], Deck]) -> None:
        self.path = path
        self.title = title
        self._read = read

    def card(self, identity: str) -> Card:
        """The card with this id.

        Raises:
            CardError: The file was changed meanwhile, and has no such card.
        """
        if identity not in self._cards:
            raise CardError(
                Problem(
                    self.path,
                    f"the card '{identity}' was here a moment ago, and is no longer.",
                    "Start again, and the deck is read as it is now.",
                )
            )
        return self._cards[identity]

    @cached_property
    def _cards(self) -> dict[str, Card]:
        return {card.id: card for card in self._read().cards if card.id is not None}


@dataclass(frozen=True, slots=True)
class Question:
    """A card as one of its templates asks it."""

    deck: LazyDeck
    key: CardKey

    @property
    def card(self) -> Card:
        """The card, whose deck is read now if it was not before."""
        return self.deck.card(self.key.card)

    @property
    def is_prediction(self) -> bool:
        """Whether it asks what comes of an experiment."""
        return self.key.template == PREDICTION

    @property
    def rank(self) -> int:
        """Among the questions of its card, from 0."""
        if self.key.template.startswith(CLOZE):
            return self._hole - 1
        return (FORWARD, REVERSE, PREDICTION).index(self.key.template)

    @property
    def _hole(self) -> int:
        return int(self.key.template.removeprefix(CLOZE))

    def front(self) -> Front:
        """What is asked."""
        card = self.card
        match self.key.template:
            case "forward":
                return Front(card.title, card.context, card.question)
            case "reverse":
                return Front(text=card.answer, ask="What is this the answer to?")
            case "prediction":
                ask = "Holds or refuted? Predict the experiment."
                return Front(card.title, card.context, ask=ask)
            case _:
                return Front(card.title, card.context, with_hole(card.question, self._hole))

    def back(self) -> str:
        """The answer, as Markdown."""
        card = self.card
        match self.key.template:
            case "forward":
                return card.answer
            case "reverse":
                return "\n\n".join(filter(None, (f"**{card.title}**", card.context, card.question)))
            case "prediction":
                return "\n\n".join(filter(None, (card.question, card.answer)))
            case _:
                return "\n\n".join(
                    filter(None, (filled_in(card.question, self._hole), card.answer))
                )

    def predicted(self) -> tuple[str, ...]:
        """The texts of the claims to judge, each once.

        The myth stands among the others, in an order that says nothing: else every answer would
        be "refuted".
        """
        texts = {claim.text for claim in self.card.claims}
        return tuple(sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest()))


def templates_of(card: Card) -> Iterator[str]:
    """The questions that are made of a card, by name."""
    if card.kind is Kind.CLOZE:
        yield from (f"{CLOZE}{number}" for number in cloze_numbers(card.question))
        return
    yield FORWARD
    if card.kind is Kind.REVERSED:
        yield REVERSE
    if any(claim.myth for claim in card.claims):
        yield PREDICTION
