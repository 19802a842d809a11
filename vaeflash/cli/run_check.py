"""`check`: judge the claims, print each verdict as it falls, update the ledger."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from vaeflash.card import Status
from vaeflash.check import Outcome, check, claim_keys
from vaeflash.cli.progress import Progressing
from vaeflash.cli.screen import Screen, status_text
from vaeflash.course import Course
from vaeflash.errors import VaeflashError
from vaeflash.ledger import Entry, read_ledger, write_ledger
from vaeflash.machine import choose_device
from vaeflash.runner import Runs
from vaeflash.selection import choose
from vaeflash.standing import standing_of

if TYPE_CHECKING:
    from vaeflash.cli import Settings


def check_all(
    settings: Settings,
    names: Sequence[str],
    *,
    budget: int | None,
    device: str,
    fresh: bool,
    strict: bool,
    as_json: bool,
) -> bool:
    """Check the chosen claims and update the ledger; whether all came out as stated.

    The ledger takes what was judged even when the check is interrupted.

    Raises:
        VaeflashError: A claim cannot be checked, or a demo raised; after everything else is done.
    """
    course: Course = settings.course
    items = choose(course, names)
    ledger = read_ledger(course.ledger_path)
    screen: Screen = settings.out
    judged: list[Outcome] = []
    started = time.perf_counter()
    if not as_json and items:
        screen.print(_row("status", "yes", "claim", "what breaks it", "s", style="bold"))

    def report(outcome: Outcome) -> None:
        judged.append(outcome)
        if not as_json:
            screen.print(_outcome_row(outcome))

    try:
        with Progressing(settings.out, settings.err) as progress:
            runs = Runs(choose_device(device), fresh=fresh, track=progress.track)
            check(progress.track(items, "checking", len(items)), runs, report, budget)
    finally:
        # A claim that could not run here keeps the evidence that it has from elsewhere.
        entries = [o.entry for o in judged if o.entry.status is not Status.NOT_RUN]
        updated = ledger.updated(entries, claim_keys(course))
        if updated.to_text() != ledger.to_text():
            write_ledger(course.ledger_path, updated)
    problems = [problem for outcome in judged for problem in outcome.problems]
    entries = [outcome.entry for outcome in judged]
    if as_json:
        counts = {"made": runs.made, "recalled": runs.recalled}
        screen.json(
            "check",
            {
                "claims": [asdict(entry) for entry in entries],
                "runs": counts,
                "problems": [asdict(problem) for problem in problems],
            },
        )
    else:
        _summary(entries, runs, time.perf_counter() - started, screen)
    if problems:
        raise VaeflashError(*dict.fromkeys(problems))
    return _all_good(entries, strict=strict)


def _all_good(entries: Sequence[Entry], *, strict: bool) -> bool:
    passing = {Status.VERIFIED, Status.BUSTED} | (set() if strict else {Status.NOT_RUN})
    return all(entry.status in passing for entry in entries)


def check_locked(settings: Settings, names: Sequence[str], *, strict: bool, as_json: bool) -> bool:
    """Read the ledger against the course as it is; whether every chosen claim stands."""
    course: Course = settings.course
    standing = standing_of(course)
    entries = [standing.entry(item.card, item.claim) for item in choose(course, names)]
    screen: Screen = settings.out
    if as_json:
        screen.json("check", {"claims": [asdict(entry) for entry in entries], "locked": True})
    else:
        for entry in entries:
            if not entry.status.as_stated:
                screen.print(
                    Text.assemble(status_text(entry.status), f"  {entry.card}: {entry.claim}")
                )
                screen.note(f"  {entry.note}")
        _counts(entries, screen)
    unchecked = any(e.status is Status.NOT_RUN and e.note == "never checked" for e in entries)
    return _all_good(entries, strict=strict) and not unchecked


def _row(*cells: str | Text, style: str = "") -> Table:
    """One line of the table; printed row by row, so that each verdict shows when it falls."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=10)
    grid.add_column(width=5, justify="right")
    grid.add_column(ratio=3)
    grid.add_column(ratio=2)
    grid.add_column(width=5, justify="right")
    grid.add_row(*(Text(c, style=style) if isinstance(c, str) else c for c in cells))
    return grid


def _outcome_row(outcome: Outcome) -> Table:
    entry = outcome.entry
    claim = Text(entry.claim)
    if entry.myth:
        claim.append(" (a myth)", style="italic")
    claim.append(f"\n{entry.card}", style="dim")
    breaks = Text("\n").join(
        Text(
            f"{control.control}: {control.yes}/{control.yes + control.no}",
            style="" if control.flipped else "yellow",
        )
        for control in entry.controls
    )
    if entry.note:
        breaks.append(f"{chr(10) if breaks else ''}{entry.note}", style="yellow")
    yes = f"{entry.yes}/{entry.seeds}" if entry.seeds else ""
    return _row(status_text(entry.status), yes, claim, breaks, f"{outcome.seconds:.1f}")


def _summary(entries: Sequence[Entry], runs: Runs, seconds: float, screen: Screen) -> None:
    screen.print()
    _counts(entries, screen)
    screen.note(
        f"{runs.made} runs made, {runs.recalled} recalled, {seconds:.0f} s on {runs.device}."
    )


def _counts(entries: Sequence[Entry], screen: Screen) -> None:
    counts = Counter(entry.status for entry in entries)
    parts = [Text.assemble(f"{n} ", status_text(status)) for status, n in sorted(counts.items())]
    claims = f"{len(entries)} claim{'' if len(entries) == 1 else 's'}: "
    screen.print(Text.assemble((claims, "bold"), Text(", ").join(parts)))
