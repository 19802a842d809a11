r"""Where formulas end is found once a text: the same ends as by looking from each opener."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache, partial
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, paragraph
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from vaeflash.text import markdown
from vaeflash.text.cloze import cloze_numbers, filled_in, with_hole
from vaeflash.text.html import cloze_to_html, to_html

PIECES = st.sampled_from(
    [
        *(r"\(", r"\)", r"\[", r"\]", "$", "$$", "$$$", "{", "}", "\n", "\n\n", "\\", "\\\\", "`"),
        *("> ", "- ", "  ", "    ", "a", " ", "1", "[", "](b)", "![", "\t", "|", "=", "*"),
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map("".join)


# The rules as they were: each looks through all that follows.


def slow_end(source: str, begin: int, closer: str, end: int) -> int:
    depth, first = 0, -1
    for piece in re.compile(r"\\.|[{}]|\$+", re.DOTALL).finditer(source, begin, end):
        if piece.group() in "{}":
            depth += 1 if piece.group() == "{" else -1
        elif piece.group() == closer:
            if depth <= 0:
                return piece.start()
            first = piece.start() if first < 0 else first
    return first


def slow_formula(state: StateInline, silent: bool) -> bool:
    source, start = state.src, state.pos
    matching = (found for found in markdown._DELIMITERS if source.startswith(found[0], start))
    opener, closer, kind = next(matching, ("", "", ""))
    if not opener:
        return False
    begin = start + len(opener)
    end = slow_end(source, begin, closer, state.posMax)
    content = source[begin:end]
    if end < 0 or not content.strip():
        return False
    if opener == "$" and (
        content != content.strip()
        or "`" in content
        or source[start - 1 : start].isdigit()
        or source[end + 1 : end + 2].isdigit()
    ):
        return False
    if not silent:
        token = state.push(kind, "math", 0)
        token.content, token.markup = content, opener
    state.pos = end + len(closer)
    return True


def slow_lines(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    first = state.bMarks[start] + state.tShift[start]
    closer = {r"\[": r"\]", "$$": "$$"}.get(state.src[first : first + 2])
    if state.is_code_block(start) or closer is None:
        return False
    indent = min(state.blkIndent, state.sCount[start])
    stop = start + 1
    while stop < end and not state.isEmpty(stop) and state.sCount[stop] >= indent:
        stop += 1
    lines = state.getLines(start, stop, state.blkIndent, False).lstrip()
    close = slow_end(lines, 2, closer, len(lines))
    last = start + lines.count("\n", 0, max(close, 0))
    if last == start:
        return False
    if silent:
        return True
    paragraph(state, last, end, False)
    opened, inline = state.tokens[-3:-1]
    inline.content = state.getLines(start, state.line, state.blkIndent, False).strip()
    opened.map = inline.map = [start, state.line]
    return True


@cache
def slow_parser() -> MarkdownIt:
    slow = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False})
    slow.enable(["table", "strikethrough"])
    slow.inline.ruler.before("escape", "math", slow_formula)
    alternatives = {"alt": ["paragraph", "reference", "blockquote"]}
    slow.block.ruler.before("fence", "math_lines", slow_lines, alternatives)
    return slow


def leaf(token: Token) -> tuple[str, str, str]:
    return token.type, token.content, token.markup


def outline(parser: MarkdownIt, text: str) -> list[object]:
    return [
        (token.type, token.level, token.content, token.map, *map(leaf, token.children or ()))
        for token in parser.parse(text)
    ]


@pytest.mark.slow
@settings(max_examples=300)
@given(TEXTS)
def test_a_text_reads_as_it_did_when_each_opener_looked_for_its_end(text: str) -> None:
    assert outline(markdown.parser(), text) == outline(slow_parser(), text)


@pytest.mark.slow
@settings(max_examples=300)
@given(TEXTS, st.integers(0, 60))
def test_every_end_is_the_one_that_looking_for_it_finds(text: str, cut: int) -> None:
    # As where a link's text ends: never within a delimiter.
    end = len(text) - cut if text[len(text) - cut :][:1] in ("a", "]") else len(text)

    found = {at: closing.within(end) for at, closing in markdown.closings(text).items()}

    assert found == {(begin, closer): slow_end(text, begin, closer, end) for begin, closer in found}


# Steps are counted, not timed: calls of functions, those written in C among them.


def steps(read: Callable[[str], object], text: str) -> int:
    count = 0

    def step(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(step)
    try:
        read(text)
    finally:
        sys.setprofile(before)
    return count


STRAY = {
    "openers of lines": "\\[\n",
    "openers": r"\[ ",
    "dollars of lines": "$$a\n",
    "dollars": "$a ",
    "dollars in braces": "${a",
    "rows of dollars": "$$$ {",
    "openers with braces": r"\({",
    "closed in braces": "\\[{\\]\n",
    "closed lines": "\\[x\\]\n",
    "in quotes": "> \\[\n",
    "in lists": "- \\[\n",
    "of every kind": r"\( \[ $ $$ ",
    "code": "$a `",
    "cloze": r"{{c1::\(}} ",
}


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "\n\n\\] \\) $$ $", "}"])
@pytest.mark.parametrize("stray", STRAY.values(), ids=STRAY)
def test_four_times_as_many_stray_openers_take_four_times_the_steps(stray: str, end: str) -> None:
    few, many = (
        steps(markdown.parser().parse, stray * n + end * (n // 2) + r"\]") for n in (100, 400)
    )

    assert many < 5 * few


READERS = {
    "html": to_html,
    "html with clozes": cloze_to_html,
    "numbers": cloze_numbers,
    "asked": partial(with_hole, number=1),
    "answered": partial(filled_in, number=1),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("piece", ["{{c1::a}} ", "{{c1::", "{{c1::{", "[a](", "*a **b ", "<a "])
def test_reading_and_writing_take_steps_in_proportion(
    read: Callable[[str], object], piece: str
) -> None:
    few, many = (steps(read, piece * n) for n in (100, 400))

    assert many < 5 * few
