r"""In a shallow network with batch norm shortcuts hardly matter; without, they let it learn.

The notes train two 3-D autoencoders and see the one with residual blocks far ahead, ten times as
fast. Between the two there is more than the shortcuts:

                between the convolutions    batch norm                  weights of the shortcut
    residual    norm, ReLU                  between the convolutions    its own
    plain       nothing                     after both                  none

so two pairs are trained here, each on the same cubes in the same order:

    notes       residual and plain as above
    fair        one block with and without the sum; the shortcut has no weights (means of 2 x 2 x 2
                voxels down, copies up), and both networks start from the same

**How much slower?** A difference of losses depends on when one looks. So ask for steps: the plain
network has some error after n steps, the residual one had it after m, and so the plain one is n/m
times slower. Errors are those on cubes of another scroll, looked at on the way, with straight lines
between. And where two networks are close, the last error is a matter of luck; the mean ratio of all
errors on the way is less so.

**When do shortcuts matter?** Without a norm, torch's own initialization makes numbers smaller in
each layer, on the way forward and on the way back (`residual-gradients`). A sum passes them on. But
so does a norm, and so does an initialization that makes up for what a ReLU takes away: variance
2/seen for weights where an output sees so many numbers.

Batch norm takes its statistics from the cubes that it is shown, while judging as well: its running
ones lag behind in trainings as short as these. The baselines are the mean cube, and principal
components of as many numbers as the code has. No network gets as far as those in so few steps; the
question is which of two is ahead. And it is asked of cubes of 16^3 with three levels and narrow
layers; the notes' own, `side=32, levels=4, base=32, steps=1000`, is work for a GPU, and nothing is
claimed of it.

Source: notes on the scroll, with and without residual blocks; He, Zhang, Ren and Sun (2015),
Delving deep into rectifiers, and (2016), Deep residual learning for image recognition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab.metrics import mse, parameter_count
from vaeflash.lab.volumes.cubes import Cubes, resident
from vaeflash.lab.volumes.explained import mean_cube, pca_reconstructed, quick_pca
from vaeflash.lab.volumes.fitting import fit
from vaeflash.lab.volumes.places import Uniform
from vaeflash.lab.volumes.volume import inner
from vaeflash.lab.volumes.windows import Windows

from ._residual import PAIRS, Block, Kind, begin_after_he

NEEDS = ("scroll",)
LATENT = 64
TRAIN, TEST = 1_024, 128
MARGIN = 0.1
"""Of the scroll's length, at both ends of each axis, where no cube is cut."""
POINTS = 12
"""Of a curve."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    pair: Literal["notes", "fair", "same"] = "notes"
    norm: Literal["batch", "none"] = "batch"
    init: Literal["torch", "he"] = "torch"  # of the blocks
    side: int = 16  # of the cubes
    levels: int = 3  # halvings
    base: int = 8  # channels of the first level; each further one has twice as many
    batch: int = 16
    rate: float = 2e-3
    steps: int = 150


class Autoencoder(nn.Module):
    """Cubes `(N, 1, S, S, S)` to 64 numbers and back; a block for each level but the first."""

    def __init__(self, kind: Kind, params: Params, mean: float) -> None:
        super().__init__()
        normed = params.norm == "batch"
        channels = [params.base * 2**level for level in range(params.levels)]
        steps, last = [*pairwise(channels)], channels[-1]
        side = params.side // 2**params.levels
        self.encoder = nn.Sequential(
            nn.Conv3d(1, params.base, 2, stride=2),
            nn.ReLU(),
            *(Block(kind, nn.Conv3d, i, o, normed=normed) for i, o in steps),
            nn.Flatten(),
            nn.Linear(last * side**3, LATENT),
        )
        end = nn.ConvTranspose3d(params.base, 1, 2, stride=2)
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, last * side**3),
            nn.Unflatten(1, (last, side, side, side)),
            *(Block(kind, nn.ConvTranspose3d, o, i, normed=normed) for i, o in reversed(steps)),
            end,
            nn.Sigmoid(),
        )
        if params.init == "he":
            for block in (m for m in self.modules() if isinstance(m, Block)):
                begin_after_he(block)
        nn.init.constant_(end.bias, torch.tensor(mean).logit().item())  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Cubes to their reconstructions, grey levels in [0, 1]."""
        x_hat: Tensor = self.decoder(self.encoder(x))
        return x_hat


@dataclass(frozen=True, slots=True)
class Papyrus:
    """A scroll to train on, and cubes to judge by.

    Attributes:
        voxels: Of the scroll that is trained on, `(Z, Y, X)`.
        places: Any cube of its inner region, each as likely.
        train: `(TRAIN, 1, S, S, S)`, for the mean cube and principal components.
        test: `(TEST, 1, S, S, S)`, of another scroll.
    """

    voxels: Tensor
    places: Uniform
    train: Tensor
    test: Tensor


def papyrus(side: int, lab: Lab) -> Papyrus:
    """Cubes of the scroll to train on, and of the one that is kept unseen."""
    scroll = lab.data("scroll")
    held, drawn = [], []
    for part, size in (("train", TRAIN), ("test", TEST)):
        voxels = resident(scroll.volume(part), lab.device)
        z, y, x = voxels.shape
        places = Uniform(inner((z, y, x), MARGIN), (side, side, side))
        corners = places.draw(size, lab.generator(part)).to(lab.device)
        held.append((voxels, places))
        drawn.append(Windows(voxels, places.window).cut(corners).unsqueeze(1))
    return Papyrus(*held[0], drawn[0], drawn[1])


@dataclass(frozen=True, slots=True)
class Training:
    """How a training went.

    Attributes:
        model: What it ended with.
        steps: When the error was looked at, from 0 to the last.
        mse: On the other scroll's cubes, at each of these.
    """

    model: Autoencoder
    steps: list[int]
    mse: list[float]


def loss(model: nn.Module, x: Tensor) -> Tensor:
    """Squared error, mean over cubes and voxels."""
    return F.mse_loss(model(x), x)


@torch.no_grad()
def answer(model: Autoencoder, x: Tensor) -> Tensor:
    """Reconstructions; batch norm takes its statistics from these cubes."""
    x_hat: Tensor = model.train()(x)
    return x_hat


def train(kind: Kind, data: Papyrus, params: Params, lab: Lab) -> Training:
    """Train one network; its beginning and its cubes depend on the run's seed alone."""
    with torch.random.fork_rng([]):
        torch.manual_seed(lab.seed)
        model = Autoencoder(kind, params, data.train.mean().item()).to(lab.device)
    optimizer = torch.optim.Adam(model.parameters(), params.rate)
    batches = Cubes(data.voxels, data.places, params.batch, lab.generator("batches"))
    looks = [round(params.steps * point / POINTS) for point in range(POINTS + 1)]
    errors = [mse(answer(model, data.test), data.test)]
    for before, after in lab.track([*pairwise(looks)], kind):
        fit(model, loss, batches, steps=after - before, optimizer=optimizer)
        errors.append(mse(answer(model, data.test), data.test))
    return Training(model, looks, errors)


def first_below(training: Training, level: float) -> float:
    """The step at which the error first is at a level, or the last step if it never is."""
    points = zip(training.steps, training.mse, strict=True)
    for (before, high), (after, low) in pairwise(points):
        if low <= level:
            way = (high - level) / (high - low) if high > level else 0.0
            return before + way * (after - before)
    return training.steps[-1]


def slowdown(slow: Training, fast: Training) -> float:
    """How many times fewer steps the fast one takes to the error that the slow one ends with.

    At least one step is counted, and 1 is the least: then the slow one is not slow.
    """
    return slow.steps[-1] / max(1.0, first_below(fast, slow.mse[-1]))


def mean_ratio(one: Training, other: Training) -> float:
    """Of the errors of two networks, a geometric mean over all looks but the first."""
    errors = torch.tensor([one.mse[1:], other.mse[1:]], dtype=torch.float64).log()
    return (errors[0] - errors[1]).mean().exp().item()


def slices(x: Tensor, answers: Sequence[Tensor], names: Sequence[str]) -> Images:
    """The middle slice of some cubes, and what each network makes of them."""
    middle = x.shape[-1] // 2
    rows = torch.stack([cubes[:4, 0, middle] for cubes in (x, *answers)], dim=1)
    return Images(
        "Middle slices of cubes of another scroll, and what the two networks make of them.",
        rows.clamp(0, 1).cpu(),
        columns=("cube", *names),
    )


def curves(trainings: dict[str, Training], baselines: dict[str, float]) -> Curves:
    """Errors on the other scroll while training, and of what needs no training."""
    first = next(iter(trainings.values()))
    return Curves(
        "The error on another scroll while training, with shortcuts and without: the same cubes in "
        "the same order. The mean cube and principal components need no training.",
        x=first.steps,
        lines={name: training.mse for name, training in trainings.items()}
        | {name: [error] * len(first.steps) for name, error in baselines.items()},
        x_label="step",
        y_label="MSE",
        log_y=True,
    )


def run(params: Params, lab: Lab) -> Result:
    """Train a pair of networks, with and without shortcuts."""
    data = papyrus(params.side, lab)
    residual, plain = (train(kind, data, params, lab) for kind in PAIRS[params.pair])
    mean_mse = mse(mean_cube(data.train).expand_as(data.test), data.test)
    pca_mse = mse(pca_reconstructed(quick_pca(data.train, LATENT), data.test), data.test)
    figures: dict[str, Figure] = {
        "slices": slices(
            data.test,
            [answer(t.model, data.test) for t in (residual, plain)],
            ("residual", "plain"),
        )
    }
    if params.steps >= POINTS:
        figures["training"] = curves(
            {"residual": residual, "plain": plain}, {"mean cube": mean_mse, "PCA": pca_mse}
        )
    return Result(
        metrics={
            "residual_mse": residual.mse[-1],
            "plain_mse": plain.mse[-1],
            "mean_cube_mse": mean_mse,
            "pca_mse": pca_mse,
            "residual_ev": 1 - residual.mse[-1] / mean_mse,
            "plain_ev": 1 - plain.mse[-1] / mean_mse,
            "mean_ratio": mean_ratio(residual, plain),
            "slowdown": slowdown(plain, residual),
            "plain_late_fall": 1 - plain.mse[-1] / plain.mse[2 * POINTS // 3],
            "residual_parameters": parameter_count(residual.model),
            "plain_parameters": parameter_count(plain.model),
        },
        figures=figures,
    )
