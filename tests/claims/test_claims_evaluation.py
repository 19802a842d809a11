"""When a claim holds of what runs measured, and which mistakes only those show."""

import math

import pytest

from vaeflash.claims import parse_claim
from vaeflash.errors import ClaimError


def answer(claim, **metrics) -> bool:
    """Whether a claim about the default run holds of these metrics."""
    return parse_claim(claim).holds({(): metrics})


def problem(claim, **metrics):
    """The problem of evaluating a claim on these metrics."""
    with pytest.raises(ClaimError) as caught:
        answer(claim, **metrics)
    (found,) = caught.value.problems
    return found


@pytest.mark.parametrize(
    ("claim", "x", "expected"),
    [
        ("x < 3", 2, True),
        ("x < 3", 3, False),
        ("x <= 3", 3, True),
        ("x <= 3", 3.5, False),
        ("x > 3", 4, True),
        ("x > 3", 3, False),
        ("x >= 3", 3, True),
        ("x >= 3", 2.9, False),
        ("x == 3", 3, True),
        ("x == 3", 3.0, True),
        ("x == 3", 3.5, False),
        ("x == 0", 0.02, False),
        ("x != 3", 4, True),
        ("x != 3", 3, False),
        ("x != 0", 0.02, True),
        ("0.1 < x < 5", 1, True),
        ("0.1 < x < 5", 5, False),
        ("0.1 < x < 5", 0.1, False),
        ("5 > x >= 1", 1, True),
        ("1 == x != 2 < 3", 1, True),
        ("x == 3.68 +- 0.01", 3.685, True),
        ("x == 3.68 +- 0.01", 3.70, False),
        ("x == 3.68 ± 0.01", 3.685, True),
        ("x != 3.68 +- 0.01", 3.70, True),
        ("x != 3.68 +- 0.01", 3.685, False),
        ("x == 4 +- 0", 4, True),
        ("x == 10 +- 50%", 10.5, True),
        ("x == 10 +- 50%", 10.6, False),
        ("1 < x == 3 +- 1", 4, True),
        ("x == -3", -3, True),
        ("x == 100%", 1, True),
        ('x == "else"', "else", True),
        ('x == "else"', "if", False),
        ('x != "else"', "if", True),
        ('x == ""', "", True),
        ("x == (28, 28)", (28, 28), True),
        ("x == (28, 28)", (28,), False),
        ("x != (28, 28)", (28, 27), True),
        ("x == (3,)", (3,), True),
        ("x == (2, 3,)", (2, 3), True),
        ("x == ()", (), True),
        ("x == (-1, 2)", (-1, 2), True),
        ("x == 1", True, True),
        ("x == 0", True, False),
        ("x + x == 2", True, True),
        ("x == 9007199254740993", 9007199254740993, True),
        ("x == 9007199254740993", 9007199254740992, False),
        ("x < 9007199254740993", 9007199254740992, True),
    ],
)
def test_a_comparison_says_what_it_reads_like(claim, x, expected) -> None:
    assert answer(claim, x=x) is expected


@pytest.mark.parametrize(
    ("a", "b", "expected"), [(1, 1, True), (1, 0, False), (0, 1, False), (0, 0, False)]
)
def test_and_needs_both(a, b, expected) -> None:
    assert answer("a == 1 and b == 1", a=a, b=b) is expected


def test_metrics_come_from_their_own_runs() -> None:
    claim = parse_claim("mse[latent=32] < 0.5 * mse[latent=2]")

    assert claim.holds({(("latent", 32),): {"mse": 1}, (("latent", 2),): {"mse": 3}})


@pytest.mark.parametrize(
    ("claim", "values", "expected"),
    [
        ("x falls over k=0,1,2", (3, 2, 1), True),
        ("x falls over k=0,1,2", (3, 2, 2), False),
        ("x falls over k=0,1,2", (3, 1, 2), False),
        ("x rises over k=0,1,2", (-1, 0, 0.5), True),
        ("x rises over k=0,1,2", (1, 1, 2), False),
        ("x falls by 50% over k=0,1,2", (4, 2, 1), True),
        ("x falls by 50% over k=0,1,2", (4, 2, 1.1), False),
        ("x rises by 100% over k=0,1,2", (1, 2, 4), True),
        ("x rises by 100% over k=0,1,2", (1, 2, 3.9), False),
        ("x falls by 50% over k=0,1,2", (-4, -6, -9), True),
        ("x falls by 50% over k=0,1,2", (-4, -5, -6), False),
        ("x falls by 50% over k=0,1,2", (-4, -2, -1), False),
        ("x falls by 0% over k=0,1,2", (1, 1, 1), False),
        ("x falls by 50% over k=0,1,2", (0, 0, 0), False),
        ("x falls over k=0,1,2", (3, math.nan, 1), False),
        ("x rises over k=0,1,2", (1, 2, math.inf), True),
        ("x rises over k=0,1,2", (1, math.inf, math.inf), False),
        ("x falls over k=0,1,2", (math.inf, 2, 1), True),
    ],
)
def test_a_trend_is_a_change_at_every_step(claim, values, expected) -> None:
    measured = {(("k", k),): {"x": value} for k, value in enumerate(values)}

    assert parse_claim(claim).holds(measured) is expected


@pytest.mark.parametrize(
    ("claim", "x", "where", "what"),
    [
        ("a < y", 1, "column 5", "the demo did not measure y."),
        ("a < 1 and 2 < y * 3", 1, "column 15", "the demo did not measure y."),
        ("x < 3", "abc", "column 3", "a text cannot be compared with a number."),
        ("3 == x", "abc", "column 3", "a number cannot be compared with a text."),
        ("x == 3", (1, 2), "column 3", "a shape cannot be compared with a number."),
        ('x == "a"', (1, 2), "column 3", "a shape cannot be compared with a text."),
        ('x < "b"', "a", "column 3", "a text has no order and no distance."),
        ('x == "b" +- 1', "a", "column 3", "a text has no order and no distance."),
        ("x >= (1, 2)", (1, 2), "column 3", "a shape has no order and no distance."),
        ("x + 1 < 3", "a", "column 1", "a text cannot be computed with."),
        ("1 < 2 * x", (1, 2), "column 9", "a shape cannot be computed with."),
        ("-x < 3", "a", "column 2", "a text cannot be computed with."),
        ("abs(x) < 3", "a", "column 5", "a text cannot be computed with."),
        ("a == 3 +- x", "a", "column 11", "a text cannot be computed with."),
        ("1 < 2 / x", 0, "column 7", "this divides by zero."),
        ("1 < 2 / (x - x)", 0.5, "column 7", "this divides by zero."),
        ("1 < 2 / x", False, "column 7", "this divides by zero."),
        ("1 < 2 / x", -0.0, "column 7", "this divides by zero."),
        ("x / 0 > 1", math.nan, "column 3", "this divides by zero."),
        ("log(x) < 3", 0, "column 1", "this has no logarithm."),
        ("1 < log(x)", -0.5, "column 5", "this has no logarithm."),
        ("x == a / 3", 0.5, "column 3",
         "'==' between numbers that are not whole needs a tolerance."),
        ("a / 3 != x", 0.5, "column 7",
         "'!=' between numbers that are not whole needs a tolerance."),
        ("x == x", math.inf, "column 3",
         "'==' between numbers that are not whole needs a tolerance."),
        ("x == 3 +- x", -1, "column 11", "the tolerance is negative."),
        ("x < 3", [1, 2], "column 1", "x is a list."),
        ("x < 3", None, "column 1", "x is a NoneType."),
        ("x rises over k=1,2", 3, "column 1", "there is no run for x[k=1]."),
    ],
)  # fmt: skip
def test_a_mistake_in_evaluation_names_its_column(claim, x, where, what) -> None:
    found = problem(claim, x=x, a=1)

    assert (found.where, found.what) == (where, what)


def test_an_unknown_metric_lists_the_ones_that_its_run_measured() -> None:
    claim = parse_claim("x[k=1] < kl_nat[k=2]")

    with pytest.raises(ClaimError) as caught:
        claim.holds({(("k", 1),): {"x": 1}, (("k", 2),): {"mse": 1, "kl": 2}})

    assert str(caught.value).splitlines() == [
        "column 10: the demo did not measure kl_nat[k=2].",
        "  Measured: kl, mse.",
        "    x[k=1] < kl_nat[k=2]",
        "             ^",
    ]


def test_a_run_that_was_not_made_lists_those_that_were() -> None:
    claim = parse_claim("x[k=1] < 3")

    with pytest.raises(ClaimError, match=r"Runs: run, run\[k=2\]\."):
        claim.holds({(): {"x": 1}, (("k", 2),): {"x": 1}})


def test_a_mistake_shows_even_where_an_earlier_part_is_false() -> None:
    assert problem("x > 1 and y > 1", x=0).what == "the demo did not measure y."


def test_a_mistake_shows_even_where_an_earlier_link_of_a_chain_is_false() -> None:
    assert problem('1 < x < "a"', x=0).where == "column 7"
