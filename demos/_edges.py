"""Ink judged pixel by pixel, and how windows are laid out: no demo, two begin with it."""

from __future__ import annotations

from torch import Tensor


def auc(score: Tensor, truth: Tensor) -> float:
    """The chance that a pixel of ink has a higher score than one without; .5 is guessing.

    By the ranks of all scores (Mann and Whitney, 1947); equal scores count half.

    Args:
        score: Of any shape.
        truth: Of the same shape, 0 or 1; both occur.
    """
    score, held = score.flatten().double(), truth.flatten().bool()
    _, place, times = score.unique(return_inverse=True, return_counts=True)
    last = times.cumsum(0)
    ranks = (last - (times - 1) / 2)[place]
    ink = int(held.sum())
    above = ranks[held].sum().item() - ink * (ink + 1) / 2
    return float(above / (ink * (held.numel() - ink)))


def intersection_over_union(found: Tensor, truth: Tensor) -> float:
    """Pixels that are ink in both, over those that are in either; 0 if there are none."""
    found, truth = found.bool(), truth.bool()
    return (found & truth).sum().item() / max(1, int((found | truth).sum()))


def tiles_of(picture: Tensor, side: int) -> Tensor:
    """A picture `(V, U)` as tiles `(n, side, side)`, row by row; what is left over is cut off."""
    v, u = (length // side for length in picture.shape)
    cut = picture[: v * side, : u * side].reshape(v, side, u, side)
    return cut.transpose(1, 2).flatten(0, 1)
