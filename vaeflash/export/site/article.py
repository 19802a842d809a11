"""A card as an article: the question is seen, the answer and its evidence are opened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from vaeflash.card import Card, Claim, Deck, Kind
from vaeflash.export.site.claims import claim_html
from vaeflash.export.site.text import Writer, plain
from vaeflash.judging.ledger import Entry
from vaeflash.printable import command
from vaeflash.text.cloze import OPENER, filled_in, with_hole

_HOLE: Final = re.compile(OPENER)
_ONE_HOLE: Final = "{{c1::"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a card's page shows of its figure.

    Attributes:
        html: The element; empty if the card has no figure.
        script: Where the page finds the program of one that can be touched.
    """

    html: str = ""
    script: str = ""


def figure_html(source: str, caption: str) -> str:
    """A picture with its caption, which is also what is read out where it cannot be seen."""
    told = escape(caption)
    return (
        f'<figure><img src="{escape(source)}" alt="{told}"><figcaption>{told}</figcaption></figure>'
    )


def article_html(
    deck: Deck,
    card: Card,
    evidence: Iterable[tuple[Claim, Entry | None]],
    figure: Shown,
    writer: Writer,
) -> str:
    """The article of a card, under the card's id.

    Args:
        deck: Its tags are the card's, too.
        card: It must have an id.
        evidence: The card's claims, each with what is known of it today; not run if nothing is.
        figure: Of its demos.
        writer: Renders the card's texts.
    """
    question, answer = sides(card)
    parts = [
        f"<h2>{writer.inline(card.title)}</h2>",
        _text("context", writer.block(card.context)),
        _text("question", writer.block(question)),
        '<details class="back"><summary>Answer</summary>',
        _text("answer", writer.block(answer)),
        figure.html,
        *_evidence(evidence),
        *_origin(card, writer),
        "</details>",
        *_foot(deck, card),
    ]
    body = "\n".join(filter(None, parts))
    return f'<article id="{escape(card.id or "")}">\n{body}\n</article>'


def sides(card: Card) -> tuple[str, str]:
    """Question and answer as Markdown; a text with holes is asked with all of them open."""
    if card.kind is not Kind.CLOZE:
        return card.question, card.answer
    text = _HOLE.sub(_ONE_HOLE, card.question)
    return with_hole(text, 1), f"{filled_in(text, 1)}\n\n{card.answer}".strip()


def words(card: Card) -> str:
    """What a search looks through, beside the title."""
    texts = [plain(text) for text in (card.context, *sides(card))]
    claims = [claim.text for claim in card.claims]
    return " ".join(filter(None, [*texts, *claims, *card.all_demos]))


def tags(deck: Deck, card: Card) -> tuple[str, ...]:
    """The deck's and the card's own, each once."""
    return tuple(dict.fromkeys(deck.tags + card.tags))


def _text(name: str, html: str) -> str:
    return f'<div class="text {name}">\n{html}\n</div>' if html else ""


def _evidence(evidence: Iterable[tuple[Claim, Entry | None]]) -> Iterator[str]:
    claims = [claim_html(claim, entry) for claim, entry in evidence]
    yield from ["<h3>What was measured</h3>", *claims] if claims else []


def _origin(card: Card, writer: Writer) -> Iterator[str]:
    if card.all_demos:
        yield "<h3>Run it yourself</h3>"
        commands = "\n".join(command("demo", demo) for demo in card.all_demos)
        yield f'<pre class="code"><code>{escape(commands)}</code></pre>'
    if card.sources:
        yield "<h3>Sources</h3>"
        yield _list("sources", [writer.inline(source) for source in card.sources])


def _foot(deck: Deck, card: Card) -> Iterator[str]:
    name = escape(card.id or "")
    yield "<footer>"
    if found := tags(deck, card):
        yield f'<p class="tags">Tags: {escape(", ".join(found))}</p>'
    yield f'<p><a href="#{name}">{name}</a></p>'
    yield "</footer>"


def _list(name: str, items: Sequence[str]) -> str:
    return f'<ul class="{name}">' + "".join(f"<li>{item}</li>" for item in items) + "</ul>"
