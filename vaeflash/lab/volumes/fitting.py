"""The training loop for cubes: batches come from a source without end, in one process or several.

    with joined(lab.device) as team:
        cubes = Cubes(voxels, places, 256, lab.generator("cubes"), shard=team.shard)
        losses = fit(model, loss, cubes, steps=1_600, optimizer=adam, team=team)

It is `vaeflash.lab.training.train` but for where batches come from.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from vaeflash.errors import DataError, Problem, VaeflashError
from vaeflash.files import write_atomically
from vaeflash.lab.batches import Data
from vaeflash.lab.checkpoints import Checkpoint
from vaeflash.lab.history import History
from vaeflash.lab.precision import Precision, autocast, fastest, products
from vaeflash.lab.schedules import Schedule, constant, following
from vaeflash.lab.training import Loss, Track, untracked
from vaeflash.lab.volumes.distributed import Team


class Source(Protocol):
    """Batches without end, e.g. `vaeflash.lab.volumes.cubes.Cubes`."""

    @property
    def device(self) -> torch.device:
        """Where the batches are."""

    def next(self) -> Data:
        """The next batch, or this process's share of it."""

    def state_dict(self) -> dict[str, Any]:
        """What an equal source needs to go on from here; the same in every process."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""


class Running(NamedTuple):
    """How 3-D networks run fastest on a device.

    Attributes:
        layout: Of networks: `model.to(memory_format=layout)`.
        precision: Of products and convolutions.
        compiled: Whether compiling pays.
    """

    layout: torch.memory_format
    precision: Precision
    compiled: bool


def running(device: torch.device) -> Running:
    """What pays on this device; `benchmarks/volume_step.py` measures it.

    Channels last in memory is what convolutions compute in on every device. `medium` is about
    matrix products, of which 3-D networks have next to none.
    """
    precision = fastest(device)
    if precision == "medium":
        precision = "float32"
    return Running(torch.channels_last_3d, precision, compiled=device.type == "cuda")


def one_cycle(
    steps: int, *, rise: float = 0.3, start: float = 1 / 25, end: float = 4e-6
) -> Schedule:
    """Up from `start` to 1 along half a cosine, then down to `end` along another.

    Source: Smith and Topin (2019), Super-convergence, in the form and with the numbers of
    `torch.optim.lr_scheduler.OneCycleLR`, which multiplies the largest rate.

    Args:
        steps: Of the whole training; later steps keep `end`.
        rise: The share of the steps on the way up.
        start: The first factor.
        end: The last factor.
    """
    top = rise * steps - 1
    bottom = steps - 1

    def factor(step: int) -> float:
        if step <= top:
            return _half_cosine(start, 1.0, step / top if top > 0 else 1.0)
        return _half_cosine(1.0, end, min(1.0, (step - top) / (bottom - top)))

    return factor


def _half_cosine(first: float, last: float, way: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * way)) / 2


def fit(
    model: nn.Module,
    loss: Loss,
    source: Source,
    *,
    steps: int,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule = constant,
    precision: Precision = "float32",
    compiled: bool = False,
    history: History | None = None,
    track: Track = untracked,
    checkpoint: Checkpoint | None = None,
    team: Team | None = None,
) -> Tensor:
    """Take `steps` steps down the loss.

    An existing checkpoint is taken up where it stands, by any number of processes: none of what is
    in it depends on how many there were. On a CPU and in one process the result is then, bit for
    bit, that of an unbroken run, if noise comes from torch's global generator, e.g. `team.noise`.
    An interrupt passes through: what was trained since the last checkpoint is lost.

    Args:
        model: On the source's device; left in training mode. Its own buffers, e.g. the statistics
            of batch norms, are those of rank 0.
        loss: A mean over the batch: in several processes the mean of its values is taken.
        source: Of several processes, each has the source of its own share.
        optimizer: Over the model's parameters; its rates are what the schedule multiplies.
        schedule: E.g. `one_cycle(steps)`.
        precision: Of products and convolutions; `running(device)` says what pays.
        compiled: By torch.compile, on a GPU alone.
        history: Looks at the network on the way.
        track: Shows progress, e.g. `lab.track`.
        checkpoint: Where all processes read it and rank 0 writes it.
        team: The processes that train together; none is this one alone.

    Returns:
        The loss of each step, `(steps,)`, as it was before that step's update.

    Raises:
        DataError: The checkpoint is damaged, or belongs to another run.
    """
    device = source.device
    team = team or Team(device)
    losses = torch.zeros(steps, device=device)  # beside the data: reading one would wait for a GPU
    settings = {"rate": [group["lr"] for group in optimizer.param_groups], "precision": precision}
    state = _State(model, optimizer, source, losses, history, settings, team)
    with products(precision, device), following(schedule, optimizer) as set_rates:
        if checkpoint and checkpoint.path.exists():
            state.resume(checkpoint.path)
        elif history:
            history.watch(model, 0, steps)
        if checkpoint:
            team.require_agreement(str(checkpoint.path), state.done)
        objective = _Objective(model, loss)
        if compiled and device.type == "cuda":
            objective.compile()
        shared = team.share(objective)
        model.train()
        for step in team.tracking(track)(range(state.done, steps), "training"):
            set_rates(step)
            optimizer.zero_grad()
            with autocast(precision, device):
                value = shared(source.next())
            value.backward()
            optimizer.step()
            losses[step] = value.detach()
            state.done = step + 1
            if history:
                history.watch(model, state.done, steps)
            if checkpoint and (state.done % checkpoint.every == 0 or state.done == steps):
                state.save(checkpoint.path)
    return team.mean(losses).cpu()


class _Objective(nn.Module):
    """The loss as one module: what averages gradients must see all of a step's forward pass."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, batch: Data) -> Tensor:
        return self.loss(self.model, batch)


@dataclass(slots=True)
class _State:
    """Everything that the next step depends on, and what the steps so far have given."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    source: Source
    losses: Tensor
    """Of this process's shares; of steps before a resume, means over all processes."""
    history: History | None
    settings: dict[str, Any]
    team: Team
    done: int = field(default=0)

    def save(self, path: Path) -> None:
        """Write it, whole or not at all; in rank 0 alone, but all must come."""
        losses = self.team.mean(self.losses[: self.done])
        if not self.team.leads:
            return
        seen = (self.history.steps, self.history.values) if self.history else ((), ())
        content = io.BytesIO()
        torch.save(
            {
                "run": self._identity(),
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "batches": self.source.state_dict(),
                "generators": _generators(self.losses.device),
                "losses": losses.clone(),
                "history": list(zip(*seen, strict=True)),
            },
            content,
        )
        write_atomically(path, content.getvalue())

    def resume(self, path: Path) -> None:
        """Take up what is written there.

        Raises:
            DataError: It is damaged, or belongs to another run.
        """
        try:
            saved = torch.load(path, weights_only=True, map_location=self.losses.device)
            self._check(saved)
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.source.load_state_dict(saved["batches"])
            _set_generators(saved["generators"], self.losses.device)
            self.done = len(saved["losses"])
            self.losses[: self.done] = saved["losses"]
            if self.history:
                self.history.take_up(saved["history"], len(self.losses))
        except VaeflashError as error:
            raise DataError(*(problem.within(str(path)) for problem in error.problems)) from error
        except Exception as error:  # torch raises whatever it stumbles over
            reason = str(error).partition("\n")[0].rstrip(".:") or type(error).__name__
            raise DataError(
                Problem(
                    str(path),
                    f"this checkpoint cannot be taken up: {reason}.",
                    "Delete it to train from the start, or train with what it was written with.",
                )
            ) from error

    def _check(self, saved: dict[str, Any]) -> None:
        run, ours = saved["run"], self._identity()
        other = sorted(name for name in run | ours if run.get(name) != ours.get(name))
        if saved["batches"].get("seed") != self.source.state_dict().get("seed"):
            other.append("seed")
        if other:
            raise ValueError(f"it was written with another {', '.join(other)}")
        if len(saved["losses"]) > len(self.losses):
            raise ValueError(f"it is {len(saved['losses']):,} steps old, more than are asked for")

    def _identity(self) -> dict[str, Any]:
        return self.settings | {"history": self.history.every if self.history else 0}


def _generators(device: torch.device) -> list[Tensor]:
    """States of torch's global generators: the CPU's, and a GPU's own."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def _set_generators(states: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0].cpu())
    if device.type == "cuda" and len(states) > 1:
        torch.cuda.set_rng_state(states[1].cpu(), device)
