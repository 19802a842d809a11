"""Card, Deck and Claim: what a Markdown file says, frozen, with no I/O.

Line numbers are kept for messages and do not take part in comparisons, so that a deck equals
the same deck written and read again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

Value: TypeAlias = "int | float | bool | str | tuple[int, ...]"
"""What a demo may measure, and what a parameter of a claim may be set to."""


def value_of(plain: object) -> Value:
    """A value out of JSON, where a shape is a list.

    Raises:
        ValueError: It is none.
    """
    if isinstance(plain, list) and all(type(side) is int for side in plain):
        return tuple(plain)
    if isinstance(plain, bool | int | float | str):
        return plain
    raise ValueError("this is no value of a metric or parameter")


NO_FIGURE = "none"
"""What `:figure` says on a card that wants none."""


class Kind(StrEnum):
    """How a card asks."""

    BASIC = "basic"
    REVERSED = "reversed"
    CLOZE = "cloze"


class Status(StrEnum):
    """What is known of a claim; see `vaeflash.judging.ledger` for how each comes about."""

    VERIFIED = "verified"
    BUSTED = "busted"
    VACUOUS = "vacuous"
    WRONG = "wrong"
    OPEN = "open"
    STALE = "stale"
    ERROR = "error"
    NOT_RUN = "not-run"

    @property
    def sign(self) -> str:
        """One character that stands before the word, never instead of it."""
        return _SIGNS[self]

    @property
    def as_stated(self) -> bool:
        """Whether the evidence says what the card says."""
        return self in (Status.VERIFIED, Status.BUSTED)


_SIGNS = {
    Status.VERIFIED: "✔",
    Status.BUSTED: "✘",
    Status.VACUOUS: "∅",
    Status.WRONG: "≠",
    Status.OPEN: "…",
    Status.STALE: "↻",
    Status.ERROR: "!",
    Status.NOT_RUN: "–",
}


@dataclass(frozen=True, slots=True)
class Control:
    """Parameters, as written (`form=swapped`), under which a claim must come out the other way."""

    text: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """A comparison of metrics that a demo can check.

    Attributes:
        text: The comparison as written; `vaeflash.claims` reads it.
        demo: Name of the demo that measures the metrics.
        controls: Ways to break the claim, each of which must flip it.
        myth: Whether the text is a sentence that should come out refuted.
    """

    text: str
    demo: str
    controls: tuple[Control, ...] = ()
    myth: bool = False
    line: int = field(default=0, compare=False)


class ClaimKey(NamedTuple):
    """Which claim of a course; a text may be claimed and, as a myth, denied, on the same card."""

    card: str
    myth: bool
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """One flashcard; its texts are Markdown.

    Attributes:
        title: The heading, without the id.
        id: Identity for ever, kebab-case; `None` until `vaeflash id` stamps one.
        kind: How it asks; a cloze card has its text in `question` and no answer.
        context: What the reader sees above the question.
        claims: In the order written; a claim names its own demo.
        demos: Demos linked by a `:demo` line that no claim follows.
        figure: Which figure of its demos it shows; empty for the first one, `NO_FIGURE` for none.
        sources: Rows of the ledger of statements, or citations.
    """

    title: str
    question: str
    answer: str = ""
    id: str | None = None
    kind: Kind = Kind.BASIC
    context: str = ""
    claims: tuple[Claim, ...] = ()
    demos: tuple[str, ...] = ()
    figure: str = ""
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)

    def key_of(self, claim: Claim) -> ClaimKey:
        """What evidence on this card's claim is kept under."""
        return ClaimKey(self.id or "", claim.myth, claim.text)

    @property
    def all_demos(self) -> tuple[str, ...]:
        """Names of the linked demos, each once, in the order they appear."""
        return tuple(dict.fromkeys([claim.demo for claim in self.claims] + list(self.demos)))


@dataclass(frozen=True, slots=True)
class Deck:
    """One Markdown file of cards.

    Attributes:
        path: As messages show it, e.g. `cards/elbo.md`.
        title: The `# ` heading; `::` makes sub-decks in Anki.
        tags: From the front matter; every card of the deck has them.
    """

    title: str
    cards: tuple[Card, ...] = ()
    tags: tuple[str, ...] = ()
    description: str = ""
    path: str = field(default="", compare=False)
