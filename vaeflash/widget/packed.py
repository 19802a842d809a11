"""A plane in the JSON that a course keeps, read again. Nothing in it is more than text and numbers.

    {"kind": "plane", "ends": ["1", "8"], "decoders": [{
        "name": "...",             shown on the switch
        "widths": [2, 32, 784],    of the layers
        "weights": "...",          base 85: of each layer the weights row by row and the biases, a
                                   signed byte each, then the rows' scales and that of the biases,
                                   16-bit floats, the low byte first
        "codes": "...",            base 85: x and y in 1/127 of REACH, a signed byte each, by class
        "counts": [40, ...],       how many codes there are of each class
        "homes": [[x, y], ...],    where the name of each class stands, or null
        "path": [[x, y], [x, y]]}]}

Base 85 is Python's `base64.b85encode`, its input filled up with zeros to four bytes.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from vaeflash.plain import parse_json

REACH = 3.5
"""Half the side of the square, in units of the prior's deviation; codes beyond are not shown."""
CLASSES = 10
_FAR = 1e6


def from_json(text: str) -> dict[str, Any]:
    """What `to_json` wrote, known to be whole: nothing in it is more than text and numbers.

    Raises:
        ValueError: It is anything else.
    """
    try:
        data = parse_json(text)
        decoders = [_checked(decoder) for decoder in data["decoders"]]
        ends = [_text(end) for end in data["ends"]]
        if data["kind"] != "plane" or not decoders or len(ends) != 2:
            raise ValueError("not a plane")
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a plane: {type(error).__name__} {error}") from error
    return {"kind": "plane", "ends": ends, "decoders": decoders}


def weight_bytes(widths: Sequence[int]) -> int:
    """What the layers between these widths take: a byte a number, two for each scale."""
    return sum(n * k + 3 * n + 2 for k, n in pairwise(widths))


def _checked(decoder: Mapping[str, Any]) -> dict[str, Any]:
    widths = [_natural(width) for width in decoder["widths"]]
    counts = [_natural(count) for count in decoder["counts"]]
    path = [_point(point) for point in decoder["path"]]
    homes = [home if home is None else _point(home) for home in decoder["homes"]]
    if len(widths) < 2 or widths[0] != 2 or math.isqrt(widths[-1]) ** 2 != widths[-1]:
        raise ValueError(f"widths {widths} do not lead from two numbers to a square picture")
    if len(counts) != CLASSES or len(homes) != CLASSES or len(path) != 2:
        raise ValueError("not ten classes, or not two points to walk between")
    return {
        "name": _text(decoder["name"]),
        "widths": widths,
        "weights": _coded(decoder["weights"], weight_bytes(widths)),
        "codes": _coded(decoder["codes"], 2 * sum(counts)),
        "counts": counts,
        "homes": homes,
        "path": path,
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a name is not a text")
    return value


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _point(value: Any) -> list[float]:
    x, y = value
    # Compared rather than added: a whole number may be larger than any float.
    if {type(x), type(y)} - {int, float} or not all(-_FAR < number < _FAR for number in value):
        raise ValueError(f"{value!r} is not a point")
    return [x, y]


def _coded(value: Any, expected: int) -> str:
    text = _text(value)
    if len(base64.b85decode(text)) != expected + -expected % 4:
        raise ValueError(f"{expected:,} bytes were expected in base 85")
    return text
