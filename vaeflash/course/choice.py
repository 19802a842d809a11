"""Some of a course's cards, by deck and tag."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath

from vaeflash.card import Card, Deck
from vaeflash.errors import CourseError, Problem


def choose_cards(
    decks: Sequence[Deck], names: Sequence[str] = (), tags: Sequence[str] = ()
) -> set[str | None]:
    """The ids of the cards in any of the named decks that have any of the tags.

    Args:
        decks: The whole course.
        names: Files of decks without `.md`, or titles; `AE` also means every deck below `AE::`.
            All decks if there is none.
        tags: Tags of cards or decks, `loss` also means `loss::kl`. All cards if there is none.

    Raises:
        CourseError: No deck or no card is called so, or no card is left.
    """
    stems = {PurePosixPath(deck.path).stem for deck in decks} - {""}
    titles = {above for deck in decks for above in _above(deck.title)}
    known_tags = {
        above
        for deck in decks
        for card in deck.cards
        for tag in deck.tags + card.tags
        for above in _above(tag)
    }
    problems = [
        *(_unknown("deck", name, stems | titles) for name in names if name not in stems | titles),
        *(_unknown("tag", tag, known_tags) for tag in tags if tag not in known_tags),
    ]
    if problems:
        raise CourseError(*problems)
    chosen = {
        card.id
        for deck in decks
        if not names or {PurePosixPath(deck.path).stem, *_above(deck.title)} & set(names)
        for card in deck.cards
        if not tags or _has(deck, card, tags)
    }
    if not chosen and (names or tags):
        asked = " ".join([*(f"--deck {name}" for name in names), *(f"--tag {t}" for t in tags)])
        raise CourseError(Problem(asked, "no card is left.", "Leave out one of the options."))
    return chosen


def _has(deck: Deck, card: Card, tags: Sequence[str]) -> bool:
    own = {above for tag in deck.tags + card.tags for above in _above(tag)}
    return bool(own & set(tags))


def _above(name: str) -> list[str]:
    """`A::B::C` -> `A`, `A::B`, `A::B::C`."""
    parts = name.split("::")
    return ["::".join(parts[: end + 1]) for end in range(len(parts))]


def _unknown(what: str, name: str, known: set[str]) -> Problem:
    near = get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    told = f"Did you mean {', '.join(near)}?" if near else f"Known: {', '.join(sorted(known))}."
    return Problem(f"--{what} {name}", f"no {what} of this course is called so.", told)
