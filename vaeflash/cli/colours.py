"""Colours that can be read on a dark and on a light ground.

No terminal says reliably which it has, and the usual green, cyan and yellow all but vanish on white
(contrast 1.7 to 3.3 in the palettes that terminals come with). So the words `green` or `bold red`
mean colours here that lie midway: their contrast to black and to white is about the same, and at
least 3.8. Where a terminal knows only 16 colours, its own are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.theme import Theme

PALETTE: Final[Mapping[str, int]] = {
    "red": 160,
    "green": 28,
    "yellow": 130,
    "blue": 63,
    "magenta": 98,
    "cyan": 30,
}
"""Numbers in the palette of 256 colours."""

_MARKDOWN: Final = {
    "markdown.code": "bold cyan",
    "markdown.code_block": "cyan",
    "markdown.item.number": "cyan",
    "markdown.hr": "dim",
    "markdown.block_quote": "magenta",
    "markdown.link": "blue",
    "markdown.link_url": "blue underline",
    "markdown.table.border": "dim",
    "markdown.table.header": "bold",
}
"""Rich's own have a ground of their own, or bright yellow."""


_ATTRIBUTES: Final = ("", "bold ", "not bold ", "not dim ")
"""What else is said with a colour, in the order in which it is."""


def theme(*, many: bool) -> Theme:
    """What the names of styles mean on a console.

    Args:
        many: Whether it has more than 16 colours.
    """
    if not many:
        return Theme(_MARKDOWN)
    names = [f"{attribute}{name}" for name in PALETTE for attribute in _ATTRIBUTES]
    return Theme(
        {name: in_palette(name) for name in names}
        | {name: in_palette(style) for name, style in _MARKDOWN.items()}
    )


def in_palette(style: str) -> str:
    """The style with its colour words as numbers: `bold color(28)` for `bold green`."""
    return " ".join(
        f"color({PALETTE[word]})" if word in PALETTE else word for word in style.split()
    )
