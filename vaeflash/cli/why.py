"""`why`: what a verdict rests on, from the cards and the ledger alone, and what it leaves open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vaeflash.claims import Part, format_params
from vaeflash.cli.screen import Screen, status_text
from vaeflash.cli.seed_table import seed_tables
from vaeflash.cli.show import find_card
from vaeflash.course.course import Course
from vaeflash.judging.explanation import Explanation, explain
from vaeflash.judging.ledger import OWN, ControlEntry
from vaeflash.judging.staleness import current_evidence

INDENT = 2


def why(course: Course, name: str, screen: Screen, *, as_json: bool) -> None:
    """Print what the verdicts of a card rest on.

    Raises:
        VaeflashError: No card has this id, or a claim of it cannot be read.
    """
    deck, card = find_card(course, name)
    current = current_evidence(course)
    told = [explain(course, current, deck, card, claim) for claim in card.claims]
    if as_json:
        head = {"card": card.id, "title": card.title, "path": f"{deck.path}:{card.line}"}
        screen.json("why", head | {"claims": [_json(explanation) for explanation in told]})
        return
    screen.print(Text.assemble((card.title, "bold cyan"), (f"  {deck.path}:{card.line}", "dim")))
    if not told:
        screen.note("This card states no claim, so there is nothing to verify.")
    for explanation in told:
        screen.print()
        _print(explanation, screen)


def _print(told: Explanation, screen: Screen) -> None:
    head = Text.assemble(status_text(told.entry.status), "  ", (told.claim.text, "bold"))
    if told.claim.myth:
        head.append("  (a myth)", style="italic")
    if told.stored.own:
        head.append(f"  ({OWN})", style="dim")
    screen.print(head)
    _indented(
        screen, Text(f"{told.reason}.", style="" if told.entry.status.as_stated else "yellow")
    )
    if told.found.faults:
        faults = (Text(f"{fault}.", style="red") for fault in told.found.faults)
        _section(screen, "Contradictions", faults)
    if told.verdict:
        _section(screen, "Verdict", [])
        _indented(screen, Text(told.verdict), 2 * INDENT)
    if told.stored.values:
        _section(screen, "Measured", [])
        _seeds(screen, told)
    if told.stored.controls:
        texts = (_control_text(control, told.parsed.parts) for control in told.stored.controls)
        _section(screen, "Broken on purpose", texts)
    if told.stored.values:
        _section(screen, "Depends on", _dependency_texts(told))
    if told.limits:
        _section(screen, "Does not establish", map(Text, told.limits))
    _section(screen, "See it yourself", [])
    for shown in told.commands:  # unwrapped, so that it can be copied
        screen.print(Text(" " * 2 * INDENT + shown), soft_wrap=True)


def _indented(screen: Screen, item: Text | Table, by: int = INDENT) -> None:
    screen.print(Padding(item, (0, 0, 0, by), expand=False))


def _section(screen: Screen, title: str, items: Iterable[Text]) -> None:
    """A title, and the items below it; further lines of an item are set in."""
    _indented(screen, Text(title, style="bold"))
    for item in items:
        grid = Table.grid()
        grid.add_row(Text("- "), item)
        _indented(screen, grid, 2 * INDENT)


def _seeds(screen: Screen, told: Explanation) -> None:
    """The table of the seeds, and which part of the claim each of its last columns answers."""
    _indented(screen, _runs_text(told), 2 * INDENT)
    width, height = screen.console.width - 2 * INDENT, screen.console.height
    for item in seed_tables(told.stored, told.columns, told.found.answers, width, height):
        _indented(screen, item, 2 * INDENT)
    if len(told.parsed.parts) > 1:
        for number, part in enumerate(told.parsed.parts, 1):
            _indented(screen, Text(f"({number}) {part.text}", style="dim"), 2 * INDENT)


def _runs_text(told: Explanation) -> Text:
    seeds = list(told.stored.values)
    names = "; ".join(format_params(run) or "defaults" for run in told.runs)
    span = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    many = "" if len(told.runs) == 1 else f" ({len(told.runs) * len(seeds)} runs)"
    return Text(f"{told.stored.demo} with {names}, on {span}{many}")


def _control_text(control: ControlEntry, parts: Sequence[Part]) -> Text:
    outcome = "flips it" if control.flipped else "does not flip it"
    text = Text.assemble(
        (control.control, "" if control.flipped else "yellow"),
        f": {control.verdict}, true on {control.yes} of {control.yes + control.no}; {outcome}",
    )
    if control.parts:
        numbers = [f"({n})" for n, part in enumerate(parts, 1) if part.text in control.parts]
        text.append(f", refuting {' and '.join(numbers)}")
    if control.note:
        text.append(f" ({control.note})", style="yellow")
    return text


def _dependency_texts(told: Explanation) -> Iterator[Text]:
    for name, (then, now) in told.dependencies.items():
        if now == then:
            yield Text(f"{name}: {then}, as now")
        else:
            yield Text(f"{name}: {then}; now {now or 'not here'}", style="yellow")
    yield Text(f"device: {told.stored.device}")
    yield Text(f"date: {told.stored.date.partition('T')[0]}")


def _json(told: Explanation) -> dict[str, Any]:
    answers = {str(answer.seed): answer for answer in told.found.answers}
    stored = told.stored
    return {
        "claim": told.claim.text,
        "myth": told.claim.myth,
        "demo": told.claim.demo,
        "status": told.entry.status,
        "own": stored.own,
        "reason": told.reason,
        "verdict": stored.verdict,
        "yes": stored.yes,
        "no": stored.no,
        "e_for": stored.e_for,
        "e_against": stored.e_against,
        "rate_bounds": told.rate_bounds,
        "parts": [part.text for part in told.parsed.parts],
        "runs": [dict(run) for run in told.runs],
        "seeds": [
            {
                "seed": int(seed) if seed.isdecimal() else seed,
                "values": measured,
                "parts": list(answers[seed].parts) if seed in answers else None,
                "answer": answers[seed].yes if seed in answers else None,
            }
            for seed, measured in stored.values.items()
        ],
        "controls": [asdict(control) for control in stored.controls],
        "depends": {
            name: {"then": then, "now": now} for name, (then, now) in told.dependencies.items()
        },
        "device": stored.device,
        "date": stored.date,
        "limits": told.limits,
        "commands": told.commands,
        "faults": told.found.faults,
    }
