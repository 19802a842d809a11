r"""Card Markdown -> the HTML that Anki shows.

Everything is escaped here, once. Formulas come out as `\( \)` and `\[ \]`, which is all that
Anki's MathJax reads; code is highlighted with Pygments' CSS classes. What Anki would act on
(`[sound:..]`, `[latex]`, a written-out `\(`) is kept as text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any, Final

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from vaeflash.text.cloze import MAX_DEPTH, OPENER, numbers_in
from vaeflash.text.markdown import DISPLAY, INLINE, image_source, parser
from vaeflash.text.tex import beyond

Media = Callable[[str], str]
"""Source of an image as the author wrote it -> the name under which the page finds it."""

_MARKUP: Final = re.compile(r"(?![ ,.:;?()+='\"-])[\W_]")
"""What may mean more in a line than it says."""
_ANKI_TAG: Final = re.compile(r"\[(?=sound:|anki:|/?latex\]|/?\$)", re.IGNORECASE)
_AFTER_BRACKET: Final = re.compile(r"\{\{c|sound:|anki:|/?latex\]|/?\$", re.IGNORECASE)
"""What must not stand right behind the bracket of `\\[`."""
_CLOZE_WORD: Final = re.compile(
    r"(?:sound|anki|image-occlusion)(?=:|\{\{|\}\})|(?:latex|\$\$?)(?=\]|\{\{|\}\})", re.IGNORECASE
)
"""What Anki acts on in a cloze, or once it has put a hint into brackets."""
_MATH_DELIMITER: Final = re.compile(r"\\(?=[()\[\]]|&#91;)")
_CLOZE_OPEN: Final = re.compile(OPENER)
_CLOZE_PIECE: Final = re.compile(rf"{OPENER}|\\.|[{{}}]", re.DOTALL)
_TWO_ENDS: Final = re.compile(r"\}(?=\})")
_CLOZE_MARK: Final = re.compile(rf"{OPENER}|\}}\}}")


def to_html(markdown: str, media: Media | None = None) -> str:
    """A card's text as HTML.

    Args:
        markdown: The text as the deck has it.
        media: Names the images; without it their sources stay as written.
    """
    return _render(parser().parse(markdown, env := _env(media)), env)


def inline_to_html(markdown: str, media: Media | None = None) -> str:
    """A title or a citation as HTML, without a paragraph around it."""
    if not _MARKUP.search(markdown):  # most have none, and need no parser
        return markdown.strip()
    return _render(parser().parseInline(markdown, env := _env(media)), env)


def cloze_to_html(markdown: str, media: Media | None = None) -> str:
    """A cloze card's text as HTML: `{{c1::..}}` keeps working, in formulas and code too.

    Braces that only look like the end of a cloze are parted: `} }` in TeX, an entity in code.
    `::` is a hint in text and formulas; in code it stays code.
    """
    return _render(parser().parse(markdown, env := _env(media, cloze=True)), env)


def cloze_numbers(rendered: str) -> tuple[int, ...]:
    """The clozes that Anki makes cards of, sorted: those that are closed and not number 0.

    Raises:
        ValueError: A cloze is opened and never closed, or stands in too many others, so Anki
            shows it as text.
    """
    numbers: set[int] = set()
    opened: list[str] = []
    for mark in _CLOZE_MARK.finditer(rendered):
        if mark[1]:
            opened.append(mark[1])
        elif opened:
            numbers |= numbers_in(opened.pop())
        if len(opened) > MAX_DEPTH:
            raise ValueError(f"clozes stand in one another more than {MAX_DEPTH} deep")
    if opened:
        raise ValueError(f"the cloze {{{{c{opened[-1]}:: is never closed")
    return tuple(sorted(numbers - {0}))


def escape(text: str) -> str:
    """Text for an attribute, for code, or for anything else in which there is no mathematics."""
    return _inert(html.escape(text)).replace("\\", "&#92;")


@lru_cache(maxsize=4096)
def highlight(code: str, language: str) -> str:
    """Code as HTML with a CSS class around each token; plain text if the language is unknown.

    Kept, because Pygments is most of a build and decks are rebuilt with few changes per card.
    """
    lexer = _lexer(language) if language else None
    if lexer is None:
        return escape(code)
    return _inert(_paint(code, lexer)).replace("\\", "&#92;")


# Highlighting alone needs Pygments, which costs as much to import as the parser.


@lru_cache(maxsize=64)
def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return None


def _paint(code: str, lexer: Any) -> str:
    from pygments import highlight as paint

    painted: str = paint(code, lexer, _formatter())
    return painted


@cache
def _formatter() -> Any:
    from pygments.formatters.html import HtmlFormatter

    return HtmlFormatter(nowrap=True)


def _text(token: Token, env: EnvType) -> str:
    escaped = _inert(html.escape(token.content, quote=False))
    # MathJax looks for delimiters in one piece of text, so an element in between parts them.
    text = _MATH_DELIMITER.sub(r"<span>\\</span>", escaped)
    return _spelt(text) if env["cloze"] else text


def _math(token: Token, env: EnvType) -> str:
    if beyond(token.content):
        return _code_inline(token, env)
    tex = _tex(token.content, env)
    if token.type == INLINE:
        return rf"\({tex}\)"
    return rf"\[ {tex}\]" if _AFTER_BRACKET.match(tex) else rf"\[{tex}\]"


def _code_inline(token: Token, env: EnvType) -> str:
    return f"<code>{_code(token.content, '', env)}</code>"


def _code_block(token: Token, env: EnvType) -> str:
    language = token.info.lower().split()[:1]
    return f'<pre class="code"><code>{_code(token.content, "".join(language), env)}</code></pre>\n'


def _image(token: Token, env: EnvType) -> str:
    source = image_source(token)
    token.attrSet("src", env["media"](source) if env["media"] else str(token.attrGet("src")))
    token.attrSet("alt", _RENDERER.renderInlineAsText(token.children, parser().options, env))
    return f"<img{_RENDERER.renderAttrs(token)}>"


_WRITERS: Final[dict[str, Callable[[Token, EnvType], str]]] = {
    "text": _text,
    INLINE: _math,
    DISPLAY: _math,
    "code_inline": _code_inline,
    "code_block": _code_block,
    "fence": _code_block,
    "image": _image,
    # A wide table scrolls inside its own box.
    "table_open": lambda *_: '<div class="scroll"><table>\n',
    "table_close": lambda *_: "</table></div>\n",
}


class _Renderer(RendererHTML):
    """The library's renderer with our writers, and with attributes that stay attributes."""

    def __init__(self) -> None:
        super().__init__()
        rules: dict[str, Any] = self.rules
        rules |= {kind: partial(self._write, write) for kind, write in _WRITERS.items()}

    @staticmethod
    def _write(
        write: Callable[[Token, EnvType], str],
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,  # noqa: ARG004  # the library passes them to every rule
        env: EnvType,
    ) -> str:
        return write(tokens[idx], env)

    @staticmethod
    def renderAttrs(token: Token) -> str:  # noqa: N802  # the library's name
        """An element's attributes, escaped."""
        if not token.attrs:
            return ""
        return "".join(
            f' {name}="{_unmarked(escape(str(value)))}"' for name, value in token.attrItems()
        )


_RENDERER: Final = _Renderer()


def _env(media: Media | None, *, cloze: bool = False) -> MutableMapping[str, Any]:
    return {"media": media, "cloze": cloze}


def _render(tokens: Sequence[Token], env: EnvType) -> str:
    return _RENDERER.render(tokens, parser().options, env).strip()


def _inert(escaped: str) -> str:
    """Without the tags in brackets that Anki acts on, wherever in a field they stand."""
    return _ANKI_TAG.sub("&#91;", escaped)


def _spelt(escaped: str) -> str:
    """With a letter of each word that Anki acts on in a cloze written as an entity."""
    return _CLOZE_WORD.sub(lambda word: f"&#{ord(word[0][0])};{word[0][1:]}", escaped)


def _unmarked(escaped: str) -> str:
    """Without anything that Anki could take for a part of a cloze."""
    return escaped.replace("{{", "{&#123;").replace("}}", "}&#125;").replace("::", ":&#58;")


def _tex(tex: str, env: EnvType) -> str:
    escaped = _inert(html.escape(tex, quote=False))
    if not env["cloze"]:
        return escaped
    parts = list(_cloze_parts(escaped))
    for number, (is_mark, part) in enumerate(parts):
        if not is_mark:
            before_end = parts[number + 1 : number + 2] == [(True, "}}")]
            apart = _TWO_ENDS.sub("} ", part + "}" * before_end)
            parts[number] = (False, apart.removesuffix("}") if before_end else apart)
    tex = _spelt("".join(part for _, part in parts))
    # Anki fills in a formula's holes without an element around them, so any bracket may be read on.
    return tex.replace("[", "&#91;") if len(parts) > 1 else tex


def _code(code: str, language: str, env: EnvType) -> str:
    if not env["cloze"]:
        return highlight(code, language)
    if not _CLOZE_OPEN.search(code):
        return _unmarked(highlight(code, language))
    # Highlighting would cut the marks apart.
    return _spelt(
        "".join(
            part if is_mark else _unmarked(escape(part)).replace("}", "&#125;")
            for is_mark, part in _cloze_parts(code)
        )
    )


def _cloze_parts(text: str) -> Iterator[tuple[bool, str]]:
    """The marks of clozes, and what is between them; braces inside a cloze are matched."""
    depths: list[int] = []
    done = position = 0
    while piece := _CLOZE_PIECE.search(text, position):
        mark = ""
        if piece[0].startswith("{{"):
            mark = piece[0]
            depths.append(0)
        elif depths and piece[0] == "{":
            depths[-1] += 1
        elif depths and piece[0] == "}" and depths[-1]:
            depths[-1] -= 1
        elif depths and text.startswith("}}", piece.start()):
            mark = "}}"
            depths.pop()
        position = piece.start() + len(mark or piece[0])
        if mark:
            yield False, text[done : piece.start()]
            yield True, mark
            done = position
    yield False, text[done:]
