"""Decks and the ledger -> static pages that any browser shows, from a disk or a server.

    cards + ledger -> pages, search index, media -> one folder

`build_site` reads cards, evidence and pictures; it runs no demo and needs no torch.
"""

from vaeflash.export.site.build import SiteReport, build_site
from vaeflash.export.site.folder import check_folder

__all__ = ["SiteReport", "build_site", "check_folder"]
