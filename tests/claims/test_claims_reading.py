"""Texts that are no claim: each is refused with its column and what was expected."""

import inspect
import string
import sys
import textwrap

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vaeflash.claims import parse_claim
from vaeflash.claims.parser import MAX_DEPTH
from vaeflash.claims.tokens import MAX_LENGTH
from vaeflash.errors import ClaimError


def refusal(text) -> tuple[int, str]:
    """The column at which a text is refused, and what is said about it."""
    with pytest.raises(ClaimError) as caught:
        parse_claim(text)
    (problem,) = caught.value.problems
    assert problem.what.endswith(".")
    assert problem.advice
    return int(problem.where.removeprefix("column ")), problem.what


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        # Unfinished
        ("", 1, "this ends too early."),
        ("   ", 4, "this ends too early."),
        ("x", 2, "this ends too early."),
        ("x <", 4, "this ends too early."),
        ("x < 1 and", 10, "this ends too early."),
        ("x < (1", 7, "this ends too early."),
        ("x < min(", 9, "this ends too early."),
        ("x[", 3, "this ends too early."),
        ("x[a", 4, "this ends too early."),
        ("x[a=", 5, "this ends too early."),
        ("x[a=1", 6, "this ends too early."),
        ("x == 3 +-", 10, "this ends too early."),
        ("x < 1 in", 9, "this ends too early."),
        ("x < 1 in 95", 12, "this ends too early."),
        ("x < 1 in 95%", 13, "this ends too early."),
        ("x < 1 in 95% of", 16, "this ends too early."),
        ("x falls", 8, "this ends too early."),
        ("x falls by 5%", 14, "this ends too early."),
        ("x falls over", 13, "this ends too early."),
        ("x falls over k", 15, "this ends too early."),
        ("x falls over k=", 16, "this ends too early."),
        ("x falls over k=1", 17, "this ends too early."),
        ("x == (1, 2", 11, "this ends too early."),
        # Out of place
        ("x < 1 2", 7, "'2' does not fit here."),
        ("x < 1; y", 6, "';' has no meaning here."),
        ("x < 1 and < 1", 11, "'<' does not fit here."),
        ("x < 1 or y < 1", 7, "'or' does not fit here."),
        ("x = 1", 3, "'=' does not fit here."),
        ("1 < x = 2", 7, "'=' does not fit here."),
        ("< 1", 1, "'<' does not fit here."),
        ("x < < 1", 5, "'<' does not fit here."),
        ("x + < 1", 5, "'<' does not fit here."),
        ("x < --1", 6, "'-' does not fit here."),
        ("x < +1", 5, "'+' does not fit here."),
        ("x ** 2 < 1", 4, "'*' does not fit here."),
        ("x < 1)", 6, "')' does not fit here."),
        ("x[] < 1", 3, "']' does not fit here."),
        ("x[1=2] < 1", 3, "'1' does not fit here."),
        ("x[a] < 1", 4, "']' does not fit here."),
        ("x[a==1] < 1", 4, "'==' does not fit here."),
        ("x[a=1,] < 1", 7, "']' does not fit here."),
        ("x[a=1 b=2] < 1", 7, "'b' does not fit here."),
        ("x[a=1][b=2] < 1", 7, "'[' does not fit here."),
        ("x[a=b-c] < 1", 6, "'-' does not fit here."),
        ("x[a=-b] < 1", 6, "'b' does not fit here."),
        ("x[a=5%] < 1", 6, "'%' does not fit here."),
        ("(x < 1)", 4, "'<' does not fit here."),
        ("x < (1, y)", 9, "'y' does not fit here."),
        ("x < (y, 1)", 7, "',' does not fit here."),
        ("x[a=(3)] == 1", 7, "')' does not fit here."),
        ("x == (,)", 7, "',' does not fit here."),
        ("x == (1,,2)", 9, "',' does not fit here."),
        ("abs() < x", 5, "')' does not fit here."),
        ("x < 1 in 95 of seeds", 13, "'of' does not fit here."),
        ("x < 1 in 95% of runs", 17, "'runs' does not fit here."),
        ("x < 1 in 95% of seeds and y < 1", 23, "'and' does not fit here."),
        ("x falls by 5 over k=1,2", 14, "'over' does not fit here."),
        ("x < 1 falls over k=1,2", 7, "'falls' does not fit here."),
        ("x falls over k=1,2 < 3", 20, "'<' does not fit here."),
        ("x == 1 +- 1 +- 1", 13, "'+-' does not fit here."),
        # Read, but without sense
        ("1 < 2", 1, "this measures nothing."),
        ("x == 3.68", 3, "'==' with a number that is not whole needs a tolerance."),
        ("-0.5 != x", 6, "'!=' with a number that is not whole needs a tolerance."),
        ("x < 5 +- 1", 7, "'+-' needs == or !=."),
        ("x < 1 in 84% of seeds", 10, "a claim cannot ask for this share of seeds."),
        ("x < 1 in 100% of seeds", 10, "a claim cannot ask for this share of seeds."),
        ("x < 1 in 0% of seeds", 10, "a claim cannot ask for this share of seeds."),
        ("x[a=1, a=2] < 1", 8, "'a' is set twice."),
        ("x[k=1] falls over k=1,2", 19, "'k' is set in the brackets already."),
        ("x falls over k=1,2,1", 20, "this value is listed twice."),
        ("(x) falls over k=1,2", 1, "'falls' needs one metric before it."),
        ("2 * x rises over k=1,2", 1, "'rises' needs one metric before it."),
        ("abs(x, y) < 1", 1, "'abs' takes one argument, not 2."),
        ("x < log(1, 2)", 5, "'log' takes one argument, not 2."),
        ("x == true", 6, "'true' is no metric."),
        ("x == (1.5, 2)", 7, "a shape holds whole numbers."),
        ("x < 007", 5, "a number does not begin with 0."),
        # Code, and other hostile texts
        ('__import__("os") < 1', 1, "there is no function '__import__'."),
        ("open(x) < 1", 1, "there is no function 'open'."),
        ("x.__class__ < 1", 2, "'.' has no meaning here."),
        ("x[0].y < 1", 5, "'.' has no meaning here."),
        ("lambda: 1 < x", 7, "':' has no meaning here."),
        ("x < 1 # y", 7, "'#' has no meaning here."),
        ("x < `id`", 5, "'`' has no meaning here."),
        ("x < $(id)", 5, "'$' has no meaning here."),
        ("x < 'a'", 5, "''' has no meaning here."),
        ("x ≤ 1", 3, "'≤' has no meaning here."),
        ("x < 2^3", 6, "'^' has no meaning here."),
        ("x < 1\x00", 6, "the character U+0000 has no meaning here."),
        ("x < \x1b[2J", 5, "the character U+001B has no meaning here."),
        ("μ < 1", 1, "'μ' has no meaning here."),
        ("x < ３", 5, "this is not a number."),
        ('x == "a', 6, "this text has no end."),
        ('x == "a\nb"', 6, "this text has no end."),
        ("x < 1..2", 5, "this is not a number."),
        ("x < 1.2.3", 5, "this is not a number."),
        ("x < 12abc", 5, "this is not a number."),
        ("x < 1e", 5, "this is not a number."),
        ("x < 0x10", 5, "this is not a number."),
        ("x < 1_000", 5, "this is not a number."),
        ("x < 1e999", 5, "this number is out of range."),
        ("x < 1e-999", 5, "this number is out of range."),
        ("x < " + "9" * 41, 5, "this number is too long."),
        ("x < " + "1" * 900, 5, "this number is too long."),
        ("x <" + " " * 1000, 1001, "this is too long."),
        ("(" * 900 + "x", 33, "the brackets are nested too deeply."),
        ("abs(" * 200 + "x", 132, "the brackets are nested too deeply."),
        ("-(" * 200 + "x", 66, "the brackets are nested too deeply."),
    ],
)  # fmt: skip
def test_what_is_no_claim_is_refused_at_its_column(text, column, what) -> None:
    assert refusal(text) == (column, what)


@pytest.mark.parametrize("zero", ["0", "0.0", "0e5", "0.000e-999"])
def test_zero_is_not_out_of_range(zero) -> None:
    assert parse_claim(f"x > {zero}").holds({(): {"x": 1}})


def test_a_message_shows_the_claim_with_a_caret() -> None:
    with pytest.raises(ClaimError) as caught:
        parse_claim("mse[latent=2 < 3")

    assert str(caught.value) == textwrap.dedent("""\
        column 14: '<' does not fit here.
          Expected ']' to close the parameters.
            mse[latent=2 < 3
                         ^""")


def test_a_long_claim_is_shown_around_the_caret() -> None:
    with pytest.raises(ClaimError) as caught:
        parse_claim("x + " * 50 + "? + " + "x + " * 50 + "x < 1")
    shown, caret = caught.value.problems[0].advice.splitlines()[-2:]

    assert len(shown) <= 80
    assert shown[caret.index("^")] == "?"


def test_control_characters_are_not_repeated_in_messages() -> None:
    with pytest.raises(ClaimError) as caught:
        parse_claim("x\t< \x1b[2J\x07")

    assert set(str(caught.value)) <= set(string.printable) - set("\t\r\x0b\x0c")


def test_brackets_may_be_nested_up_to_the_limit() -> None:
    text = "x < " + "(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH

    assert parse_claim(text).holds({(): {"x": 0}})


def test_brackets_side_by_side_are_not_nested() -> None:
    text = "x < " + " + ".join(["(1)"] * (MAX_DEPTH + 1))

    assert parse_claim(text).holds({(): {"x": MAX_DEPTH}})


def test_a_claim_may_be_as_long_as_the_limit() -> None:
    text = "x < 1" + " + 1" * 248

    assert parse_claim(text.ljust(MAX_LENGTH)).holds({(): {"x": 248}})


@pytest.mark.parametrize(("runs", "fits"), [(64, True), (65, False)])
def test_a_claim_needs_at_most_64_runs(runs, fits) -> None:
    text = "x falls over k=" + ",".join(map(str, range(runs)))

    if fits:
        assert len(parse_claim(text).runs) == runs
    else:
        assert refusal(text) == (1, "this needs 65 runs.")


def test_reading_and_evaluating_need_little_stack() -> None:
    text = "abs(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH + " < 1" + " + 1" * 150
    limit = sys.getrecursionlimit()
    depth = len(inspect.stack(0))
    sys.setrecursionlimit(depth + 300)
    try:
        holds = parse_claim(text).holds({(): {"x": 1}})
    finally:
        sys.setrecursionlimit(limit)

    assert holds


def read(text) -> str:
    """ "read", or the first word of the refusal."""
    try:
        parse_claim(text)
    except ClaimError as error:
        return str(error).partition(" ")[0]
    return "read"


@pytest.mark.slow
@given(st.text(max_size=1100))
@example("((((")
@example("\ud800")
def test_any_text_is_read_or_refused(text) -> None:
    assert read(text) in ("read", "column")


NAMES = ["x", "kl", "error", "true", "and", "in", "of", "seeds", "falls", "rises", "by", "over"]
FUNCTIONS = ["abs", "min", "max", "log"]
VALUES = ["1", "95", "0.5", "1e-3", "01", '"none"', "(1,2)"]
SIGNS = [*"%+-*/()[],=<>±", "==", "!=", "<=", ">=", "+-"]


@given(st.lists(st.sampled_from(NAMES + FUNCTIONS + VALUES + SIGNS), max_size=30).map(" ".join))
def test_any_sequence_of_words_is_read_or_refused(text) -> None:
    assert read(text) in ("read", "column")
