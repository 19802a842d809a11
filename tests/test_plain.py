"""Plain data of unknown origin are parsed, and held against a table, with one kind of exception."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.plain import (
    amount,
    count,
    each,
    each_in,
    flag,
    json_value,
    measured_value,
    parse_json,
    parsed,
    record,
    text,
)

PERSON = record({"name": text, "age": count, "tags": each(text)}, needed=("name",))


@pytest.mark.slow
@given(st.text(st.characters()))
def test_every_text_that_json_can_spell_can_be_written_to_a_file(written: str) -> None:
    """The oracle is Python's own way to spell what UTF-8 cannot take."""
    whole = json.loads(json.dumps(written))  # halves that stand together are one character

    assert parse_json(json.dumps(written)) == whole.encode("utf-8", "backslashreplace").decode()


@given(st.text(st.characters(codec="utf-8")), st.booleans())
def test_a_text_without_half_characters_is_what_json_says(written: str, escaped: bool) -> None:
    assert parse_json(json.dumps(written, ensure_ascii=escaped).encode()) == written


@pytest.mark.parametrize(
    "document",
    ["[" * 100_000, '{"a":' * 100_000, "9" * 5_000, "{", b"\xff", b'"\xed\xa0\x80"', ""],
    ids=["lists", "objects", "digits", "cut off", "no UTF-8", "half a character", "nothing"],
)
def test_what_json_cannot_be_read_of_is_one_kind_of_error(document: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- each says it in its own words
        parse_json(document)


@pytest.mark.parametrize("error", [OverflowError, MemoryError, RecursionError, TypeError])
def test_whatever_a_parser_stumbles_over_is_told_as_a_wrong_value(error: type[Exception]) -> None:
    def parse(_: str) -> None:
        raise error("as asked")

    with pytest.raises(ValueError, match=f"{error.__name__}: as asked"):
        parsed(parse, "")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([], "this is not an object"),
        ({}, "'name' is missing"),
        ({"name": 3}, "'name': this is not a text"),
        ({"name": "a", "age": True}, "'age': this is not a count"),
        ({"name": "a", "age": -1}, "'age': this is not a count"),
        ({"name": "a", "age": 10**400}, "'age': this is not a count"),
        ({"name": "a", "tags": "ab"}, "'tags': this is not a list"),
        ({"name": "a", "tags": ["b", None]}, "'tags': this is not a text"),
        ({"name": "a", "wage": 1}, "'wage' is no field of it"),
    ],
)
def test_a_row_that_does_not_fit_its_table_names_the_field(row: object, told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}$"):
        PERSON(row)


def test_a_row_that_fits_is_read() -> None:
    assert PERSON({"name": "a", "tags": ["b"]}) == {"name": "a", "tags": ("b",)}


@pytest.mark.parametrize("value", [-0.5, float("nan"), 10**400, True, "1", None])
def test_what_is_no_number_from_0_up_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="this is not"):
        amount(value)


def test_an_object_may_hold_anything_of_one_kind_under_any_name() -> None:
    assert each_in(flag)({"": True, "b": False}) == {"": True, "b": False}


@given(st.booleans() | st.integers() | st.floats() | st.text().filter(lambda t: "n" not in t))
def test_what_was_measured_comes_back_through_any_json_reader(value: float | str) -> None:
    """NaN is not equal to itself; its text is. The words themselves come back as numbers."""
    stored = json.loads(json.dumps(json_value(value), allow_nan=False))

    assert repr(measured_value(stored)) == repr(value)
