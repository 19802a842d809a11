"""What a claim compares with which threshold, and the claim rewritten for another threshold.

    relation                          statistic           threshold
    L < c                             L                   c
    L < c * R                         L / R               c, where R > 0
    L < R / c                         R / L               c, where L > 0
    L < R + c                         L - R               c
    L < R                             L / R               1, where R > 0
    x == y +- t                       abs(x - y)          as `abs(x - y) <= t` says
    m falls by p% over a=1,2          the least fall      p, in percent of the value before

with c and t free of metrics, at either place and on either side. Where what is divided by turns out
not to be positive, `L - R` is compared instead. Exact equality has no threshold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from vaeflash.claims.claim import ParsedClaim, Part
from vaeflash.claims.evaluation import Evaluation, Measured
from vaeflash.claims.parser import ClaimReader
from vaeflash.claims.tokens import Token, tokenize
from vaeflash.claims.tree import (
    Call,
    Comparison,
    Condition,
    Constant,
    Negative,
    Node,
    Relation,
    Series,
    Step,
    Trend,
    metrics_in,
)

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_WITHIN = {"==": "<=", "!=": ">"}
_MOST_DIGITS = 17


@dataclass(frozen=True, slots=True)
class Edit:
    """Where a claim's text takes the number that is its threshold.

    Attributes:
        start: First character to replace.
        stop: The one after the last; equal to `start` where no number stands yet.
        factor: The number written, per threshold: 100 before a percent sign.
        before: What comes with it, as in ` * `.
        least: The grammar takes no smaller number here.
    """

    start: int
    stop: int
    factor: int = 1
    before: str = ""
    after: str = ""
    least: float = -math.inf


@dataclass(frozen=True, slots=True)
class Statistic:
    """The quantity that one relation of a claim holds against a threshold.

    Attributes:
        text: As a claim would write it; a trend's in words.
        sign: The claim asks for `statistic sign threshold`.
        threshold: As written in the claim.
        percent: Whether it is in percent.
        edit: Where the threshold stands; `None` where no single place in the text would do.
    """

    text: str
    sign: str
    threshold: float
    edit: Edit | None
    percent: bool = False
    _measure: Node | Trend = field(kw_only=True, repr=False)
    _divisor: Node | None = field(kw_only=True, repr=False, default=None)

    @property
    def asks_for_less(self) -> bool:
        """Whether the claim asks for values below the threshold."""
        return self.sign in ("<", "<=")

    def value(self, measured: Measured) -> float:
        """The quantity on one seed, in float; it may be NaN or infinite.

        Raises:
            ClaimError: It cannot be computed from what the runs measured.
        """
        numbers = _Numbers(self.text, measured)
        if isinstance(self._measure, Trend):
            return numbers.least_step(self._measure)
        return numbers.number(self._measure)

    def means_the_same(self, measured: Measured) -> bool:
        """Whether the relation may be told by this quantity: it divides by nothing below 0.

        Raises:
            ClaimError: It cannot be computed from what the runs measured.
        """
        if self._divisor is None:
            return True
        return not _Numbers(self.text, measured).number(self._divisor) <= 0


class RelationStatistics(NamedTuple):
    """One relation of a claim: the statistics that tell it, the first that means the same first.

    The last one always does. There are none for exact equality, which has no threshold.
    """

    part: Part
    candidates: tuple[Statistic, ...]


def relation_statistics(parsed: ParsedClaim) -> tuple[RelationStatistics, ...]:
    """Each relation of each part of a claim, in order; relations between constants left out.

    Raises:
        ClaimError: A threshold is no number, e.g. `1 / 0`; `where` is the column.
    """
    found: list[RelationStatistics] = []
    for part, condition, tokens in _parts(parsed):
        if isinstance(condition, Trend):
            found.append(RelationStatistics(part, (_of_trend(parsed.text, condition, tokens),)))
            continue
        for candidates in _of_comparison(parsed.text, condition, tokens):
            relation = RelationStatistics(part, candidates)
            if candidates or relation not in found:  # one tally of yes and no does for a part
                found.append(relation)
    return tuple(found)


def short_number(value: float, digits: int) -> str:
    """A number in so many significant digits, as claims write it: 12000, 0.5, 1e-8."""
    shown = repr(float(f"{value:.{digits}g}") + 0.0).removesuffix(".0")  # + 0.0 makes 0.0 of -0.0
    return re.sub(r"e([+-])0*", lambda sign: "e-" if sign[1] == "-" else "e", shown)


def numbers_near(threshold: float, edit: Edit | None) -> Iterator[tuple[str, float]]:
    """A threshold as claims write it in 1, 2, 3, ... significant digits, and its value then."""
    factor = edit.factor if edit else 1
    for digits in range(1, _MOST_DIGITS + 1):
        text = short_number(threshold * factor, digits)
        if edit is None or float(text) >= edit.least:
            yield text, float(text) / factor


def rewritten(text: str, numbers: Iterable[tuple[Edit, str]]) -> str:
    """A claim with other numbers as thresholds, and every other character as it was."""
    for edit, number in sorted(numbers, key=lambda change: change[0].start, reverse=True):
        before = edit.before
        if before == " + " and number.startswith("-"):
            before, number = " - ", number[1:]
        text = text[: edit.start] + before + number + edit.after + text[edit.stop :]
    return text


class _Numbers(Evaluation):
    """The walk over numbers, for quantities instead of conditions."""

    def number(self, node: Node) -> float:
        return _as_float(self._number(node))

    def least_step(self, trend: Trend) -> float:
        """The smallest change in the direction wanted, in percent of the value before it."""
        values = [self.number(metric) for metric in trend.metrics]
        direction = 1 if trend.rises else -1
        steps = [
            _percent(direction * (after - before), abs(before))
            for before, after in pairwise(values)
        ]
        return math.nan if any(map(math.isnan, steps)) else min(steps)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _percent(change: float, base: float) -> float:
    if base:
        return 100 * (change / base)
    return math.copysign(math.inf, change) if change else change


def _parts(parsed: ParsedClaim) -> Iterator[tuple[Part, Condition, list[Token]]]:
    """Each part with its condition and its tokens, their positions those in the claim."""
    conditions, _ = ClaimReader(parsed.text).claim()
    tokens = tokenize(parsed.text)
    for part, (condition, words) in zip(parsed.parts, conditions, strict=True):
        end = tokens[0].at + len(words)
        yield part, condition, [token for token in tokens if token.at < end]
        tokens = [token for token in tokens if token.at >= end][1:]  # less the 'and'


def _of_trend(text: str, trend: Trend, tokens: Sequence[Token]) -> Statistic:
    # Names are free, so the verb is the first of these words after the metric.
    word = "rises" if trend.rises else "falls"
    depths = _depths(tokens)
    verb = next(i for i, t in enumerate(tokens) if i and t.text == word and not depths[i])
    edit = Edit(_end(tokens[verb]), _end(tokens[verb]), before=" by ", after="%", least=0)
    over = verb + 1
    if tokens[over].text == "by":
        number = tokens[verb + 2]
        edit = Edit(number.at, _end(number), least=0)
        over = verb + 4
    metric, values = _written(text, tokens[:verb]), _written(text, tokens[over:])
    return Statistic(
        text=f"least {'rise' if trend.rises else 'fall'} of {metric} {values}",
        sign=">=" if trend.share else ">",
        threshold=100 * trend.share,
        edit=edit,
        percent=True,
        _measure=trend,
    )


class _Side(NamedTuple):
    """One side of a relation, or an operand of one, with its text.

    `tokens` are empty where it is not written so anywhere; `stands_alone` says that changing it
    changes no other relation of the claim.
    """

    node: Node
    text: str
    tokens: Sequence[Token] = ()
    stands_alone: bool = False

    @property
    def is_constant(self) -> bool:
        return not any(metrics_in(Comparison((self.node,), ())))

    @property
    def is_sum(self) -> bool:
        return isinstance(self.node, Series) and self.node.steps[0].sign in "+-"

    @property
    def as_factor(self) -> str:
        return f"({self.text})" if self.is_sum else self.text

    @property
    def as_divisor(self) -> str:
        return f"({self.text})" if isinstance(self.node, Series) else self.text


def _of_comparison(
    text: str, comparison: Comparison, tokens: Sequence[Token]
) -> Iterator[tuple[Statistic, ...]]:
    """The candidates for each relation."""
    sides, tolerance = _sides(text, comparison, tokens)
    for number, relation in enumerate(comparison.relations):
        left, right = sides[number], sides[number + 1]
        if left.is_constant and right.is_constant:
            continue
        if not relation.is_equality:
            yield _of_relation(text, left, relation.sign, right)
        elif tolerance is None:
            yield ()
        else:
            yield _of_relation(text, _gap(left, right, relation), _WITHIN[relation.sign], tolerance)


def _sides(
    text: str, comparison: Comparison, tokens: Sequence[Token]
) -> tuple[list[_Side], _Side | None]:
    ends = [relation.at for relation in comparison.relations]
    if comparison.tolerance is not None:
        ends.append(next(token.at for token in tokens if token.text == "+-"))
    written = _split(tokens, ends)
    last = len(comparison.sides) - 1
    sides = [
        _side(text, node, part, stands_alone=number in (0, last))
        for number, (node, part) in enumerate(zip(comparison.sides, written, strict=False))
    ]
    if comparison.tolerance is None:
        return sides, None
    once = sum(relation.is_equality for relation in comparison.relations) == 1
    return sides, _side(text, comparison.tolerance, written[-1], stands_alone=once)


def _side(text: str, node: Node, tokens: Sequence[Token], *, stands_alone: bool) -> _Side:
    """The side without the brackets around all of it."""
    while not isinstance(node, Constant) and tokens[0].text == "(" and all(_depths(tokens)[:-1]):
        tokens = tokens[1:-1]
    return _Side(node, _written(text, tokens), tokens, stands_alone)


def _gap(left: _Side, right: _Side, relation: Relation) -> _Side:
    difference = Series(left.node, (Step("-", right.node, relation.at),))
    zero = right.is_constant and _constant(right) == 0
    inside = left.text if zero else f"{left.text} - {right.as_factor}"
    return _Side(Call("abs", (difference,), relation.at), f"abs({inside})")


def _of_relation(text: str, left: _Side, sign: str, right: _Side) -> tuple[Statistic, ...]:
    """The candidates for `left sign right`, one of which is no constant."""
    if left.is_constant:
        return _of_relation(text, right, _MIRRORED[sign], left)
    if right.is_constant:
        edit = _number_at(right)
        return (Statistic(left.text, sign, _constant(right), edit, _measure=left.node),)
    ways = [(left, sign, right), (right, _MIRRORED[sign], left)]
    ways.sort(key=lambda way: not way[2].stands_alone)
    for one, relation, other in ways:
        found = _with_constant(text, one, relation, other)
        if found:
            return found
    one, relation, other = ways[0]
    edit = None
    if other.stands_alone:
        start, stop = _span(other.tokens)
        edit = Edit(start, stop, after=f" * {other.as_factor}")
    ratio = _ratio(one, relation, other, 1.0, edit, divisor=other)
    return (ratio, _difference(one, relation, other))


def _with_constant(text: str, one: _Side, sign: str, other: _Side) -> tuple[Statistic, ...]:
    """The candidates where `other` has an operand without metrics; none where it has not."""
    if not isinstance(other.node, Series):
        return ()
    operands = _operands(text, other)
    for number, (operator, operand) in enumerate(operands):
        rest = operands[:number] + operands[number + 1 :]
        if not operand.is_constant or rest[0][0] in ("/", "-"):  # c / R, c - R
            continue
        remainder = _joined(rest)
        edit = _number_at(operand)
        value = _constant(operand)
        if operator == "*":
            ratio = _ratio(one, sign, remainder, value, edit, divisor=remainder)
            return (ratio, _difference(one, sign, other))
        if operator == "/":
            if value <= 0:
                continue
            ratio = _ratio(remainder, _MIRRORED[sign], one, value, edit, divisor=one)
            return (ratio, _difference(one, sign, other))
        if operator == "-" and edit:
            edit = Edit(edit.start, edit.stop, factor=-edit.factor)
        threshold = -value if operator == "-" else value
        return (_minus(one, sign, remainder, threshold, edit),)
    return ()


def _ratio(
    above: _Side, sign: str, below: _Side, threshold: float, edit: Edit | None, divisor: _Side
) -> Statistic:
    return Statistic(
        text=f"{above.as_factor} / {below.as_divisor}",
        sign=sign,
        threshold=threshold,
        edit=edit,
        _measure=Series(above.node, (Step("/", below.node, below.node.at),)),
        _divisor=divisor.node,
    )


def _difference(one: _Side, sign: str, other: _Side) -> Statistic:
    """`one - other` against 0, and a number added to `other` for another threshold."""
    edit = None
    if other.stands_alone:
        _, stop = _span(other.tokens)
        edit = Edit(stop, stop, before=" + ")
    return _minus(one, sign, other, 0.0, edit)


def _minus(one: _Side, sign: str, other: _Side, threshold: float, edit: Edit | None) -> Statistic:
    node = Series(one.node, (Step("-", other.node, other.node.at),))
    return Statistic(f"{one.text} - {other.as_factor}", sign, threshold, edit, _measure=node)


def _operands(text: str, side: _Side) -> list[tuple[str, _Side]]:
    """The operands of a sum or a product, each with the sign before it."""
    if not isinstance(side.node, Series):
        return []
    steps = side.node.steps
    first = "+" if side.is_sum else "*"
    nodes = [(first, side.node.first), *((step.sign, step.operand) for step in steps)]
    written = _split(side.tokens, [step.at for step in steps])
    return [
        (sign, _side(text, node, tokens, stands_alone=side.stands_alone))
        for (sign, node), tokens in zip(nodes, written, strict=True)
    ]


def _joined(operands: Sequence[tuple[str, _Side]]) -> _Side:
    """The operands as one side again, written anew."""
    (_, first), *others = operands
    if not others:
        return first
    steps = tuple(Step(sign, operand.node, operand.node.at) for sign, operand in others)
    # In a sum, products need no brackets.
    words = [first.as_factor] + [
        f"{sign} {operand.as_factor if sign in '+-' else operand.as_divisor}"
        for sign, operand in others
    ]
    return _Side(Series(first.node, steps), " ".join(words))


def _number_at(side: _Side) -> Edit | None:
    """Where the number of a constant stands: a percent sign after it stays."""
    if not side.stands_alone or not side.tokens:
        return None
    start, stop = _span(side.tokens)
    match side.node:
        case Constant() | Negative(Constant()) if side.tokens[-1].text == "%":
            return Edit(start, _end(side.tokens[-2]), factor=100)
    return Edit(start, stop)


def _constant(side: _Side) -> float:
    return _Numbers(side.text, {}).number(side.node)


def _split(tokens: Sequence[Token], ends: Sequence[int]) -> list[Sequence[Token]]:
    """The tokens between the signs that stand at `ends`."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.at in ends:
            parts.append([])
        else:
            parts[-1].append(token)
    return list(parts)


def _depths(tokens: Sequence[Token]) -> list[int]:
    """How many brackets are open after each token."""
    depths, depth = [], 0
    for token in tokens:
        if token.text in ("(", "["):
            depth += 1
        if token.text in (")", "]"):
            depth -= 1
        depths.append(depth)
    return depths


def _span(tokens: Sequence[Token]) -> tuple[int, int]:
    return tokens[0].at, _end(tokens[-1])


def _end(token: Token) -> int:
    return token.at + len(token.text)


def _written(text: str, tokens: Sequence[Token]) -> str:
    start, stop = _span(tokens)
    return text[start:stop]
