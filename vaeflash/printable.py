"""Other people's words on a terminal: shown, never obeyed."""

from __future__ import annotations

import json
import re
import shlex
from typing import Final

_UNSAFE: Final = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # what turns the direction of writing
    "\u2028\u2029"  # line ends that only some programs know
    "\ud800-\udfff"  # surrogates, which no encoding takes
    "\U000e0000-\U000e007f"  # tags, which nobody sees
    "]"
)
STAND_IN: Final = "\N{REPLACEMENT CHARACTER}"
"""One column wide, so that tables keep their shape, and known as the sign of text that is damaged.
Pictures such as \N{SYMBOL FOR ESCAPE} exist for a third of what is replaced only."""


def printable(text: str) -> str:
    """The text with a stand-in for each character that would do more than be seen.

    Nothing that comes out moves the cursor, gives the terminal an order, or turns or hides what
    stands around it. The length stays the same.
    """
    return _UNSAFE.sub(STAND_IN, text)


def escaped(document: str) -> str:
    """A JSON document with such characters as their numbers: what it says is the same."""
    return _UNSAFE.sub(lambda match: json.dumps(match[0])[1:-1], document)


def command(*words: str) -> str:
    """A command of ours as a shell takes it, whatever names are in it."""
    return shlex.join(("vaeflash", *words))
