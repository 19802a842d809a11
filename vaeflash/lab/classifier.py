"""A small classifier, trained here in a second: which class does a picture show, a rebuilt one too?

It looks at edges: how much brightness rises in each of eight directions, averaged over overlapping
windows. That is fixed, only two layers on top are trained, and four thousand digits suffice. What
it says hardly changes with blur and faint noise, so that it can judge what networks paint.

The 64 features before its last layer are those in which `samples.frechet_distance` compares
pictures. Distances in the features of two classifiers cannot be compared with each other.

Source: Dalal and Triggs (2005), Histograms of oriented gradients for human detection, in spirit.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.lab.schedules import linear
from vaeflash.lab.training import Track, train, untracked

FEATURES = 64
LIMIT = 10_000
"""So many pictures are trained on, at most; each is also seen shifted by a pixel, four ways."""

_SIDE = 32  # larger pictures are shrunk to about this
_DIRECTIONS = 8
_WINDOW, _STRIDE = 8, 4
_AT_ONCE = 250  # pictures; their edges then fit a processor's cache, twice as fast
_SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


class Classifier(nn.Module):
    """Edges -> 64 features -> a logit for each class; made by `train_classifier`.

    Args:
        mean: Of the edges of the training pictures, `(E,)`.
        std: Of the same, `(E,)`.
        classes: How many there are.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.body = nn.Sequential(nn.Dropout(0.2), nn.Linear(len(mean), FEATURES), nn.ReLU())
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, edges: Tensor) -> Tensor:
        """Edges `(B, E)` to logits `(B, classes)`."""
        logits: Tensor = self.head(self.body((edges - self.mean) / self.std))
        return logits

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """What the last layer sees of pictures `(N, C, H, W)`: `(N, 64)`, at least 0."""
        features: Tensor = self.body((edges_of(images) - self.mean) / self.std)
        return features

    @torch.no_grad()
    def classify(self, images: Tensor) -> Tensor:
        """The likeliest class of each picture: `(N, C, H, W)` to `(N,)`, int64."""
        return self.logits(images).argmax(1)

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Unnormalised log-probabilities: `(N, C, H, W)` to `(N, classes)`."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """The share of pictures `(N, C, H, W)` that are given their label `(N,)`."""
        return (self.classify(images) == labels).double().mean().item()


def train_classifier(
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    steps: int = 300,
    track: Track = untracked,
) -> Classifier:
    """Learn to tell classes apart, digits or who wears glasses.

    Everything random follows from `generator`; torch's global generator is left as it was.

    Args:
        images: `(N, C, H, W)` in [0, 1], at least 8 x 8; the first `LIMIT` are used. Channels are
            averaged.
        labels: `(N,)`, from 0 up, or bool; on the device of the images.
        generator: Draws weights, batches and dropout.
        steps: Of up to 256 pictures.
        track: Shows progress, e.g. `lab.track`.

    Returns:
        The classifier, in eval mode, on the device of the images.
    """
    images, labels = shrink(images[:LIMIT]), labels[:LIMIT].long()
    edges = torch.cat([edges_of(shift(images, *by)) for by in _SHIFTS])
    device = images.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        std = edges.std(0).clamp(min=1e-3)  # a window that is always empty says nothing
        model = Classifier(edges.mean(0), std, int(labels.max()) + 1).to(device)
        train(
            model,
            lambda model, batch: F.cross_entropy(model(batch[0]), batch[1]),
            (edges, labels.repeat(len(_SHIFTS))),
            steps=steps,
            batch_size=min(256, len(edges)),
            optimizer=torch.optim.Adam(model.parameters(), 8e-3, (0.9, 0.99), fused=True),
            generator=generator,
            schedule=linear(steps),
            track=track,
        )
    return model.eval()


def shrink(images: Tensor) -> Tensor:
    """Grey pictures of 32 to 63 pixels a side, or as small as they were; `(N, 1, H, W)`."""
    grey = images.mean(1, keepdim=True)
    factor = min(images.shape[2:]) // _SIDE
    return F.avg_pool2d(grey, factor) if factor > 1 else grey


def shift(images: Tensor, down: int, right: int) -> Tensor:
    """Moved by a pixel or none, the border repeated; `(N, 1, H, W)` to the same."""
    height, width = images.shape[2:]
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    return padded[:, :, 1 - down : 1 - down + height, 1 - right : 1 - right + width]


@torch.no_grad()
def edges_of(images: Tensor) -> Tensor:
    """How much brightness rises in each direction, in each window; `(N, C, H, W)` to `(N, E)`.

    Of each picture the vector is scaled to length 1, so contrast does not count; where nothing
    rises it is 0.
    """
    filters = _rises().to(images)

    def windows(part: Tensor) -> Tensor:
        rises = F.conv2d(part, filters, padding=2).relu()
        return F.avg_pool2d(rises, _WINDOW, _STRIDE).flatten(1)

    return F.normalize(torch.cat([windows(part) for part in shrink(images).split(_AT_ONCE)]))


def _rises() -> Tensor:
    """Derivatives of a Gaussian of width one pixel, in eight directions; `(8, 1, 5, 5)`."""
    along = torch.arange(-2.0, 3.0)
    y, x = torch.meshgrid(along, along, indexing="ij")
    angles = torch.arange(_DIRECTIONS)[:, None, None] * (2 * math.pi / _DIRECTIONS)
    slope = angles.cos() * x + angles.sin() * y
    return (slope * (-(x.square() + y.square()) / 2).exp())[:, None]
