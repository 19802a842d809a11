"""Picture files of any size and kind as one tensor of squares."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from vaeflash.errors import DataError, Problem

SMALLEST = 16
"""Pixels of the shorter side below which nobody recognises a face."""
TOLD = 10
"""Problems that are listed one by one."""


def read_squares(files: Sequence[Path], side: int) -> Tensor:
    """`(N, 3, side, side)`, uint8: the central square of each picture, scaled with antialiasing.

    Grey becomes three equal channels; what is transparent lies on white; a photograph is turned as
    its camera says.

    Raises:
        DataError: Pictures that are damaged or too small, each by its name.
    """
    return torch.from_numpy(_squares(tuple(files), side).copy())


@lru_cache(maxsize=1)
def _squares(files: tuple[Path, ...], side: int) -> npt.NDArray[np.uint8]:
    squares = np.empty((len(files), 3, side, side), np.uint8)
    problems: list[Problem] = []
    for i, file in enumerate(files):
        try:
            squares[i] = np.moveaxis(np.asarray(_square(file, side)), 2, 0)
        except DataError as error:
            problems += error.problems
    if len(problems) > TOLD:
        rest = Problem("and more", f"{len(problems) - TOLD:,} other pictures cannot be used.")
        problems = [*problems[:TOLD], rest]
    if problems:
        raise DataError(*problems)
    return squares


def _square(file: Path, side: int) -> Image.Image:
    try:
        with Image.open(file) as image:
            if min(image.size) < SMALLEST:
                raise _unusable(file, f"the picture is {image.width} x {image.height} pixels")
            image.draft("RGB", (2 * side, 2 * side))  # lets JPEG skip detail that is not kept
            turned = ImageOps.exif_transpose(image)
            colour = _rgb(turned)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow raises SyntaxError, too, for files that only begin like a picture.
        reason = str(error).rstrip(".") or type(error).__name__
        raise _unusable(file, f"this picture cannot be read: {reason}") from error
    return ImageOps.fit(colour, (side, side), Image.Resampling.BICUBIC)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would cut them off
        grey = np.asarray(image).astype(np.float64) / 257
        return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _unusable(file: Path, what: str) -> DataError:
    advice = f"Replace or remove it; at least {SMALLEST} x {SMALLEST} pixels are needed."
    return DataError(Problem(str(file), f"{what}.", advice))
