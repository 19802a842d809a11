"""Notes wait on disk: none is changed by it, and none stays in memory."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterator
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.card import Card, Deck, Kind
from vaeflash.export.anki.memory import ExportMemory
from vaeflash.export.anki.notes import Note, make_note
from vaeflash.export.anki.notes_on_disk import NotesOnDisk


def note(identity: str, text: str = "Text.", kind: Kind = Kind.BASIC, position: int = 1) -> Note:
    card = Card("Title", text, "Answer.", id=identity, kind=kind, tags=("a", "b::c"))
    return make_note("course", Deck("Deck"), card, (), str, position)


def seen(one: Note) -> tuple[object, ...]:
    return (
        *(one.card_id, one.model.name, one.guid, one.due),
        *(list(one.fields), list(one.tags), [card.ord for card in one.cards]),
    )


@pytest.fixture
def file() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as opened:
        yield opened


@pytest.mark.slow
@given(st.lists(st.text(), max_size=5))
def test_notes_come_back_as_they_were_and_as_often_as_asked(texts: list[str]) -> None:
    notes = [note(f"card-{n}", text, position=n) for n, text in enumerate(texts)]
    with tempfile.TemporaryFile() as file:
        notes = NotesOnDisk(file, "Deck")
        for one in notes:
            notes.put(one)

        back = [[seen(one) for one in notes] for _ in range(2)]

    assert back == [[seen(one) for one in notes]] * 2


@pytest.mark.parametrize(
    ("kind", "text", "cards"),
    [(Kind.BASIC, "Q?", 1), (Kind.REVERSED, "Q?", 2), (Kind.CLOZE, "{{c1::a}} {{c3::b}}", 2)],
)
def test_cards_are_counted_as_anki_makes_them(
    file: IO[bytes], kind: Kind, text: str, cards: int
) -> None:
    notes = NotesOnDisk(file, "Deck")

    notes.put(note("a", text, kind))

    assert (len(notes), notes.cards) == (1, cards)


def test_decks_share_a_file_and_keep_their_own_notes(file: IO[bytes]) -> None:
    both = NotesOnDisk(file, "One"), NotesOnDisk(file, "Two")
    for number, notes in enumerate(both * 2):
        notes.put(note(f"card-{number}"))

    found = [[one.card_id for one in notes] for notes in both]

    assert found == [["card-0", "card-2"], ["card-1", "card-3"]]


def test_notes_have_the_stamps_of_the_memory(file: IO[bytes]) -> None:
    notes, memory = NotesOnDisk(file, "Deck"), ExportMemory()
    notes.put(note("a"))
    memory.update(notes.described, {}, ["a"], now=1000)

    notes.memory = memory

    assert [one.stamp for one in notes] == [1000]


def test_what_waits_takes_no_memory(file: IO[bytes]) -> None:
    notes = NotesOnDisk(file, "Deck")
    tracemalloc.start()

    for number in range(20):
        notes.put(note(f"card-{number}", f"{number}" * 100_000))

    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000
