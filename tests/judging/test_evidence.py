"""The sequential rule keeps its promises, computed exactly: nothing here is simulated."""

import math
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.judging.evidence import FIRST_SEED, Evidence, operating_characteristics

NOTE = Path(__file__).parents[2] / "docs" / "decisions" / "0002-evidence.md"
SHARES = [0.01, 0.05, 0.10, 0.15]


def note_rows() -> list[list[str]]:
    """The cells of the table in the decision note, without its head."""
    lines = [line for line in NOTE.read_text(encoding="utf-8").splitlines() if line[:3] == "| 0"]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def by_paths(rate: float, failure_share: float, budget: int) -> tuple[float, float, float, float]:
    """The oracle: every sequence of answers, each followed until it is decided."""
    totals = {"holds": 0.0, "refuted": 0.0, None: 0.0}
    mean_seeds = 0.0
    for answers in product((True, False), repeat=budget):
        evidence = Evidence(failure_share)
        for ok in answers:
            if evidence.verdict is None:
                evidence = evidence.add(ok)
        chance = math.prod(rate if ok else 1 - rate for ok in answers)
        totals[evidence.verdict] += chance
        mean_seeds += chance * (evidence.yes + evidence.no)
    return totals["holds"], totals["refuted"], totals[None], mean_seeds


def after(answers: str, failure_share: float = 0.10) -> Evidence:
    """The evidence after answers written as `y` and `n`."""
    return Evidence(failure_share, answers.count("y"), answers.count("n"))


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ("", None),
        ("yyyy", None),
        ("yyyyy", "holds"),
        ("yyyyn", None),
        ("n", None),
        ("nn", "refuted"),
        ("yn", None),
        ("yynyyyyyy", None),
        ("yynyyyyyyy", "holds"),
        ("ynn", None),
        ("ynnn", "refuted"),
    ],
)
def test_a_few_answers_decide_as_the_rule_says(answers, verdict) -> None:
    assert after(answers).verdict == verdict


@pytest.mark.parametrize(("clean", "verdict"), [(11, None), (12, "holds")])
def test_95_percent_take_twelve_clean_seeds(clean, verdict) -> None:
    assert Evidence(0.05, yes=clean).verdict == verdict


@pytest.mark.parametrize("share", SHARES)
def test_two_failures_at_the_start_refute_whatever_the_share(share) -> None:
    assert Evidence(share).add(False).add(False).verdict == "refuted"


@pytest.mark.parametrize(("yes", "no"), [(0, 0), (5, 0), (3, 2), (0, 4), (17, 3)])
def test_e_values_are_the_products_of_the_specification(yes, no) -> None:
    q = 0.10
    p1, p0, b = 1 - q, 1 - 5 * q, 1 - q / 2

    evidence = Evidence(q, yes, no)

    assert (evidence.e_for, evidence.e_against) == pytest.approx(
        (
            (b / p0) ** yes * ((1 - b) / (1 - p0)) ** no,
            (p0 / p1) ** yes * ((1 - p0) / (1 - p1)) ** no,
        )
    )


def test_no_seed_leaves_both_capitals_at_one() -> None:
    assert (Evidence(0.10).e_for, Evidence(0.10).e_against) == (1.0, 1.0)


def test_add_leaves_the_evidence_it_came_from_alone() -> None:
    before = Evidence(0.10, 3, 1)

    before.add(True)

    assert before == Evidence(0.10, 3, 1)


@pytest.mark.slow
@given(st.sampled_from(SHARES), st.lists(st.booleans(), max_size=60))
def test_the_order_of_answers_does_not_matter(share, answers) -> None:
    evidence = Evidence(share)
    for ok in answers:
        evidence = evidence.add(ok)

    assert evidence == Evidence(share, sum(answers), len(answers) - sum(answers))


@given(
    st.floats(0.001, 0.199),
    st.integers(min_value=0, max_value=10**9),
    st.integers(min_value=0, max_value=10**9),
)
def test_both_thresholds_are_never_reached_at_once(share, yes, no) -> None:
    evidence = Evidence(share, yes, no)

    assert min(evidence.e_for, evidence.e_against) < 20


def test_large_counts_overflow_to_infinity_and_underflow_to_zero() -> None:
    evidence = Evidence(0.10, yes=10**6)

    assert (evidence.e_for, evidence.e_against) == (math.inf, 0.0)


@pytest.mark.parametrize(
    ("share", "budget"), [(0.15, 13), (0.10, 20), (0.05, 40), (0.02, 100), (0.01, 200)]
)
def test_the_budget_is_two_over_the_failure_share(share, budget) -> None:
    assert Evidence(share).budget == budget


@pytest.mark.parametrize("percent", range(85, 100))
def test_a_claim_that_is_always_true_holds_within_its_budget(percent) -> None:
    share = (100 - percent) / 100

    assert Evidence(share, yes=Evidence(share).budget).verdict == "holds"


def test_evidence_seeds_begin_at_1000() -> None:
    assert FIRST_SEED == 1000


@pytest.mark.parametrize("share", [0.0, -0.1, 0.2, 0.5, math.nan])
def test_a_failure_share_that_leaves_no_room_is_refused(share) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 0\.2"):
        Evidence(share)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        Evidence(0.10, yes=-1)


@pytest.mark.slow
@pytest.mark.parametrize("share", SHARES)
def test_a_rate_at_or_below_the_low_one_holds_in_5_percent_at_most(share) -> None:
    rule = Evidence(share)
    rates = [rule.low_rate * step / 50 for step in range(51)]

    worst = max(operating_characteristics(r, share, rule.budget).holds for r in rates)

    assert 0 < worst <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("share", SHARES)
def test_a_rate_at_or_above_the_high_one_is_refuted_in_5_percent_at_most(share) -> None:
    rule = Evidence(share)
    rates = [rule.high_rate + share * step / 50 for step in range(51)]

    worst = max(operating_characteristics(r, share, rule.budget).refuted for r in rates)

    assert 0 < worst <= 0.05


def test_the_bounds_outlast_any_budget() -> None:
    long = 300

    assert operating_characteristics(0.5, 0.10, long).holds <= 0.05
    assert operating_characteristics(0.9, 0.10, long).refuted <= 0.05


@pytest.mark.parametrize("share", [0.10, 0.05])
def test_a_truer_claim_holds_more_often(share) -> None:
    budget = Evidence(share).budget
    holds = [operating_characteristics(step / 20, share, budget).holds for step in range(21)]

    assert holds == sorted(holds)


@pytest.mark.parametrize("rate", [0.0, 0.35, 0.8, 1.0])
@pytest.mark.parametrize("share", [0.10, 0.15])
def test_characteristics_equal_a_sum_over_all_sequences(rate, share) -> None:
    assert operating_characteristics(rate, share, 9) == pytest.approx(by_paths(rate, share, 9))


@given(st.floats(0, 1), st.sampled_from(SHARES), st.integers(1, 30))
def test_the_three_outcomes_are_all_there_are(rate, share, budget) -> None:
    result = operating_characteristics(rate, share, budget)

    assert result.holds + result.refuted + result.open == pytest.approx(1)


def test_the_note_covers_both_shares_and_all_rates() -> None:
    rates = ["0.30", "0.50", "0.70", "0.80", "0.85", "0.90", "0.95", "0.99", "1.00"]

    assert [row[:3] for row in note_rows()] == [
        [share, budget, rate]
        for share, budget in (("0.10", "20"), ("0.05", "40"))
        for rate in rates
    ]


@pytest.mark.parametrize("row", note_rows(), ids=lambda row: f"{row[0]}-{row[2]}")
def test_the_table_in_the_note_is_what_the_rule_does(row) -> None:
    share, budget, rate = float(row[0]), int(row[1]), float(row[2])

    result = operating_characteristics(rate, share, budget)

    shown = [f"{value:.1%}" for value in result[:3]] + [f"{result.mean_seeds:.1f}"]
    assert shown == row[3:]


def test_known_values_of_the_default_rule() -> None:
    half, nearly = (operating_characteristics(rate, 0.10, 20) for rate in (0.5, 0.99))

    assert (f"{half.holds:.1%}", f"{nearly.holds:.1%}", f"{nearly.mean_seeds:.1f}") == (
        "3.9%",
        "100.0%",
        "5.3",
    )
