"""One training loop, for any network whose loss is a function of the network and a batch.

The whole data set is one tensor and a batch is `data[order[i:j]]`: on small pictures a
DataLoader costs more than the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from vaeflash.lab.batches import Batches, Data
from vaeflash.lab.checkpoints import Checkpoint, State
from vaeflash.lab.history import History
from vaeflash.lab.precision import Precision, autocast, products
from vaeflash.lab.schedules import Schedule, constant, following

Loss: TypeAlias = Callable[[Any, Any], Tensor]
"""Network and batch -> the scalar to minimise; the batch is a tensor, or a tuple of them."""
Track: TypeAlias = Callable[[Iterable[int], str], Iterable[int]]


def untracked(steps: Iterable[int], description: str) -> Iterable[int]:  # noqa: ARG001
    """Show no progress."""
    return steps


def train(
    model: nn.Module,
    loss: Loss,
    data: Data,
    *,
    steps: int,
    batch_size: int,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    schedule: Schedule = constant,
    precision: Precision = "float32",
    compiled: bool = False,
    history: History | None = None,
    track: Track = untracked,
    checkpoint: Checkpoint | None = None,
) -> Tensor:
    """Take `steps` steps down the loss.

    An existing checkpoint is taken up where it stands. On a CPU the result is then, bit for bit,
    that of an unbroken run, if the loss draws its noise from `generator` or from torch's global
    generator. An interrupt passes through: what was trained since the last checkpoint is lost,
    because a step may have been half done.

    A loss that grows without bound or becomes NaN stops nothing: that may be the lesson, the
    losses show it, and no claim holds of a NaN.

    Args:
        model: Left in training mode.
        data: `(N, ...)`, on the model's device, or a tuple of such, e.g. noisy and clean pictures.
        batch_size: At most N.
        optimizer: Over the model's parameters; its rates are what the schedule multiplies.
        generator: Draws the order of the batches.
        schedule: E.g. `linear(steps)`, `cosine(steps)`.
        precision: Of matrix products and convolutions; `fastest(device)` says what pays.
        compiled: By torch.compile, on a GPU alone: on a CPU compiling a small network took
            longer than training it.
        history: Looks at the network on the way.
        track: Shows progress, e.g. `lab.track`.

    Returns:
        The loss of each step, `(steps,)`, as it was before that step's update.

    Raises:
        DataError: The batch size does not fit the data, or the tensors do not fit each other; the
            checkpoint is damaged, or belongs to another run.
    """
    batches = Batches(data, batch_size, generator)
    device = batches.device
    settings = {"rate": [group["lr"] for group in optimizer.param_groups], "precision": precision}
    losses = torch.zeros(steps, device=device)  # beside the data: reading one would wait for a GPU
    state = State(model, optimizer, batches, losses, history, settings)
    with products(precision, device), following(schedule, optimizer) as set_rates:
        if checkpoint and checkpoint.path.exists():
            state.resume(checkpoint.path)
        elif history:
            history.watch(model, 0, steps)
        if compiled and device.type == "cuda":
            loss = torch.compile(loss)
        model.train()
        for step in track(range(state.done, steps), "training"):
            set_rates(step)
            optimizer.zero_grad()
            with autocast(precision, device):
                value = loss(model, batches.next())
            value.backward()
            optimizer.step()
            losses[step] = value.detach()
            state.done = step + 1
            if history:
                history.watch(model, state.done, steps)
            if checkpoint and (state.done % checkpoint.every == 0 or state.done == steps):
                state.save(checkpoint.path)
    return losses.cpu()
