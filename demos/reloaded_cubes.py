r"""Each fresh set of cubes makes the training loss jump: its first losses are a test for free.

A network is trained on a set of cubes for some hundred steps; then the set is replaced by as many
fresh cubes of the same scroll, and so on. The training loss goes like a saw:

    jump = (mean loss of the first pass through a fresh set) / (that of the last pass before)

In the last pass the network has seen each cube many times, in the first none: so a jump is a gap
between seen and new cubes. With sets so large that nothing is learnt by heart there is none, and if
the same set is "loaded" again there is none either: no blunder of loading, no optimizer that has
lost its way.

Nothing is worse for the network after a jump. What it has learnt of papyrus in general it keeps,
and it learns more with each set; what it had learnt of single cubes was worth nothing. So the error
on cubes that it never sees falls from set to set, while a network that stays with its first set has
all it can get from that.

Source: notes on the scroll, on reloading 1,000 cubes every 1,000 steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from vaeflash.demo import Curves, Figure, Lab, Result
from vaeflash.lab.history import History
from vaeflash.lab.training import train

from ._cube_sets import adam, autoencoder, error_on, slabs, squared_error

NEEDS = ("scroll",)
POINTS = 10
"""Of the curves, for each set."""
LOOK_AT = 256
"""Cubes that the error is looked at on the way."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    size: int = 100  # cubes in a set; the notes have 1,000
    sets: int = 4  # one after the other
    draw: Literal["fresh", "same"] = "fresh"  # what is loaded after the first set
    batch: int = 25
    rate: float = 5e-3
    steps: int = 200  # on each set; the notes have 1,000


@dataclass(frozen=True, slots=True)
class Round:
    """The time with one set.

    Attributes:
        losses: In each step, `(steps,)`.
        first_mse: On the set before its first step; mean over cubes and voxels.
        new_mse: On cubes that are never trained on, before the first step.
        end_new_mse: The same after the last.
        looks: On some of these cubes on the way; after how many steps.
    """

    losses: Tensor
    first_mse: float
    new_mse: float
    end_new_mse: float
    looks: dict[int, float]

    def first_pass(self, steps: int) -> float:
        """Mean loss of the first steps."""
        return self.losses[:steps].mean().item()

    def last_pass(self, steps: int) -> float:
        """Mean loss of the last steps."""
        return self.losses[-steps:].mean().item()


def learn(params: Params, lab: Lab) -> list[Round]:
    """Train one network on one set after the other."""
    data = slabs(lab)
    first = data.cubes(params.size, "set 0", lab)
    model = autoencoder(first.mean().item(), lab)
    optimizer = adam(model, params.rate)
    rounds: list[Round] = []
    for number in range(params.sets):
        fresh = params.draw == "fresh"
        cubes = data.cubes(params.size, f"set {number}", lab) if fresh else first
        before = rounds[-1].end_new_mse if rounds else error_on(model, data.new)
        first_mse = error_on(model, cubes)
        history = History(
            lambda model: error_on(model, data.new[:LOOK_AT]), max(1, params.steps // POINTS)
        )
        losses = train(
            model,
            squared_error,
            cubes,
            steps=params.steps,
            batch_size=params.batch,
            optimizer=optimizer,
            generator=lab.generator(f"batches {number}"),
            history=history,
            track=lab.track,
        )
        looks = dict(zip(history.steps, history.values, strict=True))
        rounds.append(Round(losses, first_mse, before, error_on(model, data.new), looks))
    return rounds


def mean_ratio(pairs: list[tuple[float, float]]) -> float:
    """The geometric mean of quotients."""
    logs = [torch.tensor(a / b).log() for a, b in pairs]
    return torch.stack(logs).mean().exp().item() if logs else float("nan")


def saw(rounds: list[Round], steps: int) -> Curves:
    """The training loss from set to set, and the error on cubes that are never trained on."""
    x, losses, new = [], [], []
    for number, one in enumerate(rounds):
        for low, high in pairwise(one.looks):
            x.append(number * steps + high)
            losses.append(one.losses[low:high].mean().item())
            new.append(one.looks[high])
    return Curves(
        f"The training loss jumps each time fresh cubes are loaded, every {steps} steps. The "
        "error on cubes that are never trained on does not.",
        x=x,
        lines={"training": losses, "on cubes never trained on": new},
        x_label="step",
        y_label="MSE",
        log_y=True,
    )


def run(params: Params, lab: Lab) -> Result:
    """Train on sets that are replaced; compare the losses before and after each replacement."""
    rounds = learn(params, lab)
    one_pass = -(-params.size // params.batch)
    pairs = list(pairwise(rounds))
    figures: dict[str, Figure] = {}
    if params.steps:
        figures["saw"] = saw(rounds, params.steps)
    return Result(
        metrics={
            "jump": mean_ratio([(b.first_pass(one_pass), a.last_pass(one_pass)) for a, b in pairs]),
            "first_over_new": mean_ratio([(b.first_mse, b.new_mse) for _, b in pairs]),
            "last_over_new": mean_ratio([(a.last_pass(one_pass), b.new_mse) for a, b in pairs]),
            "first_set_new_mse": rounds[0].end_new_mse,
            "new_mse": rounds[-1].end_new_mse,
        },
        figures=figures,
    )
