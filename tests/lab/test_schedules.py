"""Rates against torch's own schedulers and closed forms."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from vaeflash.lab.schedules import constant, cosine, following, linear

STEPS = 40
Shares = st.floats(0, 1)


def optimizer(rate: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)


def rates_of(scheduler: lr_scheduler.LRScheduler, steps: int) -> list[float]:
    """The rate of each step, as torch's scheduler sets it."""
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def factors(schedule, steps: int = STEPS) -> list[float]:
    return [schedule(step) for step in range(steps)]


def test_cosine_is_torchs_cosine_annealing():
    theirs = rates_of(lr_scheduler.CosineAnnealingLR(optimizer(), STEPS, eta_min=0.1), STEPS)

    assert factors(cosine(STEPS, end=0.1)) == pytest.approx(theirs, abs=1e-12)


def test_linear_after_the_warm_up_is_torchs_linear():
    theirs = rates_of(
        lr_scheduler.LinearLR(optimizer(), start_factor=1, end_factor=0.2, total_iters=30), 30
    )

    assert factors(linear(STEPS, warmup=0.25, end=0.2))[10:] == pytest.approx(theirs, abs=1e-12)


def test_the_warm_up_is_torchs_one_cycle():
    """From the step after its first, which has the rate 0."""
    cycle = lr_scheduler.OneCycleLR(
        optimizer(),
        max_lr=1,
        total_steps=STEPS + 1,
        pct_start=11 / (STEPS + 1),
        anneal_strategy="linear",
        div_factor=1e12,
        cycle_momentum=False,
    )
    theirs = rates_of(cycle, STEPS)

    assert factors(linear(STEPS, warmup=0.25))[:10] == pytest.approx(theirs[1:11], abs=1e-9)


@pytest.mark.parametrize("schedule", [linear, cosine])
@given(steps=st.integers(1, 200), warmup=Shares, end=Shares)
def test_a_rate_lies_between_its_end_and_the_optimizers_own(schedule, steps, warmup, end):
    after_warmup = factors(schedule(steps, warmup=warmup, end=end), steps)[round(warmup * steps) :]

    assert all(end - 1e-12 <= factor <= 1 for factor in after_warmup)


@pytest.mark.parametrize("schedule", [linear, cosine])
@given(steps=st.integers(1, 200), warmup=Shares)
def test_every_step_moves(schedule, steps, warmup):
    assert min(factors(schedule(steps, warmup=warmup), steps)) > 0


@pytest.mark.parametrize("schedule", [linear, cosine])
@given(steps=st.integers(1, 200), warmup=st.floats(0, 0.99), beyond=st.integers(0, 1000))
def test_after_the_last_step_the_end_is_kept(schedule, steps, warmup, beyond):
    assert schedule(steps, warmup=warmup, end=0.25)(steps + beyond) == pytest.approx(0.25)


@pytest.mark.parametrize("schedule", [linear, cosine])
def test_the_warm_up_rises_in_a_straight_line_to_the_full_rate(schedule):
    assert factors(schedule(STEPS, warmup=0.1))[:5] == [0.25, 0.5, 0.75, 1, 1]


def test_constant_leaves_the_rate_alone():
    assert set(factors(constant)) == {1.0}


def test_an_exception_leaves_the_optimizer_its_own_rate():
    ours = optimizer(0.3)

    with pytest.raises(ZeroDivisionError), following(lambda step: 1 / step, ours) as set_rates:
        [set_rates(step) for step in (4, 0)]

    assert ours.param_groups[0]["lr"] == 0.3
