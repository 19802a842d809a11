"""TeX formulas as one line of Unicode, for the terminal.

    TeX -> tokens -> atoms (a text and a class each) -> one line

A formula is translated as a whole or not at all: nothing in it is dropped.
"""

from __future__ import annotations

from vaeflash.text.tex.bounds import beyond
from vaeflash.text.tex.reader import FormulaReader
from vaeflash.text.tex.tokens import UnreadableError

__all__ = ["beyond", "to_unicode", "translate"]


def to_unicode(tex: str) -> str:
    r"""The formula as readable Unicode, e.g. `σ² = ½(a + b)`; the TeX itself if that fails.

    Args:
        tex: A formula without its delimiters `\( \)` or `\[ \]`.
    """
    unicode = translate(tex)
    return tex if unicode is None else unicode


def translate(tex: str) -> str | None:
    """The formula as readable Unicode, or None where it holds something unknown or unfinished."""
    try:
        return FormulaReader(tex).formula()
    except UnreadableError:
        return None
