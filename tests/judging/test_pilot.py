"""Thresholds from development seeds: what is compared, how far apart it lies, and the middle."""

from __future__ import annotations

import io
import json
import math
import statistics
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import SUM, MakeCourse, card, deck
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.console import Console

from vaeflash.claims import (
    numbers_near,
    parse_claim,
    relation_statistics,
    rewritten,
    short_number,
)
from vaeflash.cli.check import Where
from vaeflash.cli.dot_plot import STACKS, Axis, axis_line, dots, seeds_per_dot
from vaeflash.cli.pilot import report, run_pilot
from vaeflash.cli.screen import Screen
from vaeflash.course.course import Course
from vaeflash.errors import VaeflashError
from vaeflash.judging.cases import Item, choose
from vaeflash.judging.pilot import Pilot, RelationPilot, Relative, pilot
from vaeflash.judging.pilot_runs import PilotArm, Trial, gather, jobs_to_pilot
from vaeflash.judging.samples import distance, is_logarithmic, mean_and_deviation, quarters
from vaeflash.runs.known import Runs

GAUSS = '''
"""A number is drawn from a normal distribution with known mean."""

import random
from dataclasses import dataclass

from vaeflash.demo import Lab, Result


@dataclass(frozen=True, slots=True)
class Params:
    """The distribution, and a seed on which there is none."""

    mean: float = 1.0
    std: float = 0.1
    fails_on: int = -1
    nan_on: int = -1


def run(params: Params, lab: Lab) -> Result:
    """Draw it."""
    if lab.seed == params.fails_on:
        raise ValueError("as asked")
    value = random.Random(lab.seed).gauss(params.mean, params.std)
    return Result(metrics={"value": float("nan") if lab.seed == params.nan_on else value})
'''
COUNTED = ":demo gauss\n:claim value < 1.4\n:control mean=3"


# What is compared with which threshold


@pytest.mark.parametrize(
    ("claim", "told", "other"),
    [
        ("kl < 5", "kl < 5", "kl < 0.32"),
        ("5 >= kl", "kl <= 5", "0.32 >= kl"),
        ("kl < log(2) * 3", "kl < 2.079", "kl < 0.32"),
        ("x < -5%", "x < -0.05", "x < 32%"),
        ("a < 0.5 * b", "a / b < 0.5", "a < 0.32 * b"),
        ("a < b*0.5*c", "a / (b * c) < 0.5", "a < b*0.32*c"),
        ("0.5 * b > a", "a / b < 0.5", "0.32 * b > a"),
        ("a < 90% * b", "a / b < 0.9", "a < 32% * b"),
        ("a < b / 3", "b / a > 3", "a < b / 0.32"),
        ("x < (1 + 2) * (a + b)", "x / (a + b) < 3", "x < (0.32) * (a + b)"),
        ("a > b + 50", "a - b > 50", "a > b + 0.32"),
        ("a > b - 50", "a - b > -50", "a > b - -0.32"),
        ("a < b", "a / b < 1", "a < 0.32 * b"),
        ("a < (b + c)", "a / (b + c) < 1", "a < (0.32 * (b + c))"),
        ("a < 1 - b", "a / (1 - b) < 1", "a < 0.32 * (1 - b)"),
        ("x == 3.68 +- 0.01", "abs(x - 3.68) <= 0.01", "x == 3.68 +- 0.32"),
        ("x != y + 1 ± 1%", "abs(x - (y + 1)) > 0.01", "x != y + 1 ± 32%"),
        ("x + y == 0 +- 0.02", "abs(x + y) <= 0.02", "x + y == 0 +- 0.32"),
        ("x == y +- 0.1 * y", "abs(x - y) / y <= 0.1", "x == y +- 0.32 * y"),
        (
            "m falls by 15% over a=1,2",
            "least fall of m over a=1,2 >= 15",
            "m falls by 0.32% over a=1,2",
        ),
        (
            "falls rises over by=1,2",
            "least rise of falls over by=1,2 > 0",
            "falls rises by 0.32% over by=1,2",
        ),
        ("and < 5 and k[s=(1, 2)] == 1", "and < 5", "and < 0.32 and k[s=(1, 2)] == 1"),
    ],
)
def test_a_relation_has_a_statistic_and_a_place_for_its_threshold(
    claim: str, told: str, other: str
) -> None:
    statistic = relation_statistics(parse_claim(claim))[0].candidates[0]
    assert statistic.edit

    assert (
        f"{statistic.text} {statistic.sign} {short_number(statistic.threshold, 4)}",
        rewritten(claim, [(statistic.edit, dict(numbers_as_written(0.3204, statistic.edit))[2])]),
    ) == (told, other)


def numbers_as_written(threshold: float, edit: Any) -> list[tuple[int, str]]:
    """Digits and text; a factor of -1 is told by the claim's own sign."""
    return [(n, text) for n, (text, _) in enumerate(numbers_near(threshold, edit), start=1)]


@pytest.mark.parametrize("claim", ["n == 3", 'error == "ValueError"', "s != (1, 2)", "a == b"])
def test_exact_equality_has_no_threshold(claim: str) -> None:
    assert [r.candidates for r in relation_statistics(parse_claim(claim))] == [()]


@pytest.mark.parametrize("claim", ["a < 2 * b < 7", "a < b < c", "a == b == c +- 0.1"])
def test_a_number_that_another_relation_shares_is_no_place(claim: str) -> None:
    """Rewriting one relation must leave the others as they are."""
    relations = relation_statistics(parse_claim(claim))
    told = [[(s.text, s.threshold) for s in r.candidates] for r in relations]
    kept = []
    for place, relation in enumerate(relations):
        edit = relation.candidates[0].edit
        text = rewritten(claim, [(edit, "4")]) if edit else claim
        after = relation_statistics(parse_claim(text))
        kept.append([[(s.text, s.threshold) for s in r.candidates] for r in after])
        kept[-1][place] = told[place]

    assert kept == [told] * len(relations)


CLAIMS = [
    "a < 7",
    "3 <= a",
    "a > 0.5 * b",
    "a < b * 2",
    "a >= b / 4",
    "2 * a > b",
    "a < b + 3",
    "a - 5 > b",
    "a <= b",
    "a * b < a + b + c",
    "a == b +- 4",
    "a != b +- 4",
    "a == b +- 0.5 * abs(c)",
    "a == b +- abs(c)",
    "a < c / 3 * b",
    "a < b / -2",
]


@given(st.sampled_from(CLAIMS), *[st.integers(-50, 50)] * 3)
def test_a_statistic_tells_the_relation(claim: str, a: int, b: int, c: int) -> None:
    measured = {(): {"a": a, "b": b, "c": c}}
    ((part, candidates),) = relation_statistics(parse_claim(claim))
    fitting = [s for s in candidates if s.means_the_same(measured)]
    values = [s.value(measured) for s in fitting]
    assume(all(abs(v - s.threshold) > 1e-9 for v, s in zip(values, fitting, strict=True)))
    told = [(v < s.threshold) is s.asks_for_less for v, s in zip(values, fitting, strict=True)]

    assert told == [part.holds(measured)] * max(1, len(fitting))


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=6), st.booleans())
def test_a_trend_is_told_by_its_least_step(values: list[float], rises: bool) -> None:
    listed = ",".join(map(str, range(len(values))))
    parsed = parse_claim(f"m {'rises' if rises else 'falls'} by 5% over n={listed}")
    measured = {((("n", n)),): {"m": value} for n, value in enumerate(values)}
    ((_, (statistic,)),) = relation_statistics(parsed)
    steps = np.diff(values) / values[:-1] * (100 if rises else -100)

    assert statistic.value(measured) == pytest.approx(steps.min(), rel=1e-9, abs=1e-9)


NUMBERS = st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-6)


@given(
    st.sampled_from(["0.1 < kl < {} and n >= 3", "a > {}  *b", "x == y +- {} in 95% of seeds"]),
    NUMBERS,
    NUMBERS,
)
def test_rewriting_changes_the_number_and_nothing_else(
    template: str, written: float, other: float
) -> None:
    claim = template.format(short_number(written, 6))
    statistic = relation_statistics(parse_claim(claim))["kl" in template].candidates[0]
    assert statistic.edit
    number, value = list(numbers_near(other, statistic.edit))[3]
    changed = rewritten(claim, [(statistic.edit, number)])
    read = relation_statistics(parse_claim(changed))["kl" in template].candidates[0]

    assert (changed, read.threshold) == (template.format(number), value)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 17))
def test_a_short_number_is_one_that_claims_take(value: float, digits: int) -> None:
    assume(math.isfinite(float(f"{value:.{digits}g}")))
    text = short_number(value, digits)
    ((_, (statistic,)),) = relation_statistics(parse_claim(f"x < {text}"))

    assert statistic.threshold == float(f"{value:.{digits}g}")


# How far apart


FINITE = st.floats(-1e9, 1e9).map(lambda value: round(value, 6))


@given(st.lists(FINITE, min_size=2, max_size=30))
def test_mean_and_deviation_are_those_of_the_textbook(values: list[float]) -> None:
    largest = max(map(abs, values))

    assert mean_and_deviation(values) == (
        pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-12 * largest),
        pytest.approx(float(np.std(values, ddof=1)), rel=1e-6, abs=1e-12 * largest),
    )


def test_values_at_the_end_of_the_range_of_floats_have_a_mean_and_a_deviation() -> None:
    mean, deviation = mean_and_deviation([1e308, 1.2e308, 1.4e308])

    assert (mean, deviation) == (pytest.approx(1.2e308), pytest.approx(0.2e308))


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        ((1.0, 0.5), (3.0, 0.5), 4.0),
        ((3.0, 3.0), (8.0, 4.0), 5 / math.sqrt(12.5)),
        ((1.0, 0.0), (1.0, 0.0), 0.0),
        ((1.0, 0.0), (1.5, 0.0), math.inf),
        ((-1.7e308, 1e307), (1.7e308, 1e307), 34.0),
    ],
)
def test_distance_is_in_standard_deviations(
    one: tuple[float, float], other: tuple[float, float], far: float
) -> None:
    assert distance(one, other) == pytest.approx(far)


# Where the threshold belongs


def held(
    claim: str,
    values: Sequence[Sequence[float]],
    *,
    myth: bool = False,
    deterministic: bool = False,
) -> Pilot:
    """A pilot of a claim on `x`: its values, then those under each control."""
    parsed = parse_claim(claim)
    item: Any = SimpleNamespace(
        parsed=parsed,
        claim=SimpleNamespace(text=claim, myth=myth),
        source=SimpleNamespace(deterministic=deterministic, name="demo"),
        controls=[f"control={n}" for n in range(1, len(values))],
        where="cards/deck.md:9",
    )
    arms = [
        PilotArm(
            f"control={n}" if n else "",
            tuple(
                Trial(seed, {(): {"x": x}}, answer=parsed.holds({(): {"x": x}}))
                for seed, x in enumerate(row)
            ),
        )
        for n, row in enumerate(values)
    ]
    return pilot(item, arms)


def spread(mean: float, deviation: float) -> list[float]:
    """Three values with this mean and this standard deviation."""
    return [mean - deviation, mean, mean + deviation]


def only(found: Pilot) -> RelationPilot:
    (finding,) = found.findings
    return finding


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.floats(0, 0.2), st.booleans(), NUMBERS)
def test_a_proposal_lies_between_the_means_and_is_ready_to_paste(
    low: float, gap: float, deviation: float, below: bool, written: float
) -> None:
    rows = [spread(low, deviation * gap), spread(low + gap, deviation * gap)]
    # Their logarithms, where those are compared, need not lie four deviations apart.
    assume(not is_logarithmic([*rows[0], *rows[1]]))
    sign, rows = ("<", rows) if below else (">", rows[::-1])
    claim = f"x {sign} {short_number(written, 4)}"
    found = held(claim, rows)
    assert found.proposed
    assert only(found).midway
    relation = relation_statistics(parse_claim(found.proposed))[0]
    means = sorted(map(statistics.fmean, rows))

    assert (
        means[0] < relation.candidates[0].threshold < means[1],
        found.proposed.startswith(f"x {sign} "),
        found.right_then,
    ) == (True, True, (3, 3))


def test_a_threshold_has_as_few_digits_as_the_middle_half_takes() -> None:
    rows = ([1.2, 1.3], [1.5, 1.6]), ([1.23, 1.23], [1.25, 1.25])
    proposed = [held("x < 9", values, deterministic=True).proposed for values in rows]

    assert proposed == ["x < 1.4", "x < 1.24"]


def test_the_nearest_control_decides() -> None:
    rows = [spread(1, 0.01), spread(9, 0.01), spread(2, 0.01), spread(0.9, 0.01)]

    assert held("x < 7", rows).proposed == "x < 1.5"


def test_a_threshold_within_the_middle_half_stays() -> None:
    found = held("x < 1.7", [spread(1, 0.01), spread(2, 0.01)])
    midway = only(found).midway

    assert (found.proposed, midway and midway.threshold) == ("x < 1.7", 1.5)


def test_positive_values_of_many_sizes_are_compared_by_their_logarithms() -> None:
    claim, control = [1e-9, 1e-8, 1e-7], [0.1, 1.0, 10.0]
    finding = only(held("x < 5", [claim, control]))

    assert (finding.contrasts[0].distance, finding.midway and finding.midway.threshold) == (
        pytest.approx(8.0),
        pytest.approx(1e-4),
    )


@pytest.mark.parametrize(
    ("rows", "myth", "relative"),
    [
        ([spread(1, 0.1), spread(2, 0.1)], False, Relative.APART),
        ([spread(1, 0.3), spread(2, 0.3)], False, Relative.TOO_CLOSE),
        ([spread(2, 0.1), spread(1, 0.1)], False, Relative.WRONG_WAY),
        ([spread(2, 0.1), spread(1, 0.1)], True, Relative.APART),
        ([spread(1, 0.1), [math.nan] * 3], False, Relative.UNKNOWN),
        ([spread(1, 0.1), [2.0, math.inf, math.nan]], False, Relative.UNKNOWN),
        ([[1.0] * 3, [1.0] * 3], False, Relative.TOO_CLOSE),
        ([[1.0] * 3, [1.001] * 3], False, Relative.APART),
    ],
)
def test_a_control_lies_apart_or_not(
    rows: list[list[float]], myth: bool, relative: Relative
) -> None:
    found = held("x < 7", rows, myth=myth)

    assert (only(found).contrasts[0].relative, found.proposed is None) == (
        relative,
        relative is not Relative.APART,
    )


def test_a_control_may_be_set_apart_by_another_part() -> None:
    found = held("x < 7 and x == 1 +- 3", [spread(1, 0.1), spread(-9, 0.1)])

    assert [(f.contrasts[0].relative, f.contrasts[0].elsewhere) for f in found.findings] == [
        (Relative.WRONG_WAY, True),
        (Relative.APART, False),
    ]


def test_exact_equality_is_told_by_counts() -> None:
    finding = only(held("x == 1", [[1, 1, 1], [2, 1, 2], [2, 3, 4]]))

    assert (finding.yes, [c.relative for c in finding.contrasts]) == (
        (3, 1, 0),
        [Relative.TOO_CLOSE, Relative.APART],
    )


def test_a_proposal_that_the_claim_has_no_room_for_is_none() -> None:
    found = held("x < 9" + " " * 995, [spread(1.23, 0), spread(1.25, 0)])

    assert (only(found).midway is not None, found.proposed) == (True, None)


# Runs


def course_of(make_course: MakeCourse, *metas: str) -> Course:
    cards = [card(f"card-{number}", meta) for number, meta in enumerate(metas)]
    return make_course(cards={"deck": deck(*cards)}, demos={"gauss": GAUSS, "two_and_two": SUM})


def item_of(make_course: MakeCourse, meta: str) -> Item:
    (item,) = choose(course_of(make_course, meta)).items
    return item


def test_the_middle_between_known_means_is_found(make_course: MakeCourse) -> None:
    item = item_of(make_course, COUNTED)
    found = pilot(item, gather(item, range(20), Runs()))
    one, other = (sample.mean for sample in only(found).samples)
    # The same noise moves both means, so that of the middle is that of either.
    error = 0.1 / math.sqrt(20)

    assert (quarters(one, other)[1], found.proposed) == (
        pytest.approx(2.0, abs=4 * error),
        "value < 2",
    )


def test_every_run_is_made_once(make_course: MakeCourse) -> None:
    meta = ":demo gauss\n:claim value < 0.5 * value[mean=3]\n:control mean=3\n:control std=0.2"
    item = item_of(make_course, meta)
    runs = Runs()
    jobs = jobs_to_pilot(item, range(3), runs)
    gather(item, range(3), runs)

    # (1, 0.1), (3, 0.1), (1, 0.2) and (3, 0.2), on three seeds each.
    assert (len(jobs), {job.seed for job in jobs}, runs.made) == (12, {0, 1, 2}, 12)


def test_a_seed_that_raises_is_counted_and_told(make_course: MakeCourse) -> None:
    item = item_of(make_course, COUNTED + ", fails_on=2")
    arms = gather(item, range(4), Runs())
    found = pilot(item, arms)

    assert (
        [trial.failure for trial in arms[1].trials],
        only(found).samples[1].values[2],
        found.right,
    ) == (["", "", "the demo raised ValueError", ""], None, (4, 3))


def test_an_exception_that_the_claim_asks_about_is_an_answer(make_course: MakeCourse) -> None:
    meta = ':demo gauss\n:claim error[fails_on=0] == "ValueError"\n:control fails_on=9'
    arms = gather(item_of(make_course, meta), [0], Runs())

    assert [(arm.count(True), arm.count(False)) for arm in arms] == [(1, 0), (0, 1)]


def test_a_demo_that_never_runs_is_an_error(make_course: MakeCourse) -> None:
    course = course_of(make_course, COUNTED)
    (course.root / "demos" / "gauss.py").write_text(GAUSS + "\nraise RuntimeError('at import')\n")
    (item,) = choose(course).items

    with pytest.raises(VaeflashError, match="at import"):
        gather(item, range(3), Runs())


# On the terminal


def shown(
    course: Course, name: str, width: int = 80, *, seeds: int = 6, as_json: bool = False
) -> str:
    written = io.StringIO()
    screen = Screen(Console(file=written, width=width, no_color=True))
    settings: Any = SimpleNamespace(course=course, out=screen, err=screen, debug=False)
    where = Where("cpu", jobs=0)
    run_pilot(settings, name, where, seeds=seeds, trusted=True, as_json=as_json)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize(
    "meta",
    [
        COUNTED,
        ":demo gauss\n:myth value[mean=5] < 1e-6\n:control mean=1e-9, std=1e-10, nan_on=2",
        ":demo two-and-two\n:claim half == 2 +- 1 and total == 4\n:control a=3\n:control a=9",
    ],
    ids=["seeds", "log", "deterministic"],
)
def test_a_pilot_is_drawn(make_course: MakeCourse, snapshot: Any, meta: str, width: int) -> None:
    assert shown(course_of(make_course, meta), "card-0", width) == snapshot


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_drawing_fits_its_width(width: int) -> None:
    found = held("x < 2", [spread(1, 0.1), spread(-1.23456e-7, 1e-9), spread(5, 0.1)])
    console = Console(file=io.StringIO(), width=500, no_color=True)
    with console.capture() as capture:
        console.print(*report(found, width), sep="\n")
    drawn = [line for line in capture.get().splitlines() if set(line) & set("├" + STACKS[1:])]

    assert max(map(len, drawn)) in (width - 1, width)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=100), st.integers(10, 120))
def test_each_value_is_a_dot(values: list[float], columns: int) -> None:
    axis = Axis.around(values, [], columns, log=False)
    per_dot = seeds_per_dot([values], axis)
    rows = list(dots(values, axis, per_dot=per_dot, style=""))
    drawn = sum(STACKS.index(sign) for row in rows for sign in row.plain)

    assert (len(values) / per_dot <= drawn <= len(values), len(rows) <= 4) == (True, True)


@pytest.mark.parametrize(
    ("marks", "line"),
    [
        ({"▲": 5.0}, "├────▲────┤"),
        ({"▲": -1.0, "△": 9.0}, "◂────────△┤"),
        ({"▲": 0.0, "△": 12.0}, "▲─────────▸"),
    ],
)
def test_marks_stand_on_the_axis(marks: dict[str, float], line: str) -> None:
    assert axis_line(Axis(0, 10, 11), marks).plain == line


def test_an_axis_takes_in_what_does_not_shrink_the_values_to_half() -> None:
    axis = Axis.around([1.0, 2.0], [2.5, 40.0], 60, log=False)

    assert (axis.low, axis.high) == (1.0, 2.5)


@pytest.mark.parametrize(
    ("name", "told"),
    [("card-9", "no card, deck or demo has this name"), ("card-1", "has no claim to try out")],
)
def test_what_cannot_be_piloted_is_said(make_course: MakeCourse, name: str, told: str) -> None:
    course = course_of(make_course, COUNTED, ":demo gauss")

    with pytest.raises(VaeflashError, match=told):
        shown(course, name)


def test_a_claim_without_a_control_is_drawn_alone(make_course: MakeCourse) -> None:
    course = course_of(make_course, COUNTED.partition("\n:control")[0])

    assert "There is no control" in shown(course, "card-0")


def test_a_line_to_paste_is_not_wrapped(make_course: MakeCourse) -> None:
    claim = "value < 1.4" + "".join(f" and value > -{n}" for n in range(50, 60))
    course = course_of(make_course, f":demo gauss\n:claim {claim}\n:control mean=3")

    assert f":claim   {claim.replace('1.4', '2')}\n" in shown(course, "card-0", 60)


@pytest.mark.slow
def test_json_holds_plain_numbers(make_course: MakeCourse) -> None:
    def refuse(word: str) -> float:
        raise ValueError(word)

    course = course_of(make_course, COUNTED + ", nan_on=1, fails_on=2")
    document = json.loads(shown(course, "card-0", as_json=True, seeds=3), parse_constant=refuse)
    (claim,) = document["claims"]
    values = claim["relations"][0]["samples"][1]["values"]

    assert (values[1:], list(claim["arms"][1]["failures"])) == (["nan", None], ["2"])


@pytest.mark.parametrize(("seeds", "stands_for"), [(1, 1), (32, 1), (33, 2), (100, 4)])
def test_a_dot_stands_for_more_than_a_seed_only_where_it_must(seeds: int, stands_for: int) -> None:
    assert seeds_per_dot([[1.0] * seeds, []], Axis(0, 2, 30)) == stands_for


def test_every_sign_of_a_stack_has_one_dot_more() -> None:
    assert [bin(ord(sign) & 0xFF).count("1") for sign in STACKS[1:]] == list(range(1, 9))


def test_the_columns_of_an_axis_are_ascending() -> None:
    axis = Axis(1e-9, 1e3, 40, log=True)
    columns = [axis.column(10.0**power) for power in range(-9, 4)]

    assert columns == sorted(set(columns))
