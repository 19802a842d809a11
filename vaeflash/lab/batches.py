"""Batches of a data set that lies in memory as whole tensors."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor

from vaeflash.errors import DataError, Problem

Data: TypeAlias = "Tensor | tuple[Tensor, ...]"
"""`(N, ...)`, or several of equal N whose items belong together, e.g. pictures and labels."""


def epoch_steps(data: Data, batch_size: int) -> int:
    """How many batches an epoch has; the last of them may be smaller."""
    return math.ceil(len(data if isinstance(data, Tensor) else data[0]) / batch_size)


class Batches:
    """Batches without end: every epoch in a new order, its last batch may be smaller.

    Args:
        data: A batch of a tuple is a tuple.
        size: At most N.
        generator: Draws the orders.

    Raises:
        DataError: The size does not fit the data, or the tensors do not fit each other.
    """

    def __init__(self, data: Data, size: int, generator: torch.Generator) -> None:
        self.data = data
        self.size = size
        self.generator = generator
        self.rest = torch.empty(0, dtype=torch.int64)
        """What is left of this epoch's order."""
        self._parts = (data,) if isinstance(data, Tensor) else data
        self._check()

    @property
    def shapes(self) -> list[list[int]]:
        """Of each tensor."""
        return [list(part.shape) for part in self._parts]

    @property
    def device(self) -> torch.device:
        """Where the data are."""
        return self._parts[0].device

    def next(self) -> Data:
        """The next batch, `(size, ...)` or what the epoch has left."""
        if len(self.rest) == 0:
            self.rest = torch.randperm(len(self._parts[0]), generator=self.generator)
        index, self.rest = self.rest[: self.size], self.rest[self.size :]
        if isinstance(self.data, Tensor):
            return self.data[index]
        return tuple(part[index] for part in self.data)

    def _check(self) -> None:
        lengths = [len(part) for part in self._parts]
        if len(set(lengths)) != 1:
            what = f"the tensors have {', '.join(f'{n:,}' for n in lengths)} items."
            raise DataError(Problem("training data", what, "Each item needs one of each tensor."))
        if not 1 <= self.size <= lengths[0]:
            raise DataError(
                Problem(
                    f"batch size {self.size:,}",
                    f"the training data have {lengths[0]:,} items.",
                    f"Choose a batch size from 1 to {lengths[0]:,}."
                    if lengths[0]
                    else "There is nothing to train on.",
                )
            )
