r"""A plain autoencoder answers alike with and without eval(); one with dropout does not.

**Two switches** stand in test code, and they have nothing to do with each other.

`model.eval()` tells each layer that training is over. Two kinds of layer listen:

    dropout         training: sets a random share p of its inputs to 0, multiplies the rest by
                    1/(1-p); eval: passes them on
    batch norm      training: divides by the deviation of *this batch*, and keeps a running mean
                    and variance on the side; eval: uses the running ones, and leaves them alone

Linear and convolution layers, ReLU and sigmoid do the same in both modes. A network made of these
gives the same pictures with or without the call, bit for bit. It is a habit, and it costs nothing.

`torch.no_grad()` tells autograd not to take notes. For `backward`, each layer keeps the tensors
that its derivative needs: a linear layer its input, a ReLU and a sigmoid their output. For one
batch of N pictures through 784-200-20-200-784 that are

    N (784 + 200 + 20 + 200 + 784) numbers of 4 bytes,

some 8 kB a picture, kept until nobody holds the result. The values are the same either way.

So: eval() for right answers, no_grad() for memory, and neither does the other's job.

Source: notes on digits and faces, the card on testing; Ioffe and Szegedy (2015), Batch
normalization, algorithm 2; Srivastava et al. (2014), Dropout.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.training import train

NEEDS = ("digits",)
PIXELS, HIDDEN, LATENT = 784, 200, 20


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    layer: Literal["none", "dropout", "batchnorm"] = "none"  # after the encoder's first ReLU
    switch: Literal["none", "eval", "no_grad"] = "none"  # around the pass whose memory is counted
    test_batch: int = 100  # digits in that pass
    steps: int = 300
    examples: int = 4_000


def autoencoder(layer: str) -> nn.Sequential:
    """784 -> 200 -> 20 -> 200 -> 784, with one more layer on the encoder's 200."""
    extras: dict[str, list[nn.Module]] = {
        "none": [],
        "dropout": [nn.Dropout(0.5)],
        "batchnorm": [nn.BatchNorm1d(HIDDEN)],
    }
    extra = extras[layer]
    encoder = [nn.Linear(PIXELS, HIDDEN), nn.ReLU(), *extra, nn.Linear(HIDDEN, LATENT)]
    decoder = [nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PIXELS), nn.Sigmoid()]
    return nn.Sequential(*encoder, *decoder)


def loss(model: nn.Module, x: Tensor) -> Tensor:
    """Squared error, mean over pictures and pixels."""
    return F.mse_loss(model(x), x)


@torch.no_grad()
def rebuilt(model: nn.Module, x: Tensor, *, training: bool) -> Tensor:
    """`(N, 784)` digits rebuilt in one of the two modes; leaves the network in eval mode."""
    model.train(training)
    x_hat: Tensor = model(x)
    model.eval()
    return x_hat


def statistics(model: nn.Module) -> Tensor:
    """The running mean and variance of every batch norm, `(numbers,)`; empty without one."""
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm1d)]
    running = [stat for norm in norms for stat in (norm.running_mean, norm.running_var)]
    return torch.cat([torch.zeros(0), *(stat.cpu() for stat in running if stat is not None)])


def moved_by_testing(model: nn.Module, x: Tensor, *, training: bool) -> int:
    """How many running statistics change when `x` goes through once."""
    before = statistics(model)
    rebuilt(model, x, training=training)
    return int((statistics(model) != before).sum())


def kept_bytes(model: nn.Module, x: Tensor, switch: str) -> int:
    """Bytes of the tensors that a forward pass keeps for `backward`, weights not counted.

    Autograd hands each tensor that it keeps to a hook. A tensor kept by two layers counts once.
    """
    own = {p.data_ptr() for p in model.parameters()}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    model.train(switch != "eval")
    without_notes = torch.no_grad() if switch == "no_grad" else contextlib.nullcontext()
    with saved_tensors_hooks(pack, lambda tensor: tensor), without_notes:
        x_hat = model(x)
    model.eval()
    del x_hat  # until here it holds what was kept
    return sum(sizes.values())


@torch.no_grad()
def changed_by_no_grad(model: nn.Module, x: Tensor) -> int:
    """How many pixels differ between a pass with and one without notes for `backward`."""
    model.eval()
    quiet = model(x)
    with torch.enable_grad():
        noted = model(x)
    return int((quiet != noted).sum())


def pictures(model: nn.Module, x: Tensor) -> Images:
    """Ten digits `(10, 784)`, rebuilt in both modes by a network with dropout."""
    rows = {
        "original": x,
        "without eval()": rebuilt(model, x, training=True),
        "again": rebuilt(model, x, training=True),
        "with eval()": rebuilt(model, x, training=False),
    }
    return Images(
        "One trained network with dropout, the same digits three times. Without eval() half of the "
        "encoder's hidden units are switched off, others each time.",
        torch.stack(list(rows.values())).unflatten(-1, (28, 28)).cpu(),
        rows=list(rows),
    )


def trained(layer: str, x: Tensor, steps: int, lab: Lab) -> nn.Sequential:
    """An autoencoder with that layer, in eval mode."""
    model = autoencoder(layer).to(lab.device)
    train(
        model,
        loss,
        x,
        steps=steps,
        batch_size=32,
        optimizer=torch.optim.Adam(model.parameters(), lr=2.5e-3, fused=True),
        generator=lab.generator("batches"),
        track=lab.track,
    )
    return model.eval()


def run(params: Params, lab: Lab) -> Result:
    """Train, then test with and without each of the two switches."""
    digits = lab.data("digits")
    x = digits.train[: params.examples].flatten(1).to(lab.device)
    x_test = digits.test.flatten(1).to(lab.device)
    model = trained(params.layer, x, params.steps, lab)

    with_eval = rebuilt(model, x_test, training=False)
    moved = moved_by_testing(model, x_test, training=params.switch != "eval")
    without_eval = rebuilt(model, x_test, training=True)
    some = x_test[: params.test_batch]
    figures: dict[str, Figure] = {
        "modes": pictures(trained("dropout", x, params.steps, lab), x_test[:10])
    }
    return Result(
        metrics={
            "pixels_changed_by_eval": int((with_eval != without_eval).sum()),
            "mse_with_eval": metrics.mse(with_eval, x_test),
            "mse_without_eval": metrics.mse(without_eval, x_test),
            "statistics": len(statistics(model)),
            "statistics_moved_by_testing": moved,
            "kept_bytes_a_picture": kept_bytes(model, some, params.switch) / len(some),
            "pixels_changed_by_no_grad": changed_by_no_grad(model, x_test),
        },
        figures=figures,
    )
