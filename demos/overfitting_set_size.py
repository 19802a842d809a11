r"""A small set of cubes is learnt by heart, a large one hardly; shortcuts help on new cubes, too.

**Two errors.** A network is trained on n cubes of 8 x 8 x 8 voxels, over and over. It has one error
on these n, and another on cubes of the same scroll that it has never seen:

    gap = (squared error on new cubes) / (squared error on the n cubes)        1: nothing overfits

The network sees its n cubes again in every pass, and fits what is particular to them, the noise of
each voxel above all. New cubes have other noise. The more cubes share the weights, the less is left
for each of them; so the error on the set *rises* with n, and that on new cubes falls.

**Equal steps.** Both sets are trained on for as many steps, with batches of one size. So a cube of
the small set is seen ten times as often. A comparison at equal passes would give the large set ten
times the steps.

**New** cubes are of the same scroll, and share no voxel with any of the set: it is cut into slabs,
and they come from every other one. Cubes that overlap those of the set would not be new.

**The network** goes through 32 numbers, with a residual block at each level. "Matched" is the same
one without its shortcuts, to see whether all they help with is to learn by heart.

**Baselines.** The mean cube, and 32 principal components of the same n cubes: nothing is deep there
and no step is taken, and they overfit all the same. With a smaller error on new cubes, too: the
gap is a diagnosis, the error on new cubes is what counts.

Source: notes on the scroll, on 1,000 and 10,000 cubes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn

from vaeflash.demo import Bars, Curves, Figure, Lab, Result
from vaeflash.lab.history import History
from vaeflash.lab.metrics import mse
from vaeflash.lab.training import train
from vaeflash.lab.volumes.explained import mean_cube, pca_reconstructed, quick_pca

from ._cube_sets import (
    LATENT,
    Shortcut,
    Slabs,
    adam,
    autoencoder,
    error_on,
    slabs,
    squared_error,
)

NEEDS = ("scroll",)
LOOKS, LOOK_AT = 8, 256
"""How often errors are looked at on the way, and on how many cubes."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    size: int = 100  # cubes in the small set; the notes have 1,000
    times: int = 10  # as many are in the large one
    other: Shortcut = "matched"  # which network learns the same sets beside the residual one
    other_times: int = 1  # as many cubes are in that one's sets: the notes' comparison had ten
    components: int = LATENT  # principal ones
    batch: int = 25
    rate: float = 5e-3
    steps: int = 200
    loss: Literal["mean", "summed"] = "mean"  # of a set: over its batches


@dataclass(frozen=True, slots=True)
class Learnt:
    """What one network made of one set.

    Attributes:
        mse: On the cubes of the set; mean over cubes and voxels.
        new_mse: On new cubes.
        loss: Of one pass through the set, over its batches.
        looks: Errors on the way, on the set and on new cubes; after how many steps.
    """

    mse: float
    new_mse: float
    loss: float
    looks: dict[int, tuple[float, float]]

    @property
    def gap(self) -> float:
        """1 where nothing overfits."""
        return self.new_mse / self.mse

    @property
    def rise(self) -> float:
        """By which factor the error on new cubes ended above its lowest on the way."""
        errors = [new for _, new in self.looks.values()]
        return errors[-1] / min(errors)


@dataclass(frozen=True, slots=True)
class Course:
    """How every network is trained: only the set and the shortcuts differ."""

    data: Slabs
    params: Params
    lab: Lab

    def learn(self, kind: Shortcut, cubes: Tensor) -> Learnt:
        """Train a fresh network, whose weights start the same for each set, on these cubes."""
        torch.manual_seed(self.lab.seed)
        model = autoencoder(cubes.mean().item(), self.lab, kind)
        new, seen = self.data.new[:LOOK_AT], cubes[:LOOK_AT]
        history = History(
            lambda model: (error_on(model, seen), error_on(model, new)),
            max(1, self.params.steps // LOOKS),
        )
        train(
            model,
            squared_error,
            cubes,
            steps=self.params.steps,
            batch_size=self.params.batch,
            optimizer=adam(model, self.params.rate),
            generator=self.lab.generator("batches"),
            history=history,
            track=self.lab.track,
        )
        return Learnt(
            error_on(model, cubes),
            error_on(model, self.data.new),
            self.loss_of(model, cubes),
            dict(zip(history.steps, history.values, strict=True)),
        )

    @torch.no_grad()
    def loss_of(self, model: nn.Module, cubes: Tensor) -> float:
        """The squared errors of a set's batches: their mean, or added up as by a careless loop."""
        losses = [squared_error(model, x).item() for x in cubes.split(self.params.batch)]
        return sum(losses) / (len(losses) if self.params.loss == "mean" else 1)


def pca_gap(cubes: Tensor, new: Tensor, components: int) -> tuple[float, float]:
    """The gap of principal components of a set, and their error on new cubes."""
    pca = quick_pca(cubes, min(components, len(cubes) // 2))
    new_mse = mse(pca_reconstructed(pca, new), new)
    return new_mse / mse(pca_reconstructed(pca, cubes), cubes), new_mse


def on_the_way(small: Learnt, large: Learnt, sizes: tuple[int, int]) -> Curves:
    """Errors on the set and on new cubes, while training."""
    steps = [step for step in small.looks if step]
    return Curves(
        "While training on a small and on a large set: the error on the set, and on new cubes. "
        "Of the large set both fall together; of the small one they part.",
        x=steps,
        lines={
            f"{size:,} cubes: {what}": [learnt.looks[step][number] for step in steps]
            for learnt, size in zip((small, large), sizes, strict=True)
            for number, what in enumerate(("on the set", "on new ones"))
        },
        x_label="step",
        y_label="MSE",
        log_y=True,
    )


def run(params: Params, lab: Lab) -> Result:
    """Train two networks on two sets each; compare the error on the set with that on new cubes."""
    data = slabs(lab)
    course = Course(data, params, lab)
    sizes = (params.size, params.size * params.times)
    cubes = data.cubes(sizes[1] * params.other_times, "cubes", lab)  # each set holds the smaller

    @cache
    def learn(kind: Shortcut, size: int) -> Learnt:
        return course.learn(kind, cubes[:size])

    small, large = (learn("residual", size) for size in sizes)
    other_small, other_large = (learn(params.other, size * params.other_times) for size in sizes)
    (pca_small_gap, pca_small_new), (pca_large_gap, pca_large_new) = (
        pca_gap(cubes[:size], data.new, params.components) for size in sizes
    )

    figures: dict[str, Figure] = {}
    if params.steps:
        figures["training"] = on_the_way(small, large, sizes)
    figures["gaps"] = Bars(
        f"Error on new cubes over error on the set: {sizes[0]:,} cubes and {sizes[1]:,}. With and "
        "without shortcuts a network overfits the small set, and so do principal components.",
        {
            f"{name}, {size:,}": gap
            for size, gaps in zip(
                sizes,
                (
                    (small.gap, other_small.gap, pca_small_gap),
                    (large.gap, other_large.gap, pca_large_gap),
                ),
                strict=True,
            )
            for name, gap in zip(("residual", params.other, "PCA"), gaps, strict=True)
        },
        "times",
    )
    return Result(
        metrics={
            "small_mse": small.mse,
            "small_new_mse": small.new_mse,
            "small_gap": small.gap,
            "small_rise": small.rise,
            "large_mse": large.mse,
            "large_new_mse": large.new_mse,
            "large_gap": large.gap,
            "loss_times": large.loss / small.loss,
            "other_small_mse": other_small.mse,
            "other_small_new_mse": other_small.new_mse,
            "other_small_gap": other_small.gap,
            "other_large_mse": other_large.mse,
            "other_large_new_mse": other_large.new_mse,
            "other_large_gap": other_large.gap,
            "pca_small_gap": pca_small_gap,
            "pca_large_gap": pca_large_gap,
            "pca_small_new_mse": pca_small_new,
            "pca_large_new_mse": pca_large_new,
            "mean_cube_mse": mse(mean_cube(cubes).expand_as(data.new), data.new),
            "passes": params.steps * params.batch / params.size,
        },
        figures=figures,
    )
