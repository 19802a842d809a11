"""Random windows of a volume that lies in memory, on a CPU or a GPU, a batch in one gather.

The voxels stay 8-bit, a quarter of the memory of float32, and are converted after the gather: a
scroll of 100 GB fits one large GPU. For a volume that does not fit there is `boxes.py`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vaeflash.lab.batches import Data
from vaeflash.lab.volumes.places import Places
from vaeflash.lab.volumes.streams import ALONE, Numbered, Shard
from vaeflash.lab.volumes.volume import Volume, require_inside, whole
from vaeflash.lab.volumes.windows import Windows

_AHEAD = 16
_BLOCK, _MOST = 128, 2**27
"""What is read at once: a side, rounded up to chunks, and voxels where a chunk is a whole layer."""


class Cubes(Numbered):
    """Batches of windows, without end.

    Batch k follows from the seed and k, on every device the same. Corners are drawn on the CPU, of
    many batches at once, and moved together, so that no step on a GPU waits for them.

    Args:
        voxels: `(Z, Y, X)`, uint8, on the device where the batches are wanted.
        places: Draws the windows.
        size: Windows of a batch, those of all processes together.
        generator: Gives the seed.
        labels: `(Y, X)`, bool, on the same device, of a surface `(D, Y, X)`.
        shard: Which share of each batch is ours.

    Raises:
        DataError: A window could reach outside, voxels or labels are of the wrong type, or the
            processes cannot share a batch equally.
    """

    def __init__(
        self,
        voxels: Tensor,
        places: Places,
        size: int,
        generator: torch.Generator,
        *,
        labels: Tensor | None = None,
        shard: Shard = ALONE,
    ) -> None:
        super().__init__(generator, size, shard, {"window": list(places.window)})
        z, y, x = voxels.shape
        require_inside(places.region, (z, y, x), "the region of the windows")
        self._places = places
        self._cubes = Windows(voxels, places.window)
        self._labels = None
        if labels is not None:
            require_inside(places.region, (z, *labels.shape), "the region of the windows")
            self._labels = Windows(labels, places.window[1:])
        self._ahead = torch.empty(0, len(self.positions), 3, dtype=torch.int64)
        self._first = 0

    @property
    def device(self) -> torch.device:
        """Where the batches are."""
        return self._cubes.voxels.device

    def next(self) -> Data:
        """The next batch.

        Returns:
            `(n, 1, d, h, w)`, float32 in [0, 1]; with labels a tuple of it and `(n, h, w)`,
            float32, 0 or 1.
        """
        corners = self.corners(self.done)
        self.done += 1
        cubes = self._cubes.cut(corners).unsqueeze(1)
        return (cubes, self._labels.cut(corners[:, 1:])) if self._labels else cubes

    def corners(self, batch: int) -> Tensor:
        """First voxels of the windows of a batch, our share, `(n, 3)`, on the device."""
        if not 0 <= batch - self._first < len(self._ahead):
            self._first = batch
            drawn = [self._drawn(number) for number in range(batch, batch + _AHEAD)]
            self._ahead = to_device(torch.stack(drawn), self.device)
        return self._ahead[batch - self._first]

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        self._ahead = self._ahead[:0]

    def _drawn(self, batch: int) -> Tensor:
        return self._places.draw(self.size, self.streams.at(batch))[self.positions]


def resident(volume: Volume, device: torch.device | str = "cpu") -> Tensor:
    """All voxels of a volume `(Z, Y, X)`, read block by block: only the device must hold them all.

    Raises:
        DataError: The data are damaged.
    """
    if torch.device(device).type == "cpu":  # numpy asks for huge pages: gathers are faster
        voxels = torch.from_numpy(np.empty(volume.shape, volume.dtype))
    else:
        dtype = torch.from_numpy(np.empty(0, volume.dtype)).dtype
        voxels = torch.empty(volume.shape, dtype=dtype, device=device)
    depth, y, x = (c * -(-_BLOCK // c) for c in volume.chunks)
    chunk = volume.chunks[0]
    z = chunk * max(1, min(depth, _MOST // (y * x)) // chunk)
    for box in whole(volume.shape).blocks((z, y, x)):
        voxels[box.slices] = torch.from_numpy(volume.read(box)).to(device)
    return voxels


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The same there; a GPU does not wait for it, nor we for the GPU."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
