"""Greek capitals written on a sheet, as a function of where one looks.

Lines of equally wide cells cover the sheet, a letter in each, every one a little out of place. Only
the letters' pictures are kept and what each cell holds, so a sheet may be as long as it likes.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Path: TypeAlias = tuple[tuple[float, float], ...]
"""Points (x, y) that a stroke passes, in units of a letter's width and height, y downwards."""
Whole: TypeAlias = NDArray[np.int64]
Real: TypeAlias = NDArray[np.float32]

TEXT = "ΠΟΡΦΥΡΑΣΚΑΙΤΟΝΟΣΗΜΕΙΟΝΤΗΣΑΛ"
WIDTH, ADVANCE, LEADING = 0.8, 1.16, 1.4
"""Of a letter, from letter to letter, from line to line; in heights of a letter."""
WANDER = 0.125
"""How far at most a letter is out of place; in heights of a letter."""


def arc(
    x: float, y: float, width: float, height: float, start: float, stop: float, steps: int = 24
) -> Path:
    """Part of an ellipse around (x, y) with these half axes, angles in degrees."""
    angles = (math.radians(start + (stop - start) * i / steps) for i in range(steps + 1))
    return tuple((x + width * math.cos(a), y + height * math.sin(a)) for a in angles)


STROKES: dict[str, tuple[Path, ...]] = {
    "Α": (((0, 1), (0.5, 0), (1, 1)), ((0.22, 0.62), (0.78, 0.62))),
    "Ε": (arc(0.5, 0.5, 0.5, 0.5, -50, -310), ((0, 0.5), (0.7, 0.5))),
    "Η": (((0, 0), (0, 1)), ((1, 0), (1, 1)), ((0, 0.5), (1, 0.5))),
    "Ι": (((0.5, 0), (0.5, 1)),),
    "Κ": (((0, 0), (0, 1)), ((1, 0), (0, 0.5), (1, 1))),
    "Λ": (((0, 1), (0.5, 0), (1, 1)),),
    "Μ": (((0, 1), (0.2, 0), (0.5, 0.7), (0.8, 0), (1, 1)),),
    "Ν": (((0, 1), (0, 0), (1, 1), (1, 0)),),
    "Ο": (arc(0.5, 0.5, 0.5, 0.5, 0, 360),),
    "Π": (((0, 1), (0, 0), (1, 0), (1, 1)),),
    "Ρ": (((0, 1), (0, 0)), arc(0, 0.28, 0.8, 0.28, -90, 90)),
    "Σ": (arc(0.5, 0.5, 0.5, 0.5, -50, -310),),  # lunate, as scribes wrote it
    "Τ": (((0, 0), (1, 0)), ((0.5, 0), (0.5, 1))),
    "Υ": (((0, 0), (0.5, 0.5), (1, 0)), ((0.5, 0.5), (0.5, 1))),
    "Φ": (((0.5, 0), (0.5, 1)), arc(0.5, 0.5, 0.5, 0.3, 0, 360)),
}
ALPHABET = "".join(STROKES)


class Writing:
    """A text on a sheet of `height` by `width`, from a random letter on.

    Args:
        height: Rows, across the lines.
        width: Columns, along them.
        rng: Draws the beginning, where letters are out of place, and which are missing.
        letter: Height of a letter in rows.
        stroke: Thickness of the pen in rows.
        blank: Share of letters that are missing.
    """

    def __init__(
        self,
        height: int,
        width: int,
        rng: np.random.Generator,
        letter: int = 44,
        stroke: float = 6.0,
        blank: float = 0.0,
    ) -> None:
        self._cell = round(LEADING * letter), round(ADVANCE * letter)
        wander = max(1, round(WANDER * letter))
        # A letter's picture is larger than its cell, which looks at a part of it.
        rows, columns = (side + wander - 1 for side in self._cell)
        self._stride = columns
        self._pictures = _letters(rows, columns, letter, stroke).ravel()

        lines, cells = -(-height // self._cell[0]), -(-width // self._cell[1])
        text = np.array([ALPHABET.index(sign) for sign in TEXT])
        letters = text[(rng.integers(len(TEXT)) + np.arange(lines * cells)) % len(TEXT)]
        letters[rng.random(lines * cells) < blank] = len(ALPHABET)
        down, right = rng.integers(wander, size=(2, lines * cells))
        self._first = (letters * rows + down) * columns + right
        self._cells = cells

    def at(self, v: Whole, u: Whole) -> Real:
        """How dark the ink is at row v and column u of the sheet, from 0 to 1; any one shape."""
        line, row = np.divmod(v, self._cell[0])
        cell, column = np.divmod(u, self._cell[1])
        # In place where the shapes allow it: a phantom spends much of its time here.
        place = self._first.take(line * self._cells + cell)
        place += row * self._stride
        place += column
        dark: Real = self._pictures.take(place)
        return dark

    def picture(self, v: range, u: range) -> Real:
        """A part of the sheet: `(V, U)`, from 0 to 1."""
        return self.at(np.arange(v.start, v.stop)[:, None], np.arange(u.start, u.stop))


def _letters(rows: int, columns: int, letter: int, stroke: float) -> Real:
    """`(15 letters and a blank, rows, columns)`, from 0 to 1, each letter in the middle.

    A point is as dark as the pen covers it: half at half a pen's width from a stroke's middle.
    """
    width = WIDTH * letter
    y = np.arange(rows)[:, None] - (rows - letter) / 2
    x = np.arange(columns)[None, :] - (columns - width) / 2
    pictures = np.zeros((len(STROKES) + 1, rows, columns))
    for picture, paths in zip(pictures, STROKES.values(), strict=False):
        nearest = np.full((rows, columns), np.inf)
        for path in paths:
            for (ax, ay), (bx, by) in pairwise((px * width, py * letter) for px, py in path):
                dx, dy = bx - ax, by - ay
                along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)
                along = along.clip(0, 1)
                nearest = np.minimum(nearest, np.hypot(x - ax - along * dx, y - ay - along * dy))
        picture[:] = (stroke / 2 + 0.5 - nearest).clip(0, 1)
    # Steps of 1/256: no machine's last bits change a picture.
    return (np.rint(pictures * 256) / 256).astype(np.float32)
