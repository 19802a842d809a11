"""Card Markdown on the terminal: formulas as Unicode, code highlighted, the rest by rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, MarkdownContext, MarkdownElement
from rich.padding import Padding
from rich.text import Text

from vaeflash.markdown import parser
from vaeflash.tex import to_unicode


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
        super().__init__("", code_theme="ansi_dark", inline_code_lexer=None)
        self.markup = text
        self.parsed = list(_with_formulas(parser().parse(text)))


def _with_formulas(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens with inline formulas as text, and display formulas as blocks of their own."""
    for token in tokens:
        if token.type != "inline" or not token.children:
            yield token
            continue
        run: list[Token] = []
        for child in token.children:
            if child.type == "math_display":
                yield from _paragraph_part(token, run)
                run = []
                yield Token("math_block", "", 0, content=to_unicode(child.content))
            elif child.type == "math_inline":
                run.append(Token("text", "", 0, content=to_unicode(child.content)))
            else:
                run.append(child)
        yield from _paragraph_part(token, run)


def _paragraph_part(inline: Token, children: list[Token]) -> Iterator[Token]:
    """What stands before, between or after the display formulas of a paragraph."""
    while children and children[0].type == "softbreak":
        children = children[1:]
    while children and children[-1].type == "softbreak":
        children = children[:-1]
    if children:
        yield inline.copy(children=children)
