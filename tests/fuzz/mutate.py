"""Documents that are nearly valid: a sound one, and what edits, accidents and malice make of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

ODD: Sequence[Any] = (
    *(None, True, False, 0, 1, -1, 7, 2**31, 2**53, 2**64, -(2**60), 10**400),
    *(0.5, -0.0, 1e308, float("inf"), float("-inf"), float("nan")),
    *("", "x", "1000", "../x", "/etc/passwd", "a\0b", "\ud800", "\udcff", "‮", "\x1b]0;x\x07"),
    *("é" * 200, "CON", "2026-02-30", "9999-12-31", "0001-01-01", "nan", "true", "\u2028"),
    *([], {}, [[]], [None], {"": None}, [1, "a"], {"a": {"b": []}}, [True, 2], [1.5]),
)
"""Values that somebody may write where others belong."""
DEPTHS = (40, 90, 300, 990, 1_100, 3_000, 20_000)


def odd(draw: Random) -> Any:
    """A value that hardly ever fits."""
    return draw.choice(ODD)


def reshaped(draw: Random, document: Any) -> Any:
    """The JSON document with one of its values, at any depth, replaced, doubled or gone."""
    if draw.random() < 0.3 or not isinstance(document, dict | list) or not document:
        return odd(draw) if draw.random() < 0.8 else [document, document]
    if isinstance(document, list):
        place = draw.randrange(len(document))
        new = [reshaped(draw, document[place])]
        return [*document[:place], *draw.choice((new, new, [], 2 * new)), *document[place + 1 :]]
    name = draw.choice(list(document))
    rest = {key: value for key, value in document.items() if key != name}
    match draw.randrange(6):
        case 0:
            return rest
        case 1:
            return document | {str(odd(draw)): odd(draw)}
        case 2:
            return rest | {str(odd(draw)): document[name]}
        case _:
            return document | {name: reshaped(draw, document[name])}


def as_json(draw: Random, document: Any) -> bytes:
    """The document as JSON, its characters escaped or not; sometimes nested beyond any stack."""
    text = json.dumps(document, ensure_ascii=draw.random() < 0.5)
    if draw.random() < 0.02:
        depth = draw.choice(DEPTHS)
        opening, closing = draw.choice((("[", "]"), ('{"a":', "}")))
        deep = opening * depth + "1" + closing * draw.choice((0, depth))
        old = draw.choice(("1", '"', "null", "{}", "true", "[]"))
        text = text.replace(old, deep, 1)
    return text.encode("utf-8", "surrogatepass")


def json_like(draw: Random, document: Any, times: int = 3) -> bytes:
    """JSON near a valid document: other shapes, other values, other bytes."""
    for _ in range(draw.randrange(times + 1)):
        document = reshaped(draw, document)
    content = as_json(draw, document)
    return damaged(draw, content) if draw.random() < 0.3 else content


def damaged(draw: Random, content: bytes, words: Sequence[bytes] = (b"\xff", b"\0")) -> bytes:
    """Bytes that were turned, cut off, lost, doubled, moved, or have words put between them."""
    for _ in range(draw.randint(1, 3)):
        size = len(content)
        here, there = sorted((draw.randint(0, size), draw.randint(0, size)))
        there = min(there, here + draw.choice((1, 8, 200)))
        piece = content[here:there]
        match draw.randrange(7):
            case 0 if size:
                at = draw.randrange(size)
                turned = bytes([content[at] ^ 1 << draw.randrange(8)])
                content = content[:at] + turned + content[at + 1 :]
            case 1:
                content = (
                    content[:here] if draw.random() < 0.3 else content[:here] + content[there:]
                )
            case 2:
                content = content[:there] + piece * draw.choice((1, 1, 3)) + content[there:]
            case 3:
                at = draw.randint(0, size)
                content = content[:at] + piece + content[at:]
            case _:
                word = draw.choice(words) * draw.choice((1, 1, 1, 2, 5))
                content = content[:here] + word + content[draw.choice((here, there)) :]
    return content


def text_like(samples: Sequence[str], words: Sequence[str]) -> Callable[[Random], bytes]:
    """Texts near one of the samples, in which the words of their language occur where they like."""
    pieces = [word.encode("utf-8", "surrogatepass") for word in words]
    pieces += [b"\xff", b"\0", b"\xed\xa0\x80", b"\r", b"\xe2\x80\xa8", b"\n", b"\n\n"]

    def make(draw: Random) -> bytes:
        if draw.random() < 0.2:
            return b"".join(draw.choice(pieces) for _ in range(draw.randrange(30)))
        return damaged(draw, draw.choice(samples).encode(), pieces)

    return make


def repeated(draw: Random, pairs: Sequence[tuple[str, str]], core: str = "x") -> bytes:
    """A core in a nest of brackets of any kind, closed or not."""
    opening, closing = draw.choice(pairs)
    depth = draw.choice(DEPTHS[:5])
    return (opening * depth + core + closing * draw.choice((0, depth))).encode()
