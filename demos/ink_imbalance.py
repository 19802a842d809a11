r"""A network that shall find rare ink first says that there is none; that is a plateau, not an end.

A window of a flattened sheet, 8 layers of 16 x 16 voxels, goes through a code of 64 numbers and
comes back with two channels: the voxels again, and ink. Ink is labelled as a flat picture, so its
channel is averaged over the layers, and gives the logit of ink at each of 16 x 16 places.

    volume    mean (x_hat - x)^2                          over voxels
    ink       mean -w y log p - (1 - y) log(1 - p)        over places; w is 1 unless said otherwise
    joint     their sum

**Why all black.** About 9 in 100 places hold ink. As long as a network cannot tell where, its best
answer is one number everywhere, the share of ink: p = 0.09. Against a threshold of one half that is
"no ink", everywhere. Its loss is the entropy

    H = -q log q - (1 - q) log(1 - q)                     q the share of ink; nats a place

which is quickly reached, since a bias of the last layer is all it takes. To get below, the network
must find what ink looks like. Until then the loss stands on a plateau.

**What is measured**, on a scroll that was never trained on: whether ink ranks above blank papyrus
(AUC; 1/2 is chance), the share of ink found at p > 1/2, false ink in windows that have none, and
the squared error over that of the best constant, for ink q (1 - q), for voxels that of the mean
window. Beside it stands what needs no training, the brightness of a single layer: the one that
tells most on the scroll that is trained on.

**Spikes.** On the plateau p is the same everywhere, so the loss of a batch follows from nothing but
its own share of ink q_B, in a straight line:

    loss = q_B log(1/p) + (1 - q_B) log(1/(1 - p))

It jumps with what a batch happens to hold. A window holds a letter's stroke or none, so the shares
of small batches differ much.

Source: notes on the scroll, on predicting ink.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result, Scatter
from vaeflash.lab.batches import Data
from vaeflash.lab.history import History
from vaeflash.lab.metrics import mse
from vaeflash.lab.training import Loss
from vaeflash.lab.volumes.blocks import make_block, rescale
from vaeflash.lab.volumes.cubes import Cubes
from vaeflash.lab.volumes.fitting import fit
from vaeflash.lab.volumes.labelled import Holding
from vaeflash.lab.volumes.places import Mixed, Places, Uniform
from vaeflash.lab.volumes.volume import whole

from ._ink import SHAPE, Sheet, accuracy, auc, best_layer, most_written, sheets

NEEDS = ("scroll",)
BASE, LATENT = 8, 64
CHUNK = 64
"""Windows that are looked at together: more do not fit a processor's cache."""
EVERY = 10
"""Steps between two looks at the network."""
SETTLED = 10
"""Steps after which the bias is found and the plateau begins."""
SEES = 0.7
"""AUC above which a network has left the plateau."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    contrast: float = 80.0  # of ink, in grey levels; at 0 it cannot be seen
    blank: float = 0.55  # share of letters that are missing on the sheet to train on
    target: Literal["ink", "joint", "volume"] = "ink"
    volume_weight: float = 30.0  # of the voxels' error in the joint loss
    ink_weight: float = 1.0  # of places with ink in the loss
    held: float = 0.0  # share of windows drawn among those with ink; the others from anywhere
    steps: int = 200
    early: int = 30  # steps after which it is told what the network says, too
    batch: int = 32
    rate: float = 4e-3


# Network and loss


class Network(nn.Module):
    """Windows to a code and back, with two channels: an autoencoder, and a reader of ink."""

    def __init__(self) -> None:
        super().__init__()
        d, h, w = (side // 4 for side in SHAPE)
        width = 2 * BASE * d * h * w
        self.encoder = nn.Sequential(
            rescale(1, BASE, up=False),
            nn.ReLU(),
            make_block("residual", BASE, 2 * BASE, "group"),
            nn.Flatten(),
            nn.Linear(width, LATENT),
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, width),
            nn.Unflatten(1, (2 * BASE, d, h, w)),
            make_block("residual", 2 * BASE, BASE, "group", up=True),
            rescale(BASE, 2, up=True),
        )
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Windows `(N, 1, D, h, w)` to voxels, of the same shape, and logits of ink `(N, h, w)`."""
        y = self.decoder(self.encoder(x))
        return y[:, :1], y[:, 1].mean(1)


def loss_of(target: str, volume_weight: float, ink_weight: float) -> Loss:
    """What training minimises: the error of the voxels, of the ink, or of both."""

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        x_hat, logits = model(x)
        ink = F.binary_cross_entropy_with_logits(logits, y, pos_weight=y.new_tensor(ink_weight))
        volume = F.mse_loss(x_hat, x)
        return {"ink": ink, "volume": volume, "joint": ink + volume_weight * volume}[target]

    return loss


# Batches that are watched


@dataclass(slots=True)
class Watched:
    """Windows to train on; it keeps the share of ink in each batch that it gave."""

    cubes: Cubes
    shares: list[float] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Where the batches are."""
        return self.cubes.device

    def next(self) -> Data:
        """Windows `(n, 1, D, h, w)` and their ink `(n, h, w)`."""
        x, y = self.cubes.next()
        self.shares.append(y.mean().item())
        return x, y

    def state_dict(self) -> dict[str, Any]:
        """That of the windows."""
        return self.cubes.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.cubes.load_state_dict(state)


def windows_of(sheet: Sheet, held: float, batch: int, lab: Lab) -> Watched:
    """Batches from anywhere on the sheet, but for a share that is drawn among those with ink."""
    surface = sheet.surface
    region = whole(surface.voxels.shape)
    places: Places = Uniform(region, SHAPE)
    if held:
        places = Mixed(Holding(region, SHAPE, surface.ink), places, held)
    voxels, ink = (torch.from_numpy(part).to(lab.device) for part in (surface.voxels, surface.ink))
    return Watched(Cubes(voxels, places, batch, lab.generator("windows"), labels=ink))


# What the network says of another scroll


class Answer(NamedTuple):
    """Of all windows of a sheet: the ink as probabilities `(N, h, w)`, and the voxels' error."""

    p: Tensor
    volume_mse: float


def answering(sheet: Sheet) -> Callable[[nn.Module], Answer]:
    """A look at a network in eval mode, for its history."""

    @torch.no_grad()
    def look(model: nn.Module) -> Answer:
        parts = [model(x) for x in sheet.x.split(CHUNK)]
        x_hat, logits = (torch.cat(part) for part in zip(*parts, strict=True))
        return Answer(logits.sigmoid(), mse(x_hat, sheet.x))

    return look


def ink_left(p: Tensor, y: Tensor) -> float:
    """Squared error of the ink over that of the best constant, the share of ink."""
    return mse(p, y) / y.var(correction=0).item()


def entropy(q: float) -> float:
    """Cross-entropy of the best constant answer, nats a place; 0 where there is no ink at all."""
    return -sum(x * math.log(x) for x in (q, 1 - q) if x > 0)


def found(p: Tensor, y: Tensor) -> float:
    """Share of the ink that is called ink."""
    return (p[y > 0] > 0.5).double().mean().item()


def false_ink(p: Tensor, y: Tensor) -> float:
    """Share of places that are called ink, in windows that hold none."""
    return (p[y.amax((1, 2)) == 0] > 0.5).double().mean().item()


def leaving(steps: list[int], aucs: list[float]) -> tuple[int, float]:
    """When ink ranked above blank papyrus for the first time, on a straight line between looks.

    Returns:
        The look at which it did, and the steps until then; both of the last look if it never did.
    """
    look = next((i for i, value in enumerate(aucs) if value > SEES), len(aucs) - 1)
    if not look or aucs[look] <= SEES:
        return look, steps[look]
    before, after = aucs[look - 1], aucs[look]
    way = (SEES - before) / (after - before)
    return look, steps[look - 1] + way * (steps[look] - steps[look - 1])


def correlation(a: Tensor, b: Tensor) -> float:
    """Of two series, Pearson's; 0 where one of them is too short."""
    return torch.corrcoef(torch.stack((a, b)))[0, 1].item() if len(a) > 2 else 0.0


def spread(losses: Tensor) -> float:
    """Standard deviation over the mean; 0 of too few."""
    return (losses.std() / losses.mean()).item() if len(losses) > 2 else 0.0


# Figures


def maps(test: Sheet, layer: int, early: Tensor, end: Tensor) -> Images:
    """A layer and its ink, and what the network said of it early and in the end."""
    pictures = {
        "layer": torch.from_numpy(test.surface.voxels[layer]).float() / 255,
        "ink": torch.from_numpy(test.surface.ink).float(),
        "early": test.picture(early.cpu()),
        "in the end": test.picture(end.cpu()),
    }
    height, width = pictures["early"].shape
    part = most_written(test.surface.ink[:height, :width])
    return Images(
        "A sheet of another scroll: one of its layers, the ink, and the probability of ink that "
        "the network gives, early and in the end. All black first, then letters.",
        pixels=torch.stack([picture[part] for picture in pictures.values()])[None],
        columns=tuple(pictures),
    )


def plateau_curve(steps: list[int], looks: list[Answer], aucs: list[float], y: Tensor) -> Curves:
    """On the way: whether ink ranks above papyrus, what is found of it, what is left to explain."""
    return Curves(
        "On another scroll, on the way. Nothing is found for a while; that ink ranks above blank "
        "papyrus shows first, and what is called ink follows.",
        x=steps,
        lines={
            "AUC": aucs,
            "share of ink found": [found(look.p, y) for look in looks],
            "error over the constant's": [min(ink_left(look.p, y), 1.5) for look in looks],
        },
        x_label="step",
    )


def batches_scatter(shares: Tensor, losses: Tensor, left: int) -> Scatter:
    """The loss of each batch against its ink, on the plateau and after it."""
    after = (torch.arange(len(losses)) >= left).long()
    return Scatter(
        "Each point is a batch. 0, on the plateau: the loss is a straight line of the batch's "
        "share of ink, so what jumps is the draw. 1, later: it falls below the line.",
        points=torch.stack((shares, losses), 1)[SETTLED:],
        classes=after[SETTLED:],
        x_label="share of ink in the batch",
        y_label="loss",
    )


def run(params: Params, lab: Lab) -> Result:
    """Train on one scroll, and look at another on the way."""
    train, test = sheets(lab, params.contrast, params.blank)
    batches = windows_of(train, params.held, params.batch, lab)
    history = History(answering(test), EVERY)
    model = Network().to(lab.device)
    losses = fit(
        model,
        loss_of(params.target, params.volume_weight, params.ink_weight),
        batches,
        steps=params.steps,
        optimizer=torch.optim.Adam(model.parameters(), lr=params.rate),
        history=history,
        track=lab.track,
    )
    looks: list[Answer] = history.values
    y, ink = test.y, test.y > 0
    aucs = [auc(look.p, ink) for look in looks]
    end, early = looks[-1], looks[min(params.early, params.steps) // EVERY]
    seen = answering(train)(model.eval())
    leave, plateau_steps = leaving(history.steps, aucs)
    left = history.steps[leave]
    plateau = slice(SETTLED, left)
    shares = torch.tensor(batches.shares)
    layer = best_layer(train.surface)
    volume = mse(train.x.mean(0).expand_as(train.x), train.x)
    share = train.y.mean().item()
    bright = torch.from_numpy(test.surface.voxels[layer])
    figures: dict[str, Figure] = {
        "map": maps(test, layer, early.p, end.p),
        "plateau": plateau_curve(history.steps, looks, aucs, y),
    }
    if params.steps > SETTLED:
        figures["batches"] = batches_scatter(shares, losses, left)
    return Result(
        metrics={
            "auc": aucs[-1],
            "layer_auc": auc(bright, torch.from_numpy(test.surface.ink)),
            "accuracy": accuracy(end.p > 0.5, ink),
            "found": found(end.p, y),
            "false_ink": false_ink(end.p, y),
            "ink_left": ink_left(end.p, y),
            "seen_ink_left": ink_left(seen.p, train.y),
            "seen_volume_left": seen.volume_mse / volume,
            "constant_terms_ratio": params.volume_weight * volume / entropy(share),
            "early_accuracy": accuracy(early.p > 0.5, ink),
            "early_found": found(early.p, y),
            "early_auc": auc(early.p, ink),
            "answer_over_share": end.p.mean().item() / share,
            "answer_spread": end.p.std().item(),
            "plateau_steps": plateau_steps,
            "found_on_leaving": found(looks[leave].p, y),
            "loss_follows_share": correlation(losses[plateau], shares[plateau]),
            "spread": spread(losses[plateau]),
        },
        figures=figures,
    )
