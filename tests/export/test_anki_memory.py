"""What an export remembers of earlier ones: stamps only move forward, and only for what changed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.export.anki.memory import (
    Changes,
    ExportMemory,
    Move,
    Remembered,
    Rename,
    content_hash,
)

CARDS = st.dictionaries(
    st.sampled_from("abcd"),
    st.builds(Remembered, st.sampled_from(["x", "y"]), st.just(0), st.sampled_from(["D", "E"])),
)
COURSES = st.lists(st.tuples(CARDS, st.integers(0, 3)), min_size=1, max_size=6)


def note(content: str = "x", deck: str = "D", kind: str = "card") -> Remembered:
    return Remembered(content, 0, deck, kind)


def update(memory: ExportMemory, now: int = 100, **notes: Remembered) -> Changes:
    return memory.update(notes, {}, list(notes), now)


@pytest.mark.slow
@given(COURSES)
def test_a_stamp_is_kept_by_what_is_unchanged_and_else_later_than_any_before(
    courses: list[tuple[dict[str, Remembered], int]],
) -> None:
    memory, last, known = ExportMemory(), 0, {}

    for notes, now in courses:
        update(memory, now, **notes)
        for name, one in notes.items():
            described, stamp = (one.content, one.deck), memory.stamp(name)
            old = known.get(name)
            assert stamp == old[1] if old and old[0] == described else stamp > last
            known[name] = (described, stamp)
        last = max([last, *(stamp for _, stamp in known.values())])


@pytest.mark.slow
@given(COURSES)
def test_a_memory_that_was_saved_and_read_gives_the_same_stamps(
    tmp_path_factory: pytest.TempPathFactory,
    courses: list[tuple[dict[str, Remembered], int]],
) -> None:
    path = tmp_path_factory.mktemp("memory") / "m.json"
    kept = ExportMemory()

    for notes, now in courses:
        read = ExportMemory(path)
        assert update(read, now, **notes) == update(kept, now, **notes)
        assert [read.stamp(name) for name in notes] == [kept.stamp(name) for name in notes]
        read.save()


def test_a_stamp_is_the_present_second_where_nothing_is_remembered() -> None:
    memory = ExportMemory()

    assert (update(memory, 1234, a=note()).first, memory.stamp("a")) == (True, 1234)


def test_each_kind_of_change_is_told() -> None:
    memory = ExportMemory()
    update(memory, a=note(), b=note(), c=note(), d=note(deck="E"), e=note(deck="E"))

    changes = update(
        memory, a=note("y"), b=note(kind="cloze"), d=note(deck="F"), e=note(deck="F"), f=note()
    )

    assert changes == Changes(
        first=False,
        new=("f",),
        changed=("a",),
        gone=("c",),
        renamed=(Rename("E", "F"),),
        retyped=("b",),
    )


def test_cards_that_went_to_a_deck_that_was_there_were_moved() -> None:
    memory = ExportMemory()
    update(memory, a=note(), b=note(deck="E"))

    changes = update(memory, a=note(deck="E"), b=note(deck="E"))

    assert (changes.moved, changes.renamed) == ((Move("a", "D", "E"),), ())


def test_cards_of_one_deck_that_went_to_two_were_moved() -> None:
    memory = ExportMemory()
    update(memory, a=note(), b=note())

    changes = update(memory, a=note(deck="E"), b=note(deck="F"))

    assert (changes.moved, changes.renamed) == ((Move("a", "D", "E"), Move("b", "D", "F")), ())


def test_a_card_that_is_not_exported_is_not_gone() -> None:
    memory = ExportMemory()
    update(memory, a=note(), b=note())

    assert memory.update({"a": note()}, {}, ["a", "b"], 200) == Changes(first=False)


def test_a_restamp_gives_new_stamps_and_tells_no_change() -> None:
    memory = ExportMemory()
    update(memory, 100, a=note())

    changes = memory.update({"a": note()}, {}, ["a"], 50, restamp=True)

    assert (changes, memory.stamp("a")) == (Changes(first=False), 101)


def saved(path: Path) -> dict[str, object]:
    memory = ExportMemory(path)
    update(memory, a=note())
    memory.save()
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    "damage",
    [
        {"format": 2},
        {"last": "100"},
        {"last": True},
        {"notes": []},
        {"notes": {"a": {}}},
        {"notes": {"a": {"content": "x", "stamp": 1.5}}},
        {"notes": {"a": {"content": None, "stamp": 1}}},
        {"types": None},
        {"notes": {"a": {"content": "x", "deck": "D", "kind": "k", "stamp": 10**30, "here": True}}},
        {"notes": {"a": {"content": "x", "deck": "D", "kind": "k", "stamp": 1, "here": 1}}},
    ],
    ids=str,
)
def test_a_damaged_memory_is_an_empty_one(tmp_path: Path, damage: dict[str, object]) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps(saved(path) | damage))

    assert update(ExportMemory(path), a=note()).first


def test_two_courses_have_memories_of_their_own_whatever_they_are_called() -> None:
    names = ["a/b", "a-b", "../a", "x" * 300]
    memories = [ExportMemory.of(name) for name in names]
    for memory in memories:
        update(memory, a=note())
        memory.save()

    folder = Path(str(memories[0]._path)).parent
    found = [path.name for path in folder.iterdir()]
    assert (len(found), all(re.fullmatch(r"[\w-]+\.json", name) for name in found)) == (4, True)


@pytest.mark.slow
@given(st.lists(st.text()), st.lists(st.text()))
def test_different_texts_have_different_hashes(one: list[str], other: list[str]) -> None:
    assert (content_hash(one) == content_hash(other)) == (one == other)


def test_a_stamp_does_not_make_a_note_another() -> None:
    memory = ExportMemory()
    update(memory, 100, a=note())

    update(memory, 200, a=replace(note(), stamp=7, here=False))

    assert memory.stamp("a") == 100


def test_a_memory_nested_beyond_any_stack_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("[" * 100_000)

    assert update(ExportMemory(tmp_path / "m.json"), a=note()).first
