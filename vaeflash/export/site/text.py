"""Card Markdown -> HTML of a page, and -> the plain words that a search looks through."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from vaeflash.export.site.formula import to_mathml
from vaeflash.text.html import Media, highlight
from vaeflash.text.markdown import DISPLAY, INLINE, image_source, parser
from vaeflash.text.tex import to_unicode

_ABROAD: Final = re.compile(r"(?:https?|mailto):", re.IGNORECASE)
_SPACES: Final = re.compile(r"\s+")


class Writer:
    """Renders texts of one card.

    Args:
        media: Source of an image -> where the page finds it.

    Attributes:
        unread: What is wrong with each formula that had to stay TeX.
    """

    def __init__(self, media: Media) -> None:
        self.unread: list[str] = []
        self._media = media

    def block(self, markdown: str) -> str:
        """Paragraphs, lists, code: what may stand in a section."""
        return self._render(parser().parse(markdown))

    def inline(self, markdown: str) -> str:
        """A title or a citation, without a paragraph around it."""
        return self._render(parser().parseInline(markdown))

    def _render(self, tokens: Sequence[Token]) -> str:
        env = {"media": self._media, "unread": self.unread}
        return _RENDERER.render(tokens, parser().options, env).strip()


def plain(markdown: str) -> str:
    """The words of a text on one line, with formulas as Unicode and code as it is."""
    return _SPACES.sub(" ", " ".join(_words(parser().parse(markdown)))).strip()


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield "".join(_words(token.children or ()))
        elif token.children:
            yield from _words(token.children)
        elif token.type in (INLINE, DISPLAY):
            yield to_unicode(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            yield " "
        else:
            yield token.content


def _math(token: Token, env: EnvType) -> str:
    display = token.type == DISPLAY
    try:
        shown = to_mathml(token.content.strip(), display=display)
    except ValueError as error:
        env["unread"].append(str(error))
        shown = f"<code>{html.escape(token.content)}</code>"
    return f'<span class="display">{shown}</span>' if display else shown


def _code_inline(token: Token, env: EnvType) -> str:  # noqa: ARG001  # every writer gets the same
    return f"<code>{html.escape(token.content)}</code>"


def _code_block(token: Token, env: EnvType) -> str:  # noqa: ARG001
    language = "".join(token.info.lower().split()[:1])
    return f'<pre class="code"><code>{highlight(token.content, language)}</code></pre>\n'


def _image(token: Token, env: EnvType) -> str:
    source = html.escape(env["media"](image_source(token)))
    told = _RENDERER.renderInlineAsText(token.children or (), parser().options, env)
    return f'<img src="{source}" alt="{html.escape(told)}">'


def _link(token: Token, env: EnvType) -> str:  # noqa: ARG001
    """A link that leads out of the course; others have nothing on these pages to lead to."""
    target = str(token.attrGet("href"))
    return f'<a href="{html.escape(target)}">' if _ABROAD.match(target) else "<a>"


_WRITERS: Final = {
    "math_inline": _math,
    "math_display": _math,
    "code_inline": _code_inline,
    "code_block": _code_block,
    "fence": _code_block,
    "image": _image,
    "link_open": _link,
    # The page has headings of the first and second order, the card's title being of the second.
    "heading_open": lambda *_: "<h3>",
    "heading_close": lambda *_: "</h3>\n",
    "table_open": lambda *_: '<div class="scroll"><table>\n',
    "table_close": lambda *_: "</table></div>\n",
}


class _Renderer(RendererHTML):
    """The library's renderer with our writers."""

    def __init__(self) -> None:
        super().__init__()
        rules: dict[str, Any] = self.rules
        rules |= {kind: partial(self._write, write) for kind, write in _WRITERS.items()}

    @staticmethod
    def _write(
        write: Any,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,  # noqa: ARG004  # the library passes them to every rule
        env: EnvType,
    ) -> str:
        return str(write(tokens[idx], env))


_RENDERER: Final = _Renderer()
