r"""Tiles leave seams; overlapping tiles, weighted and divided by the sum of the weights, do not.

A network that sees cubes of 16^3 voxels has to rebuild a volume tile by tile. What it says of a
voxel depends on the tile, so where two tiles meet, two answers meet.

**Distance.** A voxel at the face of a tile has neighbours on one side only. The error by distance d
from the nearest face tells what that costs:

    d = 0 is 16^3 - 14^3 = 1,352 of 4,096 voxels, a third;   d >= 2 is 12^3, two fifths

**Overlap.** With tiles at a stride s, a voxel inside is in (16 / s)^3 tiles, 1, 8 or 64, that say
y_1, y_2, ... of it. They are joined by a window w, large in the middle of a tile and small at its
faces:

    x_hat = sum_t w_t y_t / sum_t w_t

The mean of several answers is better than one for two reasons: the voxel is in the middle of some
tile, and the errors of the tiles are not alike, so they partly cancel, in the middle as well.

**Dividing.** The sum is divided by the sum of the *weights*. Divided by the number of tiles, as a
published ink detector does, each voxel is multiplied by the mean weight there, which is below 1
and repeats with the stride. The sum of weights must not be 0 either: a window that is 0 at its
ends knows nothing of the first and the last voxels of the volume, which no other tile covers.

**A seam** is measured by jumps: the mean absolute difference of neighbours on both sides of a plane
between tiles, over that across planes through the middle of tiles. 1 is no seam, though chance and
the material make it .9 to 1 even in the truth.

Everything is measured on a scroll that was not trained on, without the outermost tiles: there is
less overlap.

Source: notes on the scroll, on what to do about seams; Isensee et al. (2021), nnU-Net; pull request
1374 of ScrollPrize/villa, on the count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab.metrics import mse
from vaeflash.lab.volumes.cubes import Cubes, resident
from vaeflash.lab.volumes.explained import explained_variance, mean_cube, reconstructed
from vaeflash.lab.volumes.fitting import fit, one_cycle
from vaeflash.lab.volumes.networks import Size, start_at_mean, strided_autoencoder
from vaeflash.lab.volumes.places import Uniform
from vaeflash.lab.volumes.tiles import (
    error_by_distance,
    predict_tiled,
    seam_ratio,
    weight_sum,
    weighted_sum,
    window_weights,
)
from vaeflash.lab.volumes.volume import inner
from vaeflash.lab.volumes.windows import scaled

NEEDS = ("scroll",)
SIDE = 16
SIZE = Size(SIDE, base=8, levels=2, latent=64)
TILED = 80
"""Voxels along each axis of what is rebuilt; without the outermost tiles, 48 are judged."""
BATCH, RATE = 16, 4e-3
CUBES = 1_000
NEAR = 2
"""Layers of a tile that count as near its faces."""
MARGIN = 0.1


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"

    # What rebuilds a tile: a network, or a copy that makes no error.
    model: Literal["network", "copy"] = "network"
    steps: int = 200

    # Strides at which tiles overlap, in voxels: once with all weights equal, once with a window.
    half: int = 8
    fine: int = 4

    # A wide Gaussian window: its deviation in sides of a tile, and what its sums are divided by.
    sigma: float = 0.5
    divisor: Literal["count", "weights"] = "count"
    # Where a Hann window is sampled: its first and last value are 0 at the ends.
    sampled: Literal["at_ends", "between"] = "at_ends"
    # How much of a tile is discarded at each face before tiles are put side by side.
    crop: int = 4


def trained(voxels: Tensor, steps: int, lab: Lab) -> nn.Module:
    """A network that takes cubes `(N, 1, 16, 16, 16)` to 64 numbers and back."""
    z, y, x = voxels.shape
    places = Uniform(inner((z, y, x), MARGIN), (SIDE, SIDE, SIDE))
    model = strided_autoencoder(SIZE).to(lab.device)
    start_at_mean(model, voxels.float().mean().item() / 255)
    fit(
        model,
        lambda model, x: F.mse_loss(model(x), cast("Tensor", x)),
        Cubes(voxels, places, BATCH, lab.generator("cubes")),
        steps=steps,
        optimizer=torch.optim.Adam(model.parameters(), RATE),
        schedule=one_cycle(steps),
        track=lab.track,
    )
    return model


def gaussian(sigma: float) -> Tensor:
    """A Gaussian window of 1 in the middle of a tile, `(16, 16, 16)`; its deviation in sides."""
    place = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    along = torch.exp(-0.5 * (place / sigma).square())
    return along[:, None, None] * along[:, None] * along


def divided(model: nn.Module, voxels: Tensor, weights: Tensor, stride: int, by: str) -> Tensor:
    """Weighted answers over the sum of their weights, or over the number of tiles."""
    below = weights if by == "weights" else torch.ones_like(weights)
    total = weighted_sum(model, voxels, weights, stride)
    return total / weight_sum(voxels.shape, below, stride).to(total)


def lost_share(sampled: str, stride: int) -> float:
    """Share of the voxels of a volume at which the weights of a Hann window sum to 0.

    Sampled at its ends it is `torch.hann_window(16, periodic=False)`.
    """
    weights = window_weights("hann", (SIDE, SIDE, SIDE))
    if sampled == "at_ends":
        along = torch.hann_window(SIDE, periodic=False)
        weights = along[:, None, None] * along[:, None] * along
    return (weight_sum((TILED,) * 3, weights, stride) == 0).float().mean().item()


def cropped(model: nn.Module, voxels: Tensor, crop: int) -> Tensor:
    """The middles of tiles side by side: `crop` voxels at each face are discarded.

    A window of ones in the middle and zeros around it says that. At the ends of the volume, where
    no middle reaches, nothing is known: NaN.
    """
    weights = torch.zeros(SIDE, SIDE, SIDE)
    middle = slice(crop, SIDE - crop)
    weights[middle, middle, middle] = 1
    stride = SIDE - 2 * crop
    total = weighted_sum(model, voxels, weights, stride)
    return total / weight_sum(voxels.shape, weights, stride).to(total)


def judged(volume: Tensor) -> Tensor:
    """Without the outermost tiles."""
    kept = slice(SIDE, TILED - SIDE)
    return volume[kept, kept, kept]


def depth(shape: tuple[int, ...]) -> Tensor:
    """Distance of each voxel from the nearest face of its tile, where tiles are side by side."""
    axes = [torch.arange(side) % SIDE for side in shape]
    z, y, x = torch.meshgrid(*[torch.minimum(a, SIDE - 1 - a) for a in axes], indexing="ij")
    return torch.minimum(torch.minimum(z, y), x)


def slices(ways: dict[str, Tensor]) -> Images:
    """Two planes of the truth and of what comes back: across z, and across y near a side."""
    cuts = [(way[len(way) // 2], way[:, len(way) // 8]) for way in ways.values()]
    return Images(
        "Planes of a scroll that was not trained on, rebuilt from tiles of 16 voxels a side. "
        "Without overlap the tiles can be seen, under a Hann window they cannot; divided by the "
        "count it is dark.",
        torch.stack([torch.stack(row) for row in zip(*cuts, strict=True)]).clamp(0, 1).cpu(),
        rows=("across z", "across y"),
        columns=tuple(ways),
    )


def run(params: Params, lab: Lab) -> Result:
    """Train once, rebuild a volume in several ways, and judge each by error and seams."""
    scroll = lab.data("scroll")
    seen, voxels = (resident(scroll.volume(part), lab.device) for part in ("train", "test"))
    model = nn.Identity() if params.model == "copy" else trained(seen, params.steps, lab)

    z, y, x = voxels.shape
    places = Uniform(inner((z, y, x), MARGIN), (SIDE, SIDE, SIDE))
    cubes = Cubes(voxels, places, CUBES, lab.generator("unseen")).next()
    assert isinstance(cubes, Tensor)
    known = Cubes(seen, places, CUBES, lab.generator("mean")).next()
    assert isinstance(known, Tensor)
    mean = mean_cube(known)
    x_hat = reconstructed(model, cubes)
    by_distance = error_by_distance((x_hat - cubes)[:, 0].square())
    spread = error_by_distance((mean - cubes)[:, 0].square())
    depths = torch.arange(len(by_distance))

    first = [(side - TILED) // 2 for side in voxels.shape]
    part = voxels[tuple(slice(at, at + TILED) for at in first)]
    ways = {
        "side by side": predict_tiled(model, part, SIDE, SIDE, "uniform"),
        "mean": predict_tiled(model, part, SIDE, params.half, "uniform"),
        "hann": predict_tiled(model, part, SIDE, params.half, "hann"),
        "fine": predict_tiled(model, part, SIDE, params.fine, "hann"),
        "gaussian": divided(model, part, gaussian(params.sigma), params.half, params.divisor),
        "cropped": cropped(model, part, params.crop),
    }
    truth = judged(scaled(part))
    rebuilt = {name: judged(way) for name, way in ways.items()}
    error = {name: mse(way, truth) for name, way in rebuilt.items()}
    seam = {name: seam_ratio(way, SIDE) for name, way in rebuilt.items()}
    middle = depth(tuple(truth.shape)) >= NEAR
    in_middle = {
        name: mse(rebuilt[name][middle], truth[middle]) for name in ("side by side", "fine")
    }
    tiles = weight_sum(part.shape, torch.ones(SIDE, SIDE, SIDE), params.fine)
    variance = mse(truth.mean().expand_as(truth), truth)
    figures: dict[str, Figure] = {
        "slices": slices(
            {
                "truth": truth,
                "side by side": rebuilt["side by side"],
                "Hann": rebuilt["fine"],
                "over the count": rebuilt["gaussian"],
            }
        ),
        "distance": Curves(
            "Mean squared error by distance from the nearest face of the cube, in multiples of "
            "that over the whole cube, beside the variance of the material.",
            x=depths,
            lines={
                "error": (by_distance / mse(x_hat, cubes)).nan_to_num().cpu(),
                "variance": (spread / mse(mean.expand_as(cubes), cubes)).cpu(),
            },
            x_label="voxels from the nearest face",
            y_label="times the mean",
        ),
    }
    return Result(
        metrics={
            "ev": explained_variance(x_hat, cubes, mean),
            "face_mse": by_distance[0].item(),
            "second_mse": by_distance[1].item(),
            "inner_mse": by_distance[NEAR:].mean().item(),
            "tiled_mse": error["side by side"],
            "mean_mse": error["mean"],
            "hann_mse": error["hann"],
            "fine_mse": error["fine"],
            "cropped_mse": error["cropped"],
            "middle_mse": in_middle["side by side"],
            "fine_middle_mse": in_middle["fine"],
            "gaussian_mse": error["gaussian"],
            "gaussian_ev": 1 - error["gaussian"] / variance,
            "tiled_ev": 1 - error["side by side"] / variance,
            "true_seam": seam_ratio(truth, SIDE),
            "tiled_seam": seam["side by side"],
            "mean_seam": seam["mean"],
            "hann_seam": seam["hann"],
            "fine_seam": seam["fine"],
            "lost_share": lost_share(params.sampled, params.half),
            "tiles_a_voxel": int(judged(tiles).max().item()),
        },
        figures=figures,
    )
