r"""Two numbers of a digit, learned without labels, show its class more often than not.

**Two numbers.** An autoencoder squeezes a digit into a point of the plane:

    x (784) -> 128 -> 64 -> z (2) -> 64 -> 128 -> 784, sigmoid -> x_hat        ReLU between

No label is used. Yet digits that can be drawn from nearly the same strokes are cheap to store side
by side, so the plane falls into regions, and a new digit's class can be read from the labels of the
15 training digits whose codes are nearest:

    k-NN(z) = the commonest label among the 15 nearest codes          chance: 0.1

**Two judges.** That is about the *codes*. What the *decoder* makes of them is judged by a
classifier of pictures, trained for it on real digits: which digit does a reconstruction show? Where
two classes share a region one point stands for both, and the decoder paints only one picture there.

**What is arbitrary.** Nothing in the loss knows left from right. Turn, shift or stretch the plane,
let the decoder undo it, and no picture changes. So statements about neighbours carry over from one
training to the next, statements about coordinates do not.

Source: lecture on convolutional autoencoders, the part on the latent space of two numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Figure, Images, Lab, Result, Scatter
from vaeflash.lab import metrics
from vaeflash.lab.classifier import train_classifier
from vaeflash.lab.codes import confused_pairs, confusion, knn_predict, recall, share
from vaeflash.lab.linear import fit_pca
from vaeflash.lab.neighbours import nearest
from vaeflash.lab.networks import DenseAutoencoder, start_at_mean
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import train

NEEDS = ("digits",)
POINT = (2.5, -2.5)
PAIRS = {"eight_nine": (8, 9), "four_nine": (4, 9)}


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    latent: int = 2
    labels: Literal["right", "shuffled"] = "right"  # of the training digits that are neighbours
    point: Literal["fixed", "among_nines"] = "fixed"  # the code to decode; fixed is (2.5, -2.5)
    suspects: Literal["eight_nine", "four_nine"] = "eight_nine"  # a pair of classes
    use: Literal["encoder", "both"] = "encoder"  # what is called to place digits in the plane
    steps: int = 600


def loss(model: DenseAutoencoder, x: Tensor) -> Tensor:
    """Squared error, mean over pictures and pixels."""
    return F.mse_loss(model(x), x)


def fit(x: Tensor, params: Params, lab: Lab) -> DenseAutoencoder:
    """The autoencoder, trained on pictures `(N, 784)`."""
    model = DenseAutoencoder(784, 128, 64, params.latent).to(lab.device)
    start_at_mean(model.encoder, model.decoder, x)
    train(
        model,
        loss,
        x,
        steps=params.steps,
        batch_size=64,
        optimizer=torch.optim.Adam(model.parameters(), 8e-3, (0.9, 0.99), fused=True),
        generator=lab.generator("batches"),
        schedule=linear(params.steps),
        track=lab.track,
    )
    return model


class Calls:
    """Counts how often a layer is called."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: object) -> None:
        """The hook."""
        self.count += 1


@torch.no_grad()
def place(model: DenseAutoencoder, x: Tensor, use: str) -> tuple[Tensor, int]:
    """The codes of pictures `(N, 784)`, and how often the decoder was called for them."""
    calls = Calls()
    hook = model.decoder.register_forward_hook(calls)
    if use == "both":
        model(x)
    z = model.encode(x)
    hook.remove()
    return z, calls.count


def flattened(z: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Codes as they can be plotted: on their two principal directions; `(N, 2)` and `(M, 2)`.

    Codes of two numbers are only turned by that; those of one lie on a line.
    """
    if z.shape[1] == 1:
        return F.pad(z, (0, 1)), F.pad(queries, (0, 1))
    pca = fit_pca(z, 2)
    return pca.encode(z), pca.encode(queries)


def among(z: Tensor, labels: Tensor, digit: int) -> Tensor:
    """That code of a `digit` which has the most of its kind among its 15 neighbours; `(D,)`."""
    own = (labels == digit).nonzero()[:, 0]
    alike = (labels[nearest(z, z[own], 15)] == digit).sum(1)
    return z[own[alike.argmax()]]


def box(z: Tensor) -> tuple[Tensor, Tensor]:
    """Where most codes lie: their 2% and 98% quantiles, `(D,)` each."""
    low, high = z.quantile(torch.tensor([0.02, 0.98]).to(z), dim=0)
    return low, high


@torch.no_grad()
def plane(model: DenseAutoencoder, z: Tensor, side: int = 12) -> Images:
    """A grid of decoded codes over the first two numbers, the others at their mean."""
    low, high = box(z)
    first, second = (
        torch.linspace(low[i].item(), high[i].item(), side) for i in (0, min(1, z.shape[1] - 1))
    )
    codes = z.mean(0).repeat(side, side, 1)
    codes[..., 0] = first[None, :]
    codes[..., min(1, z.shape[1] - 1)] = second.flip(0)[:, None]
    return Images(
        "The plane, decoded point by point. Regions of one digit pass into each other without a "
        "border; on the way there are pictures of no digit.",
        model.decode(codes.flatten(0, 1)).sigmoid().view(side, side, 28, 28).cpu(),
    )


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Train, place unseen digits in the plane, and let neighbours and a classifier judge."""
    digits = lab.data("digits")
    images, labels = digits.test[:1_000].to(lab.device), digits.test_labels[:1_000].to(lab.device)
    train_images = digits.train[:4_000].to(lab.device)
    train_labels = digits.train_labels[:4_000].to(lab.device)
    x_train, x = train_images.flatten(1), images.flatten(1)
    with torch.enable_grad():
        model = fit(x_train, params, lab)
        judge = train_classifier(
            train_images[:2_000], train_labels[:2_000], lab.generator("judge"), steps=150
        )

    z_train, _ = place(model, x_train, "encoder")
    z, decoder_calls = place(model, x, params.use)
    known = train_labels
    if params.labels == "shuffled":
        order = torch.randperm(len(known), generator=lab.generator("labels"))
        known = known[order.to(lab.device)]
    neighbours = confusion(labels, knn_predict(z_train, known, z))
    recalls = recall(neighbours)
    plotted_train, plotted = flattened(z_train, z)

    x_hat = metrics.reconstruct(model, x)
    shown = judge.classify(x_hat.view(-1, 1, 28, 28))
    fours = confusion(labels, shown)[4] / (labels == 4).sum()
    point = among(z_train, train_labels, 9)
    if params.point == "fixed":
        point = torch.zeros_like(point)
        point[:2] = torch.tensor(POINT)[: len(point)]
    painted = model.decode(point[None]).sigmoid().view(1, 1, 28, 28)

    pairs = confused_pairs(neighbours)  # of 45
    ten = torch.stack([(labels == digit).nonzero()[0, 0] for digit in range(10)])
    figures: dict[str, Figure] = {
        "codes": Scatter(
            "Codes of unseen digits, coloured by labels that the network never saw. Zeros and ones "
            "lie apart; in the middle several classes share a region.",
            plotted.cpu(),
            labels.cpu(),
        ),
        "plane": plane(model, z),
        "digits": Images(
            "Unseen digits and what their codes decode to.",
            torch.stack([x[ten], x_hat[ten]]).unflatten(-1, (28, 28)).cpu(),
            rows=["original", "from the code"],
        ),
        "recall": Bars(
            "How many of each class are recognised by the labels of their 15 nearest codes.",
            {str(digit): recalls[digit].item() for digit in range(10)},
            y_label="share recognised",
        ),
        "fours": Bars(
            "Which digit the reconstructions of fours show, to a classifier.",
            {str(digit): fours[digit].item() for digit in range(10)},
            y_label="share of the fours",
        ),
    }
    return Result(
        metrics={
            "code_size": z.shape[1],
            "knn_accuracy": share(knn_predict(z_train, known, z) == labels),
            "plotted_accuracy": share(knn_predict(plotted_train, known, plotted) == labels),
            "recall_0": recalls[0].item(),
            "recall_1": recalls[1].item(),
            "mean_recall": recalls.mean().item(),
            "four_nine_rank": 1 + pairs.index((4, 9)),
            "suspects_rank": 1 + pairs.index(PAIRS[params.suspects]),
            "fours_to_nine": fours[9].item(),
            "nine_of_wrong_fours": (fours[9] / (1 - fours[4]).clamp(min=1e-9)).item(),
            "shown_accuracy": share(shown == labels),
            "judge_accuracy": judge.accuracy(images, labels),
            "point_shows": judge.classify(painted).item(),
            "decoder_calls": decoder_calls,
        },
        figures=figures,
    )
