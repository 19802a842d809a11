"""`list`, `show` and `lint`: what the cards say, without running anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from rich.padding import Padding
from rich.text import Text

from vaeflash.card import Card, Deck
from vaeflash.cli.screen import COLOURS, Screen, problem_text, status_text
from vaeflash.course import Course
from vaeflash.errors import CourseError
from vaeflash.ledger import OWN, Entry
from vaeflash.printable import command
from vaeflash.standing import Standing, standing_of


def list_course(course: Course, screen: Screen, *, as_json: bool) -> None:
    """Print the decks with their cards and evidence, then the demos."""
    standing = standing_of(course)
    decks = course.decks()
    if as_json:
        screen.json("list", _course_json(course, decks, standing))
        return
    lines = [Text(course.title, style="bold")]
    for deck in decks:
        lines.append(Text.assemble("\n", (deck.title, "bold cyan"), (f"  {deck.path}", "dim")))
        lines += [_card_line(card, standing) for card in deck.cards]
    if not decks:
        lines.append(Text("\nNo decks: a deck is a Markdown file in cards/.", style="dim"))
    lines.append(Text("\nDemos", style="bold cyan"))
    lines += [
        Text.assemble("  ", (name, "bold"), f"  {course.demo(name).headline}")
        for name in course.demo_paths
    ]
    screen.print(Text("\n").join(lines), no_wrap=True, overflow="ellipsis")
    entries = [e for deck in decks for card in deck.cards for e in standing.entries(card)]
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


def _card_line(card: Card, standing: Standing) -> Text:
    line = Text("  ")
    entries = standing.entries(card)
    for entry in entries:
        line.append(entry.status.sign, style=COLOURS[entry.status])
    line.append(" " * max(1, 4 - len(entries)))
    line.append(card.id or "(no id)", style="bold" if card.id else "red")
    line.append(f"  {card.title}")
    if any(entry.own for entry in entries):
        line.append(f"  ({OWN})", style="dim")
    return line


def _course_json(course: Course, decks: tuple[Deck, ...], standing: Standing) -> dict[str, Any]:
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
                        "claims": [_claim_json(entry) for entry in standing.entries(card)],
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


def _claim_json(entry: Entry) -> dict[str, Any]:
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


def find_card(course: Course, name: str) -> tuple[Deck, Card]:
    """A card by its id.

    Raises:
        CourseError: No card has it; the message lists the nearest ids.
    """
    from vaeflash.selection import unknown_name

    cards = course.cards()
    for deck, card in cards:
        if card.id == name:
            return deck, card
    raise CourseError(unknown_name(name, [card.id for _, card in cards if card.id]))


def show_card(course: Course, name: str, screen: Screen, *, as_json: bool) -> None:
    """Print a card, both sides, with its evidence."""
    deck, card = find_card(course, name)
    standing = standing_of(course)
    if as_json:
        content = asdict(card) | {"deck": deck.title, "path": f"{deck.path}:{card.line}"}
        content["claims"] = [_claim_json(entry) for entry in standing.entries(card)]
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
    for entry in standing.entries(card):
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
        word = "seed" if entry.seeds == 1 else "seeds"
        text.append(f"\n  yes on {entry.yes} of {entry.seeds} {word}", style="dim")
        text.append(" (solid)" if entry.solid else "", style="dim")
        where = ", ".join([*entry.data.values(), entry.device, f"torch {entry.torch}"])
        text.append(f"; says nothing beyond {where}", style="dim")
        text.append(f"; {OWN}" if entry.own else "", style="dim")
    for control in entry.controls:
        outcome = "flips it" if control.flipped else f"does not flip it: {control.verdict}"
        count = f"yes on {control.yes} of {control.yes + control.no}"
        text.append(f"\n  {control.control} {outcome} ({count})", style="dim")
    if entry.note:
        text.append(f"\n  {entry.note}", style="yellow")
    return text


def lint_course(course: Course, screen: Screen, *, as_json: bool) -> bool:
    """Print every finding; whether none of them is an error."""
    from vaeflash.lint import Level, lint

    findings = lint(course)
    counts = Counter(finding.level for finding in findings)
    if as_json:
        rows = [{"level": f.level} | asdict(f.problem) for f in findings]
        screen.json("lint", {"course": course.id, "findings": rows})
        return not counts[Level.ERROR]
    styles = {Level.ERROR: "red", Level.WARNING: "yellow", Level.REPAIR: "cyan"}
    for finding in findings:
        style = styles[finding.level]
        screen.print(problem_text(finding.problem, finding.level, style), soft_wrap=True)
    cards = sum(len(reading.deck.cards) for _, reading in course.readings)
    told = ", ".join(
        f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in Level
    )
    screen.print(Text(f"{len(course.readings)} decks, {cards} cards: {told}.", style="bold"))
    return not counts[Level.ERROR]
