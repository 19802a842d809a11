"""The Lab of `vaeflash.demo`, on torch: seeded generators, a device, data, progress."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import torch

from vaeflash.errors import DemoError, Problem
from vaeflash.lab import datasets

Item = TypeVar("Item")
Track = Callable[[Iterable[Item], str, "int | None"], Iterable[Item]]
FEW_THREADS = torch.get_num_threads()
"""What `vaeflash.lab` chose before torch was imported: small networks want no more."""


def silent(steps: Iterable[Item], description: str, total: int | None) -> Iterable[Item]:  # noqa: ARG001
    """Track nothing: what a run uses when nobody watches."""
    return steps


class Bench:
    """One run's bench.

    Layers draw their initial weights from torch's global generator, so opening a bench seeds
    that one too: a bench belongs to one run at a time.

    Args:
        seed: Everything random follows from it.
        device: "cpu", "cuda" or "cuda:N".
        needs: What the demo declares; `data` refuses anything else, so that a run's fingerprint
            cannot miss a data set. A mapping says which of each: `{"faces": "orl"}`.
        track: Shows progress; takes items, a description and a total, and gives the items.
        threads: How many a demo that declares MULTITHREADED may use; none for any other.
    """

    def __init__(
        self,
        seed: int,
        device: str = "cpu",
        needs: tuple[str, ...] | Mapping[str, str] = (),
        track: Track[Any] = silent,
        threads: int | None = None,
    ) -> None:
        self.seed = seed
        self.device = torch.device(device)
        self._needs = needs if isinstance(needs, Mapping) else dict.fromkeys(needs, "")
        self._track = track
        torch.manual_seed(seed)
        # One process makes many runs, so every bench says it anew.
        torch.set_num_threads(threads or FEW_THREADS)

    def generator(self, name: str = "") -> torch.Generator:
        """A CPU generator, the same for equal seed and name, independent for different names."""
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def data(self, name: str) -> Any:
        """A named data set, drawn and split by this run's seed.

        Raises:
            DemoError: The demo does not declare `name` in NEEDS.
            DataError: The data set is missing or damaged.
        """
        if name not in self._needs:
            raise DemoError(
                Problem(
                    f"data set '{name}'",
                    "the demo asks for it without declaring it.",
                    f'Add it to the module: NEEDS = ("{name}",)',
                )
            )
        return datasets.load(name, self.generator(f"data/{name}"), self._needs[name])

    def track(
        self, steps: Iterable[Item], description: str = "", total: int | None = None
    ) -> Iterable[Item]:
        """The same items, with progress shown while they are consumed."""
        return self._track(steps, description, total)
