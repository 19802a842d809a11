"""Whole pages: the course with its decks, and a deck with its cards."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from itertools import count
from pathlib import PurePosixPath
from string import Template
from typing import Final
from urllib.parse import quote

from vaeflash.card import Card, Deck, Status
from vaeflash.export.site.text import Writer, plain
from vaeflash.widget.page import styles as plane_styles

INDEX: Final = "index.html"
STYLES: Final = "site.css"
PROGRAM: Final = "site.js"

_DEVICES: Final = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)
}
_STEM_BYTES: Final = 232
"""Of a name of at most 255 bytes; the rest is for `.html`, and for the name while it is written."""

# Ids of cards have small letters only: these can be none of them.
_PAGE: Final = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="vaeflash">
<title>$title</title>
<link rel="stylesheet" href="site.css">
<script src="site.js" defer></script>$scripts
</head>
<body>
<a class="skip" href="#Main">Skip to the content</a>
<header>$home
<div role="search" hidden>
<label for="Query">Search</label>
<input id="Query" type="search" autocomplete="off" spellcheck="false">
<p id="Count" role="status"></p>
<ol id="Found"></ol>
</div>
</header>
<main id="Main" tabindex="-1">
$main
</main>
<footer>
<p>$footer</p>
</footer>
</body>
</html>
""")
_HOME: Final = '\n<nav aria-label="Course"><a href="index.html">{}</a></nav>'
_FOOTER: Final = (
    "Made by vaeflash from cards and a ledger of experiments. "
    "What a verdict means: the claim was tried on fresh random seeds, and under each of its "
    "controls it has to come out the other way."
)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A deck as the site shows it.

    Attributes:
        cards: Those that were chosen.
        statuses: What their claims are worth.
        file: Its page.
    """

    deck: Deck
    cards: Sequence[Card]
    statuses: Sequence[Status]
    file: str

    @property
    def title(self) -> str:
        """Plain text; `::` makes sub-decks elsewhere."""
        return self.deck.title.replace("::", ": ")

    @property
    def address(self) -> str:
        """Its page as a link writes it."""
        return quote(self.file)


def page_files(decks: Sequence[Deck]) -> list[str]:
    """The page of each deck, named after the deck's file, so that links stay when titles change.

    No two are the same for any file system, not for one that takes `A` and `a` for one letter. A
    name that is taken goes on with a number; small letters come first.

    Args:
        decks: All of the course: which of them are shown must not change a link.
    """
    stems = [PurePosixPath(deck.path).stem for deck in decks]
    order = sorted(
        range(len(decks)),
        key=lambda n: (_is_reserved(stems[n]), stems[n] != _folded(stems[n]), stems[n]),
    )
    names = [""] * len(decks)
    taken: set[str] = set()
    for number in order:
        stem = stems[number]
        name = stem if not _is_reserved(stem) else f"{_shortened(stem)}-deck"
        free = next(n for n in _numbered(name) if _folded(n) not in taken)
        taken.add(_folded(free))
        names[number] = f"{free}.html"
    return names


def _is_reserved(stem: str) -> bool:
    """Whether no page can be called so: ours is, or a device of Windows, or it is too long."""
    return (
        _folded(stem) == "index"
        or _folded(stem).partition(".")[0] in _DEVICES
        or len(stem.encode()) > _STEM_BYTES
    )


def _shortened(stem: str) -> str:
    """The beginning of a name that is too long, with a hash of all of it."""
    content = stem.encode()
    if len(content) <= _STEM_BYTES:
        return stem
    begin = content[: _STEM_BYTES - 30].decode(errors="ignore")
    return f"{begin}-{hashlib.sha256(content).hexdigest()[:8]}"


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _folded(name: str) -> str:
    """The name as a file system may see it that knows no capitals."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def index_page(course: str, chapters: Sequence[Chapter], writer: Writer) -> str:
    """The course: its decks with what is in them."""
    cards = sum(len(chapter.cards) for chapter in chapters)
    statuses = [status for chapter in chapters for status in chapter.statuses]
    main = [
        f"<h1>{escape(course)}</h1>",
        f"<p>{_count(cards, 'card')} in {_count(len(chapters), 'deck')}. {_worth(statuses)}</p>",
        '<ul class="decks">',
        *(_entry(chapter, writer) for chapter in chapters),
        "</ul>",
    ]
    return _page(course, course, main, here=True)


def deck_page(
    course: str,
    chapters: Sequence[Chapter],
    number: int,
    articles: Sequence[str],
    scripts: Sequence[str],
    writer: Writer,
) -> str:
    """A deck: its cards in order.

    Args:
        course: The course's title.
        chapters: All of them.
        number: Which one this is, from 0.
        articles: The cards, as `article_html` writes them.
        scripts: Addresses of the programs of what can be touched.
        writer: Renders the deck's description and the titles.
    """
    chapter = chapters[number]
    main = [
        f"<h1>{escape(chapter.title)}</h1>",
        f"<p>{writer.inline(chapter.deck.description)}</p>" if chapter.deck.description else "",
        f'<details class="contents"><summary>{_count(len(chapter.cards), "card")}</summary>',
        '<nav aria-label="Cards of this deck"><ol>',
        *(f'<li><a href="#{c.id}">{escape(plain(c.title))}</a></li>' for c in chapter.cards),
        "</ol></nav></details>",
        *articles,
        *_neighbours(chapters, number),
    ]
    return _page(course, f"{chapter.title} – {course}", main, scripts=scripts)


def styles() -> str:
    """CSS of every page, and of what can be touched there."""
    return _read(STYLES) + plane_styles()


def program() -> str:
    """The one script of ours: opens the card that a link names, and searches."""
    return _read(PROGRAM)


def _page(
    course: str,
    title: str,
    main: Sequence[str],
    *,
    scripts: Sequence[str] = (),
    here: bool = False,
) -> str:
    return _PAGE.substitute(
        title=escape(title),
        home="" if here else _HOME.format(escape(course)),
        scripts="".join(f'\n<script src="{escape(each)}" defer></script>' for each in scripts),
        main="\n".join(filter(None, main)),
        footer=_FOOTER,
    )


def _entry(chapter: Chapter, writer: Writer) -> str:
    told = f"<p>{writer.inline(chapter.deck.description)}</p>" if chapter.deck.description else ""
    return (
        f'<li><h2><a href="{chapter.address}">{escape(chapter.title)}</a></h2>{told}'
        f'<p class="limits">{_count(len(chapter.cards), "card")}. '
        f"{_worth(chapter.statuses)}</p></li>"
    )


def _neighbours(chapters: Sequence[Chapter], number: int) -> Iterator[str]:
    if len(chapters) == 1:
        return
    yield '<nav class="neighbours" aria-label="Decks before and after">'
    if number:
        before = chapters[number - 1]
        yield f'<a rel="prev" href="{before.address}">← {escape(before.title)}</a>'
    if number + 1 < len(chapters):
        after = chapters[number + 1]
        yield f'<a rel="next" href="{after.address}">{escape(after.title)} →</a>'
    yield "</nav>"


def _worth(statuses: Sequence[Status]) -> str:
    """How many claims there are, and what is known of them."""
    if not statuses:
        return "No claims."
    found = Counter(statuses)
    told = ", ".join(f"{found[status]} {_words(status)}" for status in Status if found[status])
    return f"{_count(len(statuses), 'claim')}: {told}."


def _words(status: Status) -> str:
    known = {Status.BUSTED: "refuted as myths", Status.NOT_RUN: "not run"}
    return known.get(status, str(status))


def _count(number: int, word: str) -> str:
    return f"{number} {word if number == 1 else word + 's'}"


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
