"""Ids: a card's identity for ever, given once from its title and never derived again."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import replace

from vaeflash.card import Deck

NAME_LENGTH = 64
_KEBAB = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_ID = re.compile(r"\{#([^{}]*)\}\Z")


def is_id(text: str) -> bool:
    """Whether a text is kebab-case ASCII such as `kl-closed-form`."""
    return _KEBAB.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether a course, a deck or a demo may be called so: an id that can be part of a path."""
    return is_id(text) and len(text) <= NAME_LENGTH


def split_id(heading: str) -> tuple[str, str | None]:
    """The title and the id of a heading `Title {#id}`; the id is not checked."""
    match = _ID.search(heading)
    if match is None:
        return heading, None
    return heading[: match.start()].rstrip(" \t"), match[1].strip(" \t")


def slug(title: str) -> str:
    """A title as an id: `β-VAE: why?` becomes `beta-vae-why`; "card" if nothing is left."""
    letters = unicodedata.normalize("NFKD", title.casefold())
    ascii_only = "".join(map(_in_ascii, letters))
    return re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-") or "card"


def short_slug(title: str) -> str:
    """A title as the name of a course, a deck or a demo."""
    return slug(title)[:NAME_LENGTH].strip("-")


def with_ids(deck: Deck, taken: Collection[str] = ()) -> Deck:
    """Give each card without an id the slug of its title.

    Args:
        deck: Cards that have an id keep it.
        taken: Ids of other decks of the course; a slug among them gets -2, -3 and so on.
    """
    used = {*taken, *(card.id for card in deck.cards if card.id is not None)}
    cards = []
    for card in deck.cards:
        if card.id is None:
            free = _free(slug(card.title), used)
            used.add(free)
            card = replace(card, id=free)
        cards.append(card)
    return replace(deck, cards=tuple(cards))


def _free(name: str, used: Collection[str]) -> str:
    candidate, number = name, 1
    while candidate in used:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _in_ascii(character: str) -> str:
    if character.isascii():
        return character
    # Accents separate nothing, so `façade` must not become `fac-ade`.
    if unicodedata.combining(character):
        return ""
    name = unicodedata.name(character, "")
    # Greek letters are words here: GREEK SMALL LETTER BETA.
    greek = re.match(r"GREEK \w+ LETTER (?:FINAL )?(\w+)", name)
    return greek[1].lower() if greek else " "
