r"""SGD steps down the gradient; Adam steps in another direction, at a length of its own.

**Gradient descent** moves all weights w, as one long vector, against the gradient g of the loss,

    w <- w - rate * g                                        (SGD)

which is the direction of steepest descent, at a length proportional to |g|.

**Adam** (Kingma and Ba, 2015, algorithm 1) keeps two running means for each single weight, of g and
of g^2, corrects both for having begun at zero, and divides:

    m <- b1 m + (1 - b1) g            v <- b2 v + (1 - b2) g^2
    w <- w - rate * m' / (sqrt(v') + eps)                    (Adam)

Its first step is easy: m' = g and v' = g^2, so that each weight moves by rate * g / (|g| + eps),
which is the rate, up or down, whatever the size of its gradient. All that is left of the gradient
are its signs, and their vector makes with g the angle

    cosine = |g|_1 / (sqrt(n) |g|_2)       n weights with a gradient

which is 1 only if all gradients are equally large. Still a descent: the cosine is positive.

**The scale of the loss.** Sum the squared error over 784 pixels where it was averaged, and g grows
784 times. SGD's step grows with it and goes astray; Adam's stays the same, since the scale cancels.
It does not cancel *between* two terms of a loss: their ratio is part of g's direction.

**One picture or a batch.** The loss on a batch is a mean over its pictures, so its gradient is the
mean of theirs. One picture's gradient is a very rough guess at the gradient of the loss on all.

Source: notes on digits and faces, the cards on the training loop and on the update; Kingma and Ba
(2015), Adam: a method for stochastic optimization.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Lab, Result
from vaeflash.lab.training import train

NEEDS = ("digits",)
PIXELS = 784
BATCH = 32  # in training
DRAWS = 30
"""Batches whose gradients are compared with the gradient of the loss on all digits."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    optimizer: Literal["adam", "sgd", "momentum"] = "adam"
    scale: float = 784.0  # by which the loss is multiplied for comparison
    batch_size: int = 32  # whose gradient is compared; training has batches of 32
    steps: int = 150  # of training before the direction is measured
    examples: int = 4_000


def autoencoder() -> nn.Sequential:
    """784 -> 200 -> 20 -> 200 -> 784."""
    return nn.Sequential(
        *(nn.Linear(PIXELS, 200), nn.ReLU(), nn.Linear(200, 20)),
        *(nn.Linear(20, 200), nn.ReLU(), nn.Linear(200, PIXELS), nn.Sigmoid()),
    )


def loss(model: nn.Module, x: Tensor) -> Tensor:
    """Squared error, mean over pictures and pixels."""
    return F.mse_loss(model(x), x)


def optimizer_of(model: nn.Module, name: str) -> torch.optim.Optimizer:
    """The optimizer, at a rate at which the loss of this network falls."""
    match name:
        case "sgd":
            return torch.optim.SGD(model.parameters(), lr=5.0)
        case "momentum":
            return torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    return torch.optim.Adam(model.parameters(), lr=2.5e-3)


def flat(tensors: list[Tensor]) -> Tensor:
    """All of a network's numbers as one vector."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def gradient(model: nn.Module, x: Tensor) -> Tensor:
    """The gradient of the loss on `x`, `(weights,)`."""
    return flat(list(torch.autograd.grad(loss(model, x), list(model.parameters()))))


def move(model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer, scale: float) -> Tensor:
    """Take one step down `scale * loss` and return by how much each weight moved."""
    before = flat(list(model.parameters())).clone()
    optimizer.zero_grad()
    (scale * loss(model, x)).backward()
    optimizer.step()
    return flat(list(model.parameters())) - before


def first_move(model: nn.Module, x: Tensor, name: str, scale: float) -> Tensor:
    """The first step that a fresh optimizer takes; the network stays as it is."""
    model = copy.deepcopy(model)
    return move(model, x, optimizer_of(model, name), scale)


def cosine(a: Tensor, b: Tensor) -> float:
    """Of the angle between two vectors; in float64, as there are 320,000 summands."""
    return F.cosine_similarity(a.double(), b.double(), dim=0).item()


def share_at_rate(moves: Tensor, rate: float) -> float:
    """Of the weights that moved, the share whose move is the rate, give or take 10%."""
    sizes = moves[moves != 0].abs() / rate
    return ((sizes - 1).abs() < 0.1).float().mean().item()


def gradient_cosines(model: nn.Module, x: Tensor, size: int, lab: Lab) -> Tensor:
    """Cosines between the gradient on all of `x` and on `DRAWS` random batches."""
    whole = gradient(model, x)
    generator = lab.generator(f"draws of {size}")
    drawn = (torch.randperm(len(x), generator=generator)[:size] for _ in range(DRAWS))
    return torch.tensor([cosine(gradient(model, x[index]), whole) for index in drawn])


def cosines_by_size(model: nn.Module, x: Tensor, lab: Lab) -> Curves:
    """How well a batch's gradient points where the gradient on all digits points."""
    sizes = (1, 4, 16, 64)
    cosines = [gradient_cosines(model, x, size, lab) for size in sizes]
    return Curves(
        "The gradient on a batch against the gradient on all digits: 1 is the same direction, 0 a "
        "right angle. One picture hardly points there, a batch of 64 mostly does.",
        x=sizes,
        lines={
            "mean of 30 batches": [line.mean().item() for line in cosines],
            "worst of 30": [line.min().item() for line in cosines],
        },
        x_label="pictures in the batch",
        y_label="cosine",
        log_x=True,
    )


def sorted_moves(model: nn.Module, x: Tensor) -> Curves:
    """The size of each weight's first move, sorted, for both optimizers."""
    share = torch.linspace(0, 1, 200)
    lines = {}
    for name in ("adam", "sgd"):
        sizes = first_move(model, x, name, 1.0).abs()
        sizes = sizes[sizes > 0].sort().values
        lines[name] = sizes[(share * (len(sizes) - 1)).long()]
    return Curves(
        "How far each weight moves in the first step, sorted. SGD moves it by its gradient times "
        "the rate, over many orders of magnitude; Adam moves most by the rate itself.",
        x=100 * share,
        lines=lines,
        x_label="% of the weights that move",
        y_label="|move|",
        log_y=True,
    )


def run(params: Params, lab: Lab) -> Result:
    """Compare steps and gradients, of a fresh network and of one in training."""
    digits = lab.data("digits")
    x = digits.train[: params.examples].flatten(1).to(lab.device)
    model = autoencoder().to(lab.device)
    fresh = copy.deepcopy(model)
    down = -gradient(fresh, x)
    first = first_move(fresh, x, params.optimizer, 1.0)
    rescaled = first_move(fresh, x, params.optimizer, params.scale)

    optimizer = optimizer_of(model, params.optimizer)
    train(
        model,
        loss,
        x,
        steps=params.steps,
        batch_size=BATCH,
        optimizer=optimizer,
        generator=lab.generator("batches"),
        track=lab.track,
    )
    cosines = gradient_cosines(model, x, params.batch_size, lab)
    figures = {
        "moves": sorted_moves(fresh, x),
        "batches": cosines_by_size(model, x, lab),
    }
    later_down = -gradient(model, x)
    later = move(model, x, optimizer, 1.0)
    moved = down[down != 0]
    return Result(
        metrics={
            "first_cosine": cosine(first, down),
            "sign_cosine": (moved.abs().sum() / (len(moved) ** 0.5 * moved.norm())).item(),
            "cosine": cosine(later, later_down),
            "moves_at_rate": share_at_rate(first, optimizer.defaults["lr"]),
            "step_times": (rescaled.norm() / first.norm()).item(),
            "batch_cosine": cosines.mean().item(),
            "worst_batch_cosine": cosines.min().item(),
            "loss": loss(model, x).item(),
        },
        figures=figures,
    )
