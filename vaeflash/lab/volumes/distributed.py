"""Several processes that train one network, each on its share of every batch.

    torchrun --nproc-per-node 8 -m vaeflash demo scroll-vae --set size=full

starts eight equal processes. Each holds the whole network and takes its share of every batch; after
every step's backward pass the gradients are averaged, so all take the same step: that of a single
process on the whole batch, within rounding. For that

    batches   are drawn whole by every process, which then keeps its share of it (`Team.shard`)
    noise     likewise (`Team.noise`): or processes with equal seeds would draw equal noise
    losses    are means over a share, and their mean over processes is the batch's (`Team.mean`)
    norms     of a batch differ, as each process sees its share alone; group norms do not

Only the process of rank 0 writes files and shows anything. Alone, without torchrun, all of this
does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from vaeflash.errors import DataError, Problem
from vaeflash.lab.training import Track, untracked
from vaeflash.lab.volumes.streams import Shard


@dataclass(frozen=True, slots=True)
class Team:
    """This process among those that train together.

    Attributes:
        device: Where this process computes.
        rank: Its number, from 0.
        of: How many there are.
    """

    device: torch.device
    rank: int = 0
    of: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes files and shows what happens."""
        return self.rank == 0

    @property
    def shard(self) -> Shard:
        """Which share of each batch is this process's."""
        return Shard(self.rank, self.of)

    def share(self, module: nn.Module) -> nn.Module:
        """The module with gradients that are averaged over all processes.

        It must be called as a whole: `backward` of what `forward` gave averages. All processes
        begin with the weights of rank 0. Its parameters are the module's own.
        """
        if self.of == 1:
            return module
        index = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=index, gradient_as_bucket_view=True)

    def mean(self, value: Tensor) -> Tensor:
        """The mean over processes, of equal shape in each; all must ask together."""
        if self.of == 1:
            return value
        total = value.clone()
        distributed.all_reduce(total)
        return total / self.of

    def noise(self, like: Tensor) -> Tensor:
        """Standard normal noise for our share of a batch, from torch's global generator.

        Every process draws that of the whole batch, so their generators stay equal if they began
        equal, and a single process has the same noise for the same cubes.

        Args:
            like: `(n, ...)`, our share of something, e.g. of the posterior's means.
        """
        whole = torch.randn(
            self.of * len(like), *like.shape[1:], dtype=like.dtype, device=like.device
        )
        return whole[self.rank :: self.of]

    def require_agreement(self, where: str, number: int) -> None:
        """Refuse to go on where processes hold different numbers; all must ask together.

        Raises:
            DataError: They do.
        """
        if self.of == 1:
            return
        ends = torch.tensor([number, -number], device=self.device)
        distributed.all_reduce(ends, op=distributed.ReduceOp.MAX)
        high, low = ends[0].item(), -ends[1].item()
        if high != low:
            what = f"some processes found {low:,} steps there and some {high:,}."
            advice = "Keep it in a folder that all processes see, or delete it everywhere."
            raise DataError(Problem(where, what, advice))

    def tracking(self, track: Track) -> Track:
        """The progress display, in one process alone."""
        return track if self.leads else untracked


@contextmanager
def joined(device: torch.device, rendezvous: str = "env://") -> Iterator[Team]:
    """Join the processes that torchrun started, if it did; on leaving, leave them.

    Args:
        device: On a CPU the processes talk through gloo; of CUDA devices, through NCCL, each
            process takes the one with its local rank.
        rendezvous: Where they find each other: as torchrun says, or a `file://` that all see.

    Raises:
        DataError: This machine has fewer GPUs than processes.
    """
    of = int(os.environ.get("WORLD_SIZE", "1"))
    if of == 1:
        yield Team(device)
        return
    rank = int(os.environ["RANK"])
    if device.type == "cuda":
        device = torch.device("cuda", _own_gpu(torch.cuda.device_count()))
        torch.cuda.set_device(device)
    distributed.init_process_group(
        backend="nccl" if device.type == "cuda" else "gloo",
        init_method=rendezvous,
        rank=rank,
        world_size=of,
        device_id=device if device.type == "cuda" else None,
    )
    try:
        yield Team(device, rank, of)
    finally:
        distributed.destroy_process_group()


def _own_gpu(devices: int) -> int:
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if local >= devices:
        what = f"process {local} of this machine finds {devices} CUDA devices."
        advice = f"Start at most that many: torchrun --nproc-per-node {max(devices, 1)}"
        raise DataError(Problem("torchrun", what, advice))
    return local
