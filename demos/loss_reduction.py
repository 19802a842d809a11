r"""One squared error has many sizes: what is summed, what is averaged, and what is compared.

A batch of N pictures with D pixels each and their reconstructions have N D squared differences,

    e_nd = (x_hat_nd - x_nd)^2

and a loss is one number. Between the two stands a *reduction*, a choice for each axis:

    pixels   pictures
    mean     mean        sum(e) / (N D)     F.mse_loss
    sum      mean        sum(e) / N         a picture's error; D = 784 times the first
    mean     sum         sum(e) / D         N times the first: "average over the pixels, then add"
    sum      sum         sum(e)             N D times the first

All four have the same minimum. They differ in what a learning rate means (for SGD), in what a
second term of the loss weighs against, and in whether two printed numbers may be compared at all:
what is summed over pictures grows with their number.

**Shapes.** The mean over all axes does not ask how the numbers are arranged: `(N, 1, 28, 28)` and
`(N, 784)` give the same. What it does ask is that both sides are arranged alike. `(N, 28, 28)`
against `(N, 1, 28, 28)` broadcasts to `(N, N, 28, 28)`: each reconstruction against each picture
of the batch. PyTorch warns, and returns a number.

**Sides.** (a - b)^2 = (b - a)^2, so a formula that calls the picture "out" is harmless here. The
binary cross-entropy -x log(x_hat) - (1 - x) log(1 - x_hat) has its sides for good.

**An epoch.** The mean of the batches' means is the mean over all pictures only if all batches are
equally large. A last batch that is smaller counts each of its pictures for more.

The reconstruction here is no network's: it is the picture blurred, the mean of 3 x 3 pixels.

Source: notes on digits and faces, the cards on the loss of the autoencoder and on training the VAE.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result

NEEDS = ("digits",)
PIXELS = 784

LOSSES: dict[str, Callable[..., Tensor]] = {"mse": F.mse_loss, "bce": F.binary_cross_entropy}


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    loss: Literal["mse", "bce"] = "mse"
    reduction: Literal["mean", "sum"] = "mean"  # PyTorch's word, for all axes at once
    batch: int = 32
    # What becomes of (N, 1, 28, 28): both sides to (N, 784), or one of them to (N, 28, 28).
    arranged: Literal["flattened", "one_squeezed"] = "flattened"
    # What an epoch prints: the sum of its batches' sums, or the mean of their means.
    printed: Literal["sum", "mean"] = "sum"
    epoch: int = 1_000  # digits in it
    spoilt: float = 0.0  # share of the epoch's digits, at its end, whose reconstruction is black


def blurred(x: Tensor) -> Tensor:
    """Each pixel the mean of its 3 x 3 neighbourhood; `(N, 1, 28, 28)`."""
    return F.avg_pool2d(x, 3, stride=1, padding=1)


def formula(x_hat: Tensor, x: Tensor) -> float:
    """1/(N D) times the sum over n and d of (x_hat_nd - x_nd)^2, summed as it is written."""
    pixels = x[0].numel()
    total = 0.0
    for one_hat, one in zip(x_hat.double(), x.double(), strict=True):
        total += sum((a - b) ** 2 for a, b in zip(one_hat.ravel(), one.ravel(), strict=True)).item()
    return total / (len(x) * pixels)


def reductions(x_hat: Tensor, x: Tensor) -> dict[str, float]:
    """The four reductions of one squared error; the key says pixels, then pictures."""
    e = (x_hat - x).square().flatten(1)  # (N, D)
    return {
        f"{pixels}_{pictures}": getattr(getattr(e, pixels)(1), pictures)().item()
        for pixels in ("mean", "sum")
        for pictures in ("mean", "sum")
    }


def arranged(x_hat: Tensor, x: Tensor, how: str) -> tuple[Tensor, Tensor]:
    """Both sides of the loss in another shape, or by mistake only one."""
    if how == "flattened":
        return x_hat.flatten(1), x.flatten(1)
    return x_hat.squeeze(1), x


def with_warnings(loss: Callable[..., Tensor], x_hat: Tensor, x: Tensor) -> tuple[float, int]:
    """The loss, and how many warnings PyTorch gave on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = loss(x_hat, x).item()
    return value, len(caught)


def printed_by_epoch(x_hat: Tensor, x: Tensor, batch: int, how: str) -> float:
    """What a training loop prints at the end of an epoch: of its batches, one after the other."""
    reduction = "sum" if how == "sum" else "mean"
    losses = [
        F.mse_loss(part_hat, part, reduction=reduction).item()
        for part_hat, part in zip(x_hat.split(batch), x.split(batch), strict=True)
    ]
    return sum(losses) if how == "sum" else sum(losses) / len(losses)


def everyone_with_everyone(x_hat: Tensor, x: Tensor) -> Images:
    """What a squeezed axis compares: a grid of |x_hat_i - x_j| for four pictures."""
    gaps = (x_hat[:4, None, 0] - x[None, :4, 0]).abs()
    return Images(
        "(4, 28, 28) against (4, 1, 28, 28): four reconstructions (columns) minus four pictures "
        "(rows). Meant is the diagonal; the mean is taken over all sixteen.",
        gaps.transpose(0, 1),
        rows=[f"picture {n}" for n in range(4)],
        columns=[f"reconstruction {n}" for n in range(4)],
    )


def printed_curves(x_hat: Tensor, x: Tensor, batch: int) -> Curves:
    """What is printed for the same quality of reconstruction, by size of the data."""
    sizes = range(100, len(x) + 1, 100)
    lines = {
        "sum of the batches' sums / 784": [
            printed_by_epoch(x_hat[:n], x[:n], batch, "sum") / PIXELS for n in sizes
        ],
        "mean of the batches' means": [
            printed_by_epoch(x_hat[:n], x[:n], batch, "mean") for n in sizes
        ],
    }
    return Curves(
        "The same reconstruction, printed after an epoch over more and more digits. Only a mean "
        "can be compared with another day's, or with the test set's.",
        x=sizes,
        lines=lines,
        x_label="digits in the epoch",
        y_label="printed",
        log_y=True,
    )


def run(params: Params, lab: Lab) -> Result:
    """Reduce the same squared differences in all ways."""
    x = lab.data("digits").train[: params.epoch]
    x_hat = blurred(x)
    batch, batch_hat = x[: params.batch], x_hat[: params.batch]
    loss = LOSSES[params.loss]

    four = reductions(batch_hat, batch)
    as_they_are = loss(batch_hat, batch).item()
    rearranged, warned = with_warnings(loss, *arranged(batch_hat, batch, params.arranged))

    printed_hat = x_hat.clone()
    printed_hat[len(x) - round(params.spoilt * len(x)) :] = 0.0
    figures: dict[str, Figure] = {
        "shapes": everyone_with_everyone(batch_hat, batch),
        "printed": printed_curves(x_hat, x, params.batch),
    }
    return Result(
        metrics={
            "formula": formula(batch_hat[:8], batch[:8]),
            "torch": F.mse_loss(batch_hat[:8], batch[:8], reduction=params.reduction).item(),
            "loss": as_they_are,
            "loss_rearranged": rearranged,
            "warnings": warned,
            "loss_swapped": loss(batch, batch_hat).item(),
            "prose_over_formula": four["mean_sum"] / four["mean_mean"],
            "picture_over_formula": four["sum_mean"] / four["mean_mean"],
            "total_over_formula": four["sum_sum"] / four["mean_mean"],
            "printed": printed_by_epoch(printed_hat, x, params.batch, params.printed),
            "mean_over_digits": F.mse_loss(printed_hat, x).item(),
        },
        figures=figures,
    )
