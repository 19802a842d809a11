"""What of a course an export holds, and with which evidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import COIN, MakeCourse, card, deck

from vaeflash.card import Card, Claim, Deck, Status
from vaeflash.errors import VaeflashError
from vaeflash.export.edition import Edition, edition_of
from vaeflash.judging.ledger import Entry, Ledger

CLAIM = Claim("a < b", "demo")
MYTH = replace(CLAIM, myth=True)
CARD = Card("Title", "Question?", "Answer.", id="one", claims=(CLAIM, MYTH))


def test_a_claim_and_a_myth_of_one_text_have_their_own_evidence() -> None:
    known = Entry("one", "a < b", myth=True, demo="demo", status=Status.BUSTED, verdict="refuted")
    edition = Edition("c", "C", [Deck("D", (CARD,))], Ledger([known]), Path())

    assert list(edition.evidence(CARD)) == [(CLAIM, None), (MYTH, known)]


@pytest.mark.parametrize(("chosen", "there"), [(None, True), ({"one"}, True), (set(), False)])
def test_a_card_is_there_unless_others_were_chosen(chosen: set[str] | None, there: bool) -> None:
    assert Edition("c", "C", [], Ledger(), Path(), chosen=chosen).has(CARD) is there


def test_a_course_is_exported_with_all_its_decks_whatever_is_chosen(
    make_course: MakeCourse,
) -> None:
    meta = ":demo coin\n:claim heads == 1\n:control bias=0.0"
    course = make_course(
        {"one": deck(card("a", meta)), "two": deck(card("b", meta), title="Other")}, {"coin": COIN}
    )

    edition = edition_of(course, ["two"])

    assert [each.title for each in edition.decks] == ["Deck", "Other"]
    assert [each.id for d in edition.decks for each in d.cards if edition.has(each)] == ["b"]


def test_a_deck_that_there_is_not_is_told(make_course: MakeCourse) -> None:
    course = make_course({"one": deck(card("a", ":tags x"))})

    with pytest.raises(VaeflashError, match="none"):
        edition_of(course, ["none"])
