"""The bundled course in the real Anki: every card is imported, rendered and complete."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anki.collection import Collection, ImportAnkiPackageOptions, ImportAnkiPackageRequest

from vaeflash.anki import build_package
from vaeflash.card import Card, Kind
from vaeflash.course import bundled_root, open_course
from vaeflash.markdown import formulas
from vaeflash.standing import standing_of

COURSE = open_course(bundled_root())
STANDING = standing_of(COURSE)
CARDS = {card.id: card for _, card in COURSE.cards() if card.id}


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    folder = tmp_path_factory.mktemp("anki")
    package = folder / "course.apkg"
    build_package(COURSE.id, COURSE.title, COURSE.decks(), STANDING.current(), COURSE.root, package)
    opened = Collection(str(folder / "collection.anki2"))
    log = opened.import_anki_package(
        ImportAnkiPackageRequest(package_path=str(package), options=ImportAnkiPackageOptions())
    ).log
    assert (len(log.new), len(log.conflicting), len(log.missing_notetype)) == (len(CARDS), 0, 0)
    yield opened
    opened.close()


def rendered(collection: Collection, identity: str) -> list[Any]:
    return [collection.get_card(i) for i in collection.find_cards(f'Id:"{identity}"')]


def texts(card: Card) -> tuple[str, str, str]:
    return card.context, card.question, card.answer


@pytest.mark.parametrize("identity", CARDS)
def test_a_card_has_its_formulas_and_its_evidence(collection: Collection, identity: str) -> None:
    card = CARDS[identity]
    expected = [html.escape(entry.claim) for entry in STANDING.entries(card)]
    expected += [f"{e.status.sign}</span> {e.status}" for e in STANDING.entries(card)]
    expected += [f"vaeflash demo {demo}" for demo in card.all_demos]
    if card.kind is not Kind.CLOZE:  # a hidden formula is shown in pieces
        expected += [
            html.escape(tex, quote=False) for text in texts(card) for tex in formulas(text)
        ]

    for side in rendered(collection, identity):
        assert [part for part in expected if part not in side.answer()] == []


@pytest.mark.parametrize("identity", CARDS)
def test_a_front_does_not_give_the_answer_away(collection: Collection, identity: str) -> None:
    for side in rendered(collection, identity):
        assert ('class="claim' in side.question(), "{{" in side.question()) == (False, False)


def test_every_card_of_the_course_is_asked(collection: Collection) -> None:
    assert {collection.get_note(n)["Id"] for n in collection.find_notes("")} == set(CARDS)


def test_sub_decks_carry_the_course_name(collection: Collection) -> None:
    names = {deck.name for deck in collection.decks.all_names_and_ids()}

    assert {f"{COURSE.title}::{deck.title}" for deck in COURSE.decks()} <= names


def test_every_verified_card_can_be_found_by_its_tag(collection: Collection) -> None:
    tagged = {collection.get_note(n)["Id"] for n in collection.find_notes("tag:vaeflash::verified")}
    plain = {
        name
        for name, card in CARDS.items()
        if {entry.status for entry in STANDING.entries(card)} == {"verified"}
    }

    assert tagged == plain


def test_the_package_is_small(tmp_path: Path) -> None:
    out = tmp_path / "course.apkg"
    build_package(COURSE.id, COURSE.title, COURSE.decks(), STANDING.current(), COURSE.root, out)

    assert out.stat().st_size < 1_000_000
