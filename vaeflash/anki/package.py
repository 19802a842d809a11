"""Notes -> one `.apkg`, written as a whole or not at all."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import sqlite3
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import genanki

from vaeflash.anki.notes import Note, StatusOf, make_note, place
from vaeflash.card import Card, Deck
from vaeflash.errors import CardError, Problem
from vaeflash.files import write_atomically
from vaeflash.html import Media, inline_to_html
from vaeflash.ledger import Ledger
from vaeflash.media import MediaFiles


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What a package holds.

    Attributes:
        notes: One for each card of the course.
        cards: What Anki asks: a reversed card counts twice, a cloze card once for each number.
        decks: Decks with at least one note.
        media: Pictures.
        warnings: What the user may want to know before importing.
    """

    notes: int
    cards: int
    decks: int
    media: int
    warnings: tuple[Problem, ...] = ()


def build_package(
    course_id: str,
    course_title: str,
    decks: Sequence[Deck],
    ledger: Ledger,
    media_root: Path,
    out: Path,
    *,
    status_of: StatusOf | None = None,
    now: float | None = None,
) -> ExportReport:
    """Write the Anki package of a course.

    Args:
        course_id: Part of every note's and deck's identity.
        course_title: The deck in Anki under which all others are.
        decks: In the order in which new cards should come.
        ledger: The evidence; a claim that is not in it is shown as not run.
        media_root: The course's folder; deck paths and images are inside it.
        out: The `.apkg` to write; it is replaced as a whole.
        status_of: What each claim is worth; by default what the ledger says.
        now: Seconds since 1970, stamped on notes: Anki updates a note only from a later stamp.

    Raises:
        CardError: Cards cannot be exported as they are; every reason is reported.
        CourseError: `out` cannot be written.
    """
    stamp = time.time() if now is None else now
    media = MediaFiles(media_root)
    notes = _notes(course_id, decks, ledger, media, status_of)
    anki_decks = [genanki.Deck(_deck_id(course_id, ""), course_title)]
    for deck, own in zip(decks, notes, strict=True):
        anki_deck = genanki.Deck(
            _deck_id(course_id, deck.title),
            f"{course_title}::{deck.title}",
            inline_to_html(deck.description),
        )
        anki_deck.notes = own
        anki_decks.append(anki_deck)
    write_atomically(out, _zipped(_collection(anki_decks, stamp), media.contents))
    return ExportReport(
        notes=sum(map(len, notes)),
        cards=sum(len(note.cards) for own in notes for note in own),
        decks=len({deck.title for deck in decks if deck.cards}),
        media=len(media.contents),
        warnings=tuple(_warnings(decks, ledger)) if status_of is None else (),
    )


def _notes(
    course_id: str,
    decks: Sequence[Deck],
    ledger: Ledger,
    media: MediaFiles,
    status_of: StatusOf | None,
) -> list[list[Note]]:
    """The notes of each deck.

    Raises:
        CardError: With everything that is wrong with any card.
    """
    problems = list(_identity_problems(decks))
    positions = itertools.count(1)
    notes = []
    for deck in decks:
        own = []
        for card in deck.cards:
            name = _namer(media, deck, card, problems)
            try:
                note = make_note(course_id, deck, card, ledger, name, next(positions), status_of)
            except CardError as error:
                problems += error.problems
            else:
                own.append(note)
        notes.append(own)
    if problems:
        raise CardError(*dict.fromkeys(problems))
    return notes


def _namer(media: MediaFiles, deck: Deck, card: Card, problems: list[Problem]) -> Media:
    """Takes the images of a card along; what is wrong with them joins the other problems."""

    def name(source: str) -> str:
        try:
            return media.add(source, deck.path, place(deck, card))
        except CardError as error:
            problems.extend(error.problems)
            return source

    return name


def _identity_problems(decks: Sequence[Deck]) -> Iterator[Problem]:
    used = Counter(card.id for deck in decks for card in deck.cards)
    for deck in decks:
        for card in deck.cards:
            if card.id is None:
                yield Problem(
                    place(deck, card),
                    f"the card '{card.title}' has no id, so Anki could not keep its reviews.",
                    "Run `vaeflash id`, which writes one into the deck.",
                )
            elif used[card.id] > 1:
                yield Problem(
                    place(deck, card),
                    "another card of the course has the same id.",
                    "An id is unique in the course: choose another for the newer card.",
                )


def _warnings(decks: Sequence[Deck], ledger: Ledger) -> Iterator[Problem]:
    unknown = [
        card.id
        for deck in decks
        for card in deck.cards
        for claim in card.claims
        if ledger.get(card.id, claim.text, myth=claim.myth) is None
    ]
    if unknown:
        yield Problem(
            f"card '{unknown[0]}'" + (f" and {len(unknown) - 1} more" if unknown[1:] else ""),
            "the ledger says nothing of its claim, which is shown as not run.",
            "Run `vaeflash check` first to show evidence.",
        )


def _deck_id(course_id: str, title: str) -> int:
    """The identity of a deck in Anki, in the range of the milliseconds that Anki itself uses."""
    identity = json.dumps(["vaeflash", course_id, title]).encode()
    return 10**12 + int.from_bytes(hashlib.sha256(identity).digest()[:5], "big")


def _collection(decks: Sequence[genanki.Deck], stamp: float) -> bytes:
    """The SQLite file that Anki reads."""
    ids = itertools.count(int(stamp * 1000))
    with closing(sqlite3.connect(":memory:")) as database:
        genanki.Package(list(decks)).write_to_db(database.cursor(), stamp, ids)
        database.commit()
        return database.serialize()


def _zipped(collection: bytes, media: Mapping[str, bytes]) -> bytes:
    """The package: the collection, the pictures under numbers, and which number is which name."""
    names = json.dumps({str(number): name for number, name in enumerate(media)})
    parts: list[tuple[str, bytes]] = [("collection.anki2", collection), ("media", names.encode())]
    parts += [(str(number), content) for number, content in enumerate(media.values())]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            # Without a time of its own, so that equal cards and an equal stamp give equal bytes.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
