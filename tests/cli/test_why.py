"""`why` tells what a verdict rests on, and nothing that the ledger does not hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from conftest import COIN, SUM, MakeCourse, card, deck
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from vaeflash.cli.screen import Screen
from vaeflash.cli.seed_table import blocks, folded
from vaeflash.cli.why import why
from vaeflash.course.course import Course
from vaeflash.judging.cases import choose
from vaeflash.judging.check import check
from vaeflash.judging.ledger import Entry, Ledger, write_ledger
from vaeflash.machine import torch_minor
from vaeflash.runs.known import Runs
from vaeflash.runs.processes import InProcess

COINS = ":demo coin\n:claim heads == 1 and value[scale=2] > 1\n:control rate=0"
BIASED = ":demo coin\n:claim heads[rate=0.9] == 1\n:control rate=0"
MYTH = ":demo coin\n:myth heads == 0\n:control rate=0"
SUMS = ":demo two-and-two\n:claim total == 4\n:control a=3"
RAISES = ":demo two-and-two\n:claim total[fail=ValueError] == 4\n:control a=3"
WIDE = (
    ":demo coin\n"
    ":claim value rises over scale=1,2,3,4,5,6,7 and heads[rate=0.25, scale=12] <= 1\n"
    ":control rate=0"
)


def checked(
    make_course: MakeCourse,
    meta: str,
    seeds: int = 0,
    edit: Callable[[Entry], Entry] = lambda entry: entry,
) -> Course:
    """A course of one card, its claim judged by the engine on at least so many seeds."""
    demos = {"coin": COIN, "two_and_two": SUM}
    course = make_course(cards={"deck": deck(card("it", meta))}, demos=demos)
    items = choose(course).items
    least = {item.key: seeds for item in items}
    outcomes = check(items, Runs(), InProcess(), lambda _: None, least=least)
    entries = (edit(outcome.entry) for outcome in outcomes if outcome.entry)
    dated = (replace(entry, date="2026-01-02T03:04:05+00:00") for entry in entries)
    write_ledger(course.ledger_path, Ledger(dated))
    return course


def shown(course: Course, width: int = 80, height: int = 25, *, as_json: bool = False) -> str:
    """What `why` prints; what depends on this machine goes by a name instead."""
    console = Console(width=width, height=height, color_system=None, force_terminal=False)
    with console.capture() as capture:
        why(course, "it", Screen(console), as_json=as_json)
    text = "\n".join(line.rstrip() for line in capture.get().splitlines())
    for demo in course.demo_paths:
        text = text.replace(course.demo(demo).fingerprint, "the-code-of-now.")
    return text.replace(torch_minor(), "2.xx")


CASES: dict[str, tuple[Any, ...]] = {
    "verified": (COINS,),
    "one-no-of-many": (BIASED, 30),
    "busted": (MYTH,),
    "deterministic": (SUMS,),
    "error": (RAISES,),
    "stale": (SUMS, 0, lambda entry: replace(entry, code="that-of-old-days")),
    "edited": (SUMS, 0, lambda entry: replace(entry, values={"1000": {"total": 5}})),
    "wide": (WIDE,),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_verdict_is_explained(make_course: MakeCourse, case: str, snapshot: object) -> None:
    assert shown(checked(make_course, *CASES[case])) == snapshot


def test_a_claim_that_was_never_checked_says_how_to(
    make_course: MakeCourse, snapshot: object
) -> None:
    course = checked(make_course, SUMS)
    course.ledger_path.unlink()

    assert shown(course) == snapshot


def test_a_card_without_claims_says_so(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": deck(card("it", ":tags none"))})

    assert "This card states no claim" in shown(course)


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("case", CASES)
def test_all_but_the_commands_fits_the_terminal(
    make_course: MakeCourse, case: str, width: int
) -> None:
    lines = shown(checked(make_course, *CASES[case]), width).splitlines()

    assert [line for line in lines if len(line) > width and "vaeflash" not in line] == []


def test_a_tall_terminal_shows_every_seed(make_course: MakeCourse) -> None:
    text = shown(checked(make_course, BIASED, 30), height=60)

    assert [seed for seed in range(1000, 1030) if f"    {seed}  " not in text] == []


def test_json_has_every_seed_and_its_answers(make_course: MakeCourse) -> None:
    course = checked(make_course, COINS)

    (claim,) = json.loads(shown(course, as_json=True))["claims"]

    assert claim["seeds"][0] == {
        "seed": 1000,
        "values": {"heads": 1, "value[scale=2]": 2},
        "parts": [True, True],
        "answer": True,
    }


def test_the_commands_are_those_of_the_runs_and_the_controls(make_course: MakeCourse) -> None:
    meta = ":demo two-and-two\n:claim total[a=3, b=2] == total + 1\n:control b=1,fail=RuntimeError"
    (claim,) = json.loads(shown(checked(make_course, meta), as_json=True))["claims"]

    assert claim["commands"] == [
        "vaeflash demo two-and-two --seed 1000 --set a=3",
        "vaeflash demo two-and-two --seed 1000",
        "vaeflash demo two-and-two --seed 1000 --set b=1 --set fail=RuntimeError",
        "vaeflash check it --fresh",
    ]


SEEDS = st.integers(1, 60).map(lambda n: [str(1000 + i) for i in range(n)])


@pytest.mark.slow
@given(SEEDS, st.data())
def test_no_seed_that_said_no_is_folded_away(seeds: list[str], data: st.DataObject) -> None:
    yes = data.draw(st.sets(st.sampled_from(seeds)))

    assert set(seeds) - yes <= set(folded(seeds, yes))


@given(SEEDS)
def test_of_many_seeds_the_first_and_the_last_are_shown(seeds: list[str]) -> None:
    kept = folded(seeds, set(seeds))

    assert (kept[0], kept[-1]) == (seeds[0], seeds[-1])


columns = st.lists(
    st.tuples(st.text("ab_[=", min_size=1, max_size=30), st.just(["1.234"])),
    min_size=3,
    max_size=12,
)


@pytest.mark.slow
@given(columns, st.integers(10, 100))
def test_every_column_stands_in_one_table(table: list[tuple[str, list[str]]], width: int) -> None:
    placed = [title for block in blocks(table, width) for title, _ in block[2:]]

    assert [title.replace("\n", "") for title in placed] == [title for title, _ in table[2:]]
