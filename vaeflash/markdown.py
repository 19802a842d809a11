r"""The one Markdown parser of cards: CommonMark, tables, strikethrough and mathematics.

CommonMark alone eats `\(` and turns the underscores of a formula into emphasis, so formulas are
read before escapes. Whatever its delimiters, a formula becomes an inline token `math_inline` or
`math_display` whose `content` is the TeX between them. Raw HTML is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, paragraph
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

INLINE: Final = "math_inline"
DISPLAY: Final = "math_display"

_DELIMITERS: Final = (
    (r"\(", r"\)", INLINE),
    (r"\[", r"\]", DISPLAY),
    ("$$", "$$", DISPLAY),
    ("$", "$", INLINE),
)
_DISPLAY_CLOSERS: Final = {
    opener: closer for opener, closer, kind in _DELIMITERS if kind == DISPLAY
}
_TEX_PIECE: Final = re.compile(r"\\.|[{}]|\$+", re.DOTALL)


@cache
def parser() -> MarkdownIt:
    """The shared parser; the tokens it gives are the caller's own."""
    markdown = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False})
    markdown.enable(["table", "strikethrough"])
    markdown.inline.ruler.before("escape", "math", _formula)
    markdown.block.ruler.before("table", "words", _words)
    markdown.block.ruler.before(
        "fence",
        "math_lines",
        _formula_lines,
        {"alt": ["paragraph", "reference", "blockquote"]},
    )
    return markdown


def formulas(text: str) -> tuple[str, ...]:
    """The TeX of every formula in a text, in order, without delimiters."""
    if "\\" not in text and "$" not in text:  # most texts need no parser to know
        return ()
    return tuple(token.content for token in _walk(text) if token.type in (INLINE, DISPLAY))


def images(text: str) -> tuple[str, ...]:
    """The source of every image in a text, in order, as the author wrote it."""
    if "![" not in text:
        return ()
    return tuple(image_source(token) for token in _walk(text) if token.type == "image")


def image_source(token: Token) -> str:
    """Where an image token's picture is; the parser has percent-encoded what the author wrote."""
    return unquote(str(token.attrGet("src")))


def _walk(text: str) -> Iterator[Token]:
    return _descend(parser().parse(text))


def _descend(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _descend(token.children or ())


def _formula(state: StateInline, silent: bool) -> bool:
    """Inline rule: a formula from its opener to its closer."""
    source, start = state.src, state.pos
    if source[start] not in "\\$":
        return False
    matching = (delimiter for delimiter in _DELIMITERS if source.startswith(delimiter[0], start))
    opener, closer, kind = next(matching, ("", "", ""))
    if not opener:
        return False
    begin = start + len(opener)
    end = _closing(source, begin, closer, state.posMax)
    content = source[begin:end]
    if end < 0 or not content.strip():
        return False
    if opener == "$" and not _is_dollar_formula(source, start, end):
        return False
    if not silent:
        token = state.push(kind, "math", 0)
        token.content = content
        token.markup = opener
    state.pos = end + len(closer)
    return True


def _words(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Block rule: a paragraph that begins with a letter, which most do, seen to be one at once.

    The other rules would come to the same: after a letter, only a row of signs below can make
    a table or a heading of it.
    """
    if state.is_code_block(start) or not _first(state, start).isalpha():
        return False
    line = start + 1
    while line < state.lineMax and not state.isEmpty(line):
        if _first(state, line) in "=-|:":
            return False
        line += 1
    return paragraph(state, start, end, silent)


def _first(state: StateBlock, line: int) -> str:
    """The character that a line begins with, behind its indent."""
    return state.src[state.bMarks[line] + state.tShift[line]]


def _formula_lines(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""Block rule: a display formula that opens a line and closes on a later one.

    Without it a line of the formula such as `- \beta KL` or `=` would be a list or a heading.
    """
    if state.is_code_block(start):
        return False
    closer = _DISPLAY_CLOSERS.get(state.src[state.bMarks[start] + state.tShift[start] :][:2])
    if closer is None:
        return False
    # Directly under a list item, the formula may begin left of the item's text.
    indent = min(state.blkIndent, state.sCount[start])
    stop = start + 1
    while stop < end and not state.isEmpty(stop) and state.sCount[stop] >= indent:
        stop += 1
    lines = state.getLines(start, stop, state.blkIndent, False).lstrip()
    close = _closing(lines, 2, closer, len(lines))
    last = start + lines.count("\n", 0, max(close, 0))
    if last == start:  # one line, or no formula: the inline rule decides
        return False
    if silent:
        return True
    paragraph(state, last, end, False)
    opened, inline = state.tokens[-3:-1]
    inline.content = state.getLines(start, state.line, state.blkIndent, False).strip()
    opened.map = inline.map = [start, state.line]
    return True


def _closing(source: str, begin: int, closer: str, end: int) -> int:
    r"""Where the closer stands, or -1.

    As for MathJax, an escaped character is never part of it, and a bracket inside braces is
    skipped (`\text{if \(x\)}`). If the braces do not balance, the first candidate is taken, so
    that the broken formula is seen as one.
    """
    if source.find(closer, begin, end) < 0:  # quick, so that many stray openers stay cheap
        return -1
    depth, first = 0, -1
    for piece in _TEX_PIECE.finditer(source, begin, end):
        match piece.group():
            case "{":
                depth += 1
            case "}":
                depth -= 1
            case found if found == closer:
                if depth <= 0:
                    return piece.start()
                first = piece.start() if first < 0 else first
    return first


def _is_dollar_formula(source: str, start: int, end: int) -> bool:
    """Whether two dollars hold a formula; prices such as "$5 and $10" and code do not."""
    before, after = source[start - 1 : start], source[end + 1 : end + 2]
    content = source[start + 1 : end]
    return (
        content == content.strip()
        and "`" not in content
        and not before.isdigit()
        and not after.isdigit()
    )
