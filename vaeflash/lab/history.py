"""Looks at a network while it learns: test losses on the way, samples before and after an epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class History:
    """What was seen before the first step, after every so many, and after the last.

    A look never changes what is learned: it happens in eval mode and without gradients, and
    torch's global generators stand afterwards where they stood before.

    Args:
        look: Network -> anything made of tensors, numbers and strings, which a checkpoint keeps.
        every: How many steps lie between two looks, e.g. `epoch_steps(data, batch_size)`.
    """

    def __init__(self, look: Callable[[Any], Any], every: int) -> None:
        self.look = look
        self.every = every
        self.steps: list[int] = []
        """How many steps had been taken at each look, e.g. 0, 100, 200, 250."""
        self.values: list[Any] = []
        """What each look gave."""

    def watch(self, model: nn.Module, step: int, steps: int) -> None:
        """Look if it is time, after `step` of `steps` steps."""
        if not self._due(step, steps):
            return
        cuda = {p.device for p in model.parameters() if p.device.type == "cuda"}
        training = model.training
        model.eval()
        with torch.no_grad(), torch.random.fork_rng(cuda):
            self.values.append(self.look(model))
        self.steps.append(step)
        model.train(training)

    def take_up(self, seen: list[tuple[int, Any]], steps: int) -> None:
        """Go on from what an interrupted run of `steps` steps had seen."""
        # What a shorter run saw in its end, an unbroken one would have passed by.
        kept = [(step, value) for step, value in seen if self._due(step, steps)]
        self.steps = [step for step, _ in kept]
        self.values = [value for _, value in kept]

    def _due(self, step: int, steps: int) -> bool:
        return step % self.every == 0 or step == steps
