"""Shapes against brute force and closed forms; what covers what."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vaeflash.lab.painting import Canvas, Shape, box, common, ellipse, line, union

WHITE, BLACK = torch.ones(1, 3), torch.zeros(1, 3)
LENGTHS = st.floats(0.1, 0.4)


def painted(shape: Shape, side: int = 200) -> Tensor:
    """The share of each pixel that a shape covers, `(side, side)`."""
    canvas = Canvas(BLACK, side)
    canvas.paint(WHITE, shape)
    return canvas.pixels[0, 0]


def sides(*numbers: float) -> Tensor:
    return torch.tensor(numbers)


@pytest.mark.slow
@given(LENGTHS, LENGTHS)
def test_an_ellipse_covers_its_area(width: float, height: float) -> None:
    covered = painted(lambda x, y: ellipse(x - 0.5, y - 0.5, width, height)).mean().item()

    assert covered == pytest.approx(math.pi * width * height, rel=0.01)


@pytest.mark.slow
@given(LENGTHS, LENGTHS, st.floats(0, 0.1))
def test_a_rounded_box_covers_its_area(width: float, height: float, radius: float) -> None:
    covered = painted(lambda x, y: box(x - 0.5, y - 0.5, width, height, radius)).mean().item()

    assert covered == pytest.approx(4 * width * height - (4 - math.pi) * radius**2, rel=0.01)


def test_a_stroke_covers_its_length_times_its_width_and_two_half_discs() -> None:
    points = ((0.2, 0.3), (0.8, 0.7))
    covered = painted(lambda x, y: line(x, y, points, 0.05)).mean().item()
    length = math.dist(*points)

    assert covered == pytest.approx(length * 0.05 + math.pi * 0.025**2, rel=0.01)


def test_the_distance_to_a_box_is_that_to_the_nearest_point_of_its_edge() -> None:
    """Brute force over 4,000 points of the edge of a square of half side 1."""
    along = torch.linspace(-1, 1, 1_000)
    one = torch.ones(1_000)
    pairs = ((along, one), (along, -one), (one, along), (-one, along))
    edge = torch.cat([torch.stack(pair, 1) for pair in pairs])
    points = 4 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) - 2

    distance = box(points[:, 0], points[:, 1], 1.0, 1.0, 0.0)

    nearest = torch.cdist(points, edge).min(1).values
    inside = (points.abs() < 1).all(1)
    torch.testing.assert_close(distance, torch.where(inside, -nearest, nearest), atol=2e-3, rtol=0)


def test_the_centre_of_an_ellipse_is_inside() -> None:
    assert ellipse(sides(0.0), sides(0.0), 0.3, 0.1).item() == pytest.approx(
        -math.sqrt(0.03), rel=1e-3
    )


@pytest.mark.slow
@given(st.floats(0, 0.3), st.floats(0.7, 1))
def test_a_box_around_a_shape_changes_no_pixel(low: float, high: float) -> None:
    def shape(x: Tensor, y: Tensor) -> Tensor:
        return ellipse(x - 0.5, y - 0.5, 0.19, 0.15)

    canvas = Canvas(BLACK, 40)
    canvas.paint(WHITE, shape, (low, low, high, high))

    assert torch.equal(canvas.pixels[0, 0], painted(shape, 40))


def test_union_and_common_are_those_of_sets() -> None:
    a, b = sides(-1, -1, 1, 1), sides(-1, 1, -1, 1)

    assert [(union(a, b) < 0).tolist(), (common(a, -b) < 0).tolist()] == [
        [True, True, True, False],
        [False, True, False, False],
    ]


def test_half_opaque_paint_mixes_with_what_is_below() -> None:
    canvas = Canvas(BLACK, 4)
    canvas.paint(WHITE, lambda x, y: (x + y) * 0 - 1, opacity=0.5)

    assert torch.equal(canvas.pixels, torch.full((1, 3, 4, 4), 0.5))


def test_a_window_shows_its_part_larger() -> None:
    def shape(x: Tensor, y: Tensor) -> Tensor:
        return ellipse(x - 0.5, y - 0.5, 0.2, 0.2)

    canvas = Canvas(BLACK, 50, (0.25, 0.25, 0.75, 0.75))
    canvas.paint(WHITE, shape)

    torch.testing.assert_close(canvas.pixels[0, 0], painted(shape, 100)[25:75, 25:75])
