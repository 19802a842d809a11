"""Notes -> one `.apkg`, written as a whole or not at all."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import shutil
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import genanki

from vaeflash.card import Card, Deck
from vaeflash.course.card_ids import identity_problems, place
from vaeflash.course.media import MediaFiles
from vaeflash.errors import CardError, CourseError, Problem
from vaeflash.export.anki.memory import Changes, ExportMemory, Remembered, content_hash
from vaeflash.export.anki.notes import Note, figure_html, make_note
from vaeflash.export.anki.notes_on_disk import NotesOnDisk
from vaeflash.export.anki.notetypes import CARD_NAME, CLOZE_NAME, card_type, cloze_type
from vaeflash.export.anki.rendered import Rendered
from vaeflash.export.anki.scheduling import Progress
from vaeflash.export.edition import Edition
from vaeflash.files import write_atomically
from vaeflash.gallery import script_of
from vaeflash.text.html import inline_to_html
from vaeflash.widget.page import plane_html


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What a package holds.

    Attributes:
        notes: One for each card that was chosen.
        cards: What Anki asks: a reversed card or a myth counts twice, a cloze card once for each
            number.
        decks: Decks with at least one note.
        media: Pictures, and scripts of those that can be touched.
        changes: What is different from the last export.
        warnings: What the user may want to know before importing.
    """

    notes: int
    cards: int
    decks: int
    media: int
    changes: Changes
    warnings: tuple[Problem, ...] = ()


def build_package(
    edition: Edition,
    out: Path,
    *,
    memory: ExportMemory | None = None,
    texts: Rendered | None = None,
    restamp: bool = False,
    progress: Progress | None = None,
    now: float | None = None,
) -> ExportReport:
    """Write the Anki package of a course; its title is the deck under which all others are.

    Args:
        edition: What to export.
        out: The `.apkg` to write; it is replaced as a whole.
        memory: What earlier exports held; brought up to date once the package is written. Equal
            content gives an equal package then. Without one every note is stamped with `now`.
        texts: Remembers rendered texts, so that a second export takes a fraction of the time.
        restamp: Stamp also what did not change, so that it wins over an export from elsewhere.
        progress: What was learned in the terminal, to take along; tells afterwards what went.
        now: Seconds since 1970.

    Raises:
        CardError: Cards cannot be exported as they are; every reason is reported.
        CourseError: `out` cannot be written, or there is no room for temporary files.
    """
    memory = memory or ExportMemory()
    texts = texts or Rendered()
    media = MediaFiles(edition.root)
    build = _Build(edition, media, texts)
    decks = edition.decks
    names = [f"{edition.title}::{deck.title}" for deck in decks]
    ids = [card.id for deck in decks for card in deck.cards if card.id]
    second = int(time.time() if now is None else now)
    complete = False
    try:
        with _scratch_told(), tempfile.TemporaryFile(prefix="vaeflash-") as file:
            notes = [NotesOnDisk(file, name) for name in names]
            build.notes(notes)
            complete = edition.chosen is None
            anki_decks = list(_anki_decks(edition, names, notes, NotesOnDisk(file, edition.title)))
            with memory.changing():
                changes = _stamp(notes, memory, ids, second, restamp=restamp)
                write_atomically(out, _package(anki_decks, memory, media.contents, progress))
                forgotten = [*_saved(memory)]
    finally:
        texts.save(whole=complete)
    return ExportReport(
        notes=sum(map(len, notes)),
        cards=sum(own.cards for own in notes),
        decks=len({deck.title for deck, own in zip(decks, notes, strict=True) if own}),
        media=len(media.contents),
        changes=changes,
        warnings=(
            *_unknown_claims(edition),
            *build.warnings,
            *_retyped(changes),
            *forgotten,
        ),
    )


def _anki_decks(
    edition: Edition, names: Sequence[str], notes: Sequence[NotesOnDisk], none: NotesOnDisk
) -> Iterator[genanki.Deck]:
    """The deck above all, which has no note, and those below it that have one, or all."""
    above = genanki.Deck(_deck_id(edition.course_id, ""), edition.title)
    above.notes = none
    yield above
    for deck, name, own in zip(edition.decks, names, notes, strict=True):
        if own or edition.chosen is None:
            number = _deck_id(edition.course_id, deck.title)
            below = genanki.Deck(number, name, inline_to_html(deck.description))
            below.notes = own
            yield below


@contextmanager
def _scratch_told() -> Iterator[None]:
    """Say of temporary files what keeps them from being written: a full disk, a missing folder."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        where = f"temporary folder {tempfile.tempdir or os.environ.get('TMPDIR', '')}".rstrip()
        advice = "Make room there, or name another folder by the variable TMPDIR."
        raise CourseError(Problem(where, f"cannot write there: {error}.", advice)) from error


class _Build:
    """Notes in the making, and what is wrong with their cards."""

    def __init__(self, edition: Edition, media: MediaFiles, texts: Rendered) -> None:
        self.warnings: list[Problem] = []
        self._edition = edition
        self._media = media
        self._texts = texts
        self._problems: list[Problem] = []

    def notes(self, notes: Sequence[NotesOnDisk]) -> None:
        """Put each deck's notes aside; places are counted through the whole course.

        Raises:
            CardError: With everything that is wrong with any card.
        """
        decks = self._edition.decks
        self._problems += identity_problems(decks, "Anki could not keep its reviews")
        positions = itertools.count(1)
        for deck, own in zip(decks, notes, strict=True):
            for card, position in zip(deck.cards, positions, strict=False):
                if self._edition.has(card) and (note := self._note(deck, card, position)):
                    own.put(note)
        if self._problems:
            raise CardError(*dict.fromkeys(self._problems))

    def _note(self, deck: Deck, card: Card, position: int) -> Note | None:
        try:
            figure, widget = self._figure(deck, card)
            return make_note(
                self._edition.course_id,
                deck,
                card,
                list(self._edition.evidence(card)),
                lambda source: self._named(source, deck, card),
                position,
                figure=figure,
                texts=self._texts,
                widget=widget,
            )
        except CardError as error:
            self._problems += error.problems
            return None

    def _named(self, source: str, deck: Deck, card: Card) -> str:
        """Takes an image of a card along; what is wrong with it joins the other problems."""
        try:
            return self._media.add(source, deck.path, place(deck, card))
        except CardError as error:
            self._problems += error.problems
            return source

    def _figure(self, deck: Deck, card: Card) -> tuple[str, str]:
        """What fills the fields `Figure` and `Widget`: one of them, or none.

        Raises:
            CardError: The picture or its data are gone or damaged.
        """
        self.warnings += self._edition.gallery.missing(card, place(deck, card))
        picture = self._edition.gallery.of(card)
        if picture is None:
            return "", ""
        name = self._media.add(picture.path, "", place(deck, card))
        if not picture.widget:
            return figure_html(name, picture.caption), ""
        program = self._media.add_script(script_of(self._edition.root, picture))
        script = f'<script src="{program}"></script>'
        return "", plane_html(picture.called, name, picture.caption) + script


def _stamp(
    notes: Sequence[NotesOnDisk],
    memory: ExportMemory,
    ids: Sequence[str],
    now: int,
    *,
    restamp: bool,
) -> Changes:
    """Give every note its stamp, and say what is different from the last export."""
    described = {card: one for own in notes for card, one in own.described.items()}
    types = {
        kind.name: Remembered(content_hash([kind.css, *map(json.dumps, kind.templates)]), 0)
        for kind in (card_type(), cloze_type())
    }
    changes = memory.update(described, types, ids, now, restamp=restamp)
    for own in notes:
        own.memory = memory
    return changes


def _unknown_claims(edition: Edition) -> Iterator[Problem]:
    unknown = [
        card.id
        for deck in edition.decks
        for card in deck.cards
        if edition.has(card)
        for _, entry in edition.evidence(card)
        if entry is None
    ]
    if unknown:
        yield Problem(
            f"card '{unknown[0]}'" + (f" and {len(unknown) - 1} more" if unknown[1:] else ""),
            "the ledger says nothing of its claim, which is shown as not run.",
            "Run `vaeflash check` first to show evidence.",
        )


def _retyped(changes: Changes) -> Iterator[Problem]:
    for name in changes.retyped:
        yield Problem(
            f"card '{name}'",
            "it became a cloze card or ceased to be one; Anki skips such a change of a note.",
            "Give it a new id, or delete its note in Anki before importing: "
            f"tag:vaeflash::card::{name}",
        )


def _saved(memory: ExportMemory) -> Iterator[Problem]:
    """Keep the memory; that it cannot be kept is no reason to have no package."""
    try:
        memory.save()
    except CourseError as error:
        for problem in error.problems:
            yield Problem(
                problem.where,
                f"what was exported is not remembered: {problem.what}",
                "The next export will count every card as new; reviews are safe all the same.",
            )


def _deck_id(course_id: str, title: str) -> int:
    """The identity of a deck in Anki, in the range of the milliseconds that Anki itself uses."""
    identity = json.dumps(["vaeflash", course_id, title]).encode()
    return 10**12 + int.from_bytes(hashlib.sha256(identity).digest()[:5], "big")


def _package(
    decks: Sequence[genanki.Deck],
    memory: ExportMemory,
    media: Mapping[str, bytes],
    progress: Progress | None,
) -> bytes:
    """The package: the collection, the pictures under numbers, and which number is which name."""
    names = json.dumps({str(number): name for number, name in enumerate(media)})
    buffer = io.BytesIO()
    # A file, since the collection of a large course is tens of megabytes, and deflates well.
    with tempfile.TemporaryDirectory(prefix="vaeflash-") as folder:
        collection = Path(folder) / "collection.anki2"
        _write_collection(collection, decks, memory, progress)
        with zipfile.ZipFile(buffer, "w") as archive:
            with collection.open("rb") as source, archive.open(_member(collection.name), "w") as to:
                shutil.copyfileobj(source, to, 1 << 20)
            archive.writestr(_member("media"), names)
            for number, content in enumerate(media.values()):
                archive.writestr(_member(str(number)), content)
    return buffer.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    """A deflated part, without a time of its own, so that equal cards give equal bytes."""
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def _write_collection(
    path: Path, decks: Sequence[genanki.Deck], memory: ExportMemory, progress: Progress | None
) -> None:
    """The SQLite file that Anki reads."""
    stamps = [memory.stamp(card) for deck in decks for card in deck.notes.described]
    ids = itertools.count(1000 * max(stamps, default=0))
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma journal_mode = off")
        database.execute("pragma synchronous = off")
        genanki.Package(list(decks)).write_to_db(database.cursor(), 0, ids)
        ((models,),) = database.execute("select models from col")
        kinds = json.loads(models)
        for kind in kinds.values():
            # Anki has a newer note type replace the user's own styling, so this one is kept back.
            if kind["name"] in (CARD_NAME, CLOZE_NAME):
                kind["mod"] = memory.type_stamp(kind["name"])
        database.execute("update col set models = ?", (json.dumps(kinds),))
        if progress is not None:
            progress.write(database)
        database.commit()
