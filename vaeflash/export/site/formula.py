"""TeX -> MathML, which every browser sets by itself: no script, no font, no request."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as Tree

from vaeflash.text.tex import beyond

if TYPE_CHECKING:
    from math_core import LatexToMathML

_STYLE: Final = ("displaystyle", "scriptlevel")
_STYLED: Final = {"math": _STYLE, "mstyle": _STYLE, "mtable": _STYLE[:1]}


@lru_cache(maxsize=4096)
def to_mathml(tex: str, *, display: bool) -> str:
    r"""A formula as a `<math>` element.

    Args:
        tex: Without its delimiters.
        display: Whether it stands by itself, in the larger style.

    Raises:
        ValueError: It holds something unknown or unfinished, or is beyond the bounds; the message
            says what.
    """
    from math_core import LatexError

    if reason := beyond(tex):
        raise ValueError(reason)
    try:
        mathml = _converter().convert_with_local_state(tex, displaystyle=display)
    except LatexError as error:
        raise ValueError(str(error)) from error
    return _with_mstyle(mathml) if any(name in mathml for name in _STYLE) else mathml


@cache
def _converter() -> LatexToMathML:
    from math_core import LatexToMathML

    # Labels of equations: an id that no card can have.
    return LatexToMathML(fancy_error=False, id_prefix="_equation-")


def _with_mstyle(mathml: str) -> str:
    """The same with changes of style on `<mstyle>`, where MathML 3 and so validators expect them.

    MathML Core and browsers take them anywhere.
    """
    try:
        root = Tree.fromstring(mathml.replace("&ApplyFunction;", "\u2061"))
    except Tree.ParseError as error:  # a control character, which no page may hold
        raise ValueError(str(error)) from error
    for element in list(root.iter()):
        may = _STYLED.get(element.tag, ())
        style = {k: v for k, v in element.items() if k in _STYLE and k not in may}
        if not style:
            continue
        inner = Tree.Element(element.tag, {k: v for k, v in element.items() if k not in style})
        inner.extend(element)
        tail = element.tail
        element.clear()
        element.tag, element.tail = "mstyle", tail
        element.attrib.update(style)
        element.append(inner)
    return Tree.tostring(root, encoding="unicode")
