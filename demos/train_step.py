r"""Three calls make a training step; in a wrong order they learn nothing, and nothing complains.

**One step** of an autoencoder on a batch of B pictures:

    z     = encode(x)                  (B, 784) -> (B, 20)
    x_hat = decode(z)                  (B, 20)  -> (B, 784)
    loss  = mean((x_hat - x)^2)        one number
    optimizer.zero_grad()              forget the gradients of the step before
    loss.backward()                    add d loss / d w to w.grad, for every weight w
    optimizer.step()                   move every weight that has a gradient

An epoch repeats this until every picture was in a batch once. A classifier's step is the same six
lines; only its loss reads the labels.

**Three calls, one variable.** The last three lines share nothing but `w.grad`. `backward` *adds* to
it, which is why somebody has to clear it; `step` reads it and skips a weight that has none.
`zero_grad` removes it. From this follows what each order of the three calls does, without a look
into any of them:

    zero, backward, step     trains
    backward, step, zero     trains, the very same weights: only the first gradient is not cleared,
                             and there is none yet
    backward, zero, step     moves nothing: the gradient is gone before it is read
    zero, backward           moves nothing: nobody reads it
    zero, step               moves nothing: there is nothing to read
    backward, step           follows the sum of all gradients since the beginning

All six run without an exception or a warning. So the test of a training loop is that it learns, and
the yardstick is the mean image: the best answer that ignores the picture.

Source: notes on digits and faces, the cards on the training loop; notes of a lecture on a
convolutional autoencoder.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab import metrics

NEEDS = ("digits",)
USUAL = "zero_backward_step"
ORDERS = (USUAL, "backward_step", "backward_zero_step")
"""What the figures compare."""
SHORT = 1_600
"""Digits of the short trainings whose weights are compared one by one."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    task: Literal["reconstruct", "classify"] = "reconstruct"
    calls: Literal[
        "zero_backward_step",
        "backward_step_zero",
        "backward_zero_step",
        "zero_backward",
        "zero_step",
        "backward_step",
    ] = "zero_backward_step"
    cut: Literal["nowhere", "code", "decoder"] = "nowhere"  # detach the code, freeze the decoder
    lr: float = 2.5e-3  # of Adam
    batch_size: int = 32
    epochs: int = 3
    examples: int = 4_000  # digits in an epoch; where full MNIST is, there are 60,000


class Autoencoder(nn.Module):
    """784 -> 200 -> 20 -> 200 -> 784; its answer to a digit is a digit."""

    def __init__(self, cut: str) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 20))
        self.decoder = nn.Sequential(nn.Linear(20, 200), nn.ReLU(), nn.Linear(200, 784))
        self.cut = cut
        if cut == "decoder":
            self.decoder.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 784)` digits to their reconstructions."""
        z = self.encoder(x)
        x_hat: Tensor = self.decoder(z.detach() if self.cut == "code" else z).sigmoid()
        return x_hat

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG002 -- that is the point
        """Squared error, mean over pictures and pixels; the labels are not read."""
        value: Tensor = F.mse_loss(self(x), x)
        return value

    def right(self, x: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG002
        """Which answers equal what was asked for, in all 784 pixels of 8 bits; `(N,)`."""
        right: Tensor = ((255 * self(x)).round() == (255 * x).round()).all(1)
        return right


class Classifier(nn.Sequential):
    """784 -> 200 -> 10; its answer to a digit is a class."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 10))

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy: nats, mean over pictures."""
        return F.cross_entropy(self(x), labels)

    def right(self, x: Tensor, labels: Tensor) -> Tensor:
        """Which answers equal the label; `(N,)`."""
        right: Tensor = self(x).argmax(1) == labels
        return right


Model = Autoencoder | Classifier


def batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """One epoch: the numbers of all examples, shuffled, `size` at a time."""
    yield from torch.randperm(count, generator=generator).split(size)


def step(loss: Tensor, optimizer: torch.optim.Optimizer, calls: str) -> None:
    """The three calls after the loss, in the given order."""
    call: dict[str, Callable[[], object]] = {
        "zero": optimizer.zero_grad,
        "backward": loss.backward,
        "step": optimizer.step,
    }
    for name in calls.split("_"):
        call[name]()


def fit(
    model: Model, x: Tensor, labels: Tensor, calls: str, epochs: int, params: Params, lab: Lab
) -> Tensor:
    """Train in place, on the same batches whatever the other arguments; `(steps,)` losses."""
    optimizer = torch.optim.Adam(model.parameters(), lr=params.lr, fused=True)
    generator = lab.generator("batches")
    losses = []
    for _ in range(epochs):
        for batch in batches(len(x), params.batch_size, generator):
            loss = model.loss(x[batch], labels[batch])
            step(loss, optimizer, calls)
            losses.append(loss.detach())
    return torch.stack(losses) if losses else torch.zeros(0)


def gradient_norm(module: nn.Module) -> float:
    """Length of the gradient, over all weights that have one."""
    gradients = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
    return torch.cat(gradients).norm().item() if gradients else 0.0


def gradient_growth(model: Model, x: Tensor, labels: Tensor, calls: str) -> float:
    """Length of the gradient after three rounds over its length after one; no weight moves."""
    model.zero_grad()
    lengths = []
    for _ in range(3):
        if "zero" in calls:
            model.zero_grad()
        model.loss(x, labels).backward()
        lengths.append(gradient_norm(model))
    model.zero_grad()
    return lengths[2] / lengths[0]


def halves(model: Model, x: Tensor, labels: Tensor) -> tuple[float, float]:
    """Length of the gradient in the layers up to the code, and in the layers after it."""
    model.zero_grad()
    model.loss(x, labels).backward()
    if isinstance(model, Autoencoder):
        lengths = gradient_norm(model.encoder), gradient_norm(model.decoder)
    else:
        lengths = gradient_norm(model[0]), gradient_norm(model[2])
    model.zero_grad()
    return lengths


def unlike(one: nn.Module, other: nn.Module) -> int:
    """How many weights of two networks differ, be it by one bit."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return sum(int((a != b).sum()) for a, b in pairs)


@torch.no_grad()
def test_loss(model: Model, x: Tensor, labels: Tensor) -> float:
    """The loss on unseen digits."""
    return model.loss(x, labels).item()


def loss_curves(losses: dict[str, Tensor], mean_image_mse: float) -> Curves:
    """One epoch by each order of calls, each point the mean of up to 5 steps."""
    points = {
        name.replace("_", ", "): torch.stack([part.mean() for part in line.split(5)])
        for name, line in losses.items()
    }
    count = len(next(iter(points.values())))
    return Curves(
        "One epoch with each order of the calls. Nothing raises: a gradient cleared too early "
        "leaves the loss where it was; one that is never cleared steers by all the past.",
        x=5 * torch.arange(1, count + 1),
        lines=points | {"mean image": torch.full((count,), mean_image_mse)},
        x_label="step",
        y_label="MSE",
        log_y=True,
    )


def pictures(models: dict[str, Autoencoder], x: Tensor) -> Images:
    """Ten digits `(10, 784)` and what each network makes of them."""
    rows = {"original": x}
    rows |= {
        name.replace("_", ", "): metrics.reconstruct(model, x) for name, model in models.items()
    }
    return Images(
        "Unseen digits after one epoch, one row for each order of the calls.",
        torch.stack(list(rows.values())).unflatten(-1, (28, 28)).cpu(),
        rows=list(rows),
    )


def compared(
    x: Tensor, labels: Tensor, test: Tensor, params: Params, lab: Lab
) -> dict[str, Figure]:
    """Autoencoders that differ in the order of the calls alone, after one epoch."""
    first = Autoencoder(params.cut).to(lab.device)
    models = {calls: copy.deepcopy(first) for calls in ORDERS}
    losses = {calls: fit(models[calls], x, labels, calls, 1, params, lab) for calls in ORDERS}
    return {
        "calls": loss_curves(losses, metrics.mean_image_mse(x, test)),
        "digits": pictures(models, test[:10]),
    }


def run(params: Params, lab: Lab) -> Result:
    """Train, look at the gradients, and train again with something left out."""
    digits = lab.data("digits")
    x = digits.train[: params.examples].flatten(1).to(lab.device)
    labels = digits.train_labels[: params.examples].to(lab.device)
    x_test, labels_test = digits.test.flatten(1).to(lab.device), digits.test_labels.to(lab.device)

    model: Model = Autoencoder(params.cut) if params.task == "reconstruct" else Classifier()
    model = model.to(lab.device)
    usual, ordered, mislabelled = (copy.deepcopy(model) for _ in range(3))
    encoder_gradient, decoder_gradient = halves(model, x[:SHORT], labels[:SHORT])
    growth = gradient_growth(model, x[:SHORT], labels[:SHORT], params.calls)
    before = test_loss(model, x_test, labels_test)
    losses = fit(model, x, labels, params.calls, params.epochs, params, lab)

    short, answers = x[:SHORT], labels[:SHORT]
    wrong = answers[torch.randperm(len(answers), generator=lab.generator("labels"))]
    fit(usual, short, answers, USUAL, 1, params, lab)
    fit(ordered, short, answers, params.calls, 1, params, lab)
    fit(mislabelled, short, wrong, USUAL, 1, params, lab)

    with torch.no_grad():
        right = model.right(x_test, labels_test).float().mean().item()
    return Result(
        metrics={
            "loss_before": before,
            "loss_after": test_loss(model, x_test, labels_test),
            "mean_image_mse": metrics.mean_image_mse(x, x_test),
            "steps": len(losses),
            "encoder_gradient": encoder_gradient,
            "decoder_gradient": decoder_gradient,
            "gradient_growth": growth,
            "weights_unlike_usual_order": unlike(ordered, usual),
            "weights_changed_by_wrong_labels": unlike(mislabelled, usual),
            "right_answers": right,
        },
        figures=compared(x, labels, x_test, params, lab),
    )
