"""What the tests do with the real Anki: import a package, render cards, answer them."""

from __future__ import annotations

import html
import re
from pathlib import Path

from anki.collection import (
    Collection,
    ImportAnkiPackageOptions,
    ImportAnkiPackageRequest,
    ImportLogWithChanges,
)

State = tuple[list[list[int]], int]


def load(
    collection: Collection, package: Path, *, with_scheduling: bool = False
) -> ImportLogWithChanges.Log:
    """Import a package with the options that Anki's dialogue begins with."""
    options = ImportAnkiPackageOptions(with_scheduling=with_scheduling)
    request = ImportAnkiPackageRequest(package_path=str(package), options=options)
    return collection.import_anki_package(request).log


def sides(collection: Collection, card_id: str, template: int = 0) -> tuple[str, str]:
    """Front and back of a card as Anki renders them."""
    (note_id,) = collection.find_notes(f"Id:{card_id}")
    card = next(card for card in collection.get_note(note_id).cards() if card.ord == template)
    shown = card.render_output()
    return shown.question_text, shown.answer_text


def visible(page: str) -> str:
    """A page's text."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def answer_all(collection: Collection) -> None:
    """Answer every new card Good, through Anki's own scheduler."""
    for number in collection.find_cards("is:new"):
        card = collection.get_card(number)
        collection.decks.set_current(card.did)
        card.start_timer()
        states = collection._backend.get_scheduling_states(card.id)
        answer = collection.sched.build_answer(card=card, states=states, rating=2)
        collection.sched.answer_card(answer)


def reviews(collection: Collection) -> State:
    """How every answered card is scheduled, and how many answers are in the log."""
    rows = collection.db.all(
        "select id, did, type, queue, due, ivl, reps, data from cards where reps > 0 order by id"
    )
    return rows, collection.db.scalar("select count() from revlog")
