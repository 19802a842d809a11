"""Decks and the ledger -> one `.apkg` that Anki imports, again and again, without losing a review.

`build_package` reads cards, evidence and pictures; it runs no demo and needs no torch.
"""

from vaeflash.anki.package import ExportReport, build_package

__all__ = ["ExportReport", "build_package"]
