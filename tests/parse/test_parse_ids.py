"""Ids: slugs, uniqueness, and stamps that touch nothing but headings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.card import Card, Deck
from vaeflash.parse import is_id, read_deck, slug, stamp_ids, with_ids
from vaeflash.parse.ids import split_id


def deck(*titles: str) -> Deck:
    return Deck("D", tuple(Card(title, "q", "a") for title in titles))


def ids(deck: Deck) -> list[str | None]:
    return [card.id for card in deck.cards]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("KL divergence", "kl-divergence"),
        ("  What -- is: a (VAE)?  ", "what-is-a-vae"),
        ("Naïve Bayes, Größe", "naive-bayes-grosse"),
        ("β-VAE and 𝜎²", "beta-vae-and-sigma2"),
        (r"Why \( \beta \) > 1?", "why-beta-1"),
        ("ς", "sigma"),
        ("ﬁne “quotes”", "fine-quotes"),
        ("日本", "card"),
        ("???", "card"),
        ("", "card"),
    ],
)
def test_a_slug_is_the_title_in_kebab_case(title, expected):
    assert slug(title) == expected


@pytest.mark.parametrize("text", ["a", "kl-closed-form", "c24-step5", "4"])
def test_kebab_case_is_an_id(text):
    assert is_id(text)


@pytest.mark.parametrize("text", ["", "A", "a_b", "-a", "a-", "a--b", "a b", "é", "a\n", "٣"])
def test_anything_else_is_no_id(text):
    assert not is_id(text)


def test_equal_titles_get_numbers():
    assert ids(with_ids(deck("A", "a!", "A?"))) == ["a", "a-2", "a-3"]


def test_ids_of_other_decks_are_taken():
    assert ids(with_ids(deck("A"), taken={"a", "a-2"})) == ["a-3"]


def test_an_id_further_down_is_taken():
    cards = (Card("A", "q", "a"), Card("B", "q", "a", id="a"))

    assert ids(with_ids(Deck("D", cards))) == ["a-2", "a"]


def test_an_id_stays_when_the_title_changes():
    cards = (Card("New title", "q", "a", id="old-title"),)

    assert with_ids(Deck("D", cards)) == Deck("D", cards)


def test_a_number_never_meets_a_title_that_ends_in_one():
    assert ids(with_ids(deck("A", "A 2", "A"))) == ["a", "a-2", "a-3"]


def test_a_stamp_is_the_smallest_edit():
    text = "\ufeff# D\r\n\r\n#### T  \r\n:p q\r\n??x\r\na\r??\n\n#### U {#u}\n:p q\n??x\na\nx??"

    assert stamp_ids(text, "x.md") == text.replace("#### T  \r\n", "#### T {#t}  \r\n")


def test_a_heading_in_code_gets_no_stamp():
    text = "#### T {#t}\n:p q\n??x\n```\n#### U\n```\nx??\n"

    assert stamp_ids(text, "x.md") == text


def test_a_stamp_keeps_clear_of_cards_that_cannot_be_read():
    text = "#### Broken {#t}\n\n#### T\n:p q\n??x\na\nx??\n"

    assert stamp_ids(text, "x.md") == text.replace("#### T\n", "#### T {#t-2}\n")


def test_a_stamp_gives_the_ids_of_with_ids():
    text = "#### A\n:p q\n??x\na\nx??\n\n#### A\n:p q\n??x\na\nx??\n"

    stamped = read_deck(stamp_ids(text, "x.md", taken=["a"])).deck

    assert stamped == with_ids(read_deck(text).deck, taken=["a"])


@given(st.text("a {}#\t-b"))
def test_a_heading_is_split_as_one_expression_would(heading: str) -> None:
    whole = re.fullmatch(r"(?:(.*?)[ \t]*)?\{#([^{}]*)\}", heading)

    expected = (whole[1] or "", whole[2].strip(" \t")) if whole else (heading, None)
    assert split_id(heading) == expected


def test_a_heading_of_many_blanks_is_split_at_once() -> None:
    heading = "a" + " " * 1_000_000 + "b"  # looking on from each of them would take an hour

    assert split_id(heading) == (heading, None)
