r"""A learning rate that decays a hundredfold ends the training early, which looks like a plateau.

**How far training goes.** Adam moves each weight by about its rate in a step, at most, whatever
the size of the gradient. So what a schedule allows in n steps is the sum of its rates,

    path = r_0 + r_1 + ... + r_{n-1}

A rate that falls exponentially from r to r/d, r_k = r d^(-k/n), sums up to about

    path = n r (1 - 1/d) / log d          d = 100:   0.215 n r

as far as 215 of 1,000 steps at the full rate go, and most of it at the beginning. After half of the
steps nine tenths of the path are behind. The loss then stands still, because the weights do: that
says nothing about the data, nor about the network, nor of a local minimum.

**The test** is to go on from there in two ways: at the rate that is left, r/d, and at r again.
Without the first arm the second proves nothing, as any training goes on falling for a while.

**What decay is for.** Near a minimum, the noise of the batches keeps the weights moving about it,
in a cloud as wide as the rate is large; there a smaller rate lets them sink. So whether a rate is
too small depends on how far the training has come. A third pair of trainings, at a rate that led
far, drops to a tenth of it or goes on as it was.

Rates are scaled to a network that trains for seconds; what counts is path, and that d is 100.

Source: notes on the scroll, on the learning rate; Kingma and Ba (2015), Adam, section 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaeflash.demo import Curves, Figure, Lab, Result
from vaeflash.lab.schedules import Schedule, constant

from ._small_cubes import Learner, Papyrus, going_on, learner, papyrus, unseen_mse

NEEDS = ("scroll",)
POINTS = 20
"""Of a curve."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    rate: float = 3e-4  # at the beginning
    decay: float = 100.0  # the rate at the beginning over that at the end
    steps: int = 200
    more: int = 60  # steps, from where the decayed rate has led
    fast_times: float = 30.0  # of the rate, in another training
    drop: float = 10.0  # by which that rate is divided after all steps
    batch: int = 16


def exponential(steps: int, decay: float) -> Schedule:
    """From 1 to nearly `1 / decay`, by the same factor in each step."""
    return lambda step: decay ** (-min(step, steps) / steps)


def path(schedule: Schedule, steps: int) -> float:
    """The sum of a schedule's factors: as many steps at the full rate lead as far."""
    return sum(schedule(step) for step in range(steps))


@dataclass(frozen=True, slots=True)
class Training:
    """How a training went.

    Attributes:
        learnt: What it ended with.
        losses: In each step, `(steps,)`.
        on_the_way: Squared error on the other scroll after some of the steps.
        mse: And after all.
    """

    learnt: Learner
    losses: Tensor
    on_the_way: float
    mse: float


@dataclass(frozen=True, slots=True)
class Course:
    """What all trainings share: fresh cubes in batches, the same for each, and where to stop."""

    data: Papyrus
    batch: int
    lab: Lab

    def train(
        self,
        from_: Learner,
        steps: int,
        rate: float,
        schedule: Schedule = constant,
        look: int = 0,
        name: str = "batches",
    ) -> Training:
        """Train a copy, looking at the error after `look` steps and at the end."""
        batches = self.data.cubes(self.batch, name, self.lab)
        half, first = going_on(from_, batches, look, rate, self.lab, schedule)
        on_the_way = unseen_mse(half, self.data)
        learnt, then = going_on(
            half, batches, steps - look, rate, self.lab, lambda step: schedule(look + step)
        )
        losses = torch.cat((first, then))
        return Training(learnt, losses, on_the_way, unseen_mse(learnt, self.data))


def smooth(losses: Tensor, points: int) -> Tensor:
    """Means of equal stretches, `(points,)`."""
    return torch.stack([part.mean() for part in losses.tensor_split(points)])


def training_curves(trainings: dict[str, Training], steps: int) -> Curves:
    """Losses from the beginning."""
    points = min(POINTS, steps)
    return Curves(
        "The decayed rate stops after a fifth of the way, and its loss stands still: a plateau "
        "that is made by the schedule. Far above it, in rate, it goes furthest.",
        x=steps / points * torch.arange(1, points + 1),
        lines={name: smooth(t.losses, points) for name, t in trainings.items()},
        x_label="step",
        y_label="MSE",
        log_y=True,
    )


def resumed_curves(trainings: dict[str, Training], more: int) -> Curves:
    """Losses from where the decayed rate had led."""
    points = min(POINTS, more)
    return Curves(
        "Going on from where the decayed rate had led: at the rate that was left nothing happens, "
        "at the first rate the loss falls again. Nothing was stuck.",
        x=more / points * torch.arange(1, points + 1),
        lines={name: smooth(t.losses, points) for name, t in trainings.items()},
        x_label="step, from there",
        y_label="MSE",
        log_y=True,
    )


def run(params: Params, lab: Lab) -> Result:
    """Train at constant and at decayed rates, and go on from where the decayed rate led."""
    data = papyrus(lab)
    course = Course(data, params.batch, lab)
    falling = exponential(params.steps, params.decay)
    equal = path(falling, params.steps)
    start, fast = learner(data, params.rate), params.rate * params.fast_times
    half = params.steps // 2
    decayed = course.train(start, params.steps, params.rate, falling, look=half)
    steady = course.train(start, params.steps, params.rate, look=round(equal))
    fast_steady = course.train(start, params.steps, fast)
    resumed, crawling = (
        course.train(decayed.learnt, params.more, rate, name="more")
        for rate in (params.rate, params.rate / params.decay)
    )
    fast_on, fast_dropped = (
        course.train(fast_steady.learnt, params.more, rate, name="more")
        for rate in (fast, fast / params.drop)
    )
    figures: dict[str, Figure] = {}
    if half:
        figures["training"] = training_curves(
            {
                f"{params.rate:g} constant": steady,
                f"{params.rate:g} decayed": decayed,
                f"{fast:g} constant": fast_steady,
            },
            params.steps,
        )
    if params.more:
        figures["resumed"] = resumed_curves(
            {
                "decayed: at the first rate": resumed,
                "decayed: at the rate that was left": crawling,
                "fast: at the same rate": fast_on,
                f"fast: at a rate {params.drop:g} times smaller": fast_dropped,
            },
            params.more,
        )
    return Result(
        metrics={
            "decayed_mse": decayed.mse,
            "decayed_half_mse": decayed.on_the_way,
            "constant_mse": steady.mse,
            "same_path_mse": steady.on_the_way,
            "path_share": equal / max(1, params.steps),
            "path_share_of_half": path(falling, half) / max(1, equal),
            "resumed_mse": resumed.mse,
            "crawling_mse": crawling.mse,
            "fast_constant_mse": fast_steady.mse,
            "fast_on_mse": fast_on.mse,
            "fast_dropped_mse": fast_dropped.mse,
            "mean_cube_mse": data.mean_cube_mse,
            "pca_mse": data.pca_mse,
        },
        figures=figures,
    )
