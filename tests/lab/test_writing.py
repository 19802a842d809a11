"""Letters on a sheet: where ink is, how much, and which letters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.lab.volumes.writing import ALPHABET, STROKES, TEXT, Writing

HEIGHT, WIDTH = 250, 2000


def writing(seed: int = 0, **how: float) -> Writing:
    return Writing(HEIGHT, WIDTH, np.random.default_rng(seed), **how)  # type: ignore[arg-type]


WRITING = writing()
SHEET = WRITING.picture(range(HEIGHT), range(WIDTH))


@pytest.mark.slow
@given(st.data())
def test_a_part_of_the_picture_is_cut_from_the_whole(data: st.DataObject):
    v0, v1 = sorted(data.draw(st.tuples(*[st.integers(0, HEIGHT)] * 2)))
    u0, u1 = sorted(data.draw(st.tuples(*[st.integers(0, WIDTH)] * 2)))

    part = WRITING.picture(range(v0, v1), range(u0, u1))

    np.testing.assert_array_equal(part, SHEET[v0:v1, u0:u1])


def test_every_sign_of_the_text_has_its_strokes():
    assert set(TEXT) == set(ALPHABET) == set(STROKES)


def test_ink_is_from_0_to_1_and_mostly_one_of_both():
    assert (SHEET.min(), SHEET.max()) == (0, 1)
    assert np.isin(SHEET, (0, 1)).mean() > 0.9


def test_a_stroke_is_as_thick_as_the_pen():
    """Of iota, the upright: the sheet has one where a column of letters is a single bar."""
    thick = [
        np.diff(np.flatnonzero(np.diff(np.pad(row > 0.5, 1).astype(int))))[::2]
        for row in writing(stroke=8.0).picture(range(HEIGHT), range(WIDTH))
    ]
    widths = np.concatenate(thick)

    assert np.median(widths) == pytest.approx(8, abs=1.5)


def test_twice_the_pen_leaves_nearly_twice_the_ink():
    thin, thick = (writing(stroke=s).picture(range(HEIGHT), range(WIDTH)).mean() for s in (3, 6))

    assert 1.7 < thick / thin < 2.05


@pytest.mark.parametrize("letter", [22, 44, 60])
def test_letters_of_any_size_stay_inside_their_cells(letter: int):
    """The first and the last row of every line are empty, out of place as the letters may be."""
    sheet = writing(letter=letter, stroke=letter / 8).picture(range(HEIGHT), range(WIDTH))
    line = round(1.4 * letter)

    lines = sheet[: HEIGHT // line * line].reshape(-1, line, WIDTH)

    assert lines[:, 0].max() == lines[:, -1].max() == 0 < lines.max()


def test_a_blank_sheet_holds_no_ink():
    assert not writing(blank=1.0).picture(range(HEIGHT), range(WIDTH)).any()


def test_half_the_letters_hold_about_half_the_ink():
    halves = [writing(s, blank=0.5).picture(range(HEIGHT), range(WIDTH)).mean() for s in range(8)]

    assert np.mean(halves) / SHEET.mean() == pytest.approx(0.5, abs=0.08)


def test_another_seed_writes_something_else():
    other = writing(seed=1).picture(range(HEIGHT), range(WIDTH))

    assert ((SHEET > 0.5) != (other > 0.5)).mean() > 0.05
