"""Card Markdown on the terminal: formulas as Unicode, code highlighted, the rest by rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import ClassVar, Final, cast

from markdown_it.token import Token
from pygments import token as pygments
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, MarkdownContext, MarkdownElement
from rich.padding import Padding
from rich.style import Style
from rich.syntax import ANSISyntaxTheme
from rich.text import Text

from vaeflash.cli.colours import in_palette
from vaeflash.text.markdown import DISPLAY, INLINE, parser
from vaeflash.text.tex import to_unicode

_PAINTED: Final[dict[tuple[str, ...], str]] = {
    pygments.Keyword: "bold magenta",
    pygments.Operator.Word: "bold magenta",
    pygments.Name.Builtin: "cyan",
    pygments.Name.Function: "blue",
    pygments.Name.Class: "bold blue",
    pygments.Name.Decorator: "blue",
    pygments.Number: "yellow",
    pygments.String: "green",
    pygments.Comment: "dim italic",
}
_CODE: Final = ANSISyntaxTheme(
    {kind: Style.parse(in_palette(style)) for kind, style in _PAINTED.items()}
)
"""Code without a ground of its own."""


class DisplayMath(MarkdownElement):
    """A formula on lines of its own, indented."""

    new_line = True

    def on_text(self, context: MarkdownContext, text: str | Text) -> None:  # noqa: ARG002
        """Take the formula."""
        self.formula = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Padding(Text(str(self.formula), style="bold"), (0, 0, 0, 4))


class CardMarkdown(Markdown):
    """Markdown as our cards write it, for a rich console."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "math_block": DisplayMath,
    }

    def __init__(self, text: str) -> None:
        # Rich hands the theme on as it is, to a Syntax that takes more than names.
        super().__init__(
            "", code_theme=cast("str", _CODE), hyperlinks=False, inline_code_lexer=None
        )
        self.markup = text
        self.parsed = list(_with_formulas(parser().parse(text)))


def _with_formulas(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens with inline formulas as text, and display formulas as blocks of their own."""
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.type == "paragraph_open":
            yield from _paragraph(*tokens[position : position + 3])
            position += 3
            continue
        if token.type == "inline":  # of a heading or a table cell, which stay in one piece
            token = token.copy(children=[_as_text(child) for child in token.children or ()])
        yield token
        position += 1


def _paragraph(opened: Token, inline: Token, closed: Token) -> Iterator[Token]:
    """A paragraph, parted at its display formulas."""
    children = inline.children or []
    for is_display, group in groupby(children, key=lambda child: child.type == DISPLAY):
        part = list(group)
        if is_display:
            for formula in part:
                yield Token("math_block", "", 0, content=_unicode(formula))
            continue
        if part[0].type == "softbreak":
            del part[0]
        if part and part[-1].type == "softbreak":
            del part[-1]
        if part:
            yield opened
            yield inline.copy(children=[_as_text(child) for child in part])
            yield closed


def _as_text(token: Token) -> Token:
    if token.type in (INLINE, DISPLAY):
        return Token("text", "", 0, content=_unicode(token))
    return token


def _unicode(formula: Token) -> str:
    """The formula as Unicode, or as TeX where that fails; without control characters."""
    shown = to_unicode(formula.content).strip()
    return "".join(char for char in shown if char.isprintable() or char == "\n")
