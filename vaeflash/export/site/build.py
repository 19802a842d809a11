"""A course's decks, evidence and pictures -> the files of its site."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vaeflash.card import Card, Deck
from vaeflash.course.card_ids import identity_problems, place
from vaeflash.course.media import MediaFiles
from vaeflash.errors import CardError, Problem
from vaeflash.export.edition import Edition
from vaeflash.export.site.article import Shown, article_html, figure_html
from vaeflash.export.site.folder import write_site
from vaeflash.export.site.page import (
    INDEX,
    PROGRAM,
    STYLES,
    Chapter,
    deck_page,
    index_page,
    page_files,
    program,
    styles,
)
from vaeflash.export.site.search import INDEX as SEARCH
from vaeflash.export.site.search import search_index
from vaeflash.export.site.text import Writer
from vaeflash.gallery import script_of
from vaeflash.judging.words import status_of
from vaeflash.widget.page import plane_html

MEDIA = "media"


@dataclass(frozen=True, slots=True)
class SiteReport:
    """What a site holds.

    Attributes:
        cards: Those that were chosen.
        decks: Pages with at least one card.
        media: Pictures, and scripts of those that can be touched.
        size: Bytes of all files together.
        written: Files that were not there or are different now.
        removed: Files of the last export that this one does not have.
        warnings: What the author may want to know.
    """

    cards: int
    decks: int
    media: int
    size: int
    written: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[Problem, ...] = ()


def build_site(edition: Edition, out: Path) -> SiteReport:
    """Write the site of a course; its title heads every page.

    Args:
        edition: What to show; the folder takes the pages of one course.
        out: The folder to write into; files that an export did not write are left alone.

    Raises:
        CardError: Cards cannot be shown as they are; every reason is reported.
        CourseError: The folder cannot be written, or holds somebody else's files of these names.
    """
    decks = edition.decks
    problems = [*identity_problems(decks, "nothing could link to it"), *_unnamed(decks)]
    if problems:
        raise CardError(*problems)
    chapters = list(_chapters(edition))
    build = _Build(edition, chapters)
    site = build.files()
    written, removed = write_site(out, edition.course_id, site)
    return SiteReport(
        cards=sum(len(chapter.cards) for chapter in chapters),
        decks=len(chapters),
        media=sum(name.startswith(f"{MEDIA}/") for name in site),
        size=sum(map(len, site.values())),
        written=written,
        removed=removed,
        warnings=tuple(build.warnings),
    )


class _Build:
    """Writes the pages, collecting media and problems."""

    def __init__(self, edition: Edition, chapters: Sequence[Chapter]) -> None:
        self.warnings: list[Problem] = []
        self._edition = edition
        self._chapters = chapters
        self._pictures = MediaFiles(edition.root)
        self._programs: dict[str, bytes] = {}
        self._problems: list[Problem] = []

    def files(self) -> dict[str, bytes]:
        """Every file of the site, by its path in the folder.

        Raises:
            CardError: An image or a figure cannot be used; every one is reported.
        """
        writer = Writer(str)
        pages = {INDEX: index_page(self._edition.title, self._chapters, writer)}
        for number, chapter in enumerate(self._chapters):
            pages[chapter.file] = self._deck(number, chapter)
        if self._problems:
            raise CardError(*dict.fromkeys(self._problems))
        texts = pages | {
            STYLES: styles(),
            PROGRAM: program(),
            SEARCH: search_index(self._chapters),
        }
        pictures = {f"{MEDIA}/{name}": data for name, data in self._pictures.contents.items()}
        return {name: text.encode() for name, text in texts.items()} | pictures | self._programs

    def _deck(self, number: int, chapter: Chapter) -> str:
        articles, scripts = [], []
        for card in chapter.cards:
            where = place(chapter.deck, card)
            writer = Writer(partial(self._image, deck=chapter.deck, where=where))
            figure = self._figure(chapter.deck, card)
            evidence = self._edition.evidence(card)
            articles.append(article_html(chapter.deck, card, evidence, figure, writer))
            scripts.append(figure.script)
            self.warnings += [
                Problem(where, f"a formula stays TeX: {reason}", "Write it another way.")
                for reason in dict.fromkeys(writer.unread)
            ]
        used = list(dict.fromkeys(filter(None, scripts)))
        return deck_page(self._edition.title, self._chapters, number, articles, used, Writer(str))

    def _image(self, source: str, deck: Deck, where: str) -> str:
        """Takes a picture along; what is wrong with it joins the other problems."""
        try:
            return f"{MEDIA}/{self._pictures.add(source, deck.path, where)}"
        except CardError as error:
            self._problems += error.problems
            return source

    def _figure(self, deck: Deck, card: Card) -> Shown:
        where = place(deck, card)
        self.warnings += self._edition.gallery.missing(card, where)
        picture = self._edition.gallery.of(card)
        if picture is None:
            return Shown()
        source = self._image(picture.path, Deck(""), where)
        if not picture.widget:
            return Shown(figure_html(source, picture.caption))
        try:
            data = script_of(self._edition.root, picture).encode()
        except CardError as error:
            self._problems += error.problems
            return Shown()
        # No `_` in front, as in Anki: servers for project pages hide such files.
        name = f"{MEDIA}/plane-{hashlib.sha256(data).hexdigest()[:20]}.js"
        self._programs[name] = data
        return Shown(plane_html(picture.called, source, picture.caption), name)


def _unnamed(decks: Sequence[Deck]) -> Iterator[Problem]:
    """Decks whose page could not be named after their file."""
    for deck in decks:
        shown = deck.path.encode(errors="surrogateescape").decode(errors="backslashreplace")
        if shown != deck.path:
            yield Problem(shown, "the name of this file is not UTF-8.", "Rename it: no link could.")


def _chapters(edition: Edition) -> Iterator[Chapter]:
    for deck, file in zip(edition.decks, page_files(edition.decks), strict=True):
        cards = [card for card in deck.cards if edition.has(card)]
        evidence = [entry for card in cards for _, entry in edition.evidence(card)]
        if cards or edition.chosen is None:
            yield Chapter(deck, cards, [status_of(entry) for entry in evidence], file)
