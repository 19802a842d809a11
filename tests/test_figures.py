"""Figures are drawn from data, the same bytes each time, and a wrong shape is named."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from vaeflash.demo import Bars, Curves, Figure, Images, Scatter
from vaeflash.errors import CourseError, DemoError
from vaeflash.figures import save_png, to_png, to_small_png

GREY = Images("Grey.", np.linspace(0, 1, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4), rows=("a", "b"))
FIGURES: list[Figure] = [
    GREY,
    Images("Colour.", torch.rand(1, 2, 8, 8, 3, generator=torch.Generator().manual_seed(0))),
    Curves("Curves.", [1, 2, 3], {"up": [1, 2, 3], "down": [3.0, 2.0, 1.0]}, log_y=True),
    Bars("Bars.", {"one": 1.0, "two": -2.0}, y_label="nats"),
    Scatter("Scatter.", [[0, 0], [1, 1], [2, 0]], [0, 1, 1]),
]


@pytest.mark.slow
@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.caption)
def test_a_figure_is_the_same_bytes_each_time(figure: Figure) -> None:
    assert to_png(figure) == to_png(figure)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.caption)
def test_a_figure_has_ink_and_a_width_that_fits(figure: Figure) -> None:
    pixels = imread(io.BytesIO(to_png(figure)))

    assert (pixels.shape[1], pixels[..., :3].min() < 0.5) == (704, True)


@pytest.mark.slow
@pytest.mark.parametrize("label", ["a", "transposed, same weights"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 10), (3, 2), (5, 10)])
def test_no_label_is_cut_off(label: str, rows: int, columns: int) -> None:
    grid = Images("", np.ones((rows, columns, 8, 8)), rows=[label] * rows)
    for draw in (to_png, to_small_png):
        pixels = imread(io.BytesIO(draw(grid)))[..., :3]

        assert pixels[:, :3].min() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.caption)
def test_a_small_figure_is_the_same_bytes_each_time_and_as_wide(figure: Figure) -> None:
    small = to_small_png(figure)

    assert (small == to_small_png(figure), imread(io.BytesIO(small)).shape[1]) == (True, 704)


@pytest.mark.slow
@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.caption)
def test_a_small_figure_takes_fewer_bytes(figure: Figure) -> None:
    assert len(to_small_png(figure)) < 0.6 * len(to_png(figure))


def test_brightness_keeps_its_order() -> None:
    pixels = imread(io.BytesIO(to_png(Images("", np.array([[[[0.0]], [[0.5]], [[1.0]]]])))))
    row = pixels[pixels.shape[0] * 2 // 3, :, 0]
    third = len(row) // 3

    assert row[third // 2] < row[third + third // 2] < row[2 * third + third // 2]


@pytest.mark.parametrize(
    "figure",
    [
        Images("", np.zeros((4, 4))),
        Images("", np.zeros((1, 1, 4, 4, 2))),
        Curves("", [1, 2], {"y": [1, 2, 3]}),
        Scatter("", [1, 2, 3], [0, 0, 0]),
    ],
    ids=["flat", "two channels", "lengths", "not pairs"],
)
def test_data_that_do_not_fit_are_named(figure: Figure) -> None:
    with pytest.raises(DemoError, match="figure 'loss': its data cannot be drawn as"):
        to_png(figure, "loss")


def test_a_figure_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(CourseError, match="cannot write this"):
        save_png(GREY, tmp_path / "taken" / "grey.png")
