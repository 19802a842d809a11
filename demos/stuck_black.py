r"""A sigmoid fits pixels in 0..1, and can get a network stuck at all black.

**Which end fits.** Pixels come in 0..1 or, scaled by 2 x - 1, in -1..1. An output that cannot reach
a pixel misses it, however long one trains: a sigmoid answers -1 at best with 0. So a sigmoid goes
with 0..1 and a tanh with -1..1, and the two are one function,

    tanh(y / 2) = 2 sigmoid(y) - 1.

**What it costs.** With the squared error the gradient that reaches the logit y of a pixel is

    d (sigmoid(y) - x)^2 / dy = 2 (sigmoid(y) - x) * sigmoid(y) (1 - sigmoid(y)).

The last factor is 1/4 at most and vanishes where the answer is black or white, wrong answers
included. Digits are nearly nine tenths black. So the first steps all say "darker", and with a large
rate a wide network overshoots: every pixel of every digit is black, no pixel has a slope left, and
the loss is flat. It is worse than the mean image, and there is no way out but chance.

**Three ways round it**, each taking away one cause:

    no sigmoid          the squared error of a linear output keeps its slope
    cross-entropy       its gradient at the logit is sigmoid(y) - x, without the last factor
    start at the mean   logits begin at those of the mean image, so nothing says "darker" everywhere

The network is the lecture's convolutional autoencoder at its full width.

Source: notes of a lecture on a convolutional autoencoder; Glorot and Bengio (2010), Understanding
the difficulty of training deep feedforward neural networks, on saturation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.errors import DemoError, Problem
from vaeflash.lab import metrics
from vaeflash.lab.networks import Centred, ConvAutoencoder
from vaeflash.lab.training import train

NEEDS = ("digits",)
BATCH = 32


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    pixels: Literal["unit", "signed"] = "unit"  # in 0..1 or in -1..1
    head: Literal["sigmoid", "tanh", "half_tanh", "linear"] = "sigmoid"  # half: tanh(y / 2)
    loss: Literal["mse", "bce"] = "mse"
    start: Literal["plain", "mean"] = "plain"  # mean: from the mean image's logits
    lr: float = 6e-3
    steps: int = 30


Model = ConvAutoencoder | Centred


def answer(logits: Tensor, head: str) -> Tensor:
    """Numbers of any size to what the network says of the pixels."""
    match head:
        case "sigmoid":
            return logits.sigmoid()
        case "tanh":
            return logits.tanh()
        case "half_tanh":
            return (logits / 2).tanh()
    return logits


class Objective:
    """The loss on a batch, mean over pictures and pixels."""

    def __init__(self, head: str, loss: str) -> None:
        self.head = head
        self.loss = loss

    def __call__(self, model: Model, x: Tensor) -> Tensor:
        """Of pictures `(N, 1, 28, 28)`."""
        logits = model.decode(model.encode(x))
        if self.loss == "bce":
            return F.binary_cross_entropy_with_logits(logits, x)
        return F.mse_loss(answer(logits, self.head), x)


def gradient_norm(model: Model, objective: Objective, x: Tensor) -> float:
    """Length of the loss's gradient over all weights."""
    weights = list(model.parameters())
    gradients = torch.autograd.grad(objective(model, x), weights)
    return float(torch.cat([gradient.flatten() for gradient in gradients]).norm())


def reach(head: str) -> tuple[float, float]:
    """The smallest and the largest pixel that a head can answer."""
    low, high = answer(torch.tensor([-1e9, 1e9]), head).tolist()
    return low, high


def least_mse(x: Tensor, head: str) -> float:
    """The squared error of the best answer that the head can give to each pixel."""
    return metrics.mse(x.clamp(*reach(head)), x)


def outside(x_hat: Tensor, black: Tensor) -> float:
    """The share of pixels that are darker than black or brighter than white, which is 1."""
    return ((x_hat < black) | (x_hat > 1)).double().mean().item()


@torch.no_grad()
def answers(model: Model, x: Tensor, head: str) -> Tensor:
    """What the network says of pictures `(N, 1, 28, 28)`."""
    return answer(model.decode(model.encode(x)), head)


def slopes() -> Curves:
    """The gradient at the logit of a white pixel, over the logit."""
    y = torch.linspace(-10, 10, 201, dtype=torch.float64)
    p = y.sigmoid()
    return Curves(
        "A white pixel: how strongly each loss pulls its logit upwards. Where the answer is black, "
        "on the left, the squared error behind a sigmoid no longer pulls.",
        x=y,
        lines={"squared error": 2 * (1 - p) * p * (1 - p), "cross-entropy": 1 - p},
        x_label="logit",
        y_label="minus the gradient",
    )


def run(params: Params, lab: Lab) -> Result:
    """Train for a moment, and see whether anything but black comes out.

    Raises:
        DemoError: A start or a loss that makes sense with the sigmoid alone is asked of another
            head or of pixels in -1..1.
    """
    sigmoid = params.head == "sigmoid" and params.pixels == "unit"
    if not sigmoid and (params.start == "mean" or params.loss == "bce"):
        what = "the mean's logits and the cross-entropy are those of a sigmoid on pixels in 0..1."
        advice = "Leave start and loss as they are, or head and pixels."
        raise DemoError(Problem(f"head={params.head}, pixels={params.pixels}", what, advice))
    digits = lab.data("digits")
    x_train, x_test = digits.train[:4_000].to(lab.device), digits.test[:250].to(lab.device)
    if params.pixels == "signed":
        x_train, x_test = 2 * x_train - 1, 2 * x_test - 1
    black = x_train.min()

    model: Any = ConvAutoencoder(2)
    if params.start == "mean":
        model = Centred(model, digits.train[:4_000].mean(0))
    model = model.to(lab.device, memory_format=torch.channels_last)  # faster on a CPU
    objective = Objective(params.head, params.loss)
    batch = x_train[:BATCH]
    before = gradient_norm(model, objective, batch)
    losses = train(
        model,
        objective,
        x_train,
        steps=params.steps,
        batch_size=BATCH,
        optimizer=torch.optim.Adam(model.parameters(), lr=params.lr, fused=True),
        generator=lab.generator("batches"),
        track=lab.track,
    )
    x_hat = answers(model, x_test, params.head)
    mean = x_train.mean(0)
    baselines = {
        "all black": metrics.mse(black.expand_as(x_test), x_test),
        "mean image": metrics.mse(mean, x_test),
    }
    rows = {
        "original": x_test[:10],
        "reconstruction": x_hat[:10],
        "mean image": mean.expand(10, -1, -1, -1),
    }
    pictures = torch.stack(list(rows.values()))[:, :, 0]
    figures: dict[str, Figure] = {
        "digits": Images(
            "Unseen digits after these few steps.",
            ((pictures - black) / (1 - black)).clamp(0, 1).cpu(),
            rows=list(rows),
        ),
        "slopes": slopes(),
    }
    if params.steps and params.loss == "mse":
        figures["loss"] = Curves(
            "The loss step by step, beside that of the two answers that ignore the picture.",
            x=range(1, params.steps + 1),
            lines={"training loss": losses}
            | {name: torch.full_like(losses, value) for name, value in baselines.items()},
            x_label="step",
            y_label="MSE",
        )
    y = torch.linspace(-8, 8, 161)
    return Result(
        metrics={
            "test_mse": metrics.mse(x_hat, x_test),
            "all_black_mse": baselines["all black"],
            "mean_image_mse": baselines["mean image"],
            "least_mse": least_mse(x_test, params.head),
            "brightness": ((x_hat - black) / (1 - black)).mean().item(),
            "digits_brightness": ((x_test - black) / (1 - black)).mean().item(),
            "outside": outside(x_hat, black),
            "gradient_left": gradient_norm(model, objective, batch) / before,
            "unlike_stretched_sigmoid": (answer(y, params.head) - (2 * y.sigmoid() - 1))
            .abs()
            .max()
            .item(),
        },
        figures=figures,
    )
