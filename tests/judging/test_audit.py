"""A ledger that somebody edited by hand does not follow from its own values, and that is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from conftest import COIN, SUM, MakeCourse, card, deck
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.card import Status, Value
from vaeflash.claims import parse_claim
from vaeflash.course.course import bundled_root, open_course
from vaeflash.judging.audit import Rejudgement, audit, rejudge
from vaeflash.judging.cases import choose
from vaeflash.judging.check import check
from vaeflash.judging.evidence import Evidence
from vaeflash.judging.ledger import ControlEntry, Entry, Ledger, read_ledger
from vaeflash.runs.known import Runs
from vaeflash.runs.processes import InProcess

CLAIM = "heads == 1"
VERIFIED = (ControlEntry("rate=0", "refuted", 0, 2, flipped=True),)


def honest(answers: Sequence[bool], verdict: str = "holds", **changes: Any) -> Entry:
    """A line for `heads == 1` with q = 10%: counts and e-values by decision 2's two products."""
    yes, no = sum(answers), len(answers) - sum(answers)
    statuses = {"holds": Status.VERIFIED, "refuted": Status.WRONG, "inconclusive": Status.OPEN}
    entry = Entry(
        card="coin",
        claim=CLAIM,
        myth=False,
        demo="coin",
        status=statuses[verdict],
        verdict=verdict,
        yes=yes,
        no=no,
        e_for=round((0.95 / 0.5) ** yes * (0.05 / 0.5) ** no, 4),
        e_against=round((0.5 / 0.9) ** yes * (0.5 / 0.1) ** no, 4),
        values={str(1000 + n): {"heads": int(answer)} for n, answer in enumerate(answers)},
        controls=VERIFIED if verdict == "holds" else (),
    )
    return replace(entry, **changes)


def reached(answers: Sequence[bool]) -> str:
    """The threshold that was reached last, by the two products of decision 2."""
    e_for, e_against, verdict = 1.0, 1.0, "inconclusive"
    for yes in answers:
        e_for *= 0.95 / 0.5 if yes else 0.05 / 0.5
        e_against *= 0.5 / 0.9 if yes else 0.5 / 0.1
        # The thresholds are reached with room to spare at few counts; 5 ** 2 is 25.
        verdict = "holds" if e_for >= 20 else "refuted" if e_against >= 20 else verdict
    return verdict


def judged_again(entry: Entry, *, deterministic: bool = False) -> Rejudgement:
    return rejudge(entry, parse_claim(entry.claim), deterministic=deterministic)


@pytest.mark.slow
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_an_honest_line_follows_from_its_values(answers: list[bool]) -> None:
    entry = honest(answers, reached(answers))

    assert judged_again(entry).faults == ()


@pytest.mark.slow
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.data())
def test_any_one_answer_turned_round_is_told(answers: list[bool], data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(range(1000, 1000 + len(answers))))
    entry = honest(answers, reached(answers))
    turned = {str(seed): {"heads": int(not answers[seed - 1000])}}

    assert judged_again(replace(entry, values={**entry.values, **turned})).faults


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda e: replace(e, yes=6), "it says 6 yes and 0 no, its values 5 and 0"),
        (lambda e: replace(e, e_for=25.0), "it says e_for 25, its values 24.761"),
        (lambda e: replace(e, e_against=0.5), "it says e_against 0.5, its values 0.0529221"),
        (lambda e: replace(e, verdict="refuted"), "it says refuted, its values holds"),
        (
            lambda e: replace(e, status=Status.BUSTED),
            "it says busted, its verdict and controls make it verified",
        ),
        (lambda e: replace(e, controls=()), "its verdict and controls make it vacuous"),
        (lambda e: without(e, "1002"), "seed 1002 is missing, and none may be left out"),
        (lambda e: replace(e, values={}), "it says holds and keeps no values"),
        (lambda e: replace(e, verdict="error"), "it says verified and has no verdict"),
        (lambda e: measuring(e, {"tails": 1}), "seed 1000 cannot be judged: the demo did not"),
        (lambda e: measuring(e, {"heads": "one"}), "seed 1000 cannot be judged: a text cannot"),
        (lambda e: measuring(e, {"heads": None}), "seed 1000 cannot be judged"),
        (lambda e: replace(e, values={"first": {"heads": 1}}), "'first' is no seed"),
        (lambda e: controlled(e, verdict="holds", yes=5), "came out holds, which its flip"),
        (lambda e: controlled(e, flipped=False), "came out refuted, which its flip contradicts"),
        (lambda e: controlled(e, no=1), "control rate=0 cannot be refuted by 0 of 1"),
        (lambda e: controlled(e, yes=4, no=0), "control rate=0 cannot be refuted by 4 of 4"),
    ],
)
def test_an_edit_is_told(edit: Callable[[Entry], Entry], told: str) -> None:
    assert told in "; ".join(judged_again(edit(honest([True] * 5))).faults)


def without(entry: Entry, seed: str) -> Entry:
    return replace(entry, values={s: row for s, row in entry.values.items() if s != seed})


def measuring(entry: Entry, row: dict[str, Any]) -> Entry:
    return replace(entry, values={**entry.values, "1000": row})


def controlled(entry: Entry, **changes: Any) -> Entry:
    return replace(entry, controls=(replace(entry.controls[0], **changes),))


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([True] * 5 + [False], "holds"),
        ([True] * 5 + [False] * 3, "holds"),
        ([True] * 5 + [False] * 4, "refuted"),
        ([False] * 2 + [True] * 2, "refuted"),
        ([False] * 2 + [True] * 20, "holds"),
    ],
)
def test_of_more_seeds_than_it_took_the_last_threshold_names_the_verdict(
    answers: list[bool], verdict: str
) -> None:
    assert judged_again(honest(answers, verdict)).verdict == verdict


@pytest.mark.parametrize(("deterministic", "verdict"), [(True, "holds"), (False, "inconclusive")])
def test_one_run_is_a_verdict_of_a_deterministic_demo_only(
    deterministic: bool, verdict: str
) -> None:
    assert judged_again(honest([True]), deterministic=deterministic).verdict == verdict


def test_a_control_of_a_deterministic_demo_is_one_run_too() -> None:
    entry = controlled(honest([True]), no=1)

    assert judged_again(entry, deterministic=True).faults == ()


@pytest.mark.parametrize(
    ("claim", "row", "yes"),
    [
        ("loss < 1", {"loss": "nan"}, False),
        ("loss < 1", {"loss": "-inf"}, True),
        ("loss > 1", {"loss": "inf"}, True),
        ('word == "nan"', {"word": "nan"}, True),
        ("shape == (2, 3)", {"shape": (2, 3)}, True),
        ("mse[latent=32] < mse[latent=2]", {"mse[latent=2]": 2, "mse[latent=32]": 1}, True),
    ],
)
def test_stored_values_are_read_as_they_were_measured(
    claim: str, row: dict[str, Value], yes: bool
) -> None:
    entry = honest([yes], values={"1000": row}, claim=claim)

    assert [answer.yes for answer in judged_again(entry).answers] == [yes]


def test_each_part_of_a_claim_is_answered() -> None:
    entry = honest([False], values={"1000": {"a": 1, "b": 2}}, claim="a == 1 and b == 1")

    assert judged_again(entry).answers[0].parts == (True, False)


@pytest.mark.parametrize(
    ("answers", "least", "greatest"),
    [
        ([True] * 5, 0.95 / 20**0.2, 1),
        ([True] * 20, 0.95 / 20**0.05, 1),
        ([False] * 2, 0, 1 - 0.5 / 20**0.5),
        ([True], 0.95 / 20, 1),
    ],
)
def test_bounds_on_the_rate_are_where_the_bet_reaches_20(
    answers: list[bool], least: float, greatest: float
) -> None:
    found = judged_again(honest(answers, reached(answers)))

    assert (found.least_rate, found.greatest_rate) == pytest.approx((least, greatest))


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.75, 0.85])
def test_a_bound_that_is_looked_at_after_each_seed_errs_once_in_twenty(rate: float) -> None:
    """Exact: all counts of up to 40 seeds, with the probability that no look has erred yet."""
    right = {(0, 0): 1.0}
    for _ in range(40):
        after: dict[tuple[int, int], float] = {}
        for (yes, no), probability in right.items():
            for counts, chance in (((yes + 1, no), rate), ((yes, no + 1), 1 - rate)):
                found = Rejudgement((), (Evidence(0.1, *counts),), "", ())
                if found.least_rate <= rate:
                    after[counts] = after.get(counts, 0) + probability * chance
        right = after

    assert 0.95 <= sum(right.values()) < 0.999


@pytest.mark.parametrize(
    ("flipped", "status"),
    [(("a == 1",), Status.VACUOUS), (("a == 1", "b == 1"), Status.VERIFIED)],
)
def test_each_part_of_a_verified_claim_was_flipped_by_a_control(
    flipped: tuple[str, ...], status: Status
) -> None:
    controls = (replace(VERIFIED[0], parts=flipped),)
    values: dict[str, dict[str, Value]] = {str(1000 + n): {"a": 1, "b": 1} for n in range(5)}
    entry = honest([True] * 5, claim="a == 1 and b == 1", values=values, controls=controls)

    assert judged_again(replace(entry, status=status)).faults == ()


def test_what_check_writes_passes_the_audit(make_course: MakeCourse) -> None:
    metas = [
        ":demo coin\n:claim heads == 1\n:control rate=0",
        ":demo coin\n:claim heads[rate=0.7] == 1 and value >= 0\n:control rate=0",
        ":demo coin\n:claim heads == 1 and value == 1\n:control rate=0",
        ":demo coin\n:myth heads == 0\n:control rate=0",
        ":demo two-and-two\n:claim total == 4\n:control a=3",
        ":demo two-and-two\n:claim total == 5",
        ':demo two-and-two\n:claim error[fail=ValueError] == "ValueError"\n:control fail=""',
        ":demo two-and-two\n:claim total[fail=ValueError] == 4\n:control a=3",
    ]
    cards = {"deck": deck(*(card(f"card-{n}", meta) for n, meta in enumerate(metas)))}
    course = make_course(cards=cards, demos={"coin": COIN, "two_and_two": SUM})
    outcomes = check(choose(course).items, Runs(), InProcess(), lambda _: None)
    ledger = Ledger(outcome.entry for outcome in outcomes if outcome.entry)

    assert (len(ledger), audit(course, ledger)) == (len(metas), [])


def test_an_audit_names_the_file_and_the_card(make_course: MakeCourse) -> None:
    meta = f":demo coin\n:claim {CLAIM}\n:control rate=0"
    course = make_course(cards={"deck": deck(card("coin", meta))}, demos={"coin": COIN})
    code = course.demo("coin").fingerprint

    (problem,) = audit(course, Ledger([honest([True] * 5, yes=6, code=code)]))

    assert (problem.where, "follow from its own values" in problem.what) == (
        "ledger.jsonl, coin",
        True,
    )


@pytest.mark.parametrize(("code", "faults"), [("", 1), ("of another day", 0)])
def test_one_run_passes_only_where_the_demo_may_have_been_deterministic(
    make_course: MakeCourse, code: str, faults: int
) -> None:
    meta = f":demo coin\n:claim {CLAIM}\n:control rate=0"
    course = make_course(cards={"deck": deck(card("coin", meta))}, demos={"coin": COIN})
    entry = honest([True], code=code or course.demo("coin").fingerprint)

    assert len(audit(course, Ledger([entry]))) == faults


@pytest.mark.slow
def test_the_bundled_ledger_follows_from_its_values() -> None:
    course = open_course(bundled_root())

    assert audit(course, read_ledger(course.ledger_path)) == []
