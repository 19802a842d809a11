"""The lines of one card -> its context, question, answer and `:word` lines.

    #### Title            CONTEXT until :p
    :p question           until a mark, a :word line or a rating
    ??x                   opens the answer
    answer
    x??                   closes it
    :demo ...             :word lines, ratings and `---`; any other text is an error

A rating line and the `:word` lines are structure wherever they stand outside a fence. A `---`
or a heading of another level is text within a text, and an end only where a mark is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vaeflash.parse.lines import CLOSER, FLAGS, WORDS, Line, LineKind, classify
from vaeflash.parse.notes import Notes

_HARD_ENDS = (LineKind.ASK, LineKind.WORD, LineKind.RATING)
_SOFT_ENDS = (LineKind.RULE, LineKind.TITLE, LineKind.HEADER)
_MARK_AT_END = re.compile(r"(?:(.*[\s.,;:!?)\]}*_\"'`$])?(?:x\?\?|\?\?x)|(.*[ \t])\?\?)[ \t]*")
_SECTION = re.compile(r" {0,3}(?:#{2,3}|#{5,6})(?:[ \t].*)?")
_LEADING_BLANKS = re.compile(r"\A(?:[ \t]*\n)+")


@dataclass(slots=True)
class Sections:
    """One card, cut to pieces.

    Attributes:
        opener: The mark under the question, if there is one.
        closer: The mark under the answer, if there is one.
        words: The `:word` lines.
        titles: Deck titles that stand below the card.
    """

    heading: Line
    context: list[Line] = field(default_factory=list)
    ask: Line | None = None
    question: list[Line] = field(default_factory=list)
    opener: Line | None = None
    answer: list[Line] = field(default_factory=list)
    closer: Line | None = None
    closer_in_text: bool = False
    words: list[Line] = field(default_factory=list)
    titles: list[Line] = field(default_factory=list)


def split_card(heading: Line, body: Sequence[Line], notes: Notes) -> Sections:
    """Cut the lines below a card's heading to pieces.

    Args:
        heading: The card's heading.
        body: The lines below it, up to the next one.
        notes: Takes whatever belongs to no piece, and what was irregular.
    """
    card = Sections(heading)
    ask = next((i for i, line in enumerate(body) if line.kind is LineKind.ASK), len(body))
    _read_context(card, body[:ask], notes)
    if ask == len(body):
        return card
    card.ask = body[ask]
    end = _question_end(body, ask + 1)
    card.question = _trimmed(body[ask + 1 : end], notes)
    opener = _index_of((LineKind.MARK, LineKind.ASK), body, end, len(body))
    _read_between(body, end, opener, card, notes)
    if opener < len(body) and body[opener].kind is LineKind.MARK:
        _note_early_words(body[end:opener], notes)
        card.opener = body[opener]
        end = _read_answer(card, body, opener + 1, notes)
        again = _index_of((LineKind.ASK,), body, end, len(body))
        _read_between(body, end, again, card, notes)
    else:
        again = opener
    if again < len(body):
        notes.error(
            body[again].number,
            "this is a second question under one heading.",
            "Give each question a heading of its own: `#### Title`.",
        )
    return card


def text_of(lines: Iterable[Line]) -> str:
    """The text of a piece without the blanks around it; the first line keeps its indent."""
    return trimmed_text("\n".join(line.text for line in lines))


def trimmed_text(text: str) -> str:
    """The text without blank lines in front of it and blanks behind it."""
    return _LEADING_BLANKS.sub("", text.rstrip(" \t\n"))


def note_header(line: Line, notes: Notes) -> None:
    """Note a header line of the source format, which is left out."""
    notes.repair(line.number, "this header line of the source format was left out.")


def note_rule(lines: Sequence[Line], index: int, notes: Notes) -> None:
    """Note a `---` between cards, unless it is a single, regular one."""
    line = lines[index]
    above = (lines[i] for i in range(index - 1, -1, -1))
    before = next((x for x in above if x.kind is not LineKind.BLANK), None)
    if before is None:
        return
    if before.kind is LineKind.RATING:
        notes.repair(line.number, "a `---` between a rating and a title was left out.")
    elif before.kind is LineKind.RULE:
        notes.repair(line.number, "a doubled `---` was left out.")
    elif before.kind is LineKind.MARK and before.number == line.number - 1:
        notes.repair(line.number, f"a `---` directly under `{before.value}` was left out.")
    elif line.text.strip(" \t") != "---":
        notes.repair(line.number, f"`{line.text.strip()}` was read as `---`.")


def note_mark(line: Line, notes: Notes) -> None:
    """Note a mark outside every answer, which is left out."""
    notes.repair(line.number, f"a `{line.value}` that closes nothing was left out.")


def _read_between(
    lines: Sequence[Line], start: int, stop: int, card: Sections, notes: Notes
) -> None:
    """Read lines[start:stop], which are in no text of the card.

    `:word` lines and deck titles go into the card. Ratings, a `---` and headings that group cards
    go. Anything else is noted.
    """
    stray = False
    for index in range(start, stop):
        line = lines[index]
        match line.kind:
            case LineKind.BLANK:
                continue
            case LineKind.WORD:
                card.words.append(line)
            case LineKind.TITLE:
                card.titles.append(line)
            case LineKind.RULE:
                note_rule(lines, index, notes)
            case LineKind.HEADER:
                note_header(line, notes)
            case LineKind.MARK:
                note_mark(line, notes)
            case LineKind.OTHER_WORD:
                notes.error(
                    line.number,
                    f"there is no ':{line.word}' line.",
                    f"Known: {', '.join(f':{word}' for word in ('p', *WORDS))}.",
                )
            case LineKind.TEXT if _SECTION.fullmatch(line.text):
                notes.repair(line.number, "a heading between cards was left out.")
                continue
            case LineKind.TEXT | LineKind.FENCED if not stray:
                notes.error(
                    line.number,
                    "this text belongs to no part of the card.",
                    "An answer stands between `??x` and `x??`, a context above `:p`; "
                    "a claim is one line.",
                )
        stray = line.kind in (LineKind.TEXT, LineKind.FENCED)


def _read_context(card: Sections, lines: Sequence[Line], notes: Notes) -> None:
    for line in lines:
        match line.kind:
            case LineKind.RATING:
                continue
            case LineKind.WORD:
                card.words.append(line)
                _note_early_words([line], notes)
            case LineKind.MARK:
                note_mark(line, notes)
            case _:
                card.context.append(line)
    card.context = _trimmed(card.context, notes)


def _note_early_words(lines: Iterable[Line], notes: Notes) -> None:
    for line in lines:
        if line.kind is LineKind.WORD and line.word not in FLAGS:
            notes.repair(line.number, f"a ':{line.word}' line above the answer was moved below.")


def _question_end(body: Sequence[Line], start: int) -> int:
    end = _index_of((*_HARD_ENDS, LineKind.MARK), body, start, len(body))
    if end < len(body) and body[end].kind is LineKind.MARK:
        return end
    return _index_of(_SOFT_ENDS, body, start, end)


def _read_answer(card: Sections, body: Sequence[Line], start: int, notes: Notes) -> int:
    """Read the answer from `start` on; return the index of the first line behind it."""
    stop = _index_of(_HARD_ENDS, body, start, len(body))
    marks = [i for i in range(start, stop) if body[i].kind is LineKind.MARK]
    if marks:
        end = next((i for i in marks if body[i].value == CLOSER), marks[-1])
        card.closer = body[end]
        for line in body[start:end]:
            if line.kind is LineKind.MARK:
                notes.repair(line.number, f"a second `{line.value}` in the answer was left out.")
        card.answer = [line for line in body[start:end] if line.kind is not LineKind.MARK]
        after = end + 1
    else:
        after = _index_of(_SOFT_ENDS, body, start, stop)
        card.answer = list(body[start:after])
        _take_mark_at_end(card)
    card.answer = _trimmed(card.answer, notes)
    return after


def _take_mark_at_end(card: Sections) -> None:
    """Find the closer at the end of the last line of an answer that has no other."""
    last = next((i for i, line in reversed([*enumerate(card.answer)]) if line.text.strip(" \t")), 0)
    if not card.answer or card.answer[last].kind is not LineKind.TEXT:
        return
    line = card.answer[last]
    match = _MARK_AT_END.fullmatch(line.text)
    if match is None:
        return
    rest = classify(line.number, match[1] or match[2] or "")
    if rest.kind in (LineKind.TEXT, LineKind.BLANK):
        card.answer[last] = rest
        card.closer = line
        card.closer_in_text = True


def _trimmed(lines: Sequence[Line], notes: Notes) -> list[Line]:
    """The lines without a `---` at their start or end."""
    inside = [i for i, x in enumerate(lines) if x.kind not in (LineKind.BLANK, LineKind.RULE)]
    first, last = (inside[0], inside[-1]) if inside else (0, -1)
    for index, line in enumerate(lines):
        if line.kind is LineKind.RULE and not first <= index <= last:
            notes.repair(line.number, f"`{line.text.strip()}` at the edge of a text was left out.")
    return list(lines[first : last + 1])


def _index_of(kinds: Iterable[LineKind], lines: Sequence[Line], start: int, stop: int) -> int:
    """Index of the first line of one of the kinds, `stop` if there is none."""
    return next((i for i in range(start, stop) if lines[i].kind in kinds), stop)
