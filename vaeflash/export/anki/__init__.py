"""Decks and the ledger -> one `.apkg` that Anki imports, again and again, without losing a review.

`build_package` reads cards, evidence and pictures; it runs no demo and needs no torch.
"""

from vaeflash.export.anki.memory import Changes, ExportMemory
from vaeflash.export.anki.package import ExportReport, build_package
from vaeflash.export.anki.rendered import Rendered
from vaeflash.export.anki.scheduling import Carried, Progress

__all__ = [
    "Carried",
    "Changes",
    "ExportMemory",
    "ExportReport",
    "Progress",
    "Rendered",
    "build_package",
]
