r"""Texts with numbered holes, `{{c1::hidden::hint}}`, in Markdown: asked and filled in.

Holes may nest, and braces inside one are matched, so that `{{c1::\frac{1}{2}}}` ends where it
should. A hint is one in text and formulas; in code `::` stays code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from markdown_it.token import Token

from vaeflash.text.markdown import DISPLAY, INLINE, parser

OPENER: Final = r"\{\{c([0-9,]{1,99})::"
"""What begins a hole, as a regular expression; in brackets its numbers."""
_LAST_NUMBER: Final = 65535  # that Anki reads
_MARK: Final = re.compile(rf"{OPENER}|\\.|[{{}}]", re.DOTALL)
MAX_DEPTH: Final = 10
"""Holes in one another that Anki reads, the outermost counted; what is in all of them is text."""
_FIRST_STAND_IN: Final = 0xE000  # of the characters that Unicode leaves to private use
_FORMULA, _CODE, _TEXT = "formula", "code", "text"


@dataclass(frozen=True, slots=True)
class Hole:
    """Text that is hidden when one of its numbers is asked."""

    numbers: frozenset[int]
    parts: Parts


Parts: TypeAlias = "tuple[str | Hole, ...]"


def cloze_numbers(text: str) -> tuple[int, ...]:
    """The numbers of the holes, sorted, each once; a question can be made of each."""
    return tuple(sorted(set(_numbers(_read(text))) - {0}))


def is_too_deep(text: str) -> bool:
    """Whether a hole stands in so many others that it is text."""
    return any(_holds_opener(part) for part in _read(text))


def numbers_in(opener: str) -> frozenset[int]:
    """The numbers that stand in the opener of a hole."""
    found = map(int, re.findall("[0-9]+", opener))
    return frozenset(number for number in found if number <= _LAST_NUMBER)


def with_hole(text: str, number: int) -> str:
    """The Markdown with the holes of one number open and the others filled in."""
    return _write(text, number, _opened)


def filled_in(text: str, number: int) -> str:
    """The Markdown with all holes filled in; those of one number stand out where they can."""
    return _write(text, number, _filled)


Shape: TypeAlias = "Callable[[str, str, str, bool], str]"
"""Content, hint, where it stands (text, formula, code) and whether it may be bold -> Markdown."""


def _opened(content: str, hint: str, where: str, bold: bool) -> str:  # noqa: ARG001
    shown = f"[{hint or '...'}]"
    if where == _FORMULA:
        return f"{{{shown}}}"
    return f"**{shown}**" if bold else shown


def _filled(content: str, hint: str, where: str, bold: bool) -> str:  # noqa: ARG001
    if where == _FORMULA:
        return f"{{{content}}}"
    ends = content[:1].isalnum() and content[-1:].isalnum()
    return f"**{content}**" if bold and ends and "**" not in content else content


def _write(text: str, number: int, shape: Shape) -> str:
    parts = _read(text)
    holes = [part for part in parts if isinstance(part, Hole)]
    places = iter(_places(parts, len(holes)))
    written: list[str] = []
    before = ""
    for part, after in zip(parts, _followers(parts), strict=True):
        if isinstance(part, str):
            text = part
        else:
            apart = not before.isalnum() and not after.isalnum()
            text = _write_hole(part, number, shape, next(places), apart)
        written.append(text)
        before = text[-1:] or before
    return "".join(written)


def _followers(parts: Parts) -> list[str]:
    """For each part the first character of the next one that is no hole."""
    followers = []
    after = ""
    for part in reversed(parts):
        followers.append(after)
        after = part[:1] if isinstance(part, str) else after
    return followers[::-1]


def _write_hole(hole: Hole, number: int, shape: Shape, where: str, apart: bool) -> str:
    content = "".join(
        part if isinstance(part, str) else _write_hole(part, number, shape, where, False)
        for part in hole.parts
    )
    hint = ""
    if where != _CODE and hole.parts and isinstance(hole.parts[-1], str):
        content, _, hint = content.partition("::")
    if number not in hole.numbers:
        return content
    return shape(content, hint, where, apart and where == _TEXT)


def _places(parts: Parts, holes: int) -> list[str]:
    """Where each hole stands: the parser is shown the text with a character in place of each."""
    stand_ins = iter(range(_FIRST_STAND_IN, _FIRST_STAND_IN + holes))
    text = "".join(p if isinstance(p, str) else chr(next(stand_ins)) for p in parts)
    found = dict.fromkeys(range(holes), _TEXT)
    for token in _leaves(parser().parse(text)):
        where = _FORMULA if token.type in (INLINE, DISPLAY) else _TEXT
        if token.type in ("code_inline", "code_block", "fence"):
            where = _CODE
        for char in token.content:
            if ord(char) - _FIRST_STAND_IN in found:
                found[ord(char) - _FIRST_STAND_IN] = where
    return list(found.values())


def _leaves(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.children:
            yield from _leaves(token.children)
        else:
            yield token


def _numbers(parts: Parts) -> Iterator[int]:
    for part in parts:
        if isinstance(part, Hole):
            yield from part.numbers
            yield from _numbers(part.parts)


def _read(text: str) -> Parts:
    """What stands in the text; a hole that is never closed is text, and one in too many others."""
    stack: list[tuple[str, list[str | Hole], int]] = [("", [], 0)]
    done = position = 0
    while mark := _MARK.search(text, position):
        opener, parts, depth = stack[-1]
        position = mark.end()
        closes = opener and depth == 0 and text.startswith("}}", mark.start())
        if mark[1] and len(stack) <= MAX_DEPTH:
            parts.append(text[done : mark.start()])
            stack.append((mark[0], [], 0))
            done = position
        elif closes:
            parts.append(text[done : mark.start()])
            stack.pop()
            stack[-1][1].append(_hole(opener, parts))
            done = position = mark.start() + 2
        elif opener and mark[0][0] in "{}":
            braces = mark[0].count("{") - mark[0].count("}")
            stack[-1] = (opener, parts, max(0, depth + braces))
    stack[-1][1].append(text[done:])
    while len(stack) > 1:
        opener, parts, _ = stack.pop()
        stack[-1][1].extend([opener, *parts])
    return tuple(part for part in stack[0][1] if part != "")


def _hole(opener: str, parts: list[str | Hole]) -> Hole:
    return Hole(numbers_in(opener), tuple(part for part in parts if part != ""))


def _holds_opener(part: str | Hole) -> bool:
    """Whether a hole holds what looks like another one and is text."""
    if isinstance(part, str):
        return False
    return any(
        re.search(OPENER, inner) is not None if isinstance(inner, str) else _holds_opener(inner)
        for inner in part.parts
    )
