"""A card and its evidence -> a note."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

import genanki

from vaeflash.card import Card, Claim, Deck, Kind, Status
from vaeflash.course.card_ids import place
from vaeflash.errors import CardError, Problem
from vaeflash.export.anki.evidence import claim_html
from vaeflash.export.anki.memory import content_hash
from vaeflash.export.anki.notetypes import FIELDS, card_type, cloze_type
from vaeflash.export.anki.rendered import Rendered
from vaeflash.judging.ledger import Entry
from vaeflash.judging.words import status_of
from vaeflash.printable import command
from vaeflash.text.html import Media, cloze_numbers, cloze_to_html, escape, inline_to_html, to_html

_URGENCY: Final = (
    Status.WRONG,
    Status.ERROR,
    Status.VACUOUS,
    Status.STALE,
    Status.OPEN,
    Status.NOT_RUN,
    Status.BUSTED,
    Status.VERIFIED,
)
"""A card with several claims is tagged with the first of these that one of them has."""


class Note(genanki.Note):  # type: ignore[misc]  # genanki is untyped
    """A note with a stamp of its own, fields escaped already, and clozes counted as Anki does.

    Attributes:
        card_id: The card's id.
        content: Hash of what Anki shows of it.
        stamp: Seconds since 1970: Anki updates the note only from a later one than it has.
    """

    card_id: str = ""
    content: str = ""
    stamp: int = 0

    def write_to_db(
        self,
        cursor: sqlite3.Cursor,
        timestamp: float,  # noqa: ARG002  # the library passes the collection's
        deck_id: int,
        id_gen: Iterator[int],
    ) -> None:
        """Into the collection's tables, with its cards."""
        super().write_to_db(cursor, self.stamp, deck_id, id_gen)

    def _check_invalid_html_tags_in_fields(self) -> None:
        """Nothing: genanki warns of correct fields and misses broken ones."""

    def _cloze_cards(self) -> list[genanki.Card]:
        """Nested clozes too, which genanki does not see."""
        numbers = cloze_numbers(self.fields[FIELDS.index("Question")])
        return [genanki.Card(number - 1) for number in numbers]


def make_note(
    course_id: str,
    deck: Deck,
    card: Card,
    evidence: Sequence[tuple[Claim, Entry | None]],
    media: Media,
    position: int,
    *,
    figure: str = "",
    texts: Rendered | None = None,
    widget: str = "",
) -> Note:
    """The note of a card.

    Args:
        course_id: With the card's id, the note's identity.
        deck: Its tags are the card's too.
        card: It must have an id.
        evidence: The card's claims, each with what is known of it; not run if that is nothing.
        media: Names the images.
        position: Among the new cards of the course, from 1.
        figure: A picture of its demo, as HTML.
        texts: Renders texts; may remember some.
        widget: In place of the picture something to touch, as HTML.

    Raises:
        CardError: A cloze card has no cloze, or one that does not end.
    """
    texts = texts or Rendered()
    fields = dict.fromkeys(FIELDS, "") | {
        "Id": escape(card.id or ""),
        "Title": texts.html(inline_to_html, card.title, media),
        "Context": texts.html(to_html, card.context, media),
        "Question": texts.html(
            cloze_to_html if card.kind is Kind.CLOZE else to_html, card.question, media
        ),
        "Answer": texts.html(to_html, card.answer, media),
        "Claims": "\n".join(claim_html(claim, entry) for claim, entry in evidence),
        "Demo": "\n".join(
            f"<p><code>{escape(command('demo', d))}</code></p>" for d in card.all_demos
        ),
        "Sources": _list(card.sources),
        "Figure": figure,
        "Widget": widget,
        "Prediction": _prediction(card),
        "Reversed": "yes" if card.kind is Kind.REVERSED else "",
    }
    if card.kind is Kind.CLOZE:
        _check_cloze(fields["Question"], place(deck, card))
    note = Note(
        model=cloze_type() if card.kind is Kind.CLOZE else card_type(),
        fields=[fields[name] for name in FIELDS],
        guid=note_guid(course_id, card.id or ""),
        tags=_tags(deck, card, {status_of(entry) for _, entry in evidence}),
        due=position,
    )
    note.card_id = card.id or ""
    note.content = content_hash([*note.fields, *note.tags])
    return note


def figure_html(name: str, caption: str) -> str:
    """A picture with its caption, which is also what is read out where it cannot be seen.

    Args:
        name: As the package calls the picture.
        caption: Plain text.
    """
    told = escape(caption)
    return (
        f'<figure><img src="{escape(name)}" alt="{told}"><figcaption>{told}</figcaption></figure>'
    )


def note_guid(course_id: str, card_id: str) -> str:
    """The identity of a note: it depends on nothing that an author may edit."""
    identity = json.dumps(["vaeflash", course_id, card_id]).encode()
    return hashlib.sha256(identity).hexdigest()[:20]


def _prediction(card: Card) -> str:
    """What an experiment is to judge, where one of it is a myth; empty on other cards.

    The card's other claims stand among it, and the order says nothing: else every answer would be
    "refuted". A cloze card has no template for it.
    """
    if card.kind is Kind.CLOZE or not any(claim.myth for claim in card.claims):
        return ""
    # Each text once: a claim may be stated and, as a myth of another source, stated again.
    texts = sorted({claim.text for claim in card.claims}, key=lambda text: content_hash([text]))
    return "\n".join(f'<pre class="code"><code>{escape(text)}</code></pre>' for text in texts)


def _list(sources: tuple[str, ...]) -> str:
    items = "".join(f"<li>{inline_to_html(source)}</li>" for source in sources)
    return f"<ul>{items}</ul>" if items else ""


def _check_cloze(rendered: str, where: str) -> None:
    try:
        found = cloze_numbers(rendered)
    except ValueError as error:
        raise CardError(Problem(where, f"{error}.", "Close each with }}.")) from error
    if not found:
        raise CardError(
            Problem(
                where,
                "this cloze card has no cloze, so Anki would make no card of it.",
                "Write {{c1::the hidden words}} in its text, or take the `:cloze` line out.",
            )
        )


def _tags(deck: Deck, card: Card, statuses: set[Status]) -> list[str]:
    """Few and prefixed: an import replaces all tags of a note, the user's own too."""
    status = [f"vaeflash::{status}" for status in _URGENCY if status in statuses][:1]
    topics = dict.fromkeys(_tag(tag) for tag in deck.tags + card.tags)
    own = [f"vaeflash::tag::{topic}" for topic in topics if topic]
    return [*status, *own, f"vaeflash::card::{_tag(card.id or '')}"]


def _tag(text: str) -> str:
    """A tag as Anki takes it: no spaces, no quotes, no empty part between colons."""
    parts = (re.sub(r"[^\w.+-]+", "-", part).strip("-") for part in text.split("::"))
    return "::".join(part for part in parts if part)
