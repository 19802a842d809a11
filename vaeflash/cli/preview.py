"""A figure as characters: enough to see what the PNG shows, on any terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.text import Text

from vaeflash.demo import Bars, Curves, Figure, Images, Plane, Scatter
from vaeflash.figures import COLOURS, Pixels, as_array, picture
from vaeflash.widget.still import still

LEAST_TILE = 14
"""Columns that a picture needs to be recognised; fewer pictures are shown rather than smaller."""
PLOT_ROWS = 10
SHADES = " ░▒▓█"


def preview(figure: Figure, width: int, *, colour: bool = True) -> RenderableType:
    """A figure in at most `width` columns; without `colour`, in shades of the text colour."""
    if isinstance(figure, Plane):
        figure = still(figure)
    if isinstance(figure, Images):
        return _images(figure, width, colour=colour)
    if isinstance(figure, Curves):
        return _curves(figure, min(width, 78))
    if isinstance(figure, Bars):
        return _bars(figure, min(width, 78))
    return _scatter(figure, min(width, 78))


def _images(figure: Images, width: int, *, colour: bool) -> RenderableType:
    pixels = picture(figure)
    if pixels.ndim == 4:
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    rows, columns, high, wide = pixels.shape[:4]
    label = max((len(name) for name in figure.rows), default=0)
    room = width - label - 1
    shown = max(1, min(columns, room // (LEAST_TILE + 1)))
    tile = max(1, min(wide, 2 * LEAST_TILE, room // shown - 1))
    lines: list[Text] = []
    for row in range(rows):
        # A character is one pixel wide and two high, so a tile of n columns has n/2 lines.
        parts = [
            shrink(pixels[row, column], max(2, 2 * round(tile * high / wide / 2)), tile)
            for column in range(shown)
        ]
        for line in range(0, parts[0].shape[0], 2):
            name = figure.rows[row] if line == 0 and row < len(figure.rows) else ""
            # Not the style of the whole line, which would dim the pixels, too.
            text = Text.assemble((f"{name:>{label}} ", "dim"))
            for part in parts:
                text.append_text(_half_blocks(part[line], part[line + 1], colour=colour))
                text.append(" ")
            lines.append(text)
    if shown < columns:
        lines.append(Text(f"{shown} of {columns} columns; the file shows all.", style="dim"))
    return Group(*lines)


def shrink(pixels: Pixels, high: int, wide: int) -> Pixels:
    """The mean of each of `high` by `wide` areas: `(H, W, C)` to `(high, wide, C)`."""
    for axis, size in ((0, high), (1, wide)):
        edges = np.linspace(0, pixels.shape[axis], size + 1)
        starts = np.floor(edges[:-1]).astype(int)
        stops = np.maximum(np.ceil(edges[1:]).astype(int), starts + 1)
        parts = [
            pixels.take(range(a, b), axis=axis).mean(axis=axis)
            for a, b in zip(starts, stops, strict=True)
        ]
        pixels = np.stack(parts, axis=axis)
    return pixels


def _half_blocks(upper: Pixels, lower: Pixels, *, colour: bool) -> Text:
    text = Text()
    for top, bottom in zip(upper, lower, strict=True):
        if colour:
            text.append("▀", style=f"{_hex(top)} on {_hex(bottom)}")
        else:
            level = float(top.mean() + bottom.mean()) / 2
            text.append(SHADES[round(level * (len(SHADES) - 1))])
    return text


def _hex(pixel: Pixels) -> str:
    red, green, blue = (round(255 * float(part)) for part in pixel)
    return f"#{red:02x}{green:02x}{blue:02x}"


class _Canvas:
    """Dots in braille characters, two across and four down in each, one colour a character."""

    _BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))

    def __init__(self, columns: int, rows: int) -> None:
        self._dots = np.zeros((rows, columns), dtype=int)
        self._colours = np.full((rows, columns), "", dtype=object)

    def plot(self, x: Pixels, y: Pixels, colour: str) -> None:
        """Set dots at positions in 0..1, y upwards."""
        rows, columns = self._dots.shape
        across = np.clip(x * (2 * columns - 1), 0, 2 * columns - 1).round().astype(int)
        down = np.clip((1 - y) * (4 * rows - 1), 0, 4 * rows - 1).round().astype(int)
        for i, j in zip(across, down, strict=True):
            self._dots[j // 4, i // 2] |= self._BITS[j % 4][i % 2]
            self._colours[j // 4, i // 2] = colour

    def lines(self) -> Iterator[Text]:
        for dots, colours in zip(self._dots, self._colours, strict=True):
            text = Text()
            for dot, colour in zip(dots, colours, strict=True):
                text.append(chr(0x2800 + int(dot)), style=colour)
            yield text


def _curves(figure: Curves, width: int) -> RenderableType:
    x = _scaled(as_array(figure.x), log=figure.log_x)
    lines = {name: _scaled(as_array(y), log=figure.log_y) for name, y in figure.lines.items()}
    low, high = _range(np.concatenate(list(lines.values())))
    canvas = _Canvas(width - 10, PLOT_ROWS)
    fine = np.linspace(0, 1, 4 * width)
    for number, y in enumerate(lines.values()):
        known = np.isfinite(x) & np.isfinite(y)
        if known.any():
            dense = np.interp(fine, _unit(x, *_range(x))[known], _unit(y, low, high)[known])
            canvas.plot(fine, dense, COLOURS[number % len(COLOURS)])
    return _framed(canvas, figure, list(lines), (low, high), log=figure.log_y)


def _scatter(figure: Scatter, width: int) -> RenderableType:
    points, classes = as_array(figure.points), as_array(figure.classes).astype(int)
    canvas = _Canvas(width - 10, 2 * PLOT_ROWS)
    x = _unit(points[:, 0], *_range(points[:, 0]))
    low, high = _range(points[:, 1])
    y = _unit(points[:, 1], low, high)
    labels = [int(label) for label in np.unique(classes)]
    for number, label in enumerate(labels):
        chosen = classes == label
        canvas.plot(x[chosen], y[chosen], COLOURS[number % len(COLOURS)])
    return _framed(canvas, figure, [str(label) for label in labels], (low, high), log=False)


def _framed(
    canvas: _Canvas,
    figure: Curves | Scatter,
    names: list[str],
    limits: tuple[float, float],
    *,
    log: bool,
) -> RenderableType:
    low, high = (10**limit if log else limit for limit in limits)
    rows = list(canvas.lines())
    marks = {0: f"{high:.3g}", len(rows) - 1: f"{low:.3g}"}
    framed = [
        Text.assemble((f"{marks.get(number, ''):>9s} ", "dim"), row)
        for number, row in enumerate(rows)
    ]
    legend = Text(" " * 10)
    for number, name in enumerate(names):
        legend.append(f"━ {name}  ", style=COLOURS[number % len(COLOURS)])
    labels = " over ".join(label for label in (figure.y_label, figure.x_label) if label)
    axes = Text(" " * 10 + labels, style="dim")
    return Group(*framed, legend, axes)


def _bars(figure: Bars, width: int) -> RenderableType:
    label = max((len(name) for name in figure.values), default=0)
    largest = max((abs(value) for value in figure.values.values()), default=0.0)
    room = max(8, width - label - 14)
    lines = []
    for name, value in figure.values.items():
        length = round(room * abs(value) / largest) if largest else 0
        bar = ("█" if value >= 0 else "▒") * length
        lines.append(
            Text.assemble((f"{name:>{label}} ", "dim"), f"{value:>11.4g} ", (bar, COLOURS[0]))
        )
    return Group(*lines, Text(f"{'':>{label}} {figure.y_label}", style="dim"))


def _scaled(values: Pixels, *, log: bool) -> Pixels:
    if not log:
        return values
    positive: Pixels = np.where(values > 0, values, np.nan)
    logged: Pixels = np.log10(positive)
    return logged


def _range(values: Pixels) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)


def _unit(values: Pixels, low: float, high: float) -> npt.NDArray[Any]:
    return (values - low) / (high - low) if high > low else np.full_like(values, 0.5)
