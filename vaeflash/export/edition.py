"""What of a course is exported: all of it, or some cards, with the evidence as it stands today."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vaeflash.card import Card, Claim, Deck
from vaeflash.course.choice import choose_cards
from vaeflash.course.course import Course
from vaeflash.errors import Problem
from vaeflash.gallery import Gallery, read_gallery
from vaeflash.judging.ledger import Entry, Ledger
from vaeflash.judging.staleness import current_evidence
from vaeflash.printable import command


@dataclass(frozen=True)
class Edition:
    """A course as it is exported.

    Attributes:
        course_id: Part of the identity of everything that is written.
        title: Heads it all.
        decks: All of them, in the order in which new cards should come.
        ledger: The evidence; a claim that is not in it is shown as not run.
        root: The course's folder; deck paths and images are inside it.
        gallery: The figures to show.
        chosen: Ids of the cards to export; all by default. Each is what it is in the whole course.
    """

    course_id: str
    title: str
    decks: Sequence[Deck]
    ledger: Ledger
    root: Path
    gallery: Gallery = field(default_factory=Gallery)
    chosen: Container[str | None] | None = None

    def has(self, card: Card) -> bool:
        """Whether the card is among those that are exported."""
        return self.chosen is None or card.id in self.chosen

    def evidence(self, card: Card) -> Iterator[tuple[Claim, Entry | None]]:
        """A card's claims in its order, each with what is known of it."""
        for claim in card.claims:
            yield claim, self.ledger.get(card.key_of(claim))


def edition_of(course: Course, decks: Sequence[str] = (), tags: Sequence[str] = ()) -> Edition:
    """The course as it is today, or those of its cards that have one of the decks and tags.

    Raises:
        VaeflashError: A deck, the ledger or the gallery cannot be read, or no deck or tag is called
            so.
    """
    everything = course.decks()
    return Edition(
        course.id,
        course.title,
        everything,
        current_evidence(course).as_ledger(),
        course.root,
        read_gallery(course.root),
        choose_cards(everything, decks, tags) if decks or tags else None,
    )


def outdated_figures(course: Course, gallery: Gallery) -> Iterator[Problem]:
    """Figures that another version of their demo drew.

    Raises:
        VaeflashError: A demo cannot be read.
    """
    for demo, code in gallery.codes.items():
        if demo in course.demo_paths and course.demo(demo).fingerprint != code:
            yield Problem(
                f"figures/{demo}",
                "the demo has changed since these were drawn.",
                f"`{command('figures', demo)}` draws them again.",
            )
