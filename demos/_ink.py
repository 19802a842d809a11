"""Windows of a flattened sheet with their ink, and measures of a map of it: no demo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeflash.demo import Lab
from vaeflash.lab.volumes.labelled import window_sums
from vaeflash.lab.volumes.surface import Surface
from vaeflash.lab.volumes.windows import Windows

SHAPE = (8, 16, 16)
"""Of a window: layers, rows, columns."""
TRAIN, TEST = (8, 256, 512), (8, 128, 512)
"""Of the sheets."""
SHOWN = (96, 112)
"""Rows and columns of a sheet in a figure, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A flattened sheet, whole and in windows that lie beside each other.

    Attributes:
        surface: Layers, ink and mask.
        x: `(N, 1, 8, 16, 16)`, windows row by row, in [0, 1].
        y: `(N, 16, 16)`, their ink.
        columns: Windows in a row.
    """

    surface: Surface
    x: Tensor
    y: Tensor
    columns: int

    def picture(self, places: Tensor) -> Tensor:
        """What belongs to the windows, `(N, 16, 16)`, side by side: `(V, U)`."""
        rows: Tensor = places.unflatten(0, (-1, self.columns))
        return rows.transpose(1, 2).flatten(2).flatten(0, 1)


def in_windows(surface: Surface, device: torch.device) -> Sheet:
    """Cut as many whole windows as there are, without overlap, through the same layers."""
    _, rows, columns = surface.voxels.shape
    _, h, w = SHAPE
    grid = torch.cartesian_prod(torch.arange(rows // h) * h, torch.arange(columns // w) * w)
    corners = torch.cat((torch.zeros_like(grid[:, :1]), grid), 1)
    x = Windows(torch.from_numpy(surface.voxels), SHAPE).cut(corners).unsqueeze(1)
    y = Windows(torch.from_numpy(surface.ink), SHAPE[1:]).cut(grid)
    return Sheet(surface, x.to(device), y.to(device), columns // w)


def sheets(lab: Lab, contrast: float, blank: float) -> tuple[Sheet, Sheet]:
    """One to train on, and one of another scroll.

    Args:
        contrast: Of drawn ink.
        blank: Share of letters that are missing in the first, where it is drawn.
    """
    scroll = lab.data("scroll")
    train = scroll.surface("train", TRAIN, contrast, blank=blank)
    test = scroll.surface("test", TEST, contrast)
    return in_windows(train, lab.device), in_windows(test, lab.device)


def auc(score: Tensor, ink: Tensor) -> float:
    """How often a place with ink scores above one without, a tie counting half; 1/2 is chance.

    The area under the ROC curve, as the rank sum of Mann and Whitney; NaN where there is no pair.

    Args:
        score: Of any shape.
        ink: Of the same shape, bool.
    """
    _, inverse, counts = score.flatten().unique(return_inverse=True, return_counts=True)
    ranks = counts.cumsum(0) - (counts - 1).double() / 2
    held = ink.flatten()
    n = int(held.sum())
    pairs = n * (len(held) - n)
    return (float(ranks[inverse[held]].sum()) - n * (n + 1) / 2) / pairs if pairs else math.nan


def overlap(said: Tensor, ink: Tensor) -> float:
    """Intersection over union of two sets of places, bool of one shape; 1 if both are empty."""
    union = (said | ink).sum().item()
    return (said & ink).sum().item() / union if union else 1.0


def accuracy(said: Tensor, ink: Tensor) -> float:
    """Share of places where it is right."""
    return (said == ink).double().mean().item()


def best_layer(sheet: Surface) -> int:
    """The layer whose brightness tells ink best, by AUC."""
    ink = torch.from_numpy(sheet.ink)
    scores = [auc(torch.from_numpy(layer), ink) for layer in sheet.voxels]
    return scores.index(max(scores))


def most_written(ink: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the part of a sheet, as large as figures show, that has most ink."""
    rows, columns = (min(shown, side) for shown, side in zip(SHOWN, ink.shape, strict=True))
    sums = window_sums(ink, rows, columns)
    v, u = np.unravel_index(sums.argmax(), sums.shape)
    return slice(int(v), int(v) + rows), slice(int(u), int(u) + columns)
