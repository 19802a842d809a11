"""Lines -> classified lines. Only a line outside every code fence can be structure.

A fence may be indented or stand in a list item. It ends at a line of at least as many of the
same characters. One that never ends, or inside which another fence opens, is an error; it is
then closed in front of the next line that looks like structure, so that the rest of the file
is still read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from vaeflash.parse.notes import Notes

OPENER, CLOSER = "??x", "x??"
FLAGS = ("reversed", "cloze")
WORDS = ("demo", "claim", "myth", "control", "figure", "source", "tags", *FLAGS)
"""The words of the lines below an answer."""


class LineKind(Enum):
    """What a line is, seen on its own."""

    BLANK = auto()
    TEXT = auto()
    FENCED = auto()  # a code fence: its first line, its code, its last line
    CARD = auto()  # #### Title {#id}
    TITLE = auto()  # # Title
    ASK = auto()  # :p
    MARK = auto()  # ??x, x?? or ??
    WORD = auto()  # :demo and the others of WORDS
    OTHER_WORD = auto()  # :something else
    RULE = auto()  # --- and the other thematic breaks
    RATING = auto()  # **Rating: 8/10**
    HEADER = auto()  # Rating threshold: ..., Starting Chapter: ...


STRUCTURE = frozenset(
    {LineKind.CARD, LineKind.ASK, LineKind.MARK, LineKind.WORD, LineKind.RATING, LineKind.RULE}
)
"""Where an unclosed fence ends."""


class Line(NamedTuple):
    """One line of a deck.

    Attributes:
        text: The line as it stands in the file, after repair of damage.
        word: The word of a `:word` line.
        value: What a heading, a mark or a `:word` line says, without blanks around it.
    """

    number: int
    kind: LineKind
    text: str
    word: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class _Fence:
    """The first line of a code fence."""

    indent: str
    mark: str
    info: str

    def is_closed_by(self, text: str) -> bool:
        bare = text.strip(" \t")
        return bare.startswith(self.mark) and not bare.strip(self.mark[0])

    def is_broken_by(self, text: str) -> bool:
        """Whether another fence opens that Markdown would close in place of this one."""
        inner = _fence(text)
        return inner is not None and inner.info != "" and inner.mark.startswith(self.mark)


_MARKERS = frozenset("#:xX?*_-rRsS")
"""What a line that is not text begins with; `r` and `s` are those of ratings and headers."""
_HEADING = re.compile(r" {0,3}(#|####)(?:[ \t]+(.*))?")
_WORD = re.compile(r" {0,3}:([A-Za-z][\w-]*)(?:[ \t]+(.*))?")
_MARK = re.compile(r" {0,3}(x\?\?|\?\?x|\?\?)[ \t]*")
_RULE = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}")
_RATING = re.compile(r"rating[ \t]*:[ \t]*\d+(?:\.\d+)?(?:[ \t]*/[ \t]*\d+)?", re.IGNORECASE)
_HEADER = re.compile(r"(?:rating threshold|starting chapter)[ \t]*:.*", re.IGNORECASE)
_FENCE = re.compile(r"([ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*)(`{3,}(?=[^`]*$)|~{3,})(.*)")


def classify(number: int, text: str) -> Line:
    """What a line is, taken to be outside every fence."""
    start = text.lstrip(" \t")[:1]
    if not start:
        return Line(number, LineKind.BLANK, text)
    if start not in _MARKERS:
        return Line(number, LineKind.TEXT, text)
    if match := _HEADING.fullmatch(text):
        kind = LineKind.TITLE if match[1] == "#" else LineKind.CARD
        return Line(number, kind, text, value=_bare(match[2]))
    if match := _WORD.fullmatch(text):
        word = match[1]
        if word == "p":
            # Blanks at the end stay: two of them are a line break of the question.
            return Line(number, LineKind.ASK, text, word, match[2] or "")
        kind = LineKind.WORD if word in WORDS else LineKind.OTHER_WORD
        return Line(number, kind, text, word, _bare(match[2]))
    if match := _MARK.fullmatch(text):
        return Line(number, LineKind.MARK, text, value=match[1])
    if _RULE.fullmatch(text):
        return Line(number, LineKind.RULE, text)
    bare = text.replace("*", "").strip(" \t")
    if _RATING.fullmatch(bare):
        return Line(number, LineKind.RATING, text)
    if _HEADER.fullmatch(bare):
        return Line(number, LineKind.HEADER, text)
    return Line(number, LineKind.TEXT, text)


def opens_fence(text: str) -> bool:
    """Whether a code fence starts at this line."""
    return _fence(text) is not None


def scan(texts: Sequence[str], start: int, notes: Notes) -> Iterator[Line]:
    """Classify all lines, each when it is asked for.

    A `:p` line with a text becomes two lines, the `:p` and its text, which is never structure
    itself but may open a fence.

    Args:
        texts: The lines.
        start: Index of the first one to classify.
        notes: Takes an error for every fence that is not closed.
    """
    index, stop = start, len(texts)
    while index < stop:
        first = texts[index]
        line = classify(index + 1, first)
        if line.kind is LineKind.ASK:
            yield line
            first = line.value
        if fence := _fence(first):
            end = _fence_end(fence, texts, index, notes)
            code = [first, *texts[index + 1 : end.stop], *end.supplied]
            for number, text in enumerate(code, index + 1):
                yield Line(min(number, end.stop), LineKind.FENCED, text)
            index = end.stop
            continue
        if line.kind is not LineKind.ASK:
            yield line
        elif first:
            yield Line(line.number, LineKind.TEXT, first)
        index += 1


@dataclass(frozen=True, slots=True)
class _End:
    """Where a fence ends.

    Attributes:
        stop: Index of the first line after it.
        supplied: The last line of the fence, if the file has none.
    """

    stop: int
    supplied: tuple[str, ...] = ()


def _fence_end(fence: _Fence, texts: Sequence[str], index: int, notes: Notes) -> _End:
    other = None
    for stop in range(index + 1, len(texts)):
        text = texts[stop]
        if fence.is_closed_by(text):
            return _End(stop + 1)
        if fence.is_broken_by(text):
            other = stop
            break
    notes.error(
        index + 1,
        "this code fence is not closed."
        if other is None
        else f"this code fence is not closed before the next one opens in line {other + 1}.",
        f"Put {fence.mark} on a line of its own after the code; around code that holds "
        "fences itself, use a longer fence.",
    )
    stop = index + 1
    limit = len(texts) if other is None else other
    while stop < limit and classify(stop, texts[stop]).kind not in STRUCTURE:
        stop += 1
    return _End(stop, (" " * len(fence.indent) + fence.mark,))


def _fence(text: str) -> _Fence | None:
    if "```" not in text and "~~~" not in text:  # nearly every line, and quicker to see so
        return None
    match = _FENCE.fullmatch(text)
    if match is None:
        return None
    return _Fence(match[1], match[2], match[3].strip(" \t"))


def _bare(value: str | None) -> str:
    return (value or "").strip(" \t")
