r"""To call nothing ink is right nine times in ten, and the best constant says what a loss asks for.

Ink labels of a flattened sheet: y = 1 where there is ink, which is a share q of all places, here
about 0.09. Somebody answers without looking.

**"No ink" everywhere** is right at 1 - q of the places. It finds none of the ink, its overlap with
it (intersection over union, IoU) is 0, and its balanced accuracy, the mean of the shares found of
ink and of blank, is 1/2. Accuracy on counts of 9 and 91 is nearly a measure of the 91. So a reader
that does see something, the brightness of one layer, is hardly more accurate than a blind one: as
its threshold finds more of the ink, it soon costs more on the 91 than it brings on the 9.

**One number c everywhere.** What is best depends on the loss alone:

    mean (c - y)^2                                     c = q, the mean
    mean -y log c - (1 - y) log(1 - c)                 c = q, the mean, too
    mean |c - y|                                       c = 0, the median: more than half are 0
    mean -w y log c - (1 - y) log(1 - c)               c = w q / (w q + 1 - q)

A network that cannot tell where the ink is has no better answer, whatever its size. With a weight
of w = (1 - q) / q, here about 10, the best constant is 1/2: not black, and not better.

**Air.** Scans reach beyond the papyrus, and there is never ink in air. Where such places count,
"no ink" is right still more often, and brightness ranks better, since air is dark: scores that say
nothing of ink. A mask of where the papyrus is takes them out.

Source: notes on the scroll, on predicting ink; Ling, Huang and Zhang (2003), AUC: a better measure
than accuracy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Curves, Images, Lab, Result
from vaeflash.lab.volumes.surface import Surface

from ._ink import accuracy, auc, best_layer, most_written, overlap

NEEDS = ("scroll",)
SHEET = (16, 128, 512)
"""Layers, rows, columns."""
SEARCHED = 60
"""Steps of a search, each of which leaves two thirds of where the minimum may be."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    contrast: float = 40.0  # of ink, in grey levels; at 0 it cannot be seen
    loss: Literal["mse", "bce", "l1"] = "mse"
    ink_weight: float = 1.0  # of places with ink in the loss
    counted: Literal["all", "balanced"] = "all"  # places, or as many without ink as with it
    air: float = 1.0  # places of air beside each place of papyrus
    picked: Literal["best", "middle"] = "best"  # the layer whose brightness is read


@dataclass(frozen=True, slots=True)
class Places:
    """Places of a sheet: `ink` `(n,)`, bool, and what one layer shows there, `(n,)`."""

    ink: Tensor
    grey: Tensor


# Constants


def constant_loss(c: float, y: Tensor, loss: str, ink_weight: float) -> float:
    """Of the same answer at all places; mean over places, those with ink weighted."""
    answer = torch.full_like(y, c)
    if loss == "mse":
        each = F.mse_loss(answer, y, reduction="none")
    elif loss == "bce":
        each = F.binary_cross_entropy(answer, y, reduction="none")
    else:
        each = F.l1_loss(answer, y, reduction="none")
    return (each * torch.where(y > 0, ink_weight, 1.0)).mean().item()


def lowest(f: Callable[[float], float]) -> float:
    """Where a convex function on [0, 1] is least, by ternary search."""
    low, high = 0.0, 1.0
    for _ in range(SEARCHED):
        third = (high - low) / 3
        if f(low + third) < f(high - third):
            high -= third
        else:
            low += third
    return (low + high) / 2


# A reader of one layer


def best_threshold(places: Places, measure: Callable[[Tensor, Tensor], float]) -> int:
    """The grey level above which to say ink, from 0 to 255; 255 is never."""
    values = [measure(places.grey > level, places.ink) for level in range(256)]
    return 255 - values[::-1].index(max(values))


def balanced_accuracy(said: Tensor, ink: Tensor) -> float:
    """Mean of the shares that are right, of places with ink and of those without."""
    held, blank = said[ink].double().mean().item(), said[~ink].double().mean().item()
    return (held + 1 - blank) / 2


# Which places count


def places_of(sheet: Surface, layer: int, air: float, generator: torch.Generator) -> Places:
    """All places of the sheet, and beside them some of air, as its first layer shows it."""
    first, read = (torch.from_numpy(sheet.voxels[z]).flatten() for z in (0, layer))
    beyond = torch.randint(len(first), (round(air * len(first)),), generator=generator)
    ink = torch.from_numpy(sheet.ink).flatten()
    return Places(
        torch.cat((ink, torch.zeros(len(beyond), dtype=torch.bool))),
        torch.cat((read, first[beyond])),
    )


def balanced(places: Places, generator: torch.Generator) -> Places:
    """The places with ink, and as many that are drawn among the others."""
    held, blank = places.ink.nonzero()[:, 0], (~places.ink).nonzero()[:, 0]
    drawn = blank[torch.randperm(len(blank), generator=generator)[: len(held)]]
    index = torch.cat((held, drawn))
    return Places(places.ink[index], places.grey[index])


# Figures


def loss_curves(y: Tensor) -> Curves:
    """Each loss of a constant, above its least."""
    x = torch.linspace(0.005, 0.6, 120)
    lines = {}
    for name, loss, weight in (
        ("squared error", "mse", 1.0),
        ("cross-entropy", "bce", 1.0),
        ("absolute error", "l1", 1.0),
        ("cross-entropy, ink weighted by 10", "bce", 10.0),
    ):
        values = torch.tensor([constant_loss(c, y, loss, weight) for c in x.tolist()])
        lines[name] = (values - values.min()) / (values.max() - values.min())
    return Curves(
        "The loss of one answer everywhere, from its least to its largest value. Squared error and "
        "cross-entropy want the mean, the absolute error wants no ink, and a weight moves the best "
        "answer to one half.",
        x=x,
        lines=lines,
        x_label="answer",
        y_label="loss",
    )


def pictures(sheet: Surface, layer: int, level: int) -> Images:
    """The layer, its ink, and what is brighter than a level."""
    part = most_written(sheet.ink)
    grey = torch.from_numpy(sheet.voxels[layer][part])
    ink = torch.from_numpy(sheet.ink[part])
    said = (grey > level).float()
    return Images(
        "A layer of the sheet, the ink in it, and what is bright: it shows letters to the eye, and "
        "by accuracy it loses against an answer of no ink at all.",
        pixels=torch.stack((grey.float() / 255, ink.float(), said))[None],
        columns=("layer", "ink", "bright"),
    )


def bars(values: dict[str, float]) -> Bars:
    """Scores of two readers."""
    return Bars(
        "Brightness, at the level that is fairest to ink and blank, is less accurate than a reader "
        "that sees nothing. Balanced accuracy and overlap put them in order.",
        values=values,
        y_label="score",
    )


def run(params: Params, lab: Lab) -> Result:
    """Score answers that need no training, on a sheet of another scroll than they are from."""
    scroll = lab.data("scroll")
    train, test = (scroll.surface(part, SHEET, params.contrast) for part in ("train", "test"))
    layer = best_layer(train) if params.picked == "best" else len(train.voxels) // 2
    seen = places_of(train, layer, 0, lab.generator("seen"))
    sheet = places_of(test, layer, 0, lab.generator("sheet"))
    scan = places_of(test, layer, params.air, lab.generator("scan"))
    if params.counted == "balanced":
        seen, sheet = (balanced(p, lab.generator(f"even {len(p.ink)}")) for p in (seen, sheet))

    accurate = sheet.grey > best_threshold(seen, accuracy)
    level = best_threshold(seen, balanced_accuracy)
    fair = sheet.grey > level
    nothing = torch.zeros_like(sheet.ink)
    y = sheet.ink.double()
    best = lowest(lambda c: constant_loss(c, y, params.loss, params.ink_weight))
    return Result(
        metrics={
            "ink_share": y.mean().item(),
            "nothing_accuracy": accuracy(nothing, sheet.ink),
            "nothing_overlap": overlap(nothing, sheet.ink),
            "nothing_balanced_accuracy": balanced_accuracy(nothing, sheet.ink),
            "bright_auc": auc(sheet.grey, sheet.ink),
            "bright_accuracy": accuracy(accurate, sheet.ink),
            "bright_balanced_accuracy": balanced_accuracy(fair, sheet.ink),
            "bright_overlap": overlap(fair, sheet.ink),
            "best_answer": best,
            "scan_nothing_accuracy": accuracy(torch.zeros_like(scan.ink), scan.ink),
            "scan_bright_auc": auc(scan.grey, scan.ink),
        },
        figures={
            "sheet": pictures(test, layer, level),
            "constants": loss_curves(y),
            "scores": bars(
                {
                    "no ink: accuracy": accuracy(nothing, sheet.ink),
                    "bright: accuracy": accuracy(fair, sheet.ink),
                    "no ink: balanced": balanced_accuracy(nothing, sheet.ink),
                    "bright: balanced": balanced_accuracy(fair, sheet.ink),
                    "no ink: overlap": overlap(nothing, sheet.ink),
                    "bright: overlap": overlap(fair, sheet.ink),
                }
            ),
        },
    )
