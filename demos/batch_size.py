r"""A batch four times as large halves the gradient's noise; of as many cubes it makes a worse net.

**Noise.** The loss is a mean over cubes, so a batch's gradient g_B is the mean of the gradients of
its B cubes. If those are drawn independently, it errs from the gradient G on all cubes by

    noise(B) = sqrt(E |g_B - G|^2) / |G|  ~  B^(-1/2)                  (the variance of a mean)

which in a log-log plot is a line of slope -1/2. For half the noise you pay four times. If the
cubes of a batch are neighbours that show the same piece of papyrus, their errors are alike and do
not cancel, and the slope is flatter.

**Is it worth it?** Two fair questions, with two answers. At equally many *steps* the larger batch
learns more, as it has seen more. At equally many *cubes* it has taken a quarter of the steps, and
while a network is far from done, four steps in roughly the right direction lead further than one in
almost the right one. A larger rate goes with a larger batch: by the root of it for Adam, as a rule
of thumb (Malladi et al., 2022).

**Cost.** The arithmetic of a step grows with B exactly. Its time does not: a call of a layer costs
something before the first cube is looked at. Only where that is forgotten, on a device that is
busy throughout, does the time grow with B, too.

**Reading the weights.** A layer does F operations on M bytes of input, weights and output; F/M is
its arithmetic intensity, and where that is low, memory is waited for. A linear layer of K to N
numbers has

    F/M = 2 B K N / (4 (K N + B K + B N))

about 1/2 for one cube, since each weight is read for one multiplication: a batch shares the
reading. A convolution uses each weight at every voxel of one cube already.

All times are CPU seconds of this run (on a GPU, seconds), the best of several.

Source: notes on the scroll, on the batch size; McCandlish et al. (2018), An empirical model of
large-batch training; Malladi et al. (2022), On the SDEs and scaling rules for adaptive gradient
algorithms.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vaeflash.demo import Bars, Curves, Figure, Lab, Result
from vaeflash.lab.volumes.networks import Size, pooled_autoencoder

from ._small_cubes import (
    SIDE,
    Learner,
    Papyrus,
    cut,
    going_on,
    learner,
    loss,
    network,
    papyrus,
    unseen_mse,
)

NEEDS = ("scroll",)
DRAWS = {1: 384, 4: 128, 16: 64, 64: 32, 256: 16}
"""Batch size -> how many batches' gradients are looked at: more where they differ more."""
COST_SIZES = (1, 4, 16, 64, 256, 1_024)
REPEATS = 4
FLOAT = 4  # bytes


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"

    # Training with small batches, and with batches `times` as large.
    small: int = 16
    times: int = 4
    rate: float = 1e-3
    raised: float = 2.0  # what the rate is multiplied by in one of the trainings with large ones
    steps: int = 320  # with small batches; `steps / times` more, from there on, with both

    # How cubes of a batch are drawn where the noise is measured.
    draw: Literal["anywhere", "neighbours"] = "anywhere"

    # Two batch sizes whose steps are compared in time, operations and bytes.
    few: int = 1
    many: int = 256


# Noise


def gradient(model: nn.Module, x: Tensor) -> Tensor:
    """Of the loss on a batch, as one vector, `(weights,)`."""
    parts = torch.autograd.grad(loss(model, x), list(model.parameters()))
    return torch.cat([part.flatten() for part in parts])


def batch_of(data: Papyrus, size: int, draw: str, generator: torch.Generator) -> Tensor:
    """Cubes `(size, 1, 8, 8, 8)`: from anywhere, or all from within one box of 15^3 voxels."""
    places = data.places
    corners = places.draw(size, generator)
    if draw == "neighbours":
        shifts = torch.randint(SIDE, (size, 3), generator=generator)
        room = torch.tensor(places.region.stop) - SIDE
        corners = torch.minimum(corners[:1] + shifts, room)
    return cut(data.voxels, places, corners)


def noise_by_size(model: nn.Module, data: Papyrus, draw: str, lab: Lab) -> dict[int, float]:
    """Root mean square of |g_B - E g_B| over |G|, for each batch size B.

    The spread among batches tells it, without the true gradient; that one's length alone is taken
    from the largest batches.
    """
    generator = lab.generator("noise")
    spread = {}
    for size, draws in DRAWS.items():
        batches = (batch_of(data, size, draw, generator) for _ in range(draws))
        gradients = torch.stack([gradient(model, x) for x in batches])
        spread[size] = gradients.var(0).sum().sqrt().item()
    length = gradients.mean(0).norm().item()
    return {size: value / length for size, value in spread.items()}


def slope(curve: dict[int, float]) -> float:
    """Of the straight line through log y over log x, by least squares."""
    x = torch.tensor(list(curve), dtype=torch.float64).log()
    y = torch.tensor(list(curve.values()), dtype=torch.float64).log()
    return ((x - x.mean()) @ (y - y.mean()) / (x - x.mean()).square().sum()).item()


# Cost


def now(device: torch.device) -> float:
    """Seconds: of the processor's time, which other programs do not take part in; of a GPU all."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def step_seconds(model: nn.Module, data: Papyrus, sizes: tuple[int, ...]) -> dict[int, float]:
    """Forward and backward through the network, for each batch size: the best of some tries.

    All sizes take turns, so that a slow moment of the machine meets them all.
    """
    device = data.voxels.device
    batches = {size: data.train[torch.arange(size) % len(data.train)] for size in sizes}
    best = dict.fromkeys(sizes, float("inf"))
    for attempt in range(REPEATS + 1):  # the first one warms up
        for size, x in batches.items():
            begin = now(device)
            gradient(model, x)
            seconds = now(device) - begin
            if attempt:
                best[size] = min(best[size], seconds)
    return best


def step_flops(size: int) -> int:
    """Operations of the same, counted by torch without computing anything."""
    with torch.device("meta"):
        model, x = network(), torch.empty(size, 1, SIDE, SIDE, SIDE)
    with FlopCounterMode(display=False) as counter:
        gradient(model, x)
    return int(counter.get_total_flops())


def intensities(size: int) -> dict[str, float]:
    """Operations per byte in the sources' own network, forward, of a batch of cubes of 32^3.

    Each layer reads input and weights once and writes its output once.

    Returns:
        "convolutions" and "linear layers", each the sum of operations over the sum of bytes.
    """
    operations, moved = defaultdict[str, float](float), defaultdict[str, float](float)

    def count(layer: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        (x,) = inputs
        kind = "linear layers" if isinstance(layer, nn.Linear) else "convolutions"
        places = len(x) * x.shape[2:].numel()  # where each weight is used once
        # What pooling then makes of a convolution's output is another step.
        written = places * layer.out_channels if isinstance(layer, nn.Conv3d) else output.numel()
        operations[kind] += 2 * places * layer.weight.numel()
        moved[kind] += FLOAT * (x.numel() + layer.weight.numel() + written)

    with torch.device("meta"):
        model, x = pooled_autoencoder(Size()), torch.empty(size, 1, 32, 32, 32)
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv3d | nn.ConvTranspose3d):
            layer.register_forward_hook(count)
    model(x)
    return {kind: operations[kind] / moved[kind] for kind in operations}


# Training


@dataclass(frozen=True, slots=True)
class Training:
    """How one way to spend cubes went.

    Attributes:
        losses: In each step, `(steps,)`.
        mse: On cubes of another scroll, after the last.
    """

    losses: Tensor
    mse: float


def spend(
    from_: Learner, data: Papyrus, batch: int, steps: int, rate: float, name: str, lab: Lab
) -> tuple[Learner, Training]:
    """Train a copy of a network on fresh cubes."""
    learnt, losses = going_on(from_, data.cubes(batch, name, lab), steps, rate, lab)
    return learnt, Training(losses, unseen_mse(learnt, data))


def spread(losses: Tensor) -> float:
    """Standard deviation of a loss about its trend, from the differences of neighbours."""
    return losses.diff().square().mean().div(2).sqrt().item() if len(losses) > 1 else 0.0


def race(trainings: dict[str, Training], cubes: int) -> Curves:
    """Training losses against cubes seen, at 20 points each; each the mean of what lies between."""
    points = min(20, *(len(t.losses) for t in trainings.values()))
    return Curves(
        "As many cubes, spent on small batches and on batches of four times as many: the small "
        "ones are ahead. A higher rate makes up for a part of it.",
        x=cubes / points * torch.arange(1, points + 1),
        lines={
            name: [part.mean().item() for part in t.losses.tensor_split(points)]
            for name, t in trainings.items()
        },
        x_label="cubes seen",
        y_label="MSE",
        log_y=True,
    )


def noise_curve(noise: dict[int, float]) -> Curves:
    """The noise beside a line of slope -1/2 through its first point."""
    sizes = list(noise)
    first = noise[sizes[0]]
    return Curves(
        "How far a batch's gradient is from the true one, in lengths of the true one. Four times "
        "the batch is half the noise.",
        x=sizes,
        lines={
            "measured": list(noise.values()),
            "slope -1/2": [first * (size / sizes[0]) ** -0.5 for size in sizes],
        },
        x_label="cubes in the batch",
        y_label="noise",
        log_x=True,
        log_y=True,
    )


def cost_curve(seconds: dict[int, float]) -> Curves:
    """Time for a cube, against the size of the batch."""
    sizes = list(seconds)
    return Curves(
        "Time of a step, divided by its cubes. Small batches pay for the calls; where the line is "
        "level, a batch of four times as many cubes takes four times as long.",
        x=sizes,
        lines={"measured": [1e3 * seconds[size] / size for size in sizes]},
        x_label="cubes in the batch",
        y_label="ms a cube",
        log_x=True,
        log_y=True,
    )


def run(params: Params, lab: Lab) -> Result:
    """Train with small and large batches, look at gradients, and count what a step costs."""
    data = papyrus(lab)
    large, fewer = params.small * params.times, params.steps // params.times
    fresh = learner(data, params.rate)
    early, first = spend(fresh, data, params.small, fewer, params.rate, "first", lab)
    rest = params.steps - fewer
    small, second = spend(early, data, params.small, rest, params.rate, "rest", lab)
    trained = {
        "small": replace(second, losses=torch.cat((first.losses, second.losses))),
        "large": spend(fresh, data, large, fewer, params.rate, "first", lab)[1],
        "large, higher rate": spend(
            fresh, data, large, fewer, params.rate * params.raised, "first", lab
        )[1],
    }
    later_small, later_large = (
        spend(small, data, batch, fewer, params.rate, "later", lab)[1]
        for batch in (params.small, large)
    )
    noise = noise_by_size(small[0], data, params.draw, lab)
    sizes = tuple(sorted({*COST_SIZES, params.few, params.many}))
    seconds = step_seconds(network().to(lab.device), data, sizes)
    few, many = intensities(params.few), intensities(params.many)
    reuse = {kind: many[kind] / few[kind] for kind in few}

    figures: dict[str, Figure] = {
        "noise": noise_curve(noise),
        "cost": cost_curve({size: seconds[size] for size in COST_SIZES}),
        "reuse": Bars(
            f"Operations per byte in the sources' network, {params.many} cubes against "
            f"{params.few}: what reading the weights once for all of them is worth.",
            reuse,
            "times as many",
        ),
    }
    if params.steps:
        figures["race"] = race(trained, params.steps * params.small)
    return Result(
        metrics={
            "small_mse": trained["small"].mse,
            "large_mse": trained["large"].mse,
            "raised_mse": trained["large, higher rate"].mse,
            "small_early_mse": first.mse,
            "later_small_mse": later_small.mse,
            "later_large_mse": later_large.mse,
            "later_small_spread": spread(later_small.losses),
            "later_large_spread": spread(later_large.losses),
            "mean_cube_mse": data.mean_cube_mse,
            "pca_mse": data.pca_mse,
            "noise_slope": slope(noise),
            "noise_of_one": noise[min(noise)],
            "step_time_times": seconds[params.many] / seconds[params.few],
            "step_flop_times": step_flops(params.many) / step_flops(params.few),
            "linear_reuse_times": reuse["linear layers"],
            "conv_reuse_times": reuse["convolutions"],
        },
        figures=figures,
    )
