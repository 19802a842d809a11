"""The state of a training in a file, so that a broken run goes on as if it had not been."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vaeflash.errors import DataError, Problem
from vaeflash.files import write_atomically
from vaeflash.lab.batches import Batches
from vaeflash.lab.history import History


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where training keeps its state, and after how many steps it writes it again."""

    path: Path
    every: int = 1_000


@dataclass(slots=True)
class State:
    """Everything that the next step depends on, and what the steps so far have given."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Batches
    losses: Tensor
    history: History | None
    settings: dict[str, Any]
    """What else a run must share with the one that it goes on from: numbers and strings."""
    done: int = 0

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        seen = (self.history.steps, self.history.values) if self.history else ((), ())
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
            self.batches.rest = saved["rest"].cpu()
            self.batches.generator.set_state(saved["generator"].cpu())
            torch.set_rng_state(saved["global_generator"].cpu())
            self.done = len(saved["losses"])
            self.losses[: self.done] = saved["losses"]
            if self.history:
                self.history.take_up(saved["history"], len(self.losses))
        except Exception as error:  # torch raises many kinds for a damaged or foreign file
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
        if other:
            raise ValueError(f"it was written with another {', '.join(other)}")
        if len(saved["losses"]) > len(self.losses):
            raise ValueError(f"it is {len(saved['losses']):,} steps old, more than are asked for")

    def _identity(self) -> dict[str, Any]:
        batches, history = self.batches, self.history
        return self.settings | {
            "seed": batches.generator.initial_seed(),
            "data set": batches.shapes,
            "batch size": batches.size,
            "history": history.every if history else 0,
        }
