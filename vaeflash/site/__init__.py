"""Decks and the ledger -> static pages that any browser shows, from a disk or a server.

    cards + ledger -> pages, search index, media -> one folder

`build_site` reads cards, evidence and pictures; it runs no demo and needs no torch.
"""

from vaeflash.site.build import SiteReport, build_site
from vaeflash.site.folder import MANIFEST

__all__ = ["MANIFEST", "SiteReport", "build_site"]
