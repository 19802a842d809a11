"""One training loop, for any network whose loss is a function of the network and a batch.

The whole data set is one tensor and a batch is `data[order[i:j]]`: on small pictures a
DataLoader costs more than the network.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from vaeflash.errors import DataError, Problem
from vaeflash.files import write_atomically

Loss: TypeAlias = Callable[[Any, Tensor], Tensor]
"""Network and batch `(B, ...)` -> the scalar to minimise."""
Track: TypeAlias = Callable[[Iterable[int], str], Iterable[int]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where training keeps its state, and after how many steps it writes it again."""

    path: Path
    every: int = 1_000


class Batches:
    """Batches without end: every epoch in a new order, its last batch may be smaller."""

    def __init__(self, data: Tensor, size: int, generator: torch.Generator) -> None:
        self.data = data
        self.size = size
        self.generator = generator
        self.rest = torch.empty(0, dtype=torch.int64)
        """What is left of this epoch's order."""

    def next(self) -> Tensor:
        """The next batch, `(size, ...)` or what the epoch has left."""
        if len(self.rest) == 0:
            self.rest = torch.randperm(len(self.data), generator=self.generator)
        index, self.rest = self.rest[: self.size], self.rest[self.size :]
        return self.data[index]


def untracked(steps: Iterable[int], description: str) -> Iterable[int]:  # noqa: ARG001
    """Show no progress."""
    return steps


def train(
    model: nn.Module,
    loss: Loss,
    data: Tensor,
    *,
    steps: int,
    batch_size: int,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    track: Track = untracked,
    checkpoint: Checkpoint | None = None,
) -> Tensor:
    """Take `steps` steps down the loss.

    An existing checkpoint is taken up where it stands. On a CPU the result is then, bit for bit,
    that of an unbroken run, if the loss draws its noise from `generator` or from torch's global
    generator. An interrupt passes through: what was trained since the last checkpoint is lost,
    because a step may have been half done.

    Args:
        model: Left in training mode.
        data: `(N, ...)`, on the model's device.
        optimizer: Over the model's parameters.
        generator: Draws the order of the batches.
        track: Shows progress, e.g. `lab.track`.

    Returns:
        The loss of each step, `(steps,)`, as it was before that step's update.

    Raises:
        DataError: The checkpoint is damaged, or belongs to another run.
    """
    state = _State(model, optimizer, Batches(data, batch_size, generator), torch.zeros(steps))
    if checkpoint and checkpoint.path.exists():
        state.resume(checkpoint.path)
    model.train()
    for step in track(range(state.done, steps), "training"):
        optimizer.zero_grad()
        value = loss(model, state.batches.next())
        value.backward()
        optimizer.step()
        state.losses[step] = value.detach()
        state.done = step + 1
        if checkpoint and (state.done % checkpoint.every == 0 or state.done == steps):
            state.save(checkpoint.path)
    return state.losses


@dataclass(slots=True)
class _State:
    """Everything that the next step depends on."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Batches
    losses: Tensor
    done: int = 0

    def save(self, path: Path) -> None:
        content = io.BytesIO()
        torch.save(
            {
                "run": self._identity(),
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "rest": self.batches.rest.clone(),  # a view would drag its whole epoch along
                "generator": self.batches.generator.get_state(),
                "global_generator": torch.get_rng_state(),
                "losses": self.losses[: self.done].clone(),
            },
            content,
        )
        write_atomically(path, content.getvalue())

    def resume(self, path: Path) -> None:
        try:
            saved = torch.load(path, weights_only=True)
            self._check(saved)
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.batches.rest = saved["rest"]
            self.batches.generator.set_state(saved["generator"])
            torch.set_rng_state(saved["global_generator"])
            self.done = len(saved["losses"])
            self.losses[: self.done] = saved["losses"]
        except _UNUSABLE as error:
            reason = str(error).partition("\n")[0].rstrip(".:") or type(error).__name__
            raise DataError(
                Problem(
                    str(path),
                    f"this checkpoint cannot be taken up: {reason}.",
                    "Delete it to train from the start, or train with what it was written with.",
                )
            ) from error

    def _check(self, saved: dict[str, Any]) -> None:
        if saved["run"] != self._identity():
            raise ValueError("it was written with another seed, data set or batch size")
        if len(saved["losses"]) > len(self.losses):
            raise ValueError(f"it is {len(saved['losses']):,} steps old, more than are asked for")

    def _identity(self) -> dict[str, Any]:
        batches = self.batches
        seed = batches.generator.initial_seed()
        return {"seed": seed, "data": list(batches.data.shape), "batch_size": batches.size}


_UNUSABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.PickleError)
"""What torch.load and load_state_dict raise for a damaged file, or for one of another network."""
