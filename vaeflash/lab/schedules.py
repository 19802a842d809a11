"""Learning-rate schedules: pure functions of the step, so a resumed run needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import torch

Schedule: TypeAlias = Callable[[int], float]
"""Step, counted from 0 -> what the optimizer's own rate is multiplied by in that step."""


def constant(step: int) -> float:  # noqa: ARG001 -- every schedule is asked for a step
    """The optimizer's own rate, always."""
    return 1.0


def linear(steps: int, *, warmup: float = 0.1, end: float = 0.0) -> Schedule:
    """Up to 1 over a share of the steps, then down to `end` in a straight line.

    Args:
        steps: Of the whole training; later steps keep `end`.
        warmup: The share of the steps on the way up, 0 to 1. The first step is already above 0.
        end: The factor that would come after the last step.
    """
    return _schedule(steps, warmup, end, lambda way: 1 - way)


def cosine(steps: int, *, warmup: float = 0.0, end: float = 0.0) -> Schedule:
    """Up to 1 over a share of the steps, then down to `end` along half a cosine.

    Source: Loshchilov and Hutter (2017), SGDR, eq. 5, without restarts.

    Args:
        steps: Of the whole training; later steps keep `end`.
        warmup: The share of the steps on the way up, 0 to 1. The first step is already above 0.
        end: The factor that would come after the last step.
    """
    return _schedule(steps, warmup, end, lambda way: (1 + math.cos(math.pi * way)) / 2)


def _schedule(steps: int, warmup: float, end: float, fall: Callable[[float], float]) -> Schedule:
    rising = round(warmup * steps)

    def factor(step: int) -> float:
        if step < min(rising, steps):
            return (step + 1) / rising
        way = (step - rising) / (steps - rising) if step < steps else 1.0
        return end + (1 - end) * fall(way)

    return factor


@contextmanager
def following(
    schedule: Schedule, optimizer: torch.optim.Optimizer
) -> Iterator[Callable[[int], None]]:
    """Gives the function that sets the rates for a step; in the end they are as they were."""
    rates = [group["lr"] for group in optimizer.param_groups]

    def set_rates(factor: float) -> None:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = factor * rate

    try:
        yield lambda step: set_rates(schedule(step))
    finally:
        set_rates(1.0)
