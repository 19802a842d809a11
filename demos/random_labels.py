r"""A network fits labels drawn by lot, and ink that nobody can see: fitting shows no correlation.

**The test.** A network is trained to tell windows of a flattened sheet with ink in their middle
from windows without, half and half. Then the same once more with the labels *shuffled* among the
windows. Whatever window and label had to do with each other is gone; what is left can only be
learnt by heart. If it fits them as well, then fitting has shown that it has enough weights.

Here 34,000 weights meet 256 windows of 4,096 voxels, each with noise of its own to know it by.

**What shows a correlation** is a sheet that was not trained on. With true labels the network ranks
its windows far better than chance, with shuffled ones at chance:

    AUC = P(a window with ink scores higher than one without)          1/2: chance

**Ink that cannot be seen.** The labels are right, the voxels hold no trace of them (contrast 0).
They are fitted too, and nothing of it is of any use on another sheet. It has to be another one:
windows of one sheet overlap, and neighbours have alike labels, so that who knows some windows by
heart may know the rest.

**When fitting does show something.** 2,048 windows in as many steps are too many to be learnt by
heart: true labels are still fitted, shuffled ones no longer. But those of invisible ink are in
between, as neighbours among so many windows share voxels and label: shuffling takes more away than
the ink.

Source: notes on the scroll, on memorising ink; Zhang et al. (2017), Understanding deep learning
requires rethinking generalization, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Curves, Figure, Lab, Result
from vaeflash.lab.metrics import parameter_count
from vaeflash.lab.training import train
from vaeflash.lab.volumes.surface import Surface
from vaeflash.lab.volumes.windows import Windows

NEEDS = ("scroll",)
SIDE = 16
TRAIN, TEST = (SIDE, 128, 384), (SIDE, 256, 768)
"""Layers, rows and columns of the sheet that is trained on, and of the other one."""
JUDGED = 512
"""Windows on which a network is judged."""
POINTS = 20
"""Of a curve."""

Labelled: TypeAlias = tuple[Tensor, Tensor]
"""Windows `(n, 1, 16, 16, 16)` and their labels `(n,)`, 0 or 1."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    windows: int = 256  # to train on
    shuffled: float = 1.0  # share of the labels that are shuffled, for one of the networks
    invisible: float = 0.0  # contrast of the ink that another one looks for
    batch: int = 64
    rate: float = 3e-3
    steps: int = 260


class Network(nn.Module):
    """Two convolutions that halve each side, and two linear layers: a window to one logit."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(1, 8, 2, stride=2),
            nn.ReLU(),
            nn.Conv3d(8, 16, 2, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * (SIDE // 4) ** 3, 32),
            nn.ReLU(),
            nn.Linear(32, 1),
            nn.Flatten(0),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Windows `(n, 1, 16, 16, 16)` to logits `(n,)`."""
        logits: Tensor = self.layers(x)
        return logits


def draw(sheet: Surface, n: int, generator: torch.Generator) -> Tensor:
    """Places of n windows, half of them with ink in the middle: first row and column, `(n, 2)`."""
    middle = middles(sheet)
    halves = []
    for ink, count in ((True, n - n // 2), (False, n // 2)):
        places = (middle == ink).nonzero()
        halves.append(places[torch.randint(len(places), (count,), generator=generator)])
    return torch.cat(halves)[torch.randperm(n, generator=generator)]


def middles(sheet: Surface) -> Tensor:
    """For each place of a window, whether its middle has ink: `(rows, columns)`, bool."""
    rows, columns = sheet.ink.shape
    half = SIDE // 2
    return torch.from_numpy(
        sheet.ink[half : rows - SIDE + half + 1, half : columns - SIDE + half + 1].copy()
    )


def labelled(sheet: Surface, places: Tensor, device: torch.device) -> Labelled:
    """The windows at these places and their labels; the sheet's voxels have mean 0, variance 1."""
    corners = F.pad(places, (1, 0))  # all begin with the first layer
    x = Windows(torch.from_numpy(sheet.voxels), (SIDE,) * 3).cut(corners).unsqueeze(1)
    mean, spread = (float(level) / 255 for level in (sheet.voxels.mean(), sheet.voxels.std()))
    labels = middles(sheet)[places[:, 0], places[:, 1]].float()
    return ((x - mean) / spread).to(device), labels.to(device)


def shuffle(labels: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A share of the labels exchanged among each other: as many of each kind as before."""
    n = len(labels)
    chosen = torch.randperm(n, generator=generator)[: round(share * n)]
    mixed = labels.clone()
    mixed[chosen] = labels[chosen[torch.randperm(len(chosen), generator=generator)]]
    return mixed


def learn(data: Labelled, params: Params, lab: Lab) -> tuple[Network, Tensor]:
    """Train a network, which begins the same each time; and its loss in each step, nats."""
    torch.manual_seed(lab.seed)
    model = Network()
    # The stubs know the layout of pictures alone.
    model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    model.to(lab.device)
    losses = train(
        model,
        lambda model, batch: F.binary_cross_entropy_with_logits(model(batch[0]), batch[1]),
        data,
        steps=params.steps,
        batch_size=params.batch,
        optimizer=torch.optim.Adam(model.parameters(), params.rate, fused=True),
        generator=lab.generator("batches"),
        track=lab.track,
    )
    return model, losses


@torch.no_grad()
def scores(model: Network, x: Tensor) -> Tensor:
    """Logits `(n,)`."""
    return torch.cat([model(part) for part in x.split(JUDGED)])


def fit(model: Network, data: Labelled) -> float:
    """The share of windows that are given their label."""
    x, labels = data
    return ((scores(model, x) > 0) == labels.bool()).float().mean().item()


def auc(model: Network, data: Labelled) -> float:
    """The share of pairs, one with ink and one without, in which the former scores higher."""
    x, labels = data
    score = scores(model, x)
    ink, blank = score[labels == 1], score[labels == 0]
    higher = (ink[:, None] > blank).float() + 0.5 * (ink[:, None] == blank)
    return higher.mean().item()


def training_curves(losses: dict[str, Tensor], steps: int) -> Curves:
    """Losses of all networks, each point the mean of what lies between."""
    points = min(POINTS, steps)
    return Curves(
        "Training losses: true labels, shuffled ones, and labels of ink that the voxels do not "
        "show. All three are fitted.",
        x=steps / points * torch.arange(1, points + 1),
        lines={
            name: [part.mean().item() for part in loss.tensor_split(points)]
            for name, loss in losses.items()
        },
        x_label="step",
        y_label="cross-entropy, nats",
    )


def run(params: Params, lab: Lab) -> Result:
    """Fit true labels, shuffled ones, and those of invisible ink; judge on another sheet."""
    scroll = lab.data("scroll")
    clear, faint = (scroll.surface("train", TRAIN, *ink) for ink in ((), (params.invisible,)))
    other, other_faint = (scroll.surface("test", TEST, *ink) for ink in ((), (params.invisible,)))
    places = draw(clear, params.windows, lab.generator("windows"))
    judged = draw(other, JUDGED, lab.generator("judged"))

    true = labelled(clear, places, lab.device)
    shuffled = true[0], shuffle(true[1].cpu(), params.shuffled, lab.generator("lot")).to(lab.device)
    unseen = labelled(other, judged, lab.device)
    hidden = labelled(faint, places, lab.device)
    tasks = {
        "true": (true, unseen),
        "shuffled": (shuffled, unseen),
        "invisible": (hidden, labelled(other_faint, judged, lab.device)),
    }
    learnt = {name: learn(data, params, lab) for name, (data, _) in tasks.items()}
    fits = {name: fit(learnt[name][0], data) for name, (data, _) in tasks.items()}
    aucs = {name: auc(learnt[name][0], test) for name, (_, test) in tasks.items()}
    figures: dict[str, Figure] = {
        "fit": Bars(
            f"Share of {params.windows:,} labels fitted, and AUC on another sheet (chance: 0.5).",
            {f"{name}: fitted": fits[name] for name in fits}
            | {f"{name}: AUC": aucs[name] for name in aucs},
        ),
    }
    if params.steps:
        figures["training"] = training_curves(
            {name: losses for name, (_, losses) in learnt.items()}, params.steps
        )
    return Result(
        metrics={
            "true_fit": fits["true"],
            "true_auc": aucs["true"],
            "shuffled_fit": fits["shuffled"],
            "shuffled_auc": aucs["shuffled"],
            "invisible_fit": fits["invisible"],
            "invisible_auc": aucs["invisible"],
            "weights": parameter_count(learnt["true"][0]),
        },
        figures=figures,
    )
