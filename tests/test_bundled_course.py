"""The bundled course: complete for its sources, every claim backed by evidence."""

import csv
import re
from collections import Counter

import pytest
from latex2mathml.converter import convert

from vaeflash.card import Status
from vaeflash.course.course import Course, bundled_root, open_course
from vaeflash.judging.ledger import read_ledger
from vaeflash.judging.staleness import current_evidence
from vaeflash.text.markdown import formulas
from vaeflash.text.tex import translate

ROOT = bundled_root()
COMPLETE = ("000", "001", "002", "003", "004")
"""Sources of which every statement has a card, or a reason why it cannot have one."""


@pytest.fixture(scope="module")
def course() -> Course:
    return open_course(ROOT)


def statements() -> list[dict[str, str]]:
    """The rows of the source notes, as `cards/sources.csv` lists them."""
    with (ROOT / "cards" / "sources.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("source", COMPLETE)
def test_every_statement_of_a_source_is_cited_by_a_card_or_says_why_not(
    course: Course, source: str
) -> None:
    cited = {source for _, card in course.cards() for source in card.sources}
    rows = [row for row in statements() if row["source"] == source]

    uncited = {row["id"] for row in rows if row["id"] not in cited and not row["why_no_card"]}

    assert (len(rows) > 10, uncited) == (True, set())


def test_only_a_statement_that_cannot_be_tested_goes_without_a_card(course: Course) -> None:
    cited = {source for _, card in course.cards() for source in card.sources}

    excused = [row for row in statements() if row["why_no_card"]]

    assert {row["testable"] for row in excused} == {"no"}
    assert {row["id"] for row in excused} & cited == set()


def test_every_claim_is_verified_or_busted_and_its_evidence_is_current(course: Course) -> None:
    current = current_evidence(course)
    entries = [entry for _, card in course.cards() for entry in current.entries(card)]
    waiting = [entry for entry in entries if "cuda" in course.demo(entry.demo).needs]

    assert {entry.status for entry in waiting} <= {Status.NOT_RUN, Status.VERIFIED, Status.BUSTED}
    assert len(waiting) <= 3
    assert [
        (entry.card, entry.claim, entry.status)
        for entry in entries
        if entry not in waiting and not entry.status.as_stated
    ] == []


def test_every_verdict_rests_on_the_evidence_seeds_in_order() -> None:
    for entry in read_ledger(ROOT / "ledger.jsonl"):
        assert list(entry.values) == [str(1000 + n) for n in range(entry.seeds)]


def test_every_card_has_a_claim_with_a_control(course: Course) -> None:
    bare = [
        card.id
        for _, card in course.cards()
        if not card.claims or not all(claim.controls for claim in card.claims)
    ]

    assert bare == []


def test_there_are_myths_and_they_are_busted() -> None:
    statuses = Counter(entry.status for entry in read_ledger(ROOT / "ledger.jsonl"))

    assert statuses[Status.BUSTED] >= 5


def texts(course: Course) -> list[str]:
    return [t for _, card in course.cards() for t in (card.context, card.question, card.answer)]


def test_every_formula_is_tex_to_a_second_reader(course: Course) -> None:
    found = [tex for text in texts(course) for tex in formulas(text)]

    assert (len(found) > 100, all(convert(tex) for tex in found)) == (True, True)


def test_every_formula_is_readable_on_the_terminal(course: Course) -> None:
    found = [tex for text in texts(course) for tex in formulas(text)]

    assert [tex for tex in found if translate(tex) is None] == []


def test_every_citation_is_a_statement_or_reads_like_one(course: Course) -> None:
    known = {row["id"] for row in statements()}
    cited = {source for _, card in course.cards() for source in card.sources}

    assert {s for s in cited if s not in known and not re.search(r"\(\d{4}\)", s)} == set()
