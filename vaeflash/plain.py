"""Plain data of unknown origin: parsed, and held against what they should be.

A file may have been edited, cut off, or built to make a reader fall. Everything here says so by one
exception, ValueError, with a text that names the field; who reads the file says where it is and
what to do. What a document must hold is written down as a table:

    _INDEX = record({"code": text, "captions": each_in(text)})
    index = _INDEX(parse_json(content))
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias, TypeVar

from vaeflash.card import Value

Source = TypeVar("Source")
Content = TypeVar("Content")
Read: TypeAlias = Callable[[Any], Content]
"""Takes a value as it is or makes it what it stands for; raises ValueError if it is neither."""

_MOST = 2**53
"""Up to here floats count, and so does whatever else reads JSON."""

# Escapes are taken one by one, so that `\\ud800`, a backslash and five letters, stays what it is.
_ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]|(\\)u[dD][89a-fA-F]|\\.", re.DOTALL)


def parsed(parse: Callable[[Source], Content], source: Source) -> Content:
    """What a parser makes of a source, whatever that does to the parser.

    Raises:
        ValueError: It is nested more deeply than Python reads, or names a number or a character
            that there is not; or the parser says so itself.
    """
    try:
        return parse(source)
    except (ArithmeticError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def parse_json(document: str | bytes) -> Any:
    r"""What a JSON document says.

    Half of a surrogate pair is no character, and no file takes it: it becomes the six characters
    that spell it, `\ud800`.

    Raises:
        ValueError: It is not JSON in UTF-8, or nested more deeply than Python reads.
    """
    plain = document.decode("utf-8-sig") if isinstance(document, bytes) else document
    if "\\u" in plain:
        plain = _ESCAPE.sub(lambda escape: "\\" * bool(escape[1]) + escape[0], plain)
    return parsed(json.loads, plain)


_NOT_FINITE = frozenset({"nan", "inf", "-inf"})


def json_value(value: Value) -> Value:
    """The value as every JSON reader takes it: NaN and infinities become words."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def measured_value(value: Value) -> Value:
    """What `json_value` was given; a text that was one of its words becomes a number, too."""
    return float(value) if isinstance(value, str) and value in _NOT_FINITE else value


def text(value: Any) -> str:
    """A text."""
    return _of(str, value, "a text")


def flag(value: Any) -> bool:
    """True or false."""
    return _of(bool, value, "true or false")


def count(value: Any) -> int:
    """A whole number from 0 up."""
    if not 0 <= _of(int, value, "a count") <= _MOST:
        raise ValueError("this is not a count")
    return int(value)


def amount(value: Any) -> float:
    """A number from 0 up, infinity among them."""
    number = value if type(value) is int else _of(float, value, "a number")
    if not (0 <= number <= sys.float_info.max or number == math.inf):
        raise ValueError("this is not a number from 0 up")
    return float(number)


def each(read: Read[Content]) -> Read[tuple[Content, ...]]:
    """A list of such."""
    return lambda value: tuple(map(read, _of(list, value, "a list")))


def each_in(read: Read[Content], name: Read[Any] = text) -> Read[dict[str, Content]]:
    """An object of such, under any names, or under those that `name` takes."""

    def read_all(value: Any) -> dict[str, Content]:
        fields = _of(dict, value, "an object")
        return {name(key): _field(key, read, one) for key, one in fields.items()}

    return read_all


def record(
    fields: Mapping[str, Read[Any]], needed: Collection[str] | None = None
) -> Read[dict[str, Any]]:
    """An object of these fields and no others, each of its own kind.

    Args:
        fields: Name -> what it holds.
        needed: Those that may not be missing; by default all of them.
    """
    expected = fields if needed is None else needed

    def read_all(value: Any) -> dict[str, Any]:
        given = _of(dict, value, "an object")
        for name in sorted({*expected} - given.keys()):
            raise ValueError(f"'{name}' is missing")
        for name in sorted(given.keys() - fields.keys()):
            raise ValueError(f"'{name}' is no field of it")
        return {name: _field(name, fields[name], one) for name, one in given.items()}

    return read_all


def _field(name: str, read: Read[Content], value: Any) -> Content:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"'{name}': {error}") from error


def _of(kind: type[Content], value: Any, called: str) -> Content:
    # Not isinstance: true is no 1 here.
    if type(value) is not kind:
        raise ValueError(f"this is not {called}")
    return value
