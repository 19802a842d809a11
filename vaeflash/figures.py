"""Draw a demo's figures: data in, PNG out. Matplotlib without its global state or a display."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vaeflash.demo import Bars, Curves, Figure, Images, Plane, Scatter
from vaeflash.errors import DemoError, Problem
from vaeflash.files import write_atomically
from vaeflash.widget.still import still

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pixels: TypeAlias = npt.NDArray[np.float64]

WIDTH = 6.4
"""Inches on a desk; on a phone, where the same letters must be read at half the size, `NARROW`."""
NARROW = 4.4
PIXELS = 704
"""The width that fits a card and a README."""
SMALL = 40_000
"""Bytes that a course spends on one picture at most, if fewer colours can bring it there."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#b8a400")
"""Okabe and Ito's palette, readable with colour-blind eyes, then two more."""


def save_png(figure: Figure, path: Path) -> None:
    """Draw a figure into a file, whole or not at all.

    Raises:
        DemoError: The figure's data do not fit its kind.
        CourseError: The file cannot be written.
    """
    write_atomically(path, to_png(figure, path.stem))


def to_small_png(figure: Figure, name: str = "figure") -> bytes:
    """A figure as a PNG with few colours and without its caption, to be shipped with a course.

    A figure that is larger than `SMALL` with 16 colours is shrunk, to half the width at most.

    Raises:
        DemoError: The figure's data do not fit its kind; `name` says which.
    """
    from PIL import Image

    with Image.open(io.BytesIO(to_png(figure, name, captioned=False, width=NARROW))) as drawn:
        picture = drawn.convert("RGB")
    for colours, share in ((64, 1.0), (32, 1.0), (16, 1.0), (16, 0.75), (16, 0.5)):
        out = io.BytesIO()
        size = round(share * picture.width), round(share * picture.height)
        scaled = picture.resize(size, Image.Resampling.LANCZOS)
        few = scaled.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(out, "PNG", optimize=True)
        if out.tell() <= SMALL:
            break
    return out.getvalue()


def to_png(
    figure: Figure, name: str = "figure", *, captioned: bool = True, width: float = WIDTH
) -> bytes:
    """A figure as PNG bytes, the same for the same data and libraries.

    Args:
        figure: What to draw.
        name: What messages call it.
        captioned: Whether the caption is drawn above; a page sets it in its own type.
        width: Inches over which the pixels are spread: the fewer, the larger the letters.

    Raises:
        DemoError: The figure's data do not fit its kind.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    kind = type(figure).__name__
    try:
        if isinstance(figure, Plane):
            figure = still(figure)
        size = (width, _height(figure, width, captioned=captioned))
        canvas = Canvas(figsize=size, dpi=PIXELS / width, layout="constrained")
        FigureCanvasAgg(canvas)
        if isinstance(figure, Images):
            _images(figure, canvas)
        else:
            _chart(figure, canvas.subplots())
        if captioned:
            canvas.suptitle(figure.caption, fontsize=9, wrap=True)
        out = io.BytesIO()
        # No software version in the file: the same figure gives the same bytes.
        canvas.savefig(out, format="png", metadata={"Software": None})
        return out.getvalue()
    except (ValueError, IndexError, TypeError) as error:
        raise DemoError(
            Problem(
                f"figure '{name}'",
                f"its data cannot be drawn as {kind}: {error}.",
                "vaeflash.demo says which shapes each kind of figure takes.",
            )
        ) from error


def picture(figure: Images) -> Pixels:
    """The pixels of an image grid as numpy: `(rows, columns, H, W)` or with 3 channels last."""
    pixels = as_array(figure.pixels)
    if pixels.ndim not in (4, 5) or (pixels.ndim == 5 and pixels.shape[-1] != 3):
        raise ValueError(f"pixels have shape {pixels.shape}, not (rows, columns, H, W[, 3])")
    clipped: Pixels = np.clip(pixels, 0.0, 1.0)
    return clipped


def as_array(data: Any) -> Pixels:
    """A tensor, array or nested sequence as float64 numpy."""
    if hasattr(data, "detach"):
        data = data.detach().cpu().numpy()
    return np.asarray(data, dtype=np.float64)


def _height(figure: Images | Curves | Bars | Scatter, width: float, *, captioned: bool) -> float:
    """Inches that hold the figure without gaps."""
    caption = 0.4 if captioned else 0.0
    if not isinstance(figure, Images):
        return 0.56 * width + caption
    rows, columns, high, wide = picture(figure).shape[:4]
    labels = 0.1 + 0.065 * max(map(len, figure.rows), default=0)
    titles = 0.15 + 0.15 * bool(figure.columns)
    grid = (width - labels) * rows * high / max(1, columns * wide)
    return float(min(12.0, caption + titles + grid))


def _images(figure: Images, canvas: Any) -> None:
    pixels = picture(figure)
    rows, columns = pixels.shape[:2]
    # Close together, with room on the left: the layout forgets that square cells push labels out.
    rect = (0.03, 0, 0.97, 1) if figure.rows else (0, 0, 1, 1)
    canvas.get_layout_engine().set(w_pad=0.015, h_pad=0.015, wspace=0, hspace=0, rect=rect)
    grid = canvas.subplots(rows, columns, squeeze=False, gridspec_kw={"wspace": 0, "hspace": 0})
    for row in range(rows):
        for column in range(columns):
            axes = grid[row, column]
            axes.imshow(pixels[row, column], cmap="gray", vmin=0, vmax=1)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            if row == 0 and column < len(figure.columns):
                axes.set_title(figure.columns[column], fontsize=8, pad=2)
        if row < len(figure.rows):
            grid[row, 0].set_ylabel(
                figure.rows[row], fontsize=8, rotation=0, ha="right", va="center"
            )


def _chart(figure: Curves | Bars | Scatter, axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    if isinstance(figure, Bars):
        names = list(figure.values)
        axes.bar(names, list(figure.values.values()), color=COLOURS[0])
        axes.axhline(0, color="#888888", linewidth=0.8)
        axes.set_ylabel(figure.y_label)
        crowded = sum(map(len, names)) > 40 or max(map(len, names), default=0) > 14
        if crowded:
            axes.tick_params(axis="x", labelrotation=20)
            for label in axes.get_xticklabels():
                label.set(horizontalalignment="right", rotation_mode="anchor")
        return
    axes.set_xlabel(figure.x_label)
    axes.set_ylabel(figure.y_label)
    if isinstance(figure, Curves):
        x = as_array(figure.x)
        for (name, y), colour in zip(figure.lines.items(), _cycle(len(figure.lines)), strict=True):
            axes.plot(x, as_array(y), label=name, color=colour, linewidth=1.4)
        if figure.log_x:
            axes.set_xscale("log")
        if figure.log_y:
            axes.set_yscale("log")
        axes.legend(fontsize=8, frameon=False)
        return
    points, classes = as_array(figure.points), as_array(figure.classes).astype(int)
    for label in np.unique(classes):
        chosen = points[classes == label]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=6, label=str(label))
    axes.legend(fontsize=7, frameon=False, markerscale=2, ncols=2)


def _cycle(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]
