r"""A network that was shown edges of letters alone paints on blank papyrus; mixed windows do not.

Few windows of a sheet hold ink, so a sampler is made to draw windows around the edges of letters:
three times the ink. But what a network learns is

    p(ink | voxels, window was drawn)

and the drawing is part of it. Among windows with an edge there is no blank one, a third of the
pixels is ink, and a network that cannot see ink does best to say "a third". By Bayes, if the ink
share is raised from pi to pi', the odds that a network gives are raised by

    (pi' / (1 - pi')) / (pi / (1 - pi))                       .33 for .085: 5 times

where it is not sure. And what blank papyrus looks like, it has never been told. Judged on windows
with edges it does well: they are what it knows.

Three networks, equal but for the places of their windows, with equal beginnings, are judged on the
whole of a sheet that none has seen, in overlapping windows, as in use. The share of windows from
edges is 0 (uniform), .5 (mixed) and 1 (edges).

    windows (N, 1, 16, 16, 16)  ->  logits (N, 16, 16)            by way of 64 numbers a window

*False ink* is the share of pixels called ink (p > .5) in tiles without any. *AUC* asks how pixels
are ranked, wherever the threshold is.

Source: notes on the scroll, on windows with edges; Elkan (2001), The foundations of cost-sensitive
learning, on odds after resampling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Images, Lab, Result
from vaeflash.lab.batches import Data
from vaeflash.lab.volumes.cubes import Cubes
from vaeflash.lab.volumes.fitting import fit, one_cycle
from vaeflash.lab.volumes.labelled import Edges
from vaeflash.lab.volumes.places import Mixed, Uniform
from vaeflash.lab.volumes.surface import Surface
from vaeflash.lab.volumes.tiles import predict_tiled
from vaeflash.lab.volumes.volume import whole

from ._edges import auc, intersection_over_union, tiles_of

NEEDS = ("scroll",)
SHEET = (16, 192, 512)
SIDE = 16
WINDOW = (16, SIDE, SIDE)
STRIDE = 8
"""At which windows overlap when a whole sheet is read."""
WIDTH, CODE = 16, 64
RATE = 3e-3
JUDGED = 1_000
"""Windows with edges that networks are judged on."""
SHOWN = (slice(0, 96), slice(0, 256))


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    mixed: float = 0.5  # share of windows with edges for one of the networks
    edges: float = 1.0  # for the other
    batch: int = 64
    steps: int = 600


class Reader(nn.Module):
    """Windows `(N, 1, 16, 16, 16)` to logits of ink `(N, 16, 16)`, through one code a window."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(1, WIDTH, (16, 4, 4), stride=(16, 4, 4)),
            nn.ReLU(),
            nn.Conv3d(WIDTH, 2 * WIDTH, (1, 2, 2), stride=(1, 2, 2)),
            nn.ReLU(),
            nn.Flatten(1),
            nn.Linear(2 * WIDTH * 4, CODE),
            nn.ReLU(),
            nn.Linear(CODE, SIDE * SIDE),
            nn.Unflatten(1, (SIDE, SIDE)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Grey levels in [0, 1] to logits."""
        logits: Tensor = self.layers(2 * x - 1)
        return logits


def loss(model: nn.Module, batch: Data) -> Tensor:
    """Binary cross-entropy in nats, mean over windows and pixels."""
    x, ink = batch
    return F.binary_cross_entropy_with_logits(model(x), ink)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet on the device: voxels `(16, V, U)`, uint8, and ink `(V, U)`, bool."""

    voxels: Tensor
    ink: Tensor
    edges: Edges

    @classmethod
    def of(cls, surface: Surface, device: torch.device) -> Sheet:
        """As `lab.data("scroll")` gives it."""
        places = Edges(whole(surface.voxels.shape), WINDOW, surface.ink)
        voxels, ink = (torch.from_numpy(a).to(device) for a in (surface.voxels, surface.ink))
        return cls(voxels, ink, places)


def trained(share: float, sheet: Sheet, params: Params, lab: Lab) -> Reader:
    """A network shown this share of windows with edges; equal beginnings for all."""
    torch.manual_seed(lab.seed)
    model = Reader().to(lab.device)
    places = Mixed(sheet.edges, Uniform(sheet.edges.region, WINDOW), share)
    generator = lab.generator("windows")
    fit(
        model,
        loss,
        Cubes(sheet.voxels, places, params.batch, generator, labels=sheet.ink),
        steps=params.steps,
        optimizer=torch.optim.Adam(model.parameters(), RATE),
        schedule=one_cycle(params.steps),
        track=lab.track,
    )
    return model


@dataclass(frozen=True, slots=True)
class Judged:
    """What a network makes of a sheet that it has not seen.

    Attributes:
        logits: `(V, U)`, means over windows that overlap.
        auc: Over the whole sheet.
        iou: Likewise, of ink found (p > .5) and true.
        false_ink: Share of pixels called ink in tiles without any.
        edge_auc: On windows with edges.
        edge_iou: Likewise.
        bce: Cross-entropy over the whole sheet; nats, mean over pixels.
        edge_bce: On windows with edges.
    """

    logits: Tensor
    auc: float
    iou: float
    false_ink: float
    edge_auc: float
    edge_iou: float
    bce: float
    edge_bce: float


def false_ink(logits: Tensor, ink: Tensor) -> float:
    """Share of the pixels of blank tiles that are called ink."""
    blank = tiles_of(ink, SIDE).flatten(1).sum(1) == 0
    return (tiles_of(logits, SIDE)[blank] > 0).float().mean().item()


def judged(model: Reader, sheet: Sheet, windows: tuple[Tensor, Tensor]) -> Judged:
    """Judge on the whole of a sheet and on windows with edges."""
    logits = predict_tiled(model, sheet.voxels, WINDOW, STRIDE, "hann")
    x, ink = windows
    with torch.no_grad():
        at_edges = model(x)
    return Judged(
        logits=logits,
        auc=auc(logits, sheet.ink),
        iou=intersection_over_union(logits > 0, sheet.ink),
        false_ink=false_ink(logits, sheet.ink),
        edge_auc=auc(at_edges, ink),
        edge_iou=intersection_over_union(at_edges > 0, ink),
        bce=F.binary_cross_entropy_with_logits(logits, sheet.ink.float()).item(),
        edge_bce=F.binary_cross_entropy_with_logits(at_edges, ink).item(),
    )


def odds(share: float) -> float:
    """Log odds of a share."""
    return math.log(share / (1 - share))


def best_layer_auc(sheet: Sheet) -> float:
    """Of taking the grey level of a single layer for the answer, the best of all."""
    return max(auc(layer, sheet.ink) for layer in sheet.voxels)


def maps(sheet: Sheet, ways: dict[str, Judged]) -> Images:
    """Labels and what each network paints: the probability of ink, black is 0."""
    pictures = [sheet.ink.float(), *(way.logits.sigmoid() for way in ways.values())]
    return Images(
        "Ink of a sheet that none of the networks has seen, and the probability that each gives. "
        "The one that was shown edges alone paints on blank papyrus.",
        torch.stack([picture[SHOWN] for picture in pictures])[:, None].cpu(),
        rows=("labels", *ways),
    )


def run(params: Params, lab: Lab) -> Result:
    """Train on windows from everywhere, from edges and from both; judge on another sheet."""
    scroll = lab.data("scroll")
    seen, sheet = (Sheet.of(scroll.surface(part, SHEET), lab.device) for part in ("train", "test"))
    batch = Cubes(sheet.voxels, sheet.edges, JUDGED, lab.generator("judged"), labels=sheet.ink)
    x, ink = batch.next()
    shares = {"uniform": 0.0, "mixed": params.mixed, "edges": params.edges}
    by_share = {
        share: judged(trained(share, seen, params, lab), sheet, (x, ink))
        for share in dict.fromkeys(shares.values())
    }
    ways = {name: by_share[share] for name, share in shares.items()}
    uniform, mixed, edges = ways.values()

    ink_share = seen.ink.float().mean().item()
    drawn = Cubes(seen.voxels, seen.edges, JUDGED, lab.generator("ink"), labels=seen.ink).next()[1]
    learnt = params.edges * drawn.mean().item() + (1 - params.edges) * ink_share
    raised = odds(learnt) - odds(ink_share)
    return Result(
        metrics={
            "uniform_auc": uniform.auc,
            "mixed_auc": mixed.auc,
            "edges_auc": edges.auc,
            "layer_auc": best_layer_auc(sheet),
            "uniform_iou": uniform.iou,
            "mixed_iou": mixed.iou,
            "edges_iou": edges.iou,
            "uniform_false_ink": uniform.false_ink,
            "mixed_false_ink": mixed.false_ink,
            "edges_false_ink": edges.false_ink,
            "lowered_false_ink": false_ink(edges.logits - raised, sheet.ink),
            "lowered_iou": intersection_over_union(edges.logits > raised, sheet.ink),
            "uniform_edge_auc": uniform.edge_auc,
            "mixed_edge_auc": mixed.edge_auc,
            "edges_edge_auc": edges.edge_auc,
            "uniform_edge_iou": uniform.edge_iou,
            "mixed_edge_iou": mixed.edge_iou,
            "edges_edge_iou": edges.edge_iou,
            "uniform_bce": uniform.bce,
            "mixed_bce": mixed.bce,
            "edges_bce": edges.bce,
            "uniform_edge_bce": uniform.edge_bce,
            "mixed_edge_bce": mixed.edge_bce,
            "edges_edge_bce": edges.edge_bce,
        },
        figures={
            "maps": maps(sheet, ways),
            "false_ink": Bars(
                "Share of pixels called ink in tiles without any, on an unseen sheet.",
                {name: way.false_ink for name, way in ways.items()},
                "share of pixels",
            ),
        },
    )
