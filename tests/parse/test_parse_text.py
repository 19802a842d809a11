"""A text as its lines: cut as by a split, found by pattern, and without a copy of the text."""

from __future__ import annotations

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.parse import read_deck
from vaeflash.parse.text import Lines

TEXTS = st.text(alphabet="ab é\r\n\x0b\x85\u2028", max_size=40)
SPLIT = re.compile(r"\r\n|\r|\n")
CARD = "#### Title {{#a-{n}}}\n\n:p What is it?\n??x\n{answer}\nx??\n\n"


@given(TEXTS)
def test_lines_are_those_of_a_split(text: str) -> None:
    lines = Lines(text)

    assert list(lines) == SPLIT.split(text)


@given(TEXTS, st.integers(0, 9), st.integers(-9, 9))
def test_a_slice_is_that_of_the_list(text: str, start: int, stop: int) -> None:
    lines = Lines(text)

    assert lines[start:stop] == SPLIT.split(text)[start:stop]


@given(TEXTS, st.integers(0, 9))
def test_lines_are_found_by_what_they_hold(text: str, start: int) -> None:
    pattern = re.compile("[é\x85]")

    found = list(Lines(text).having(pattern, start))

    expected = [n for n, line in enumerate(SPLIT.split(text)) if pattern.search(line)]
    assert found == [number for number in expected if number >= start]


def test_a_mended_line_takes_the_place_of_the_old_one() -> None:
    lines = Lines("a\nb\nc")

    lines.mend(1, "new")

    assert list(lines) == ["a", "new", "c"]


@pytest.mark.slow
def test_reading_takes_at_most_three_times_the_memory_of_the_cards() -> None:
    answer = "\n".join(["A line of the answer, as long as they are."] * 12)
    text = "# Many\n\n" + "".join(CARD.format(n=n, answer=answer) for n in range(1000))
    tracemalloc.start()

    deck = read_deck(text).deck

    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(deck.cards), peak < 3 * kept) == (1000, True)
