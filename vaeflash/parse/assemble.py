"""Pieces of a card -> Card, or errors that say why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vaeflash.card import Card, Kind
from vaeflash.parse.ids import is_id, split_id
from vaeflash.parse.lines import CLOSER, OPENER, Line
from vaeflash.parse.notes import Notes
from vaeflash.parse.sections import Sections, text_of
from vaeflash.parse.words import read_words


def make_card(card: Sections, notes: Notes) -> Card | None:
    """Put a card together from its pieces; none if an error leaves nothing to ask."""
    title, id_ = split_id(card.heading.value)
    words = read_words(card.words, notes)
    question, answer = text_of(card.question), text_of(card.answer)
    if words.kind is Kind.CLOZE:
        if answer and card.opener:
            notes.repair(
                card.opener.number,
                "a cloze card has one text, so its answer was joined to it.",
                "Write the whole text between `:p` and `x??`.",
            )
            question, answer = f"{question}\n\n{answer}".lstrip("\n"), ""
        elif card.opener and card.opener.value != CLOSER:
            notes.repair(card.opener.number, f"`{card.opener.value}` was read as `x??`.")
    elif answer:
        _note_marks(card, notes)
    missing = [*_missing(card, title, question, answer, words.kind)]
    for problem in missing:
        notes.error(*problem)
    if missing:
        return None
    return Card(
        title=title,
        question=question,
        answer=answer,
        id=id_,
        kind=words.kind,
        context=text_of(card.context),
        claims=tuple(words.claims),
        demos=tuple(words.demos),
        figure=words.figure,
        sources=tuple(words.sources),
        tags=tuple(words.tags),
        line=card.heading.number,
    )


def _note_marks(card: Sections, notes: Notes) -> None:
    """Note the marks around an answer that are not the regular ones."""
    if card.opener and card.opener.value != OPENER:
        notes.repair(card.opener.number, f"`{card.opener.value}` was read as `??x`.")
    if card.closer is None:
        notes.repair(card.answer[-1].number, "the answer has no closing `x??`.")
    elif card.closer_in_text:
        notes.repair(card.closer.number, "the answer's last line ends with its closing mark.")
    elif card.closer.value != CLOSER:
        notes.repair(card.closer.number, f"`{card.closer.value}` was read as `x??`.")


def _missing(
    card: Sections, title: str, question: str, answer: str, kind: Kind
) -> Iterator[tuple[int, str, str]]:
    """What a card lacks to be asked: the line, what is missing, and what to do."""
    heading = card.heading.number
    ask = card.ask.number if card.ask else heading
    if not title:
        yield heading, "this card has no title.", "Write one: `#### Title`."
    if not question:
        yield ask, "this card has no question.", "Ask it in a line that starts with `:p`."
    elif kind is Kind.CLOZE and "{{c1::" not in question:
        advice = "Put {{c1::...}} around what the reader should recall."
        yield ask, "this cloze card hides nothing.", advice
    elif kind is not Kind.CLOZE and not answer:
        yield ask, "this card has no answer.", "Write it between a line `??x` and a line `x??`."


def check_ids(headings: Iterable[Line], notes: Notes) -> None:
    """Note every id that is malformed, out of place or taken, by the headings of all cards."""
    first: dict[str, int] = {}
    for heading in headings:
        title, id_ = split_id(heading.value)
        if "{#" in title:
            notes.error(
                heading.number,
                "the id does not end the heading.",
                "Write one id, at the end: `#### Title {#id}`.",
            )
        if id_ is None:
            continue
        if not is_id(id_):
            notes.error(
                heading.number,
                f"the id {id_!r} is not kebab-case.",
                "Use a-z, 0-9 and single hyphens, e.g. {#kl-closed-form}.",
            )
        elif id_ in first:
            notes.error(
                heading.number,
                f"the id {id_!r} is already that of the card in line {first[id_]}.",
                "Give this card another id; the older card keeps its history.",
            )
        first.setdefault(id_, heading.number)
