"""Notes on disk until they are written, for those of a large course take tens of megabytes.

No note can be written as soon as it is made: stamps and ids depend on whether any of them changed.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterator
from typing import IO

from vaeflash.export.anki.memory import ExportMemory, Remembered
from vaeflash.export.anki.notes import Note
from vaeflash.export.anki.notetypes import CLOZE_NAME, card_type, cloze_type


class NotesOnDisk:
    """The notes of one deck, in their order.

    Args:
        file: Where they wait; several decks may share it.
        deck: Name of the deck in Anki.

    Attributes:
        described: What the next export has to know of them, without stamps.
        cards: How many cards Anki makes of them.
        memory: Has their stamps, once it was brought up to date.
    """

    def __init__(self, file: IO[bytes], deck: str) -> None:
        self.described: dict[str, Remembered] = {}
        self.cards = 0
        self.memory: ExportMemory | None = None
        self._file = file
        self._deck = deck
        self._places, self._sizes = array("Q"), array("Q")

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Note]:
        """Each as it was, and stamped if there is a memory."""
        for place, size in zip(self._places, self._sizes, strict=True):
            self._file.seek(place)
            card_id, kind, rest = marshal.loads(self._file.read(size))
            note = Note(cloze_type() if kind == CLOZE_NAME else card_type(), **rest)
            note.card_id = card_id
            note.stamp = self.memory.stamp(card_id) if self.memory else 0
            yield note

    def put(self, note: Note) -> None:
        """Take a note, to be had again by iteration alone."""
        kind = str(note.model.name)
        tags = list(note.tags)
        rest = {"fields": note.fields, "tags": tags, "guid": note.guid, "due": note.due}
        self._places.append(self._file.seek(0, 2))
        self._sizes.append(self._file.write(marshal.dumps((note.card_id, kind, rest))))
        self.described[note.card_id] = Remembered(note.content, 0, self._deck, kind)
        self.cards += len(note.cards)
