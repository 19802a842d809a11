"""Whether a condition is true of what runs measured: a walk over numbers.

Integers stay exact, and a bool is one of them. What leaves the range of floats counts as infinite.
NaN satisfies nothing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from itertools import pairwise
from textwrap import shorten
from typing import TypeAlias

from vaeflash.card import Value
from vaeflash.claims.params import metric_label
from vaeflash.claims.tokens import complaint
from vaeflash.claims.tree import (
    Call,
    Comparison,
    Condition,
    Constant,
    Metric,
    Negative,
    Node,
    Overlay,
    Relation,
    Series,
    Step,
    Trend,
)
from vaeflash.errors import ClaimError

Number: TypeAlias = "int | float"
Measured: TypeAlias = "Mapping[Overlay, Mapping[str, Value]]"
"""What each run of a claim measured, on one seed."""

_ORDER: dict[str, Callable[[Number, Number], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[Number, Number], Number]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


class Evaluation:
    """One claim's text, for messages, and what its runs measured."""

    def __init__(self, text: str, measured: Measured) -> None:
        self._text = text
        self._measured = measured

    def holds(self, condition: Condition) -> bool:
        """Whether the condition is true.

        Raises:
            ClaimError: It has no answer: an unknown metric, sides of different kinds, a division
                by zero, ... The answer is never "no" for such a reason.
        """
        if isinstance(condition, Trend):
            return self._trend(condition)
        return self._comparison(condition)

    def _trend(self, trend: Trend) -> bool:
        values = [self._number(metric) for metric in trend.metrics]
        answers = []
        for before, after in pairwise(values):
            change = _compute("-", after, before) if trend.rises else _compute("-", before, after)
            least = _compute("*", trend.share, abs(before)) if trend.share else 0
            answers.append(change > 0 and change >= least)
        return all(answers)

    def _comparison(self, comparison: Comparison) -> bool:
        tolerance = None
        if comparison.tolerance is not None:
            tolerance = self._number(comparison.tolerance)
            if tolerance < 0:
                raise self._error(comparison.tolerance.at, "the tolerance is negative.", "Use abs.")
        values = [self._value(side) for side in comparison.sides]
        # Every relation is looked at, so that a mistake shows however the others come out.
        answers = [
            self._related(left, relation, right, tolerance)
            for left, relation, right in zip(values, comparison.relations, values[1:], strict=False)
        ]
        return all(answers)

    def _related(
        self, left: Value, relation: Relation, right: Value, tolerance: Number | None
    ) -> bool:
        if _kind(left) != _kind(right):
            what = f"{_kind(left)} cannot be compared with {_kind(right)}."
            raise self._error(
                relation.at, what, f"Left is {_shown(left)}, right is {_shown(right)}."
            )
        equality_wanted = relation.sign == "=="
        if isinstance(left, str | tuple) or isinstance(right, str | tuple):
            if not relation.is_equality or tolerance is not None:
                what = f"{_kind(left)} has no order and no distance."
                raise self._error(relation.at, what, "Compare it with == or !=, without '+-'.")
            return (left == right) is equality_wanted
        if _is_nan(left) or _is_nan(right):
            return False
        if not relation.is_equality:
            return _ORDER[relation.sign](left, right)
        if tolerance is not None:
            gap = abs(_compute("-", left, right))
            return (
                not (_is_nan(gap) or _is_nan(tolerance)) and (gap <= tolerance) is equality_wanted
            )
        if not _is_whole(left) and not _is_whole(right):
            what = f"'{relation.sign}' between numbers that are not whole needs a tolerance."
            advice = f"Left is {_shown(left)}, right is {_shown(right)}. Write e.g. x == y +- 1e-6."
            raise self._error(relation.at, what, advice)
        return (left == right) is equality_wanted

    def _value(self, node: Node) -> Value:
        match node:
            case Constant(value):
                return value
            case Metric():
                return self._metric(node)
            case Negative(operand):
                return -self._number(operand)
            case Series(first, steps):
                result = self._number(first)
                for step in steps:
                    result = self._step(result, step)
                return result
            case Call(function, arguments):
                return self._call(function, [self._number(node) for node in arguments], node.at)

    def _number(self, node: Node) -> Number:
        value = self._value(node)
        if isinstance(value, str | tuple):
            what = f"{_kind(value)} cannot be computed with."
            raise self._error(node.at, what, f"It is {_shown(value)}; expected a number.")
        return value

    def _step(self, left: Number, step: Step) -> Number:
        right = self._number(step.operand)
        if step.sign == "/" and right == 0:
            advice = "The divisor is 0; write the claim as a product instead."
            raise self._error(step.at, "this divides by zero.", advice)
        return _compute(step.sign, left, right)

    def _call(self, function: str, values: list[Number], at: int) -> Number:
        if any(map(_is_nan, values)):
            return math.nan
        match function:
            case "abs":
                return abs(values[0])
            case "min":
                return min(values)
            case "max":
                return max(values)
        if values[0] <= 0:
            advice = f"It is {_shown(values[0])}; expected a number above 0."
            raise self._error(at, "this has no logarithm.", advice)
        return math.log(values[0])

    def _metric(self, metric: Metric) -> Value:
        metrics = self._measured.get(metric.run)
        label = metric_label(metric.run, metric.name)
        if metrics is None:
            known = ", ".join(metric_label(run, "run") for run in self._measured) or "none"
            raise self._error(metric.at, f"there is no run for {label}.", f"Runs: {known}.")
        if metric.name not in metrics:
            known = ", ".join(sorted(metrics)) or "nothing"
            what = f"the demo did not measure {label}."
            raise self._error(metric.at, what, f"Measured: {known}.")
        value = metrics[metric.name]
        if not isinstance(value, int | float | str | tuple):
            what = f"{label} is a {type(value).__name__}."
            raise self._error(metric.at, what, "Expected a number, a text or a shape.")
        return value

    def _error(self, at: int, what: str, advice: str) -> ClaimError:
        return complaint(self._text, at, what, advice)


def _compute(sign: str, left: Number, right: Number) -> Number:
    compute = _ARITHMETIC[sign]
    try:
        return compute(left, right)
    except OverflowError:  # an integer met a float, or a division, that cannot hold it
        return compute(_as_float(left), _as_float(right))


def _as_float(value: Number) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _kind(value: Value) -> str:
    match value:
        case str():
            return "a text"
        case tuple():
            return "a shape"
        case _:
            return "a number"


def _shown(value: Value) -> str:
    """The value for a message, never long."""
    if isinstance(value, int) and abs(value) >= 10**18:
        return f"{_as_float(value):.6g}"
    return shorten(repr(value), 80)


def _is_nan(value: Number) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _is_whole(value: Number) -> bool:
    return isinstance(value, int) or value.is_integer()
