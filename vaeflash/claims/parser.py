"""From tokens to a tree, by recursive descent: one method for each rule of the grammar.

    claim  = cmp { "and" cmp } [ "in" NUM "%" "of" "seeds" ]
    cmp    = sum relop sum { relop sum } [ "+-" sum ]
           | metric ("falls"|"rises") ["by" NUM "%"] "over" NAME "=" value { "," value }
    relop  = "<" | "<=" | ">" | ">=" | "==" | "!="
    sum    = product { ("+"|"-") product } ;  product = unary { ("*"|"/") unary }
    unary  = ["-"] atom
    atom   = NUM ["%"] | STRING | SHAPE | "(" sum ")" | metric
           | ("abs"|"min"|"max"|"log") "(" sum { "," sum } ")"
    metric = NAME [ "[" params "]" ]

No word is reserved: `over[target=0.2]` is a metric where a metric can stand.
"""

from __future__ import annotations

from collections.abc import Callable

from vaeflash.card import Value
from vaeflash.claims.params import TRUTH, ParamsReader, to_overlay
from vaeflash.claims.tokens import TokenKind, number
from vaeflash.claims.tree import (
    Call,
    Comparison,
    Condition,
    Constant,
    Metric,
    Negative,
    Node,
    Relation,
    Series,
    Step,
    Trend,
)

MAX_DEPTH = 32
LEAST_PERCENT, MOST_PERCENT = 85, 99
FUNCTIONS: dict[str, int | None] = {"abs": 1, "log": 1, "max": None, "min": None}
"""The functions, and how many arguments each takes; `None` is one or more."""

_RELATIONS = ("<", "<=", ">", ">=", "==", "!=")


class ClaimReader(ParamsReader):
    """One method for each rule; each consumes the tokens of its rule."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def claim(self) -> tuple[list[tuple[Condition, str]], float | None]:
        """The conditions with the text of each, and the share of seeds that may fail, if stated."""
        parts = [self._part()]
        while self.skip("and"):
            parts.append(self._part())
        share = self._failure_share() if self.skip("in") else None
        self.expect_end("Expected 'and', 'in 95% of seeds', or nothing more.")
        return parts, share

    def _part(self) -> tuple[Condition, str]:
        start = self.token.at
        condition = self._condition()
        return condition, self.text[start : self.behind.at + len(self.behind.text)]

    def _failure_share(self) -> float:
        at = self.token.at
        form = "as in 'in 95% of seeds'"
        percent = self._percent(form)
        self.expect("of", form)
        self.expect("seeds", form)
        if not LEAST_PERCENT <= percent <= MOST_PERCENT:
            what = "a claim cannot ask for this share of seeds."
            advice = f"Expected {LEAST_PERCENT}% to {MOST_PERCENT}%; a claim without it means 90%."
            raise self.error(at, what, advice)
        return (100 - percent) / 100

    def _percent(self, form: str) -> int | float:
        percent = self.take_number(form)
        self.expect("%", form)
        return percent

    # Conditions

    def _condition(self) -> Condition:
        start = self.token
        first = self._sum()
        if self.have("falls", "rises"):
            if not isinstance(first, Metric) or first.at != start.at:
                what = f"'{self.token.text}' needs one metric before it."
                raise self.error(start.at, what, "Expected e.g. 'kl falls over beta=1,4'.")
            return self._trend(first)
        sides, relations = [first], []
        while self.have(*_RELATIONS):
            sign = self.take()
            relations.append(Relation(sign.text, sign.at))
            sides.append(self._sum())
        if self.have("="):
            raise self.unexpected("Equality is written ==.")
        if not relations:
            signs = " ".join(_RELATIONS)
            raise self.unexpected(f"Expected a comparison ({signs}), 'falls over' or 'rises over'.")
        return self._comparison(tuple(sides), tuple(relations))

    def _comparison(self, sides: tuple[Node, ...], relations: tuple[Relation, ...]) -> Comparison:
        at = self.token.at
        tolerance = self._sum() if self.skip("+-") else None
        comparison = Comparison(sides, relations, tolerance)
        if tolerance is None:
            self._refuse_exact_fractions(comparison)
        elif not any(relation.is_equality for relation in relations):
            raise self.error(at, "'+-' needs == or !=.", "Write the bound out, as in x < 5 + 1.")
        return comparison

    def _refuse_exact_fractions(self, comparison: Comparison) -> None:
        """Say while reading what evaluation would say only once a run is made."""
        for left, relation, right in comparison.pairs():
            if relation.is_equality and (_is_fraction(left) or _is_fraction(right)):
                what = f"'{relation.sign}' with a number that is not whole needs a tolerance."
                raise self.error(relation.at, what, "Write e.g. x == 3.68 +- 0.01.")

    def _trend(self, metric: Metric) -> Trend:
        form = "as in 'kl falls by 15% over beta=1,4'"
        rises = self.take().text == "rises"
        share = self._percent(form) / 100 if self.skip("by") else 0.0
        self.expect("over", form)
        name = self.take_kind(TokenKind.NAME, form)
        if name.text in dict(metric.run):
            what = f"'{name.text}' is set in the brackets already."
            raise self.error(name.at, what, "Leave it out of the brackets.")
        self.expect("=", form)
        values: list[Value] = []
        while not values or self.skip(","):
            at = self.token.at
            value = self.value()
            if value in values:
                what = "this value is listed twice."
                raise self.error(at, what, "Each value makes a run of its own; list it once.")
            values.append(value)
        if len(values) == 1:
            raise self.unexpected("Expected a comma and at least one more value.")
        runs = (to_overlay(dict(metric.run) | {name.text: value}) for value in values)
        return Trend(tuple(Metric(metric.name, run, metric.at) for run in runs), rises, share)

    # Arithmetic

    def _sum(self) -> Node:
        return self._series(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._series(("*", "/"), self._unary)

    def _series(self, signs: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        first = operand()
        steps = []
        while self.have(*signs):
            sign = self.take()
            steps.append(Step(sign.text, operand(), sign.at))
        return Series(first, tuple(steps)) if steps else first

    def _unary(self) -> Node:
        at = self.token.at
        return Negative(self._atom(), at) if self.skip("-") else self._atom()

    def _atom(self) -> Node:
        token = self.token
        if token.kind is TokenKind.NUMBER:
            value = number(self.text, self.take())
            return Constant(value / 100 if self.skip("%") else value, token.at)
        if token.kind is TokenKind.STRING:
            return Constant(self.take().text[1:-1], token.at)
        if token.kind is TokenKind.NAME:
            return self._call() if self.ahead(1).text == "(" else self._metric()
        if self.have("("):
            return Constant(self.shape(), token.at) if self.shape_ahead() else self._bracket()
        raise self.unexpected("Expected a metric, a number, a text in double quotes or a bracket.")

    def _bracket(self) -> Node:
        self._open()
        inside = self._sum()
        self._close()
        return inside

    def _open(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            what = "the brackets are nested too deeply."
            raise self.error(self.token.at, what, f"The limit is {MAX_DEPTH}.")
        self.expect("(", "to open the bracket")

    def _close(self) -> None:
        self.expect(")", "to close the bracket")
        self._depth -= 1

    def _call(self) -> Call:
        name = self.take()
        if name.text not in FUNCTIONS:
            known = f"Functions: {', '.join(FUNCTIONS)}."
            raise self.error(name.at, f"there is no function '{name.text}'.", known)
        self._open()
        arguments = [self._sum()]
        while self.skip(","):
            arguments.append(self._sum())
        self._close()
        if FUNCTIONS[name.text] not in (None, len(arguments)):
            what = f"'{name.text}' takes one argument, not {len(arguments)}."
            raise self.error(name.at, what, "Only min and max take several.")
        return Call(name.text, tuple(arguments), name.at)

    def _metric(self) -> Metric:
        name = self.take()
        if name.text in TRUTH:
            advice = "Compare with 1 or 0: a metric that is true counts as 1."
            raise self.error(name.at, f"'{name.text}' is no metric.", advice)
        params: dict[str, Value] = {}
        if self.skip("["):
            params = self.params()
            self.expect("]", "to close the parameters")
        return Metric(name.text, to_overlay(params), name.at)


def _is_fraction(node: Node) -> bool:
    """Whether this is a number, written out, that is not whole."""
    match node:
        case Constant(float(value)):
            return not value.is_integer()
        case Negative(operand):
            return _is_fraction(operand)
        case _:
            return False
