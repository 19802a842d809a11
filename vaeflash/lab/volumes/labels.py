"""Flat pictures that say of each place of a surface whether there is ink, or papyrus at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.extra import reason
from vaeflash.lab.volumes.grey import times

INK, MASK = "inklabels.png", "mask.png"


def find_labels(folder: Path, name: str) -> Path | None:
    """The picture of this name, or the one whose name ends in it after a `_`; none if none is.

    Raises:
        DataError: There are several, and none has just this name.
    """
    if (folder / name).is_file():
        return folder / name
    found = sorted(folder.glob(f"*_{name}"))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(Problem(str(folder), f"there are {names}.", f"Call the right one {name}."))
    return found[0] if found else None


def read_labels(path: Path, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """`(V, U)`, bool: where a picture of 0 and 255, or of 0 and 1, is not 0.

    Args:
        path: A PNG, in grey or with three equal channels.
        shape: Of the surface that it belongs to.

    Raises:
        DataError: It is damaged, of another size, or has other values.
    """
    # Not Pillow's `open`, which takes the labels of a large surface for an attack.
    from PIL.PngImagePlugin import PngImageFile

    try:
        with PngImageFile(path) as image:
            picture = np.asarray(image.convert("RGB") if image.mode in ("P", "RGBA") else image)
    except Exception as error:  # Pillow raises many kinds for files that only begin like a PNG
        what = f"this picture cannot be read: {reason(error)}."
        raise DataError(Problem(str(path), what, "Expected: a PNG.")) from error
    if picture.ndim == 3 and (picture == picture[..., :1]).all():
        picture = picture[..., 0]
    if picture.shape != shape:
        what = f"this picture is {times(picture.shape)}."
        expected = f"Expected: {times(shape)}, as the layers are."
        raise DataError(Problem(str(path), what, expected))
    values = [int(value) for value in np.unique(picture)]
    if values not in ([0], [1], [255], [0, 1], [0, 255]):
        named = ", ".join(map(str, values[:4])) + (", ..." if len(values) > 4 else "")
        advice = "Expected: 0 and 255, or 0 and 1; choose a threshold for grey."
        raise DataError(Problem(str(path), f"its values are {named}.", advice))
    return np.asarray(picture != 0)
