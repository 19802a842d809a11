"""Data sets that are drawn: their content is the code that draws them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vaeflash.course.fingerprint import code_digest
from vaeflash.data.source import combined


def code_fingerprint(files: Iterable[Path]) -> str:
    """The fingerprint of modules in this order; comments and layout do not count.

    Raises:
        DemoError: One is not Python.
    """
    return combined(bytes.fromhex(code_digest(file)) for file in files)
