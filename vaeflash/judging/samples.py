"""What a metric was on several seeds, as a mean and a deviation, on a scale that fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

LOG_SPREAD = 30.0
"""Positive values that differ by more than this factor are told on a logarithmic scale."""


@dataclass(frozen=True)
class Sample:
    """The values of a statistic in one arm.

    Attributes:
        values: One a seed, in order; `None` where there is none.
        log: Whether they are compared by their logarithms.
        single: Whether one value is all there is to know, as of a deterministic demo.
    """

    control: str
    values: tuple[float | None, ...]
    log: bool = False
    single: bool = False

    @property
    def finite(self) -> tuple[float, ...]:
        """The values that have a place on an axis."""
        return tuple(v for v in self.values if v is not None and math.isfinite(v))

    @cached_property
    def mean(self) -> float:
        """Of the finite values; NaN if there are none."""
        return mean_and_deviation(self.finite)[0]

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of the finite values, with n - 1; NaN below two of them."""
        return 0.0 if self.single else mean_and_deviation(self.finite)[1]

    @cached_property
    def place(self) -> tuple[float, float]:
        """Mean and standard deviation on the scale of comparison: of logarithms, if `log`."""
        if not self.log:
            return self.mean, self.deviation
        mean, deviation = mean_and_deviation([math.log(value) for value in self.finite])
        return mean, 0.0 if self.single else deviation


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1) of finite values, NaN where there are too few.

    In units of the largest value, so that no sum or square leaves the range of floats.
    """
    if not values:
        return math.nan, math.nan
    unit = max(map(abs, values)) or 1.0
    scaled = [value / unit for value in values]
    mean = math.fsum(scaled) / len(scaled)
    if len(values) == 1:
        return mean * unit, math.nan
    if min(values) == max(values):  # rounding must not give equal values a spread
        return values[0], 0.0
    squares = math.fsum((value - mean) ** 2 for value in scaled)
    return mean * unit, unit * math.sqrt(squares / (len(scaled) - 1))


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Between two means, in standard deviations: the root of the mean of both variances.

    Args:
        one: Mean and standard deviation.
        other: Likewise.
    """
    gap = abs(one[0] / 2 - other[0] / 2)  # halves, for a gap beyond the range of floats
    spread = math.hypot(one[1] / 2, other[1] / 2) / math.sqrt(2)
    if spread == 0:
        return math.inf if gap else 0.0
    return gap / spread


def is_logarithmic(values: Sequence[float]) -> bool:
    """Whether values are all positive and differ by more than a factor of 30."""
    return bool(values) and min(values) > 0 and max(values) / LOG_SPREAD > min(values)


def quarters(one: float, other: float) -> tuple[float, float, float]:
    """The three points that cut the gap between two means in four, in ascending order."""
    first, middle, last = sorted(one * (1 - share) + other * share for share in (0.25, 0.5, 0.75))
    return first, middle, last
