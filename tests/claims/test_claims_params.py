"""Parameters: read from `:control` lines and `--set`, and written so that they read back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.claims import (
    format_params,
    metric_label,
    parse_claim,
    parse_params,
    parse_settings,
    to_overlay,
)
from vaeflash.errors import ClaimError

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(10**38), 10**38),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters='"\n', codec="utf-8"), max_size=12),
    NAMES,
    st.sampled_from(["true", "false", "01", "-1", "1e5", "(1, 2)", ""]),
    st.lists(st.integers(-999, 999), max_size=5).map(tuple),
)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("form=swapped", {"form": "swapped"}),
        ("kernel=1,stride=1", {"kernel": 1, "stride": 1}),
        (" kernel = 1 , stride = 2 ", {"kernel": 1, "stride": 2}),
        ("depth=30,norm=none", {"depth": 30, "norm": "none"}),
        ("recon=sum,beta=0.1", {"recon": "sum", "beta": 0.1}),
        ("lr=2e-3", {"lr": 0.002}),
        ("x=-1", {"x": -1}),
        ("x=-0.5", {"x": -0.5}),
        ("on=true,off=false", {"on": True, "off": False}),
        ('x="true"', {"x": "true"}),
        ('x="a, b=c"', {"x": "a, b=c"}),
        ('x=""', {"x": ""}),
        ("x=(1, 2)", {"x": (1, 2)}),
        ("x=(3,)", {"x": (3,)}),
        ("x=()", {"x": ()}),
        ("x=(1, -2,)", {"x": (1, -2)}),
        ("range=01", {"range": "01"}),
        ("x=0", {"x": 0}),
        ("in=over,and=by", {"in": "over", "and": "by"}),
    ],
)
def test_values_are_read_with_their_types(text, params) -> None:
    read = parse_params(text)

    assert [(k, type(v), v) for k, v in read.items()] == [
        (k, type(v), v) for k, v in params.items()
    ]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "column 1", "this ends too early."),
        ("latent", "column 7", "this ends too early."),
        ("latent=", "column 8", "this ends too early."),
        ("latent=32,", "column 11", "this ends too early."),
        ("latent=32 beta=1", "column 11", "'beta' does not fit here."),
        ("latent=3,latent=3", "column 10", "'latent' is set twice."),
        ("latent==3", "column 7", "'==' does not fit here."),
        ("32=latent", "column 1", "'32' does not fit here."),
        ("x=1+1", "column 4", "'+' does not fit here."),
        ("x=50%", "column 5", "'%' does not fit here."),
        ("x=--1", "column 4", "'-' does not fit here."),
        ("x=-01", "column 4", "a number does not begin with 0."),
        ("x=(3)", "column 5", "')' does not fit here."),
        ("x=(1.5, 2)", "column 4", "a shape holds whole numbers."),
        ("x=/etc/passwd", "column 3", "'/' does not fit here."),
        ("x=a.b", "column 4", "'.' has no meaning here."),
        ("x=" + "9" * 50, "column 3", "this number is too long."),
        ("x=" + "a" * 2000, "column 1001", "this is too long."),
    ],
)
def test_what_is_no_parameter_list_is_refused_at_its_column(text, where, what) -> None:
    with pytest.raises(ClaimError) as caught:
        parse_params(text)

    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == (where, what)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_as_parameters(text) -> None:
    try:
        read = isinstance(parse_params(text), dict)
    except ClaimError:
        read = False

    assert read in (True, False)


@pytest.mark.slow
@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_written_parameters_read_back_with_their_types(params) -> None:
    read = parse_params(format_params(to_overlay(params)))

    assert {k: (type(v), v) for k, v in read.items()} == {
        k: (type(v), v) for k, v in params.items()
    }


@pytest.mark.slow
@given(NAMES.filter(lambda name: name not in ("true", "false")), st.dictionaries(NAMES, VALUES))
def test_a_label_reads_back_as_the_metric_of_its_run(name, params) -> None:
    overlay = to_overlay(dict(list(params.items())[:3]))

    assert parse_claim(f"{metric_label(overlay, name)} == 1").metrics == ((overlay, name),)


@pytest.mark.parametrize(
    ("overlay", "label"),
    [
        ((), "mse"),
        ((("latent", 32),), "mse[latent=32]"),
        ((("beta", 0.1), ("recon", "sum")), "mse[beta=0.1, recon=sum]"),
        ((("head", "a b"), ("size", (1, 2)), ("x", True)), 'mse[head="a b", size=(1, 2), x=true]'),
    ],
)
def test_a_label_looks_like_the_claim(overlay, label) -> None:
    assert metric_label(overlay, "mse") == label


@pytest.mark.parametrize("value", ['say "hi"', "two\nlines", math.nan, math.inf, -math.inf])
def test_a_value_that_no_claim_can_hold_is_refused(value) -> None:
    with pytest.raises(ClaimError, match="cannot be written in a claim"):
        format_params((("x", value),))


def test_an_overlay_is_sorted_by_name() -> None:
    assert to_overlay({"b": 1, "a": "x"}) == (("a", "x"), ("b", 1))


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("latent=32", {"latent": 32}),
        ("latent = 32", {"latent": 32}),
        ("size=(1, 2)", {"size": (1, 2)}),
        ("form=swapped", {"form": "swapped"}),
        ("kernel=1,stride=2", {"kernel": 1, "stride": 2}),
        ("faces=/data/my faces", {"faces": "/data/my faces"}),
        ("faces=~/a=b,c", {"faces": "~/a=b,c"}),
        ("name=it's", {"name": "it's"}),
        ("name=a b", {"name": "a b"}),
        ("name=" + "a/" * 600, {"name": "a/" * 600}),
    ],
)
def test_a_setting_takes_any_other_value_as_text(text, params) -> None:
    assert parse_settings(text) == params


@pytest.mark.parametrize("text", ["", "latent", "=3", "latent=", "a b=3", "3=4", "é=4"])
def test_a_setting_without_a_name_or_a_value_is_refused(text) -> None:
    with pytest.raises(ClaimError):
        parse_settings(text)
