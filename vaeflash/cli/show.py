"""`show`: one card as it is, with its evidence."""

from __future__ import annotations

from dataclasses import asdict

from rich.padding import Padding
from rich.text import Text

from vaeflash.card import Card, Deck
from vaeflash.cli.list import claim_json
from vaeflash.cli.screen import Screen, status_text
from vaeflash.course.course import Course
from vaeflash.errors import CourseError
from vaeflash.judging.ledger import OWN, Entry
from vaeflash.judging.staleness import current_evidence
from vaeflash.judging.words import counts_in_words, data_in_words
from vaeflash.printable import command


def find_card(course: Course, name: str) -> tuple[Deck, Card]:
    """A card by its id.

    Raises:
        CourseError: No card has it; the message lists the nearest ids.
    """
    from vaeflash.judging.cases import unknown_name

    cards = course.cards()
    for deck, card in cards:
        if card.id == name:
            return deck, card
    raise CourseError(unknown_name(name, [card.id for _, card in cards if card.id]))


def show_card(course: Course, name: str, screen: Screen, *, as_json: bool) -> None:
    """Print a card, both sides, with its evidence."""
    deck, card = find_card(course, name)
    current = current_evidence(course)
    if as_json:
        content = asdict(card) | {"deck": deck.title, "path": f"{deck.path}:{card.line}"}
        content["claims"] = [claim_json(entry) for entry in current.entries(card)]
        screen.json("show", content)
        return
    from vaeflash.cli.text import CardMarkdown

    screen.print(Text.assemble((card.title, "bold cyan"), (f"  {deck.title}", "dim")))
    if card.context:
        screen.print(Padding(CardMarkdown(card.context), (1, 0, 0, 0)))
    screen.console.rule(style="dim")
    screen.print(Padding(CardMarkdown(card.question), (0, 0, 0, 2)))
    screen.console.rule(style="dim")
    screen.print(CardMarkdown(card.answer))
    for entry in current.entries(card):
        screen.print()
        screen.print(evidence_text(entry))
    commands = [command("demo", demo) for demo in card.all_demos]
    for label, parts in (("run", commands), ("source", card.sources), ("tags", card.tags)):
        if parts:
            screen.print(Text.assemble((f"\n{label}  ", "dim"), ", ".join(parts)), end="")
    screen.print()


def evidence_text(entry: Entry) -> Text:
    """A claim, what became of it, and what breaks it."""
    text = Text.assemble(status_text(entry.status), "  ", (entry.claim, "bold"))
    if entry.myth:
        text.append("  (a myth)", style="italic")
    if entry.seeds:
        text.append(f"\n  yes on {counts_in_words(entry.yes, entry.seeds)}", style="dim")
        text.append(" (solid)" if entry.solid else "", style="dim")
        where = ", ".join([*data_in_words(entry), entry.device, f"torch {entry.torch}"])
        text.append(f"; says nothing beyond {where}", style="dim")
        text.append(f"; {OWN}" if entry.own else "", style="dim")
    for control in entry.controls:
        outcome = "flips it" if control.flipped else f"does not flip it: {control.verdict}"
        count = f"yes on {control.yes} of {control.yes + control.no}"
        text.append(f"\n  {control.control} {outcome} ({count})", style="dim")
    if entry.note:
        text.append(f"\n  {entry.note}", style="yellow")
    return text
