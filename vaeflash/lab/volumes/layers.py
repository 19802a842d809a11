"""A folder of layers, `00.tif`, `01.tif` and so on, as one volume: a layer is a plane of it.

The layout of flattened papyrus (65 layers through the sheet) and of whole scans (thousands of
slices). Reading a small window must not open and decode every layer anew for every batch: layers
that are stored as they are get mapped into memory, and others are decoded once and kept.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.chunks import MEMORY, Cache, ChunkedVolume, voxel_cache
from vaeflash.lab.volumes.extra import needing_extra, reason
from vaeflash.lab.volumes.grey import require_grey, times
from vaeflash.lab.volumes.volume import Triple, Voxels

FOLDERS = ("layers", "surface_volume")
"""Where layers lie in a folder that also holds their labels."""
MAPPED = 256
"""Layers that are mapped at once: each holds an open file, and a process may have 1,024."""
TOLD = 10
"""Problems that are listed one by one."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One file.

    Attributes:
        shape: Voxels along its two axes.
        dtype: As stored, with its byte order.
        offset: Where its voxels begin, if they are stored as they are.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    offset: int | None


def open_layers(folder: Path, memory: int = MEMORY) -> ChunkedVolume:
    """The layers in a folder, or in `layers/` or `surface_volume/` within it.

    Args:
        folder: Files whose names end in their number; z is the order of the numbers.
        memory: Bytes of decoded layers to keep; 0 opens each layer again for each box.

    Raises:
        DataError: There are none, one is missing or damaged, or they do not fit together.
    """
    paths = find_layers(folder)
    with needing_extra(str(folder)):
        import tifffile  # noqa: F401 -- rather missed here than in the middle of the layers
    layers = _inspected(paths)
    mapped = all(layer.offset is not None for layer in layers)
    cache = (
        Cache(functools.partial(_mapped, layers), MAPPED if memory else 0, lambda _: 1)
        if mapped
        else voxel_cache(functools.partial(_decoded, layers), memory)
    )
    height, width = layers[0].shape
    shape, dtype = (len(layers), height, width), layers[0].dtype.newbyteorder("=")
    return ChunkedVolume(str(folder), shape, dtype, (1, height, width), cache)


def find_layers(folder: Path) -> list[Path]:
    """The files of all layers, in the order of their numbers.

    Raises:
        DataError: There are none, or their numbers leave gaps or come twice.
    """
    places = [folder, *(folder / name for name in FOLDERS)]
    found = {place: numbered for place in places if (numbered := _numbered(place))}
    if not found:
        advice = f"Expected: 00.tif, 01.tif, ... in it, or in its {' or '.join(FOLDERS)}."
        raise DataError(Problem(str(folder), "there are no layers in this folder.", advice))
    if len(found) > 1:
        named = " and in ".join(map(str, found))
        raise DataError(Problem(str(folder), f"there are layers in {named}.", "Name one of them."))
    [(place, numbered)] = found.items()
    _require_complete(place, numbered)
    return [path for _, _, path in sorted(numbered)]


def _numbered(folder: Path) -> list[tuple[int, str, Path]]:
    """(number, what stands before it, file) of each layer; pictures without a number are not."""
    if not folder.is_dir():
        return []
    numbered = []
    for path in folder.iterdir():
        name = re.fullmatch(r"(.*?)(\d+)", path.stem)
        if name and path.suffix.lower() in (".tif", ".tiff") and not path.name.startswith("."):
            numbered.append((int(name[2]), name[1], path))
    return numbered


def _require_complete(place: Path, numbered: Sequence[tuple[int, str, Path]]) -> None:
    prefixes = sorted({prefix for _, prefix, _ in numbered})
    if len(prefixes) > 1:
        names = ", ".join(f"{prefix}NN.tif" for prefix in prefixes[:3])
        what = f"there are layers of several names: {names}."
        raise DataError(Problem(str(place), what, "Expected: one set of layers."))
    counts = Counter(number for number, _, _ in numbered)
    twice = sorted(str(path.name) for number, _, path in numbered if counts[number] > 1)
    if twice:
        what = f"these have the same number: {', '.join(twice[:TOLD])}."
        raise DataError(Problem(str(place), what, "Remove what does not belong."))
    gaps = [number for number in range(min(counts), max(counts)) if number not in counts]
    if gaps:
        missing = ", ".join(map(str, gaps[:TOLD])) + (", ..." if len(gaps) > TOLD else "")
        what = f"layers are missing between {min(counts)} and {max(counts)}: {missing}."
        raise DataError(Problem(str(place), what, "Copy them again."))


def _inspected(paths: Sequence[Path]) -> list[Layer]:
    layers: list[Layer] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            layers.append(_inspect(path))
        except DataError as error:
            problems += error.problems
    common = Counter((layer.shape, layer.dtype) for layer in layers).most_common(1)
    for layer in layers:
        (shape, dtype), _ = common[0]
        if (layer.shape, layer.dtype) != (shape, dtype):
            what = f"this layer is {times(layer.shape)}, {_kind(layer.dtype)}."
            expected = f"Expected: {times(shape)}, {_kind(dtype)}, as most are."
            problems.append(Problem(str(layer.path), what, expected))
    if len(problems) > TOLD:
        rest = Problem("and more", f"{len(problems) - TOLD:,} other layers cannot be used.")
        problems = [*problems[:TOLD], rest]
    if problems:
        raise DataError(*problems)
    return layers


def _inspect(path: Path) -> Layer:
    """What a layer's header says, held against the length of its file."""
    import tifffile

    where = str(path)
    try:
        with tifffile.TiffFile(path) as file:
            page, pages = file.pages.first, len(file.pages)
            shape = tuple(int(side) for side in page.shape)
            dtype = np.dtype(str(page.dtype)).newbyteorder(file.byteorder)
            kind = tifffile.PHOTOMETRIC(page.photometric).name.lower()
            turned = page.tags.valueof("Orientation", 1) != 1
            plain = page.is_memmappable
            offset = page.dataoffsets[0] if plain else None
    except Exception as error:  # tifffile raises many kinds for files that only begin like a TIFF
        what = f"this layer cannot be read: {reason(error)}."
        raise DataError(Problem(where, what, "Copy it again.")) from error
    if pages != 1 or len(shape) != 2 or 0 in shape or kind != "minisblack":
        what = f"this layer is {times(shape)}, {kind}, pages: {pages}."
        raise DataError(Problem(where, what, "Expected: one picture in grey, 0 is black."))
    if turned:
        what = "this layer asks to be shown turned or mirrored."
        raise DataError(Problem(where, what, "Save it upright, as the labels lie."))
    require_grey(dtype, where)
    height, width = shape
    if offset is not None and path.stat().st_size < offset + height * width * dtype.itemsize:
        raise DataError(Problem(where, "this layer ends too early.", "Copy it again."))
    return Layer(path, (height, width), dtype, offset)


def _kind(dtype: np.dtype[Any]) -> str:
    return f"{dtype.newbyteorder('=')}" + ("" if dtype.isnative else " of other byte order")


def _mapped(layers: Sequence[Layer], index: Triple) -> Voxels:
    """A layer as numpy maps it into memory: only what is looked at is read from disk."""
    layer = layers[index[0]]
    try:
        return np.memmap(layer.path, layer.dtype, "r", layer.offset or 0, (1, *layer.shape))
    except (OSError, ValueError) as error:
        raise _unreadable(layer, error) from error


def _decoded(layers: Sequence[Layer], index: Triple) -> Voxels:
    """A layer that is compressed, or cut into strips that lie apart."""
    layer = layers[index[0]]
    try:
        voxels = _pixels(layer)
    except Exception as error:  # what a damaged layer makes two packages raise
        raise _unreadable(layer, error) from error
    if voxels.shape != layer.shape or voxels.dtype.itemsize != layer.dtype.itemsize:
        raise _unreadable(layer, ValueError(f"it decodes to {times(voxels.shape)} {voxels.dtype}"))
    return voxels.astype(layer.dtype.newbyteorder("="), copy=False)[None]


def _pixels(layer: Layer) -> Voxels:
    import tifffile
    from PIL import Image

    # Pillow decodes LZW, for which tifffile needs yet another package. But it takes a picture
    # above some limit for an attack.
    if math.prod(layer.shape) > (Image.MAX_IMAGE_PIXELS or math.inf):
        return tifffile.imread(layer.path)
    with Image.open(layer.path) as image:
        return np.asarray(image)


def _unreadable(layer: Layer, error: Exception) -> DataError:
    what = f"this layer cannot be read: {reason(error)}."
    advice = "Copy it again; compressed layers are read as LZW, deflate or what Pillow knows."
    return DataError(Problem(str(layer.path), what, advice))
