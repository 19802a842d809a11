"""A piece of papyrus, cut out of its scroll and laid flat: what a network reads ink from.

The surface of a rolled sheet is found first, then the scroll is sampled in layers above and below
it. So the first axis is the depth through the sheet, and ink is labelled as a flat picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaeflash.errors import DataError, Problem


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Layers of a flattened sheet with its labels.

    Attributes:
        voxels: `(D, V, U)`, uint8: D layers through the sheet, V along the scroll's axis, U along
            the winding, the direction in which the text is read.
        ink: `(V, U)`, bool: where the writing is.
        mask: `(V, U)`, bool: where there is papyrus, and labels mean anything.

    Raises:
        DataError: The three do not fit together.
    """

    voxels: NDArray[np.uint8]
    ink: NDArray[np.bool_]
    mask: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or 0 in self.voxels.shape:
            _refuse(f"its layers are {_times(self.voxels.shape)}", "(D, V, U), none of them 0")
        for name, labels in (("ink labels", self.ink), ("mask", self.mask)):
            if labels.shape != self.voxels.shape[1:]:
                what = f"its {name} are {_times(labels.shape)}"
                _refuse(what, f"{_times(self.voxels.shape[1:])}, as the layers are")
        for array, dtype in ((self.voxels, np.uint8), (self.ink, np.bool_), (self.mask, np.bool_)):
            if array.dtype != dtype:
                _refuse(f"it holds {array.dtype}", "uint8 layers, bool ink and mask")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{length:,}" for length in shape)


def _refuse(what: str, expected: str) -> None:
    raise DataError(Problem("surface", f"{what}.", f"Expected: {expected}."))
