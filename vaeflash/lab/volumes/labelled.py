"""Places that look at labels: around their edges, where they hold ink, where they hold none.

Learning from edges alone is no harmless choice: such a network has never seen blank papyrus, and
paints on it. `Mixed` and `balanced` are for that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeflash.lab.volumes.places import (
    ELSEWHERE,
    Grid,
    Mixed,
    below,
    positions,
    refuse,
    require_cover,
)
from vaeflash.lab.volumes.volume import Box, Triple


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Windows around edges of labels: first a pixel on an edge, then any window that holds it.

    It holds the next pixel down and to the right too, so both sides of the edge. The edge may lie
    anywhere in the window: were it always in the middle, a network could learn the place instead
    of the ink. A window is as likely as it holds many edge pixels, a little more at the border of
    the region, where fewer windows share a pixel. Along the depth all are alike.

    Args:
        window: At least 2 x 2 pixels, or it holds no edge.
        labels: `(V, U)`; what lies outside the region is not looked at.

    Raises:
        DataError: The labels have no edge in the region, or are too small for it.
    """

    region: Box
    window: Triple
    labels: Grid
    _pixels: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        cut = _labels_of(self.region, self.window, self.labels)
        object.__setattr__(self, "_pixels", np.flatnonzero(label_edges(cut)))
        if not len(self._pixels):
            refuse("labels", "they have no edge in the region.", ELSEWHERE)
        if min(self.window[1:]) < 2:
            refuse("places", "a window one pixel wide holds no edge.", "Choose a larger window.")

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Corners `(n, 3)`."""
        (depth, *sides), (_, *window) = self.region.shape, self.window
        pixels = self._pixels[below(len(self._pixels), (n,), generator).numpy()]
        corners = [below(depth - self.window[0] + 1, (n,), generator)]
        for pixel, side, w in zip(np.unravel_index(pixels, sides), sides, window, strict=True):
            at = torch.from_numpy(pixel)
            first = ((at + 1).clamp(max=side - 1) - w + 1).clamp(min=0)
            last = at.clamp(max=side - w)
            corners.append(first + below(last - first + 1, (n,), generator))
        return torch.stack(corners, 1) + torch.tensor(self.region.start)


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """Windows whose labels hold ink, at least a pixel of it, or those that hold none.

    Args:
        labels: `(V, U)`.
        ink: False for windows of blank papyrus.

    Raises:
        DataError: The region has no such window, or the labels are too small for it.
    """

    region: Box
    window: Triple
    labels: Grid
    ink: bool = True
    _corners: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        cut = _labels_of(self.region, self.window, self.labels)
        held = window_sums(cut, *self.window[1:]) > 0
        object.__setattr__(self, "_corners", np.flatnonzero(held == self.ink))
        if not len(self._corners):
            what = "none" if self.ink else "all"
            refuse("labels", f"{what} of the region's windows hold ink.", ELSEWHERE)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Corners `(n, 3)`, each window as likely as any other of its kind."""
        counts = positions(self.region, self.window)
        picked = self._corners[below(len(self._corners), (n,), generator).numpy()]
        v, u = (torch.from_numpy(i) for i in np.unravel_index(picked, counts[1:]))
        z = below(counts[0], (n,), generator)
        return torch.stack((z, v, u), 1) + torch.tensor(self.region.start)


def balanced(region: Box, window: Triple, labels: Grid, share: float = 0.5) -> Mixed:
    """A share of windows that hold ink, the rest blank.

    Raises:
        DataError: Windows of one kind are missing, or the share is not from 0 to 1.
    """
    held, blank = (Holding(region, window, labels, ink) for ink in (True, False))
    return Mixed(held, blank, share)


def label_edges(labels: Grid) -> Grid:
    """Where a label differs from the next one down or to the right, `(V, U)`.

    The first difference along both axes marks every boundary, one pixel wide, on its upper left
    side.
    """
    labels = np.asarray(labels, bool)
    edges = np.zeros_like(labels)
    edges[:-1] |= labels[1:] != labels[:-1]
    edges[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    return edges


def window_sums(labels: Grid, h: int, w: int) -> NDArray[np.int32]:
    """Pixels of ink in each h x w window, `(V - h + 1, U - w + 1)`, by a summed-area table."""
    table = np.asarray(labels, bool).cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
    table = np.pad(table, ((1, 0), (1, 0)))
    sums: NDArray[np.int32] = table[h:, w:] - table[:-h, w:] - table[h:, :-w] + table[:-h, :-w]
    return sums


def _labels_of(region: Box, window: Triple, labels: Grid) -> Grid:
    """The labels of a region's voxels."""
    positions(region, window)
    require_cover("labels", labels.shape, (1, 1), region.stop[1:])
    cut: Grid = np.asarray(labels, bool)[region.slices[1:]]
    return cut
