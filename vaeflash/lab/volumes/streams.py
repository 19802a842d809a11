"""Random batches that are numbered: batch k follows from the seed and k, from nothing before it.

So a resumed run needs to know no more than k, reader threads may work ahead in any order, and every
process of a distributed run can draw the whole batch and keep its share of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from vaeflash.errors import DataError, Problem

_SEEDS = 2**32
"""How many seeds a CPU generator tells apart: torch looks at no more bits."""


class Streams:
    """As many generators as one likes, each with its number; those of two numbers differ.

    Args:
        generator: Gives the seed that they all follow from; one draw is taken from it.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.seed = int(torch.randint(_SEEDS, (), generator=generator))

    def at(self, number: int) -> torch.Generator:
        """The generator of this number, as new."""
        return torch.Generator().manual_seed(_scrambled((self.seed + number) % _SEEDS))


def _scrambled(seed: int) -> int:
    """Another seed for each seed: the finalizer of MurmurHash3, which is one to one.

    Without it two runs whose seeds are near would draw the same batches some steps apart.
    """
    seed = (seed ^ seed >> 16) * 0x85EBCA6B % _SEEDS
    seed = (seed ^ seed >> 13) * 0xC2B2AE35 % _SEEDS
    return seed ^ seed >> 16


@dataclass(frozen=True, slots=True)
class Shard:
    """Which share of each batch is this process's: every `of`-th window, from number `rank`.

    All processes must start from equal generators. Together their shares are, window for window,
    the batch of a single process, so that the mean of their gradients is its gradient.
    """

    rank: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.of:
            raise DataError(
                Problem(
                    f"process {self.rank} of {self.of}",
                    "there is none.",
                    "Processes are counted from 0.",
                )
            )

    def positions(self, size: int) -> torch.Tensor:
        """Which windows of a batch, `(size / of,)`.

        Raises:
            DataError: The shares would differ, and the mean of means would be no mean.
        """
        if size < 1 or size % self.of:
            raise DataError(
                Problem(
                    f"batch size {size:,}",
                    f"{self.of} processes cannot share it equally.",
                    f"Choose a multiple of {self.of}.",
                )
            )
        return torch.arange(self.rank, size, self.of)


ALONE = Shard()
"""One process, whose share is the whole."""


class Numbered:
    """What a source of numbered batches has besides its voxels: a seed, and the next number.

    Args:
        generator: Gives the seed.
        size: Windows of a whole batch, of all processes.
        shard: Which of them are ours.
        identity: Numbers by name that change what batch k is, besides size and seed.
    """

    def __init__(
        self, generator: torch.Generator, size: int, shard: Shard, identity: dict[str, Any]
    ) -> None:
        self.streams = Streams(generator)
        self.size = size
        self.positions = shard.positions(size)
        self.done = 0
        """How many batches were given: the number of the next one."""
        self._identity: dict[str, Any] = {"batch size": size} | identity

    def state_dict(self) -> dict[str, Any]:
        """What an equal source needs to go on from here; numbers alone, the same for all shards."""
        return {"seed": self.streams.seed, "done": self.done} | self._identity

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            DataError: The batches would not be those of the source that it came from.
        """
        other = [name for name, ours in self._identity.items() if state.get(name) != ours]
        if other:
            raise DataError(
                Problem(
                    "saved batches",
                    f"they were drawn with another {', '.join(other)}.",
                    "Go on with what they were drawn with, or train from the start.",
                )
            )
        self.streams.seed, self.done = int(state["seed"]), int(state["done"])
