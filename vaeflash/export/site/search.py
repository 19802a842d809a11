"""The search's index: a script, since a page opened from a disk may load no other kind of file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from vaeflash.export.site.article import tags, words
from vaeflash.export.site.page import Chapter
from vaeflash.export.site.text import plain

INDEX: Final = "search-index.js"


def search_index(chapters: Sequence[Chapter]) -> str:
    """A program that hands the cards' words to the script that asked for it.

    `{decks: [[page, title], ..], cards: [[number of the deck, id, title, words, tags], ..]}`.
    """
    index = {
        "decks": [[chapter.address, chapter.title] for chapter in chapters],
        "cards": [
            [
                number,
                card.id,
                plain(card.title),
                words(card),
                " ".join(tags(chapter.deck, card)),
            ]
            for number, chapter in enumerate(chapters)
            for card in chapter.cards
        ],
    }
    # No name is left behind: the script's own element carries it.
    data = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    return f"document.currentScript.index={data};\n"
