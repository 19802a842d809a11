"""What a claim is made of, once read: frozen nodes that know their position (`at`, from 0).

Sums, products and chains are flat, so the depth of a tree is the depth of the claim's brackets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from vaeflash.card import Value

Overlay: TypeAlias = "tuple[tuple[str, Value], ...]"
"""Parameters of a run that differ from the demo's defaults, sorted by name; `()` is none."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a text or a shape."""

    value: Value
    at: int


@dataclass(frozen=True, slots=True)
class Metric:
    """What a run measured under a name."""

    name: str
    run: Overlay
    at: int


@dataclass(frozen=True, slots=True)
class Negative:
    """Minus something."""

    operand: Node
    at: int


@dataclass(frozen=True, slots=True)
class Step:
    """One more operand of a sum or a product, with the sign before it."""

    sign: str
    operand: Node
    at: int


@dataclass(frozen=True, slots=True)
class Series:
    """A sum (`+`, `-`) or a product (`*`, `/`), from left to right."""

    first: Node
    steps: tuple[Step, ...]

    @property
    def at(self) -> int:
        """Where the first operand stands."""
        return self.first.at


@dataclass(frozen=True, slots=True)
class Call:
    """`abs`, `min`, `max` or `log` of something."""

    function: str
    arguments: tuple[Node, ...]
    at: int


Node: TypeAlias = "Constant | Metric | Negative | Series | Call"


@dataclass(frozen=True, slots=True)
class Relation:
    """The sign between two sides of a comparison."""

    sign: str
    at: int

    @property
    def is_equality(self) -> bool:
        """Whether it asks for equal or unequal sides."""
        return self.sign in ("==", "!=")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A chain such as `0.1 < kl < 5`; the tolerance of its equalities is absolute."""

    sides: tuple[Node, ...]
    relations: tuple[Relation, ...]
    tolerance: Node | None = None

    def pairs(self) -> Iterator[tuple[Node, Relation, Node]]:
        """Each relation between its two sides."""
        for (left, right), relation in zip(pairwise(self.sides), self.relations, strict=True):
            yield left, relation, right


@dataclass(frozen=True, slots=True)
class Trend:
    """One metric over a list of runs: each value below (or above) the one before.

    Attributes:
        rises: Whether it should rise; it should fall otherwise.
        share: The least change from a value to the next, as a share of the former.
    """

    metrics: tuple[Metric, ...]
    rises: bool
    share: float


Condition: TypeAlias = "Comparison | Trend"


def metrics_in(condition: Condition) -> Iterator[Metric]:
    """The metrics of a condition in order of appearance, repetitions included."""
    if isinstance(condition, Trend):
        yield from condition.metrics
        return
    for side in condition.sides:
        yield from _metrics_under(side)
    if condition.tolerance is not None:
        yield from _metrics_under(condition.tolerance)


def _metrics_under(node: Node) -> Iterator[Metric]:
    match node:
        case Constant():
            return
        case Metric():
            yield node
        case Negative(operand):
            yield from _metrics_under(operand)
        case Series(first, steps):
            yield from _metrics_under(first)
            for step in steps:
                yield from _metrics_under(step.operand)
        case Call(_, arguments):
            for argument in arguments:
                yield from _metrics_under(argument)
