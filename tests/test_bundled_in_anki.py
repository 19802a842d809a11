"""The bundled course in the real Anki: every card is imported, rendered and complete."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anki.collection import Collection, ImportAnkiPackageOptions, ImportAnkiPackageRequest

from vaeflash.card import Card, Kind
from vaeflash.course.course import bundled_root, open_course
from vaeflash.export.anki import build_package
from vaeflash.export.edition import edition_of
from vaeflash.gallery import read_gallery
from vaeflash.judging.staleness import current_evidence
from vaeflash.text.markdown import formulas

COURSE = open_course(bundled_root())
CURRENT = current_evidence(COURSE)
GALLERY = read_gallery(COURSE.root)
CARDS = {card.id: card for _, card in COURSE.cards() if card.id}


def build(out: Path) -> None:
    build_package(edition_of(COURSE), out)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    folder = tmp_path_factory.mktemp("anki")
    package = folder / "course.apkg"
    build(package)
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


@pytest.mark.slow
@pytest.mark.parametrize("identity", CARDS)
def test_a_card_has_its_formulas_and_its_evidence(collection: Collection, identity: str) -> None:
    card = CARDS[identity]
    expected = [html.escape(entry.claim) for entry in CURRENT.entries(card)]
    expected += [f"{e.status.sign}</span> {e.status}" for e in CURRENT.entries(card)]
    expected += [f"vaeflash demo {demo}" for demo in card.all_demos]
    if card.kind is not Kind.CLOZE:  # a hidden formula is shown in pieces
        expected += [
            html.escape(tex, quote=False) for text in texts(card) for tex in formulas(text)
        ]

    if shown := GALLERY.of(card):
        expected.append(f"<figcaption>{html.escape(shown.caption)}</figcaption>")

    for side in rendered(collection, identity):
        assert [part for part in expected if part not in side.answer()] == []


@pytest.mark.slow
@pytest.mark.parametrize("identity", CARDS)
def test_a_front_does_not_give_the_answer_away(collection: Collection, identity: str) -> None:
    for side in rendered(collection, identity):
        assert ('class="claim' in side.question(), "{{" in side.question()) == (False, False)


@pytest.mark.slow
def test_nothing_of_the_media_is_missing_or_unused(collection: Collection) -> None:
    check = collection.media.check()

    assert (list(check.missing), list(check.unused)) == ([], [])


MYTHS = [
    name
    for name, card in CARDS.items()
    if card.kind is not Kind.CLOZE and any(claim.myth for claim in card.claims)
]


def test_the_myths_and_they_alone_are_asked_as_predictions(collection: Collection) -> None:
    asked = {collection.get_card(n).note()["Id"] for n in collection.find_cards("card:Prediction")}

    assert asked == set(MYTHS)


@pytest.mark.slow
@pytest.mark.parametrize("identity", MYTHS)
def test_a_prediction_asks_for_each_claim_and_then_gives_the_verdicts(
    collection: Collection, identity: str
) -> None:
    (side,) = [card for card in rendered(collection, identity) if card.ord == 2]
    claims = [html.escape(claim.text) for claim in CARDS[identity].claims]
    front, _, behind = side.answer().partition('<hr id="answer">')

    assert [text for text in claims if text not in side.question()] == []
    assert ("busted</span>" in front, "busted</span>" in behind) == (False, True)
    assert behind.index('class="claims"') < behind.index('class="answer"')


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
        if {entry.status for entry in CURRENT.entries(card)} == {"verified"}
    }

    assert tagged == plain


@pytest.mark.slow
def test_the_package_is_small(tmp_path: Path) -> None:
    out = tmp_path / "course.apkg"
    build(out)

    assert out.stat().st_size < 4_000_000
