"""Volumes that are stored in pieces, and a cache that gets each piece once.

A cube of 32^3 touches up to eight chunks of a scroll, and its neighbours touch the same eight
again. Without a cache each of them is read, or downloaded, and decoded every time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from vaeflash.lab.volumes.volume import Box, Triple, Voxels, require_inside

MEMORY = 2**30
"""Bytes of decoded chunks that an open volume keeps, unless told otherwise."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """The pieces that were used last, up to a limit; the one not used for longest goes first.

    Several threads may ask. The first that asks for a piece gets it; those that ask for the same
    one meanwhile wait for it, and all others go on. An error reaches everybody who waits; the
    next who asks tries again.

    Args:
        get: Reads, computes or downloads a piece.
        limit: What all pieces that are kept may cost together. A piece that costs more by itself
            is handed out and not kept.
        cost: Of a piece, e.g. its bytes.

    Attributes:
        fetched: How many pieces were got since the start.
    """

    def __init__(self, get: Callable[[K], V], limit: int, cost: Callable[[V], int]) -> None:
        self.fetched = 0
        self._get = get
        self._limit = limit
        self._cost = cost
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._spent = 0
        self._coming: dict[K, Future[V]] = {}
        self._lock = threading.Lock()

    def __getitem__(self, key: K) -> V:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
            ours = key not in self._coming
            future = self._coming.setdefault(key, Future())
        return self._fetch(key, future) if ours else future.result()

    @property
    def spent(self) -> int:
        """What the pieces that are kept cost together."""
        return self._spent

    def _fetch(self, key: K, future: Future[V]) -> V:
        try:
            piece = self._get(key)
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            future.set_exception(error)
            raise
        with self._lock:
            # In one step: whoever comes next finds it either coming or kept.
            del self._coming[key]
            self._keep(key, piece)
        future.set_result(piece)
        return piece

    def _keep(self, key: K, piece: V) -> None:
        self.fetched += 1
        cost = self._cost(piece)
        if cost > self._limit:
            return
        self._kept[key] = piece, cost
        self._spent += cost
        while self._spent > self._limit:
            _, (_, freed) = self._kept.popitem(last=False)
            self._spent -= freed


def voxel_cache(get: Callable[[Triple], Voxels], memory: int) -> Cache[Triple, Voxels]:
    """A cache of decoded chunks, limited in bytes."""
    return Cache(get, memory, lambda voxels: voxels.nbytes)


@dataclass(frozen=True, slots=True, eq=False)
class ChunkedVolume:
    """A volume put together from the chunks that a cache gives.

    Attributes:
        where: What errors call it: its file or URL.
        shape: Voxels along z, y and x.
        dtype: Of the voxels.
        chunks: Voxels of a chunk along z, y and x; the last chunk of an axis is cut.
        cache: (i, j, k) -> the voxels of that chunk.
    """

    where: str
    shape: Triple
    dtype: np.dtype[Any]
    chunks: Triple
    cache: Cache[Triple, Voxels]

    def read(self, box: Box) -> Voxels:
        """A copy of the voxels in a box."""
        require_inside(box, self.shape, self.where)
        voxels = np.empty(box.shape, self.dtype)
        for index in touched(box, self.chunks):
            chunk = chunk_box(index, self.chunks, self.shape)
            shared = overlap(box, chunk)
            voxels[from_corner(shared, box)] = self.cache[index][from_corner(shared, chunk)]
        return voxels


def touched(box: Box, chunks: Triple) -> list[Triple]:
    """The chunks that a box has voxels of, row by row."""
    bounds = zip(box.start, box.stop, chunks, strict=True)
    z, y, x = (range(a // side, (b - 1) // side + 1) for a, b, side in bounds)
    return [(i, j, k) for i in z for j in y for k in x]


def chunk_box(index: Triple, chunks: Triple, shape: Triple) -> Box:
    """The voxels of one chunk of a volume of this shape."""
    z, y, x = (i * side for i, side in zip(index, chunks, strict=True))
    return overlap(Box.at((z, y, x), chunks), Box((0, 0, 0), shape))


def overlap(a: Box, b: Box) -> Box:
    """The voxels that two boxes share; they must share some."""
    z0, y0, x0 = map(max, a.start, b.start)
    z1, y1, x1 = map(min, a.stop, b.stop)
    return Box((z0, y0, x0), (z1, y1, x1))


def from_corner(box: Box, frame: Box) -> tuple[slice, ...]:
    """What cuts a box out of the array that holds just `frame`."""
    return tuple(
        slice(a - corner, b - corner)
        for a, b, corner in zip(box.start, box.stop, frame.start, strict=True)
    )
