"""The claims at work, while a check runs: their seeds as they come in, on a live terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vaeflash.card import ClaimKey
from vaeflash.cli.screen import Screen
from vaeflash.judging.cases import Selection
from vaeflash.judging.judge import JudgedArm
from vaeflash.judging.outcome import Outcome
from vaeflash.judging.status import UNJUDGED

AT_ONCE = 6
"""How many claims are shown at a time."""
WORDS = 7
"""Longer rows of answers are told as runs of equal ones."""


class Watch:
    """A picture of a check under way; nothing where there is no terminal."""

    def __init__(self, screen: Screen, selection: Selection) -> None:
        self._open: dict[ClaimKey, Outcome] = {}
        self._claims = len(selection.items)
        self._done = 0
        self._started = time.monotonic()
        self._live = Live(
            self,
            console=screen.console,
            transient=True,
            refresh_per_second=4,
            auto_refresh=screen.console.is_terminal,
        )
        self._shown = screen.console.is_terminal

    def __enter__(self) -> Watch:
        if self._shown:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._live.stop()

    def see(self, outcome: Outcome) -> None:
        """Take what is known of a claim now."""
        if outcome.entry:
            self._open.pop(outcome.item.key, None)
            self._done += 1
        else:
            self._open[outcome.item.key] = outcome

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text()
        yield claims_at_work(list(self._open.values())[:AT_ONCE])
        seconds = int(time.monotonic() - self._started)
        line = Table.grid(padding=(0, 1))
        line.add_row(
            ProgressBar(max(1, self._claims), self._done, width=24),
            Text(f"{self._done} of {self._claims} claims"),
            Text(f"{seconds // 60}:{seconds % 60:02d}", style="dim"),
        )
        yield line


def claims_at_work(outcomes: Sequence[Outcome]) -> Table:
    """A row for each claim: its answers so far, both e-values, and its controls' answers."""
    table = Table(box=None, padding=(0, 1, 0, 0), expand=True, header_style="dim")
    table.add_column("at work", ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column("seeds", ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column("for", justify="right", width=6)
    table.add_column("against", justify="right", width=7)
    table.add_column("controls", ratio=3, no_wrap=True, overflow="ellipsis")
    for outcome in outcomes:
        controls = Text("; ").join(
            Text.assemble((f"{control.text}: ", "dim"), answers(arm))
            for control, arm in outcome.controls
        )
        evidence = outcome.arm.evidence
        table.add_row(
            Text(outcome.item.claim.text),
            answers(outcome.arm),
            Text(_short(evidence.e_for)),
            Text(_short(evidence.e_against)),
            controls,
        )
    return table


def answers(arm: JudgedArm) -> Text:
    """Yes and no in the order of the seeds, and dots for those that are being made."""
    words = ["yes" if yes else "no" for yes in arm.answers]
    if len(words) > WORDS:
        runs = [(word, len(list(group))) for word, group in groupby(words)]
        words = [word if count == 1 else f"{word} x{count}" for word, count in runs]
    text = Text(" ").join(
        Text(word, style="green" if word.startswith("yes") else "red") for word in words
    )
    if arm.verdict in UNJUDGED:
        return Text(arm.verdict, style="red")
    if arm.waits_for:
        text.append(" …" if words else "…", style="dim")
    return text


def _short(e_value: float) -> str:
    """Three digits, as 20 decides: nobody asks how far beyond."""
    if e_value >= 1000:
        return ">999"
    return f"{e_value:.3g}" if e_value >= 0.001 else "<.001"
