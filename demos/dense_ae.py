r"""A dense autoencoder rebuilds unseen digits from 20 numbers, better than PCA does.

**The network.** A digit is 28 x 28 = 784 brightnesses. The encoder squeezes them through a
layer of 200 into a code `z` of 20 numbers, the decoder unfolds the code again:

    x (784) -> 200, ReLU -> z (20) -> 200, ReLU -> 784, sigmoid -> x_hat

No convolution, no noise, no label. Each weight belongs to one pixel, so the network fits this one
resolution, and would do as well if every picture's pixels were shuffled in the same way.

**The objective** is the mean squared error over N pictures of D = 784 pixels,

    MSE = 1 / (N D) * sum_n sum_d (x_hat_nd - x_nd)^2,

with Adam at rate 2.5e-4 on batches of 32.

**What an error means** only a comparison tells. A network that ignores its input can at best
answer with the mean image, whose MSE is the variance of the pixels. A *linear* autoencoder with
20 numbers can at best be principal component analysis (Bourlard and Kamp, 1988). And a network
that learned its digits by heart is exposed by digits that it never saw.

Source: notes on digits and faces, the chapter's first network; Bourlard and Kamp (1988),
Auto-association by multilayer perceptrons and singular value decomposition.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name, and what a card asks about

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.training import train

NEEDS = ("digits",)
PIXELS = 784


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    latent: int = 20
    hidden: int = 200
    activation: Literal["relu", "none"] = "relu"
    head: Literal["sigmoid", "linear"] = "sigmoid"
    code: Literal["point", "sampled"] = "point"
    lr: float = 2.5e-4
    batch_size: int = 32
    steps: int = 2_500  # 20 epochs of 4,000 digits
    examples: int = 4_000  # digits to train on; where full MNIST is, there are 60,000
    show: Literal["classes", "first"] = "classes"  # one digit of each class, or the first ten
    columns: int = 10  # of the figure


class Autoencoder(nn.Module):
    """784 -> hidden -> latent -> hidden -> 784."""

    def __init__(self, params: Params) -> None:
        super().__init__()
        self.to_hidden = nn.Linear(PIXELS, params.hidden)
        self.to_code = nn.Linear(params.hidden, params.latent)
        self.from_code = nn.Linear(params.latent, params.hidden)
        self.to_pixels = nn.Linear(params.hidden, PIXELS)
        self.activation = {"relu": nn.ReLU, "none": nn.Identity}[params.activation]()
        self.head = {"sigmoid": nn.Sigmoid, "linear": nn.Identity}[params.head]()
        self.sampled = params.code == "sampled"

    def encode(self, x: Tensor) -> Tensor:
        """`(N, 784)` pictures to `(N, latent)` codes."""
        z: Tensor = self.to_code(self.activation(self.to_hidden(x)))
        return z

    def noise(self, z: Tensor) -> Tensor:
        """What is added to a code: nothing. For comparison only, N(0, I) as in a VAE."""
        return torch.randn_like(z) if self.sampled else torch.zeros_like(z)

    def decode(self, z: Tensor) -> Tensor:
        """`(N, latent)` codes to `(N, 784)` numbers that the head turns into brightnesses."""
        y: Tensor = self.to_pixels(self.activation(self.from_code(z)))
        return y

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 784)` pictures to their reconstructions."""
        z = self.encode(x)
        x_hat: Tensor = self.head(self.decode(z + self.noise(z)))
        return x_hat


def loss(model: Autoencoder, x: Tensor) -> Tensor:
    """Squared error, mean over pictures and pixels."""
    return F.mse_loss(model(x), x)


def ten_digits(labels: Tensor, show: str) -> Tensor:
    """Which test digits to look at: the first of each class, or simply the first ten."""
    if show == "first":
        return torch.arange(10)
    return torch.stack([(labels == digit).nonzero()[0, 0] for digit in range(10)])


@torch.no_grad()
def changed_by_repeating(model: Autoencoder, x: Tensor) -> int:
    """How many pixels differ when the same pictures go through the network twice."""
    return int((model(x) != model(x)).sum())


@torch.no_grad()
def changed_by_rescaling(model: Autoencoder, x: Tensor) -> int:
    """How many pixels differ once the encoder doubles its code and the decoder halves it.

    Doubling and halving are exact in binary floating point, so no difference is due to rounding.
    """
    doubled = copy.deepcopy(model)
    doubled.to_code.weight.mul_(2)
    doubled.to_code.bias.mul_(2)
    doubled.from_code.weight.div_(2)
    z = model.encode(x)
    noise = model.noise(z)
    return int((model.decode(z + noise) != doubled.decode(doubled.encode(x) + noise)).sum())


@torch.no_grad()
def unlike_f_sigmoid(model: Autoencoder, x: Tensor) -> int:
    """How many pixels differ between the network's head and `F.sigmoid`, applied to the same."""
    y = model.decode(model.encode(x))
    return int((model.head(y) != F.sigmoid(y)).sum())


def side_by_side(rows: dict[str, Tensor], labels: Tensor, columns: int) -> Images:
    """The first `columns` of some digits, `(10, 784)` each, one row for each way to show them."""
    shown = torch.stack([digits[:columns] for digits in rows.values()])
    return Images(
        "Unseen digits. Before training every answer is nearly the same grey; trained, each digit "
        "has its own, a little blurred; the mean image is the best answer that ignores the input.",
        shown.unflatten(-1, (28, 28)).cpu(),
        rows=list(rows),
        columns=[str(label) for label in labels[:columns].tolist()],
    )


def loss_curve(losses: Tensor, baselines: dict[str, float]) -> Curves:
    """The training loss, each point the mean of 25 steps, over constant baselines."""
    points = torch.stack([block.mean() for block in losses.split(25)])
    return Curves(
        "Watch the loss rest near the mean image, while every digit still gets the same answer, "
        "and see whether and when it crosses the line of PCA with as many numbers.",
        x=25 * torch.arange(1, len(points) + 1),
        lines={"autoencoder": points}
        | {name: torch.full_like(points, value) for name, value in baselines.items()},
        x_label="step",
        y_label="MSE",
        log_y=True,
    )


def run(params: Params, lab: Lab) -> Result:
    """Train on some digits, measure on others, compare with what needs no training."""
    digits = lab.data("digits")
    x_train = digits.train[: params.examples].flatten(1).to(lab.device)
    x_test = digits.test.flatten(1).to(lab.device)
    ten = ten_digits(digits.test_labels, params.show)
    labels, x = digits.test_labels[ten], x_test[ten]

    model = Autoencoder(params).to(lab.device)
    untrained = metrics.reconstruct(model, x)
    losses = train(
        model,
        loss,
        x_train,
        steps=params.steps,
        batch_size=min(params.batch_size, len(x_train)),
        optimizer=torch.optim.Adam(model.parameters(), lr=params.lr, fused=True),
        generator=lab.generator("batches"),
        track=lab.track,
    )
    x_hat = metrics.reconstruct(model, x_test)

    mean_image = x_train.mean(0)
    baselines = {
        "mean image": metrics.mse(mean_image, x_test),
        f"PCA, {params.latent} numbers": metrics.pca_mse(x_train, x_test, params.latent),
    }
    mean_image_mse, pca_mse = baselines.values()
    rows = {
        "original": x,
        "untrained": untrained,
        "trained": x_hat[ten],
        "mean image": mean_image.expand_as(x),
    }
    figures: dict[str, Figure] = {"digits": side_by_side(rows, labels, params.columns)}
    if params.steps:
        figures["loss"] = loss_curve(losses, baselines)
    linears = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    return Result(
        metrics={
            "test_mse": metrics.mse(x_hat, x_test),
            "train_mse": metrics.mse(metrics.reconstruct(model, x_train), x_train),
            "mean_image_mse": mean_image_mse,
            "pca_mse": pca_mse,
            "widths": (PIXELS, *(layer.out_features for layer in linears)),
            "params": metrics.parameter_count(model),
            "weights": sum(layer.weight.numel() for layer in linears),
            "pixels_per_code_number": x.shape[1] / model.encode(x).shape[1],
            "lowest": x_hat.min().item(),
            "highest": x_hat.max().item(),
            "pixels_changed_by_repeating": changed_by_repeating(model, x),
            "pixels_changed_by_rescaling": changed_by_rescaling(model, x),
            "pixels_unlike_f_sigmoid": unlike_f_sigmoid(model, x),
            "classes_shown": len(labels.unique()),
            "digits_shown": len(labels[: params.columns]),
            "train_digits": len(x_train),
            "test_digits": len(x_test),
        },
        figures=figures,
    )
