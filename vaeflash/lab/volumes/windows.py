"""Windows cut out of voxels, all windows of a batch at once."""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor

from vaeflash.errors import DataError, Problem

_PIECE = 2**19
"""Voxels that are cut before they are converted: they are still in the cache then."""


def gather(voxels: Tensor, corners: Tensor, window: tuple[int, ...]) -> Tensor:
    """Windows as one indexing: for a GPU, where it may also stand inside torch.compile.

    Args:
        voxels: `(..., Z, Y, X)`, as many axes at the end as the window has.
        corners: `(n, axes of voxels)`, on the same device: which voxel is a window's first.

    Returns:
        `(n, *window)`, of the voxels' type.
    """
    leading = voxels.ndim - len(window)
    index = []
    for axis, first in enumerate(corners.unbind(1)):
        at = first.view(-1, *(1 for _ in window))
        if axis >= leading:
            side = window[axis - leading]
            offsets = torch.arange(side, device=corners.device)
            at = at + offsets.view(-1, *(1 for _ in window[axis - leading + 1 :]))
        index.append(at)
    return voxels[tuple(index)]


def scaled(voxels: Tensor) -> Tensor:
    """Grey levels 0..255 to float32 in [0, 1]; labels to 0 and 1."""
    x = voxels.to(torch.float32)
    return x.div_(255) if voxels.dtype == torch.uint8 else x


class Windows:
    """Cuts windows of one shape out of 8-bit voxels or boolean labels; float32 comes out.

    On a CPU numpy's view of all windows is indexed, which copies rows where `gather` would copy
    voxels; both give the same.

    Args:
        voxels: `(..., Z, Y, X)`, uint8 or bool; not copied, so that what is written there is seen.

    Raises:
        DataError: The voxels are of another type.
    """

    def __init__(self, voxels: Tensor, window: tuple[int, ...]) -> None:
        if voxels.dtype not in (torch.uint8, torch.bool):
            what = f"they are {str(voxels.dtype).removeprefix('torch.')}."
            raise DataError(Problem("voxels", what, "Expected: uint8, labels bool."))
        self.voxels = voxels
        self.window = window
        self._views: NDArray[Any] | None = None
        if voxels.device.type == "cpu":
            last = tuple(range(voxels.ndim - len(window), voxels.ndim))
            self._views = sliding_window_view(voxels.numpy(), window, axis=last)
        self._memory = _Memory()

    def pick(self, corners: Tensor) -> Tensor:
        """Windows `(n, *window)` as they are, of corners `(n, axes)` on the voxels' device."""
        if self._views is None:
            return gather(self.voxels, corners, self.window)
        return torch.from_numpy(self._views[tuple(corners.numpy().T)])

    def cut(self, corners: Tensor) -> Tensor:
        """The same windows `scaled`, float32."""
        if self._views is None:
            return scaled(self.pick(corners))
        out = self._memory.take((len(corners), *self.window))
        step = max(1, _PIECE // math.prod(self.window))
        for part, at in zip(out.split(step), corners.split(step), strict=True):
            part.copy_(self.pick(at))
            if self.voxels.dtype == torch.uint8:
                part.div_(255)
        return out


class _Memory:
    """Memory for batches, taken again when nobody holds what was in it.

    Fresh pages from the system cost more than cutting the windows that fill them.
    """

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._held: list[tuple[NDArray[np.float32], weakref.ref[NDArray[np.float32]]]] = []

    def take(self, shape: tuple[int, ...]) -> Tensor:
        """A tensor of any content."""
        for number, (array, user) in enumerate(self._held):
            if user() is None and array.shape == shape:
                del self._held[number]
                break
        else:
            array = np.empty(shape, np.float32)
        view = array[:]  # the tensor and all that share its memory keep this alive, nobody else
        self._held = [*self._held, (array, weakref.ref(view))][-self._most :]
        return torch.from_numpy(view)
