"""Figures and card texts on the terminal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from vaeflash.cli.preview import preview, shrink
from vaeflash.cli.text import CardMarkdown
from vaeflash.demo import Bars, Curves, Figure, Images, Scatter


def shown(item: object, width: int = 80) -> str:
    console = Console(width=width, no_color=True, color_system=None, record=True, file=None)
    with console.capture() as capture:
        console.print(item)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


CORNER = np.zeros((1, 1, 28, 28))
CORNER[..., :14, :14] = 1
FIGURES: dict[str, Figure] = {
    "images": Images("One bright quarter.", CORNER, rows=("it",)),
    "curves": Curves("A line.", np.arange(50), {"up": np.arange(50.0)}, "step", "MSE"),
    "bars": Bars("Two bars.", {"long": 2.0, "back": -1.0}, y_label="nats"),
    "scatter": Scatter("Corners.", [[0, 0], [1, 1]], [3, 4], "z1", "z2"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_preview_shows_the_figure(name: str, snapshot: object) -> None:
    assert shown(preview(FIGURES[name], 60, colour=False), 60) == snapshot


@pytest.mark.parametrize("width", [30, 60, 80, 120])
@pytest.mark.parametrize("name", FIGURES)
def test_a_preview_fits_its_width(name: str, width: int) -> None:
    lines = shown(preview(FIGURES[name], width, colour=False), 500).splitlines()

    assert max(map(len, lines)) <= width


def test_pixels_keep_their_colours() -> None:
    console = Console(width=60, color_system="truecolor", force_terminal=True)
    with console.capture() as capture:
        console.print(preview(FIGURES["images"], 60))
    row = capture.get().splitlines()[0]

    # White over white, and then black over black, neither of them dimmed (code 2).
    assert (
        "\x1b[38;2;255;255;255;48;2;255;255;255m" in row,
        "\x1b[38;2;0;0;0;48;2;0;0;0m" in row,
    ) == (
        True,
        True,
    )


def test_what_does_not_fit_is_said_to_be_in_the_file() -> None:
    ten = Images("Ten.", np.zeros((1, 10, 28, 28)))

    assert "5 of 10 columns; the file shows all." in shown(preview(ten, 80, colour=False))


@pytest.mark.parametrize("values", [[1.0, 1.0], [np.nan, 1.0], [np.nan, np.nan], [0.0, -1.0]])
def test_curves_without_a_range_are_no_error(values: list[float]) -> None:
    curve = Curves("Flat.", [0, 1], {"y": values}, log_y=True)

    assert "y" in shown(preview(curve, 60))


@pytest.mark.parametrize(
    ("x_label", "y_label", "told"),
    [("error", "over", "over over error"), ("", "MSE", "MSE"), ("step", "", "step")],
)
def test_axes_are_named(x_label: str, y_label: str, told: str) -> None:
    curve = Curves("Line.", [0, 1], {"y": [0.0, 1.0]}, x_label, y_label)

    assert shown(preview(curve, 60)).splitlines()[-1].strip() == told


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 30), st.integers(1, 30))
def test_shrinking_keeps_a_constant_picture(
    high: int, wide: int, to_high: int, to_wide: int
) -> None:
    small = shrink(np.full((high, wide, 3), 0.25), to_high, to_wide)

    assert (small.shape, small.min(), small.max()) == ((to_high, to_wide, 3), 0.25, 0.25)


CARD_TEXT = r"""
A posterior \( q(z|x) = N(\mu, \sigma^2 I) \) and `code`:
\[ \tfrac12 \sum_d \left( \mu_d^2 + \sigma_d^2 - 1 - \log \sigma_d^2 \right) \]
with [posterior] and [/x] and <b>tags</b> as text.

- one \( \hat x \)
- two

```python
kl = 0.5 * (mu**2 + std**2 - 1).sum()
```

| form | value |
|---|---|
| closed | \( 3.68 \) |

\[ \unknowncommand{x} \]
"""


def test_a_card_text_is_readable(snapshot: object) -> None:
    assert shown(CardMarkdown(CARD_TEXT)) == snapshot


@pytest.mark.slow
@given(st.text())
def test_any_card_text_can_be_shown(text: str) -> None:
    assert isinstance(shown(CardMarkdown(text)), str)
