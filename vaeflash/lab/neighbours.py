"""Which points lie nearest: of codes, of pictures, of features."""

from __future__ import annotations

import torch
from torch import Tensor

from vaeflash.errors import DataError, Problem

_CELLS = 2**22
"""Distances that are held at once: 16 MiB of float32."""


def nearest(points: Tensor, queries: Tensor, k: int = 1) -> Tensor:
    """Indices of the `k` points nearest to each query, the nearest first; `(M, k)`.

    Args:
        points: `(N, D)`; one with NaN in it comes last.
        queries: `(M, D)`; a query that is itself among the points finds itself.
        k: From 1 to N.

    Raises:
        DataError: There are fewer than `k` points.
    """
    if not 1 <= k <= len(points):
        advice = f"Choose k from 1 to {len(points):,}." if len(points) else "There are no points."
        raise DataError(Problem(f"k = {k:,}", f"{len(points):,} points are searched.", advice))
    # The fast distance is a difference of squares: far from the origin it would lose its digits.
    centre = points.nanmean(0)
    points, queries = points - centre, queries - centre
    rows = max(1, _CELLS // len(points))
    parts = [
        torch.cdist(part, points).topk(k, largest=False, sorted=True).indices
        for part in queries.split(rows)
    ]
    return torch.cat(parts)


def distances(points: Tensor, queries: Tensor) -> Tensor:
    """Euclidean distance of each query to its nearest point, exactly 0 for a copy; `(M,)`.

    Args:
        points: `(N, ...)`.
        queries: `(M, ...)`.

    Raises:
        DataError: There are no points.
    """
    points, queries = points.flatten(1), queries.flatten(1)
    found: Tensor = torch.linalg.vector_norm(
        queries - points[nearest(points, queries)[:, 0]], dim=1
    )
    return found
