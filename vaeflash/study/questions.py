"""The questions of a course, known without reading decks again that have not changed.

Reading 10,000 cards takes a second, asking one of them should not. So the names of all questions
are kept in the cache folder. They count as long as every deck file has the size and the time of its
last change that it had then; else all decks are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from vaeflash import __version__
from vaeflash.card import Deck
from vaeflash.course.choice import choose_cards
from vaeflash.course.course import Course
from vaeflash.errors import CardError, VaeflashError
from vaeflash.files import cache_folder, read_sealed, write_sealed
from vaeflash.parse import read_deck
from vaeflash.study.question import LazyDeck, Question, templates_of
from vaeflash.study.reviews.records import CardKey

_FORMAT: Final = 2


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be asked of a course.

    Attributes:
        questions: In the course's order.
        without_id: How many cards cannot be scheduled, as they have no id yet.
    """

    questions: tuple[Question, ...]
    without_id: int = 0

    def chosen(
        self, course: Course, decks: Sequence[str] = (), tags: Sequence[str] = ()
    ) -> tuple[Question, ...]:
        """The questions of some decks and tags; all if none is named.

        Raises:
            CourseError: There is no such deck or tag, or no card is left.
        """
        if not decks and not tags:
            return self.questions
        cards = choose_cards(course.decks(), decks, tags)
        return tuple(question for question in self.questions if question.key.card in cards)


def catalogue_of(course: Course) -> Catalogue:
    """Everything that can be asked of a course.

    Raises:
        CardError: A deck cannot be read.
    """
    memory = cache_folder() / "questions" / f"{_name(course)}.json"
    stamps = [_stamp(course, path) for path in course.deck_paths]
    with suppress(OSError, ValueError):
        known = json.loads(read_sealed(memory))
        if known["format"] == [_FORMAT, __version__] and known["stamps"] == stamps:
            return _catalogue(course, known)
    decks = course.decks()
    known = {
        "format": [_FORMAT, __version__],
        "stamps": stamps,
        "decks": [
            {
                "title": deck.title,
                "cards": [[card.id, [*templates_of(card)]] for card in deck.cards if card.id],
                "without_id": sum(card.id is None for card in deck.cards),
            }
            for deck in decks
        ],
    }
    with suppress(VaeflashError):  # without a cache it is slower, and that is all
        write_sealed(memory, json.dumps(known))
    return _catalogue(course, known)


def _name(course: Course) -> str:
    return hashlib.sha256(str(course.root).encode()).hexdigest()[:20]


def _stamp(course: Course, path: Path) -> list[Any]:
    try:
        status = path.stat()
    except OSError:
        return [course.shown(path)]
    return [course.shown(path), status.st_size, status.st_mtime_ns]


def _catalogue(course: Course, known: dict[str, Any]) -> Catalogue:
    questions = []
    for path, deck in zip(course.deck_paths, known["decks"], strict=True):
        lazy = LazyDeck(course.shown(path), deck["title"], partial(_read, course, path))
        questions += [
            Question(lazy, CardKey(course.id, card, template))
            for card, templates in deck["cards"]
            for template in templates
        ]
    return Catalogue(tuple(questions), sum(deck["without_id"] for deck in known["decks"]))


def _read(course: Course, path: Path) -> Deck:
    """One deck, by itself."""
    shown = course.shown(path)
    reading = read_deck(course.text_of(path), shown)
    if reading.errors:
        raise CardError(*reading.errors)
    return reading.deck
