"""Many pictures painted at once: shapes as signed distances, laid over one another.

A shape takes the coordinates of pixels, x `(1, 1, w)` and y `(1, h, 1)`, and gives `(N, h, w)`
distances to its edge, negative inside. A pixel is covered as far as it lies inside, which is what
smooths the edges. The plane is the unit square, y downwards; lengths are in its sides, so that a
picture is the same at any number of pixels.

Source: Quilez, 2D distance functions (the ellipse is a first-order approximation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

Number: TypeAlias = "float | Tensor"
"""The same for all pictures, or `(N, 1, 1)`."""
Shape: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


class Canvas:
    """N pictures in the making.

    Args:
        backdrop: `(N, 3)` in [0, 1].
        side: Pixels in height and width.
        window: The square of the plane that is shown.
    """

    def __init__(self, backdrop: Tensor, side: int, window: Box = WHOLE) -> None:
        left, top, right, _ = window
        self.pixel = (right - left) / side
        steps = (torch.arange(side, device=backdrop.device) + 0.5) * self.pixel
        self.x = (left + steps)[None, None, :]
        self.y = (top + steps)[None, :, None]
        self.pixels = backdrop[:, :, None, None].repeat(1, 1, side, side)

    def paint(
        self, colour: Tensor, shape: Shape, box: Box = WHOLE, *, opacity: Number = 1.0
    ) -> None:
        """Lay a shape over what is there.

        Args:
            colour: `(N, 3)` or `(3,)`.
            box: Where the shape may be; pixels outside are not looked at, which saves most of the
                time.
        """
        columns, rows = self._within(self.x, box[0], box[2]), self._within(self.y, box[1], box[3])
        distance = shape(self.x[:, :, columns], self.y[:, rows])
        cover = (0.5 - distance / self.pixel).clamp_(0, 1).mul_(opacity)
        below = self.pixels[:, :, rows, columns]
        below.lerp_(colour.expand(len(below), 3)[..., None, None], cover[:, None])

    @staticmethod
    def _within(centres: Tensor, low: float, high: float) -> slice:
        inside = centres.flatten()
        return slice(int((inside < low).sum()), int((inside <= high).sum()))


def ellipse(x: Tensor, y: Tensor, width: Number, height: Number) -> Tensor:
    """Around the origin, with these half axes."""
    p, q = (x / width).square(), (y / height).square()
    squared = p + q + 1e-12  # never 0, where the ratio below would be 0 / 0
    slope = p / _squared(width) + q / _squared(height) + 1e-12 / (width * height)
    return (squared - squared.sqrt()) / slope.sqrt()


def box(x: Tensor, y: Tensor, width: Number, height: Number, radius: float) -> Tensor:
    """Around the origin, with these half sides and rounded corners."""
    p, q = x.abs() - width + radius, y.abs() - height + radius
    outside = (p.clamp(min=0).square() + q.clamp(min=0).square()).sqrt()
    return outside + torch.maximum(p, q).clamp(max=0) - radius


def line(x: Tensor, y: Tensor, points: Sequence[tuple[Number, Number]], width: float) -> Tensor:
    """A stroke of this width through the points, with round ends."""
    strokes = []
    for (ax, ay), (bx, by) in pairwise(points):
        dx, dy = bx - ax, by - ay
        along = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
        strokes.append(((x - ax - along * dx).square() + (y - ay - along * dy).square()).sqrt())
    return union(*strokes) - width / 2


def union(*distances: Tensor) -> Tensor:
    """What lies in any of them."""
    first, *others = distances
    for other in others:
        first = torch.minimum(first, other)
    return first


def common(*distances: Tensor) -> Tensor:
    """What lies in all of them; `-d` is what lies outside of d."""
    first, *others = distances
    for other in others:
        first = torch.maximum(first, other)
    return first


def _squared(length: Number) -> Number:
    return length * length
