"""Where density maps of molecules come from: they are drawn, by `vaeflash.lab.molecules`."""

from __future__ import annotations

from vaeflash.course.fingerprint import LAB
from vaeflash.data.drawn import code_fingerprint
from vaeflash.data.source import DataSource

DRAWN_BY = ("folding", "molecules")
"""Modules of the lab."""
CHOICES = ("density maps of chains that fold at random, drawn by vaeflash",)
LICENCE = "MIT, as vaeflash"


def find_molecules() -> DataSource:
    """The molecules that are drawn."""
    files = tuple(LAB / f"{module}.py" for module in DRAWN_BY)
    return DataSource("molecules", "drawn molecules", "drawn", files, code_fingerprint(files))
