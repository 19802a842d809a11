"""Data sets that are drawn: their content is the code that draws them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from vaeflash.data.source import combined
from vaeflash.fingerprint import canonical, parse_module


def code_fingerprint(files: Iterable[Path]) -> str:
    """The fingerprint of modules in this order; comments and layout do not count.

    Raises:
        DemoError: One is not Python.
    """
    return combined(map(_code, files))


@cache
def _code(path: Path) -> bytes:
    return hashlib.sha256(canonical(parse_module(path, path.name)).encode()).digest()
