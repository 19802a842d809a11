"""Random windows of a volume larger than memory: boxes are read ahead, and many cut from each.

Reading a window alone costs its chunks, all of them, each time. So a box of whole chunks is read
once, some hundred windows are cut from it, and it is replaced; windows of one box are correlated,
so a batch is cut from many boxes, which are replaced in turn.

The grid of chunks is also a grid of cells, and a window belongs to the cell of its first voxel. A
box is a cell and the window's length beyond it: boxes overlap, no window is lost between two, and
each belongs to one box alone. A box is drawn as often as its cell holds windows, and a window from
it at random: hence every window is as likely as it was without boxes.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self, TypeAlias

import torch
from torch import Tensor

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.cubes import to_device
from vaeflash.lab.volumes.places import Masked, Uniform
from vaeflash.lab.volumes.streams import ALONE, Numbered, Shard
from vaeflash.lab.volumes.volume import Box, Triple, Volume, require_inside
from vaeflash.lab.volumes.windows import Windows

_Key: TypeAlias = tuple[int, int]
"""A slot of the pool, and which of the boxes that it will hold one after the other."""


@dataclass(frozen=True, slots=True)
class Pool:
    """How boxes are kept.

    Attributes:
        boxes: At once; a batch takes equally many windows from each. With as many as the batch has
            windows, or more, no two windows of a batch share a box.
        cuts: Windows cut from a box before it is replaced, rounded to whole batches.
        cell: Voxels of a cell along each axis, rounded up to chunks where chunks are not longer
            than twice that. A box is longer by the window less one.
        threads: That read.
    """

    boxes: int = 16
    cuts: int = 256
    cell: int = 64
    threads: int = 2

    def __post_init__(self) -> None:
        for name in ("boxes", "cuts", "cell", "threads"):
            if getattr(self, name) < 1:
                where = f"{name} = {getattr(self, name)}"
                raise DataError(Problem(where, "a pool of boxes needs at least 1.", ""))


class Boxes(Numbered):
    """Batches of windows, without end, as `Cubes` gives them.

    Batch k follows from the seed and k alone, however fast the threads are. Close it, or use it as
    a context: its threads read ahead until then.

    Args:
        volume: Of uint8 voxels.
        places: Of every window, or of those in a mask: the laws that a box does not change.
        size: Windows of a batch, those of all processes together.
        generator: Gives the seed.
        pool: How many boxes, and for how long.
        shard: Which share of each batch is ours. A process reads only the boxes of its own share
            if the pool's boxes and the batch size are multiples of the number of processes.
        device: Where the pool is, and the batches.

    Raises:
        DataError: A window could reach outside, the voxels are not uint8, or the processes cannot
            share a batch equally.
    """

    def __init__(
        self,
        volume: Volume,
        places: Uniform | Masked,
        size: int,
        generator: torch.Generator,
        *,
        pool: Pool = Pool(),
        shard: Shard = ALONE,
        device: torch.device | str = "cpu",
    ) -> None:
        cell = cell_shape(volume.chunks, pool.cell)
        per = -(-size // pool.boxes)
        life = max(1, round(pool.cuts / per))
        identity = {
            "window": list(places.window),
            "cell": list(cell),
            "number of boxes": pool.boxes,
            "life of a box": life,
        }
        super().__init__(generator, size, shard, identity)
        require_inside(places.region, volume.shape, "the region of the windows")
        if volume.dtype != "uint8":
            advice = "Expected: uint8; `EightBits` of grey.py makes it of uint16."
            raise DataError(Problem("this volume", f"it is of {volume.dtype}.", advice))
        self.device = torch.device(device)
        self._volume, self._places, self._cell = volume, places, cell
        self._boxes, self._per, self._life = pool.boxes, per, life
        box = [c + w - 1 for c, w in zip(cell, places.window, strict=True)]
        self._voxels = torch.zeros(pool.boxes, *box, dtype=torch.uint8, device=self.device)
        self._windows = Windows(self._voxels, places.window)
        self._corners = torch.zeros(pool.boxes, life * per, 3, dtype=torch.int64)
        self._corners = self._corners.to(self.device)
        self._held: dict[int, int] = {}
        self._reading: dict[_Key, Future[tuple[Box, Tensor, Tensor]]] = {}
        self._threads = ThreadPoolExecutor(pool.threads, "boxes")
        self._own = self.positions.to(self.device)

    def next(self) -> Tensor:
        """The next batch, `(n, 1, d, h, w)`, float32 in [0, 1].

        Raises:
            DataError: What a thread met while reading; asking again reads again.
        """
        shift = self.done * self.size
        self._hold({(i + shift) % self._boxes for i in self.positions.tolist()})
        slots = (self._own + shift) % self._boxes
        phases = (self.done + slots * self._life // self._boxes) % self._life
        corners = self._corners[slots, phases * self._per + self._own // self._boxes]
        self.done += 1
        return self._windows.cut(torch.cat((slots[:, None], corners), 1)).unsqueeze(1)

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on from there; the boxes of that batch are read anew."""
        super().load_state_dict(state)
        self._forget(self._reading)
        self._held.clear()

    def close(self) -> None:
        """End the threads, when they have read what they are at."""
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _hold(self, slots: set[int]) -> None:
        """Fill these slots with the boxes that this batch needs, and read those that follow."""
        needed = {
            slot: (self.done + slot * self._life // self._boxes) // self._life
            for slot in sorted(slots)
        }
        new = [key for key in needed.items() if self._held.get(key[0]) != key[1]]
        for key in new:
            self._read_ahead(key)
        for slot, number in new:
            box, voxels, corners = self._reading.pop((slot, number)).result()
            z, y, x = box.shape
            self._voxels[slot, :z, :y, :x] = to_device(voxels, self.device)
            self._corners[slot] = to_device(corners, self.device)
            self._held[slot] = number
        for slot, number in needed.items():
            self._read_ahead((slot, number + 1))
        if new:
            past = [key for key in self._reading if key[1] < needed.get(key[0], 0)]
            self._forget(past)

    def _read_ahead(self, key: _Key) -> None:
        if key not in self._reading:
            self._reading[key] = self._threads.submit(self._read, key)

    def _forget(self, keys: Iterable[_Key]) -> None:
        for key in list(keys):
            self._reading.pop(key).cancel()

    def _read(self, key: _Key) -> tuple[Box, Tensor, Tensor]:
        """Box, voxels, and the corners in it that will be cut: they follow from seed and key."""
        slot, number = key
        generator = self.streams.at(slot + self._boxes * number)
        corner = self._places.draw(1, generator)[0].tolist()
        box = self._box_of(corner)
        corners = replace(self._places, region=box).draw(self._life * self._per, generator)
        voxels = torch.from_numpy(self._volume.read(box))
        return box, voxels, corners - torch.tensor(box.start)

    def _box_of(self, corner: list[int]) -> Box:
        """The box of the cell that holds a window's first voxel, cut to the region."""
        low, high = [], []
        region, window = self._places.region, self._places.window
        for c, cell, w, a, b in zip(
            corner, self._cell, window, region.start, region.stop, strict=True
        ):
            first = c // cell * cell
            low.append(max(first, a))
            high.append(min(first + cell + w - 1, b))
        return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def cell_shape(chunks: Triple, least: int) -> Triple:
    """Whole chunks; where a chunk is much longer than a cell should be, its grid is given up."""
    z, y, x = (c * -(-least // c) if c <= 2 * least else least for c in chunks)
    return z, y, x
