r"""Windows at the edges of letters hold more ink, and a sampler of them has four ways to go wrong.

Nine pixels of ten on a sheet of papyrus hold no ink. To show a network more of it, windows are
drawn around the *edges* of the labels. The sampler looks like a few lines of indexing:

    edges = where a label differs from the next one, down or to the right
    v, u  = any of them
    label = labels[v - h : v + h, u - h : u + h]                    windows of side 2 h

Each line can be written almost right, and none of the mistakes raises an error.

**The difference.** Along one axis alone it misses every boundary that runs along that axis. Taken
with its sign (`np.diff(labels.astype(int)) > 0`) it finds where ink begins and not where it ends.

**The border.** At an edge pixel near the border the slice reaches outside. NumPy then gives a
smaller window, or an empty one: a negative index counts from the other end. The source makes a copy
of the edges with a border of zeros, and goes on with the edges without it.

**Rows and columns.** Arrays are indexed [row, column], points are written (x, y), and x is the
column. A sampler that draws x below the width and slices labels[x:, y:] is right on a square sheet
only.

**The centre.** If every window is centred on an edge, the middle is more often ink than the rest.
That can be learned without looking at a single voxel: the mean label of all windows is a map that
"predicts" ink. It is gone when the edge may be anywhere in the window.

Source: notes on the scroll, the sampler of windows with edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Images, Lab, Result
from vaeflash.lab.volumes.labelled import Edges
from vaeflash.lab.volumes.places import Grid, Places, Uniform
from vaeflash.lab.volumes.volume import whole
from vaeflash.lab.volumes.windows import Windows

from ._edges import auc

NEEDS = ("scroll",)
SHEET, SQUARE = (2, 256, 768), (2, 256, 256)
"""Layers, rows and columns; labels are flat, so two layers do."""
DRAWN = 2_000
MARGIN = 24
"""Where letters of a figure are cut out, in pixels."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    side: int = 32  # of a window, in pixels

    sampler: Literal["uniform", "edges"] = "edges"
    difference: Literal["both_axes", "rows", "rising", "both_sides"] = "both_axes"
    mask: Literal["unused", "used"] = "unused"
    order: Literal["column_first", "row_first"] = "column_first"
    sheet: Literal["wide", "square"] = "wide"
    place: Literal["centre", "anywhere"] = "centre"


# Where edges are


def difference(labels: Grid, way: str) -> Grid:
    """Edges of labels `(V, U)`: their first difference, or a way of writing it that differs."""
    if way == "both_sides":
        return gradient(labels)
    down = labels[1:, :-1] != labels[:-1, :-1]
    right = labels[:-1, 1:] != labels[:-1, :-1]
    if way == "rising":
        down, right = down & labels[1:, :-1], right & labels[:-1, 1:]
    edges = np.zeros_like(labels)
    edges[:-1, :-1] = down if way == "rows" else down | right
    return edges


def gradient(labels: Grid) -> Grid:
    """The morphological gradient: pixels that have a neighbour of the other kind, both sides."""
    ink = torch.from_numpy(labels).float()[None, None]
    down = _around(ink, (3, 1)) | _around(ink, (1, 3))
    found: Grid = down[0, 0].numpy()
    return found


def _around(ink: Tensor, window: tuple[int, int]) -> Tensor:
    """Where the largest and the smallest label in a window differ."""
    pad = (window[0] // 2, window[1] // 2)
    most = F.max_pool2d(ink, window, 1, pad)
    return most != -F.max_pool2d(-ink, window, 1, pad)


def recall(edges: Grid, boundary: Grid) -> float:
    """Share of the boundary's pixels that are an edge, or have one up to a pixel away."""
    near = F.max_pool2d(torch.from_numpy(edges).float()[None], 3, 1, 1)[0].bool().numpy()
    return float(near[boundary].mean())


# Windows as the source cuts them


def centred(labels: Grid, v: int, u: int, side: int) -> Grid:
    """The window around a pixel, as slicing gives it: near the border it is no square."""
    half = side // 2
    return labels[v - half : v + half, u - half : u + half]


def bad_share(labels: Grid, edges: Grid, side: int, mask: str) -> float:
    """Share of the edge pixels whose window has the wrong shape."""
    inside = np.zeros_like(edges)
    half = side // 2
    inside[half : 1 - half, half : 1 - half] = True
    kept = edges & inside if mask == "used" else edges
    shapes = [centred(labels, v, u, side).shape for v, u in np.argwhere(kept).tolist()]
    return float(np.mean([shape != (side, side) for shape in shapes]))


def random_bad_share(labels: Grid, side: int, order: str, generator: torch.Generator) -> float:
    """The same of windows at random places: x below the width, y below the height."""
    height, width = labels.shape
    wrong = 0
    for x, y in zip(
        torch.randint(width - side + 1, (DRAWN,), generator=generator).tolist(),
        torch.randint(height - side + 1, (DRAWN,), generator=generator).tolist(),
        strict=True,
    ):
        first, second = (x, y) if order == "column_first" else (y, x)
        wrong += labels[first : first + side, second : second + side].shape != (side, side)
    return wrong / DRAWN


# What a place gives away


def centred_corners(labels: Grid, side: int, n: int, generator: torch.Generator) -> Tensor:
    """First pixels `(n, 2)` of windows centred on edges, those that stay inside alone."""
    corners = torch.from_numpy(np.argwhere(difference(labels, "both_axes"))) - side // 2
    most = torch.tensor(labels.shape) - side
    corners = corners[((corners >= 0) & (corners <= most)).all(1)]
    return corners[torch.randint(len(corners), (n,), generator=generator)]


def drawn(places: Places, n: int, generator: torch.Generator) -> Tensor:
    """First pixels `(n, 2)` of windows from a law of places."""
    return places.draw(n, generator)[:, 1:]


def cut(labels: Grid, corners: Tensor, side: int) -> Tensor:
    """Labels of windows `(n, side, side)`, 0 or 1."""
    return Windows(torch.from_numpy(labels), (side, side)).cut(corners)


def windows_of(labels: Grid, params: Params, name: str, lab: Lab) -> Tensor:
    """Windows with an edge, in their centre or anywhere in them."""
    side, generator = params.side, lab.generator(name)
    if params.place == "centre":
        return cut(labels, centred_corners(labels, side, DRAWN, generator), side)
    places = Edges(whole((2, *labels.shape)), (2, side, side), labels)
    return cut(labels, drawn(places, DRAWN, generator), side)


def letters(labels: Grid, edges: Grid) -> NDArray[np.float64]:
    """A piece of the labels, and of their edges."""
    piece = slice(MARGIN, MARGIN + 80), slice(MARGIN, MARGIN + 80)
    return np.stack([labels[piece], edges[piece]]).astype(float)


def run(params: Params, lab: Lab) -> Result:
    """Draw windows of a sheet and count what is in them, and what went wrong."""
    scroll = lab.data("scroll")
    sheets = {"wide": SHEET, "square": SQUARE}
    ink = scroll.surface("train", sheets[params.sheet]).ink
    other = scroll.surface("test", SHEET).ink
    side = params.side

    region = whole((2, *ink.shape))
    uniform = Uniform(region, (2, side, side))
    edge = Edges(region, (2, side, side), ink)
    laws: dict[str, Places] = {"uniform": uniform, "edges": edge}
    share = {
        name: cut(ink, drawn(places, DRAWN, lab.generator(name)), side).mean().item()
        for name, places in laws.items()
    }
    edges, boundary = difference(ink, params.difference), gradient(ink)

    position = windows_of(ink, params, "map", lab).mean(0)
    unseen = windows_of(other, params, "unseen", lab)
    rim = position.clone()
    rim[side // 4 : -side // 4, side // 4 : -side // 4] = torch.nan
    middle = position[side // 2 - 2 : side // 2 + 2, side // 2 - 2 : side // 2 + 2]

    return Result(
        metrics={
            "ink_share": share[params.sampler],
            "sheet_ink_share": float(ink.mean()),
            "edge_recall": recall(edges, boundary),
            "edge_pixels_share": float(edges.sum() / boundary.sum()),
            "bad_share": bad_share(ink, difference(ink, "both_axes"), side, params.mask),
            "random_bad_share": random_bad_share(ink, side, params.order, lab.generator("random")),
            "middle_ink": middle.mean().item(),
            "rim_ink": rim.nanmean().item(),
            "blind_auc": auc(position.expand_as(unseen), unseen),
        },
        figures={
            "edges": Images(
                "Letters, and the first difference of their labels along both axes: a line one "
                "pixel wide, on one side of each boundary.",
                letters(ink, difference(ink, params.difference))[None],
                columns=("labels", "difference"),
            ),
            "share": Bars(
                "The share of ink in windows of a sheet.",
                {"uniform": share["uniform"], "around edges": share["edges"]},
                "share of pixels",
            ),
            "place": Images(
                "The mean label of windows with an edge. In their centre it can be learned without "
                "looking at any voxel.",
                torch.stack(
                    [
                        cut(ink, centred_corners(ink, side, DRAWN, lab.generator("map")), side),
                        cut(ink, drawn(edge, DRAWN, lab.generator("map")), side),
                    ]
                ).mean(1)[None],
                columns=("edge in the centre", "edge anywhere"),
            ),
        },
    )
