"""The rule by which verdict and controls make a status; each case is worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.judging.ledger import ControlEntry
from vaeflash.judging.status import OPPOSITE, parts_to_flip, stated_verdict, unflipped_parts


def control(*parts: str) -> ControlEntry:
    return ControlEntry("size=1", "refuted", 0, 2, flipped=True, parts=parts)


@pytest.mark.parametrize(
    ("parts", "myth", "wanted"),
    [
        (["a < b", "c < d"], False, ["a < b", "c < d"]),
        (["a < b", "c < d"], True, []),  # a control makes the whole hold, and so each part
        (["a < b"], False, []),  # the part is the claim
    ],
)
def test_each_of_several_parts_of_a_claim_is_to_be_flipped(
    parts: list[str], myth: bool, wanted: list[str]
) -> None:
    assert list(parts_to_flip(parts, myth=myth)) == wanted


@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=4, unique=True), st.data())
def test_parts_are_flipped_by_any_of_the_controls(parts: list[str], data: st.DataObject) -> None:
    flipped = data.draw(st.lists(st.sets(st.sampled_from(parts)), max_size=3))

    left = unflipped_parts(parts, [control(*sorted(each)) for each in flipped], myth=False)

    assert left == [part for part in parts if not any(part in each for each in flipped)]


@pytest.mark.parametrize("myth", [False, True])
def test_a_control_is_to_give_what_the_card_does_not_state(myth: bool) -> None:
    assert OPPOSITE[stated_verdict(myth=myth)] == stated_verdict(myth=not myth)
