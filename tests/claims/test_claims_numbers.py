"""Arithmetic in claims: Python is the oracle; NaN, infinities and huge integers have rules."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("64 / 4 / 2", 8),
        ("64 / (4 / 2)", 32),
        ("-3 * -2", 6),
        ("-(1 + 2)", -3),
        ("2 - -3", 5),
        ("50% * 4", 2),
        ("abs(-3)", 3),
        ("min(3, 1, 2)", 1),
        ("max(3, 1, 2)", 3),
        ("max(3)", 3),
        ("log(1)", 0),
        ("2.", 2),
        (".5 * 2", 1),
        ("1e3", 1000),
        ("1E+3", 1000),
        ("2.5e-1 * 4", 1),
        ("7 / 2 * 2", 7),
    ],
)
def test_arithmetic_follows_the_usual_precedence(text, expected) -> None:
    assert answer(f"x == {text}", x=expected)


EXPRESSIONS = st.recursive(
    st.one_of(
        st.integers(0, 10**12).map(str),
        st.floats(0, 1e6).map(repr),
        st.sampled_from(["x", "y", "z"]),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join),
        inner.map(lambda e: f"-({e})"),
        inner.map(lambda e: f"abs({e})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
    ),
    max_leaves=12,
)
NUMBERS = st.one_of(st.integers(-(10**12), 10**12), st.floats(-1e6, 1e6))


@pytest.mark.slow
@given(EXPRESSIONS, NUMBERS, NUMBERS, NUMBERS)
def test_arithmetic_agrees_with_python(text, x, y, z) -> None:
    scope = {"x": x, "y": y, "z": z, "abs": abs, "min": min, "max": max, "__builtins__": {}}
    try:
        expected = eval(text, scope)
    except ZeroDivisionError:
        assert problem(f"w < {text}", w=0, x=x, y=y, z=z).what == "this divides by zero."
        return
    off = expected + max(1, abs(expected))

    assert answer(f"w == ({text}) +- 0", w=expected, x=x, y=y, z=z)
    assert not answer(f"w == ({text}) +- 0", w=off, x=x, y=y, z=z)


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_log_is_the_natural_one(x) -> None:
    assert answer("y == log(x) +- 0", x=x, y=math.log(x))


@pytest.mark.parametrize(
    "claim",
    [
        "x < 1", "x <= 1", "x > 1", "x >= 1", "x == 1", "x != 1", "x == x", "x != x",
        "x == 1 +- 1", "x != 1 +- 1", "1 == 1 +- x", "1 != 3 +- x", "0 < 1 < x", "x - x == 0",
        "abs(x) >= 0", "min(x, 1) < 2", "min(1, x) < 2", "max(1, x) > 0", "log(x) < 9",
        "-x != 1", "0 * x == 0",
    ],
)  # fmt: skip
def test_nan_satisfies_nothing(claim) -> None:
    assert answer(claim, x=math.nan) is False


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("x > 1e308", True),
        ("-x < 0", True),
        ("x < 1", False),
        ("x == 1", False),
        ("x != 1", True),
        ("x == 1 +- 5", False),
        ("x != 1 +- 5", True),
        ("x - x == 0", False),
        ("x == x +- 1", False),
        ("1 / x == 0", True),
        ("log(x) > 1", True),
        ("0 * x == 0", False),
    ],
)
def test_infinity_is_larger_than_any_number_and_near_none(claim, expected) -> None:
    assert answer(claim, x=math.inf) is expected


@pytest.mark.parametrize(
    "claim",
    [
        "x * 1.5 > 1e308",
        "x / 3 > 1e308",
        "x + 0.5 > 1e308",
        "0.5 - x < -1e308",
        "1.0 / x == 0",
        "log(x) > 9000",
        "x > 1e308",
        "x - 1 < x",
        "x == x + 0",
        "x != x + 1",
        "b * b > 1e308",
        "-b * b < -1e308",
    ],
)
def test_what_no_float_can_hold_counts_as_infinite_and_integers_stay_exact(claim) -> None:
    assert answer(claim, x=10**5000, b=1e300) is True


def test_an_integer_too_long_to_print_is_told_short() -> None:
    assert problem('x == "a"', x=10**5000).advice.startswith("Left is inf, right is 'a'.")


METRICS = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=3).map(tuple),
)


@pytest.mark.slow
@given(EXPRESSIONS, st.sampled_from(["<", "==", "!=", ">="]), EXPRESSIONS, METRICS, METRICS)
def test_evaluation_answers_or_says_why_not_and_nothing_else(left, sign, right, x, y) -> None:
    try:
        claim = parse_claim(f"w {sign} {left} == {right} +- 1")
        result = claim.holds({(): {"w": x, "x": x, "y": y, "z": 1e308}})
    except ClaimError as error:
        result = error.problems[0].where.startswith("column")

    assert result in (True, False)


@given(st.integers(min_value=10**300), st.floats(allow_nan=False), EXPRESSIONS)
def test_huge_numbers_never_overflow(big, small, text) -> None:
    measured = {(): {"x": big, "y": small, "z": -big}}
    try:
        result = parse_claim(f"x < {text}").holds(measured)
    except ClaimError as error:
        result = error.problems[0].what == "this divides by zero."

    assert result in (True, False)
