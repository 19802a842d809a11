"""What each seed measured and answered, as a table that fits the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from rich.table import Table
from rich.text import Text

from vaeflash.card import Value
from vaeflash.judging.audit import Answer
from vaeflash.judging.ledger import Entry
from vaeflash.judging.words import value_text

MANY_SEEDS, FIRST_SHOWN = 12, 3
REPEATED = 2
"""Columns that stand at the left of every table: the seed, and its answer to the claim."""
GAP = 2

Column: TypeAlias = "tuple[str, list[str]]"
"""A title and the cells below it."""


def seed_tables(
    entry: Entry, metrics: Sequence[str], answers: Sequence[Answer], width: int, height: int
) -> Iterator[Table | Text]:
    """One row a seed, in as many tables side by side as the width needs, and what was left out.

    Args:
        entry: As stored.
        metrics: As the claim writes them, in its order.
        answers: What the stored values amount to; a seed that could not be judged has none.
        width: Of the terminal, in columns.
        height: Of the terminal, in lines; a tall one shows every seed.
    """
    judged = {str(answer.seed): answer for answer in answers}
    seeds = list(entry.values)
    yes = {seed for seed, answer in judged.items() if answer.yes}
    shown = folded(seeds, yes) if len(seeds) + 20 > height else seeds
    parts = max((len(answer.parts) for answer in answers), default=1)
    titles = ["seed", "claim", *metrics]
    titles += [f"({n})" for n in range(1, parts + 1)] if parts > 1 else []
    rows = [
        _row(seed, entry.values[seed], metrics, judged.get(seed)) if seed else ["…"] * len(titles)
        for seed in shown
    ]
    columns = [
        (title, [row[n] if n < len(row) else "?" for row in rows]) for n, title in enumerate(titles)
    ]
    yield from (_table(block) for block in blocks(columns, width))
    hidden = len(seeds) - sum(seed is not None for seed in shown)
    if hidden:
        yield Text(f"… stands for {hidden} seeds, each a yes; --json has them all.", style="dim")


def folded(seeds: Sequence[str], yes: set[str]) -> list[str | None]:
    """The seeds to show: of many, the first, the last, every "no", and `None` for the rest."""
    if len(seeds) <= MANY_SEEDS:
        return list(seeds)
    shown: list[str | None] = []
    for place, seed in enumerate(seeds):
        if place < FIRST_SHOWN or place == len(seeds) - 1 or seed not in yes:
            shown.append(seed)
        elif shown[-1] is not None:
            shown.append(None)
    return shown


def _row(
    seed: str, measured: Mapping[str, Value], metrics: Sequence[str], answer: Answer | None
) -> list[str]:
    cells = [value_text(measured[metric]) if metric in measured else "?" for metric in metrics]
    if answer is None:
        return [seed, "?", *cells]
    parts = answer.parts if len(answer.parts) > 1 else ()
    return [seed, _word(answer.yes), *cells, *map(_word, parts)]


def _word(yes: bool) -> str:
    return "yes" if yes else "no"


def blocks(columns: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """The columns, shared out among as many tables as the width needs.

    Titles are broken only where the table would not fit otherwise.
    """
    if _taken(columns) > width:
        columns = [(_broken(title, cells), cells) for title, cells in columns]
    block = list(columns[:REPEATED])
    for column in columns[REPEATED:]:
        if _taken([*block, column]) > width and len(block) > REPEATED:
            yield block
            block = list(columns[:REPEATED])
        block.append(column)
    yield block


def _taken(columns: Sequence[Column]) -> int:
    """How wide a table of these columns is."""
    widths = (max(map(len, [*title.split("\n"), *cells])) for title, cells in columns)
    return sum(widths) + GAP * (len(columns) - 1)


def _broken(title: str, cells: Sequence[str]) -> str:
    """The title in lines no longer than its cells, as far as it has places to break."""
    pieces = re.split(r"(?<=[_ ])|(?=\[)", title)
    longest = max(map(len, [*pieces, *cells]))
    lines = [""]
    for piece in pieces:
        if len(lines[-1] + piece) > longest:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for title, _ in columns:
        table.add_column(Text(title), justify="right", vertical="bottom", overflow="fold")
    styles = {"no": "red", "yes": "green"}
    for row in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*(Text(cell, style=styles.get(cell, "")) for cell in row))
    return table
