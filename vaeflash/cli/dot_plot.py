"""Distributions as characters: one dot a seed, stacked, all samples above one axis."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

MOST_ROWS = 4
CELL = 8
"""Dots in one character."""
STACKS = " " + "".join(chr(0x2800 + bits) for bits in (64, 192, 196, 228, 230, 246, 247, 255))
"""A space, and Braille characters with 1 to 8 dots, filled from below."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A line from `low` to `high` with room for `columns` characters."""

    low: float
    high: float
    columns: int
    log: bool = False

    @classmethod
    def around(
        cls, values: Sequence[float], marks: Sequence[float], columns: int, *, log: bool
    ) -> Axis:
        """The axis that shows all values, and each mark that does not shrink them to half."""
        known = [value for value in values if not log or value > 0]
        low, high = (min(known), max(known)) if known else (1.0, 1.0)
        bare = cls(low, high, columns, log)
        for mark in marks:
            if (mark > 0 or not log) and -1 <= bare.position(mark) <= 2:
                low, high = min(low, mark), max(high, mark)
        if low == high:
            low, high = (low / 2, 2 * low) if low > 0 else (low - 1, high + 1)
        return cls(low, high, columns, log)

    def position(self, value: float) -> float:
        """Where a value stands: 0 at `low`, 1 at `high`."""
        if self.log:
            if value <= 0:
                return -math.inf
            low, high, at = math.log(self.low), math.log(self.high), math.log(value)
        else:  # halves, for a range that no float holds
            low, high, at = self.low / 2, self.high / 2, value / 2
        if high > low:
            return (at - low) / (high - low)
        return 0.5 if at == low else math.copysign(math.inf, at - low)

    def column(self, value: float) -> int:
        """The character that a value falls on; the nearest one beyond either end."""
        return round(min(max(self.position(value), 0.0), 1.0) * (self.columns - 1))


def dots(values: Sequence[float], axis: Axis, *, per_dot: int, style: str) -> Iterator[Text]:
    """The values as columns of dots, top row first."""
    counts = Counter(axis.column(value) for value in values)
    heights = {column: math.ceil(count / per_dot) for column, count in counts.items()}
    rows = math.ceil(max(heights.values(), default=1) / CELL)
    for row in reversed(range(rows)):
        line = Text()
        for column in range(axis.columns):
            line.append(STACKS[min(max(heights.get(column, 0) - row * CELL, 0), CELL)], style=style)
        yield line


def seeds_per_dot(samples: Sequence[Sequence[float]], axis: Axis) -> int:
    """How many values a dot stands for, so that no column grows out of its rows."""
    highest = max(
        (max(Counter(map(axis.column, sample)).values()) for sample in samples if sample), default=1
    )
    return math.ceil(highest / (MOST_ROWS * CELL))


def axis_line(axis: Axis, marks: Mapping[str, float]) -> Text:
    """The axis with a sign at each mark; `◂` or `▸` at an end for one that lies beyond it.

    Args:
        marks: Sign -> value; of two in one place, the latter is seen.
    """
    line = ["─"] * axis.columns
    line[0], line[-1] = "├", "┤"
    for sign, value in marks.items():
        position = axis.position(value)
        line[axis.column(value)] = "◂" if position < 0 else "▸" if position > 1 else sign
    return Text("".join(line))
