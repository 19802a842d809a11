"""What a page needs of a plane: an element with the still picture, a script, and styles."""

from __future__ import annotations

import json
import re
from importlib.resources import files

from vaeflash.text.html import escape
from vaeflash.widget.packed import from_json

_TEXT = re.compile(r'("[^"]*")')
_AROUND_SIGN = re.compile(r"\s*([{}()\[\],;:?=<>*/|&!+-])\s*")


def plane_html(name: str, picture: str, caption: str) -> str:
    """The element that the script takes over; without scripts a picture with its caption.

    Args:
        name: Of the plane, as `to_script` was told.
        picture: Where the page finds the still picture.
        caption: Plain text.
    """
    told = escape(caption)
    return (
        f'<figure class="plane" data-plane="{escape(name)}"><img src="{escape(picture)}" '
        f'alt="{told}"><figcaption>{told}</figcaption></figure>'
    )


def to_script(packed: str, name: str) -> str:
    """A program that brings each plane of this name on its page to life; plain ASCII.

    Args:
        packed: What `to_json` wrote.
        name: E.g. `latent-plane/plane`.

    Raises:
        ValueError: `packed` is anything else.
    """
    data = json.dumps(from_json(packed), separators=(",", ":"))
    told = json.dumps(name)
    return f"{_program()}({told},{data});\n".replace("</", "<\\/")


def styles() -> str:
    """CSS of the classes that the script uses, in the colours of the page around it."""
    return _read("plane.css")


def _program() -> str:
    """`plane.js` without comments, which have lines of their own there, and without spaces.

    A space beside a sign says nothing outside a text, as long as no `+` stands beside a `+`.
    """
    lines = (line.strip() for line in _read("plane.js").splitlines())
    code = "\n".join(line for line in lines if not line.startswith("//"))
    parts = _TEXT.split(code)
    parts[::2] = [_AROUND_SIGN.sub(r"\1", part) for part in parts[::2]]
    return "".join(parts)


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
