"""`list`: the course's decks and cards, and how their claims stand."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.text import Text

from vaeflash.card import Card, Deck
from vaeflash.cli.screen import COLOURS, Screen, status_text
from vaeflash.course.course import Course
from vaeflash.judging.ledger import OWN, Entry
from vaeflash.judging.staleness import CurrentEvidence, current_evidence


def list_course(course: Course, screen: Screen, *, as_json: bool) -> None:
    """Print the decks with their cards and evidence, then the demos."""
    current = current_evidence(course)
    decks = course.decks()
    if as_json:
        screen.json("list", _course_json(course, decks, current))
        return
    lines = [Text(course.title, style="bold")]
    for deck in decks:
        lines.append(Text.assemble("\n", (deck.title, "bold cyan"), (f"  {deck.path}", "dim")))
        lines += [_card_line(card, current) for card in deck.cards]
    if not decks:
        lines.append(Text("\nNo decks: a deck is a Markdown file in cards/.", style="dim"))
    lines.append(Text("\nDemos", style="bold cyan"))
    lines += [
        Text.assemble("  ", (name, "bold"), f"  {course.demo(name).headline}")
        for name in course.demo_paths
    ]
    screen.print(Text("\n").join(lines), no_wrap=True, overflow="ellipsis")
    entries = [e for deck in decks for card in deck.cards for e in current.entries(card)]
    counts = Counter(entry.status for entry in entries)
    summary = Text("\n")
    summary.append(f"{sum(len(deck.cards) for deck in decks)} cards, {counts.total()} claims: ")
    summary.append_text(
        Text(", ").join(
            Text.assemble(f"{number} ", status_text(status))
            for status, number in sorted(counts.items())
        )
    )
    if own := sum(entry.own for entry in entries):
        summary.append(f"; {own} {OWN}")
    screen.print(summary)


def _card_line(card: Card, current: CurrentEvidence) -> Text:
    line = Text("  ")
    entries = current.entries(card)
    for entry in entries:
        line.append(entry.status.sign, style=COLOURS[entry.status])
    line.append(" " * max(1, 4 - len(entries)))
    line.append(card.id or "(no id)", style="bold" if card.id else "red")
    line.append(f"  {card.title}")
    if any(entry.own for entry in entries):
        line.append(f"  ({OWN})", style="dim")
    return line


def _course_json(
    course: Course, decks: tuple[Deck, ...], current: CurrentEvidence
) -> dict[str, Any]:
    return {
        "course": course.id,
        "title": course.title,
        "decks": [
            {
                "path": deck.path,
                "title": deck.title,
                "cards": [
                    {
                        "id": card.id,
                        "title": card.title,
                        "kind": card.kind,
                        "demos": card.all_demos,
                        "claims": [claim_json(entry) for entry in current.entries(card)],
                    }
                    for card in deck.cards
                ],
            }
            for deck in decks
        ],
        "demos": [
            {"name": name, "headline": course.demo(name).headline} for name in course.demo_paths
        ],
    }


def claim_json(entry: Entry) -> dict[str, Any]:
    """An entry as `list --json` and `show --json` have it."""
    return {
        "claim": entry.claim,
        "myth": entry.myth,
        "demo": entry.demo,
        "status": entry.status,
        "yes": entry.yes,
        "no": entry.no,
        "solid": entry.solid,
        "own": entry.own,
        "controls": [control.control for control in entry.controls],
        "note": entry.note,
    }
