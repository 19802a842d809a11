"""The ledger keeps evidence: equal evidence gives equal bytes, damage is named by line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.card import Status
from vaeflash.errors import CourseError
from vaeflash.judging.ledger import ControlEntry, Entry, Ledger, read_ledger, write_ledger

ENTRY = Entry(
    card="kl",
    claim="kl_error < 1e-4",
    myth=False,
    demo="kl-divergence",
    status=Status.VERIFIED,
    verdict="holds",
    yes=5,
    values={"1000": {"kl_error": 1e-7, "shape": (2, 3)}},
    controls=(ControlEntry("form=mixed", "refuted", 0, 2, flipped=True),),
)

COUNTS = st.integers(0, 40)
entries = st.builds(
    Entry,
    card=st.text(),
    claim=st.text(),
    myth=st.booleans(),
    demo=st.text(),
    status=st.sampled_from(Status),
    verdict=st.sampled_from(["holds", "refuted", "inconclusive", "error"]),
    yes=COUNTS,
    no=COUNTS,
    values=st.dictionaries(
        st.integers(0, 10**18 - 1).map(str),
        st.dictionaries(
            st.text(max_size=9),
            st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.booleans()
            | st.text()
            | st.lists(st.integers(), max_size=4).map(tuple),
            max_size=2,
        ),
        max_size=3,
    ),
    controls=st.lists(
        st.builds(ControlEntry, st.text(), st.text(), COUNTS, COUNTS, st.booleans())
    ).map(tuple),
    data=st.dictionaries(st.text(), st.text()),
    note=st.text(),
)


@pytest.mark.slow
@given(st.lists(entries, unique_by=lambda entry: entry.key, max_size=4))
def test_any_entry_reads_back(
    tmp_path_factory: pytest.TempPathFactory, written: list[Entry]
) -> None:
    # Not by write_ledger, whose fsync a hundred times over would be most of the suite.
    path = tmp_path_factory.getbasetemp() / "ledger.jsonl"
    path.write_text(Ledger(written).to_text(), encoding="utf-8")

    assert list(read_ledger(path)) == list(Ledger(written))


def test_a_written_ledger_reads_back(tmp_path: Path) -> None:
    write_ledger(tmp_path / "ledger.jsonl", Ledger([ENTRY]))

    assert list(read_ledger(tmp_path / "ledger.jsonl")) == [ENTRY]


def test_the_order_of_checking_leaves_no_trace() -> None:
    other = Entry("a", "x < 1", True, "d", Status.BUSTED, "refuted")

    assert Ledger([ENTRY, other]).to_text() == Ledger([other, ENTRY]).to_text()


def test_lines_are_sorted_by_card() -> None:
    cards = [Entry(c, "x < 1", False, "d", Status.OPEN, "inconclusive") for c in "cab"]

    assert [entry.card for entry in Ledger(cards)] == ["a", "b", "c"]


def test_a_missing_file_is_an_empty_ledger(tmp_path: Path) -> None:
    assert len(read_ledger(tmp_path / "none.jsonl")) == 0


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "3", '{"v": 1}', '{"v": 2}', Ledger([ENTRY]).to_text().replace("verified", "ok")],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(Ledger([ENTRY]).to_text() + line)

    with pytest.raises(CourseError, match=r"ledger\.jsonl:2: "):
        read_ledger(path)


def test_new_evidence_replaces_old_and_claims_that_left_go() -> None:
    gone = Entry("gone", "x < 1", False, "d", Status.VERIFIED, "holds")
    newer = ENTRY.marked(Status.OPEN)

    updated = Ledger([ENTRY, gone]).updated([newer], [ENTRY.key])

    assert list(updated) == [newer]


@pytest.mark.parametrize("field", ["yes", "e_for", "myth", "claim", "data"])
def test_a_field_of_another_kind_is_damage(tmp_path: Path, field: str) -> None:
    path = tmp_path / "ledger.jsonl"
    row = json.loads(Ledger([ENTRY]).to_text()) | {field: ["edited"]}
    path.write_text(json.dumps(row) + "\n")

    with pytest.raises(CourseError, match="this line of the ledger cannot be read"):
        read_ledger(path)


DAMAGE = [
    ({"values": {"first": {}}}, "'values': 'first' is no seed"),
    ({"values": {"1000": {"x": None}}}, "'values': '1000': 'x': this is no value"),
    ({"values": {"1000": {"x": [1, 0.5]}}}, "'values': '1000': 'x': this is no value"),
    ({"values": {"1000": 3}}, "'values': '1000': this is not an object"),
    ({"yes": True}, "'yes': this is not a count"),
    ({"no": -1}, "'no': this is not a count"),
    ({"e_for": "1"}, "'e_for': this is not a number"),
    ({"e_against": float("nan")}, "'e_against': this is not a number from 0 up"),
    ({"data": {"digits": 1}}, "'data': 'digits': this is not a text"),
    ({"controls": [{"control": "a=1"}]}, "'controls': 'flipped' is missing"),
    ({"controls": [[]]}, "'controls': this is not an object"),
    ({"status": []}, "'status': "),
    ({"hue": 1}, "'hue' is no field of it"),
]


@pytest.mark.parametrize(("edit", "told"), DAMAGE, ids=[told for _, told in DAMAGE])
def test_the_field_that_is_damaged_is_named(
    tmp_path: Path, edit: dict[str, object], told: str
) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(json.dumps(json.loads(Ledger([ENTRY]).to_text()) | edit))

    with pytest.raises(CourseError, match=f"ledger.jsonl:1: .*cannot be read: {told}"):
        read_ledger(path)


def test_a_line_nested_beyond_any_stack_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"v": ' + "[" * 100_000)

    with pytest.raises(CourseError, match=r"ledger\.jsonl:1: this line of the ledger cannot"):
        read_ledger(path)


def test_half_a_character_is_read_as_what_spells_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(Ledger([ENTRY]).to_text().replace('"note": ""', r'"note": "\ud800"'))

    assert [entry.note for entry in read_ledger(path)] == [r"\ud800"]


def test_evidence_beyond_all_floats_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(Ledger([replace(ENTRY, e_for=float("inf"))]).to_text())

    assert [entry.e_for for entry in read_ledger(path)] == [float("inf")]
