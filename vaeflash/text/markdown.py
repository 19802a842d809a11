r"""The one Markdown parser of cards: CommonMark, tables, strikethrough and mathematics.

CommonMark alone eats `\(` and turns the underscores of a formula into emphasis, so formulas are
read before escapes. Whatever its delimiters, a formula becomes an inline token `math_inline` or
`math_display` whose `content` is the TeX between them. Raw HTML is text.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, NamedTuple
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
_BACKSLASH_CLOSERS: Final = {
    opener: closer for opener, closer, _ in _DELIMITERS if opener[0] == "\\"
}
_BACKSLASHED: Final = {*_BACKSLASH_CLOSERS, *_BACKSLASH_CLOSERS.values()}
_TEX_PIECE: Final = re.compile(r"\\.|[{}]|\$+", re.DOTALL)

_DEEP: Final = re.compile(r"^[ \t>*+\-0-9.)]{18}", re.MULTILINE)
"""How a line begins at least whose quotes or lists are too many."""
_CLOSINGS: Final = "math_closings"
_STOP: Final = "math_stop"
"""What the rules remember of a text, in the parser's `env`."""


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


def loses_text(text: str) -> bool:
    """Whether quotes or lists stand in one another so deep that what is inside is not shown."""
    if not _DEEP.search(text):  # as in nearly every text
        return False
    most = parser().options["maxNesting"]
    inner = (token for token in _walk(text) if token.type in ("blockquote_open", "list_item_open"))
    return any(token.level + 1 >= most for token in inner)


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
    end = _closing(state, begin, closer).within(state.posMax)
    if end < 0 or (opener == "$" and not _is_dollar_formula(source, start, end)):
        return False
    content = source[begin:end]
    if not content.strip():
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
    begin = state.bMarks[start] + state.tShift[start] + 2
    closer = _DISPLAY_CLOSERS.get(state.src[begin - 2 : begin])
    if closer is None:
        return False
    # Directly under a list item, the formula may begin left of the item's text.
    indent = min(state.blkIndent, state.sCount[start])
    candidates = (
        bisect_left(state.eMarks, place) for place in _closing(state, begin, closer) if place >= 0
    )
    last = next((line for line in candidates if _reaches(state, start, line, end, indent)), start)
    if last == start:  # one line, or no formula: the inline rule decides
        return False
    if silent:
        return True
    paragraph(state, last, end, False)
    opened, inline = state.tokens[-3:-1]
    inline.content = state.getLines(start, state.line, state.blkIndent, False).strip()
    opened.map = inline.map = [start, state.line]
    return True


def _reaches(state: StateBlock, start: int, last: int, end: int, indent: int) -> bool:
    """Whether no line ends the paragraph between these two.

    The line that was found to end one is remembered, and asked first: many openers in front of it
    need not go all the way there.
    """
    seen = state.env.get(_STOP, -1)
    if last >= end or (start < seen <= last and _stops(state, seen, indent)):
        return False
    stop = next((n for n in range(start + 1, last + 1) if _stops(state, n, indent)), None)
    if stop is not None:
        state.env[_STOP] = stop
    return stop is None


def _stops(state: StateBlock, line: int, indent: int) -> bool:
    return state.isEmpty(line) or state.sCount[line] < indent


class Closing(NamedTuple):
    r"""Where a formula may end, seen from where it begins; -1 for nowhere.

    As for MathJax, an escaped character is never part of a closer, and a bracket inside braces is
    skipped (`\text{if \(x\)}`). If the braces do not balance, the first candidate is taken, so
    that the broken formula is seen as one.
    """

    balanced: int
    first: int

    def within(self, end: int) -> int:
        """The one that counts where the text ends here."""
        return next((place for place in self if 0 <= place < end), -1)


_NOWHERE: Final = Closing(-1, -1)


def _closing(state: StateInline | StateBlock, begin: int, closer: str) -> Closing:
    known = state.env.setdefault(_CLOSINGS, {})
    if state.src not in known:
        known[state.src] = closings(state.src)
    found: Closing = known[state.src].get((begin, closer), _NOWHERE)
    return found


def closings(source: str) -> dict[tuple[int, str], Closing]:
    """Where each formula of a text may end, by where its TeX begins and by its closer.

    Looked for at once from the text's end to its start: asked one by one, openers that nothing
    closes would each look through all the text behind them.
    """
    found: dict[tuple[int, str], Closing] = {}
    ahead = {closer: _Ahead() for _, closer, _ in _DELIMITERS}
    for piece, depth in reversed([*_delimiters(source)]):
        text, start, end = piece.group(), piece.start(), piece.end()
        if text in _BACKSLASH_CLOSERS:
            closer = _BACKSLASH_CLOSERS[text]
            found[end, closer] = ahead[closer].seen_from(depth)
        elif text[0] == "$":
            found[end, "$"] = ahead["$"].seen_from(depth)
            # In a row of dollars any two may be the opener, and the last two close what is nothing.
            for begin in range(start + 2, end + 1):
                empty = begin == end - 2
                found[begin, "$$"] = (
                    Closing(begin, begin) if empty else ahead["$$"].seen_from(depth)
                )
        if text in ahead:
            ahead[text].put(start, depth)
    return found


class _Ahead:
    """The closers of one kind behind a place that some place before it may still end at.

    Those are the next one, then the next one in fewer braces, and so on.
    """

    def __init__(self) -> None:
        self._places: list[int] = []
        self._depths: list[int] = []

    def put(self, place: int, depth: int) -> None:
        """One more, before all others."""
        while self._depths and self._depths[-1] >= depth:
            self._depths.pop()
            self._places.pop()
        self._depths.append(depth)
        self._places.append(place)

    def seen_from(self, depth: int) -> Closing:
        """The closers of a formula that begins in so many braces."""
        if not self._places:
            return _NOWHERE
        fewer = bisect_right(self._depths, depth)
        return Closing(self._places[fewer - 1] if fewer else -1, self._places[-1])


def _delimiters(source: str) -> Iterator[tuple[re.Match[str], int]]:
    """Everything that may open or close a formula, and in how many braces it stands."""
    depth = 0
    for piece in _TEX_PIECE.finditer(source):
        depth += (piece.group() == "{") - (piece.group() == "}")
        if piece.group()[0] == "$" or piece.group() in _BACKSLASHED:
            yield piece, depth


def _is_dollar_formula(source: str, start: int, end: int) -> bool:
    """Whether two dollars hold a formula; prices such as "$5 and $10" and code do not."""
    before, after = source[start - 1 : start], source[end + 1 : end + 2]
    first, last = source[start + 1], source[end - 1]
    return not (
        first.isspace()
        or last.isspace()
        or before.isdigit()
        or after.isdigit()
        or source.find("`", start, end) >= 0
    )
