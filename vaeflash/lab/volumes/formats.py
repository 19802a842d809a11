"""Opens a volume, or a labelled surface, from wherever it lies.

    open_volume("scroll.zarr", level=2)               OME-Zarr, or a plain Zarr array
    open_volume("https://host/scroll.zarr")           the same behind any URL that fsspec knows
    open_volume("simplecache::https://host/...")      ... keeping on disk what was downloaded
    open_volume("segment/layers")                     00.tif, 01.tif, ...
    open_volume("cube.nrrd"), open_volume("cube.npy")

    open_surface("segment")                           layers, inklabels.png and maybe mask.png

Whatever it was, it is a `Volume`: a shape, a dtype and `read(box)`.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.arrays import open_npy, open_nrrd
from vaeflash.lab.volumes.chunks import MEMORY
from vaeflash.lab.volumes.grey import eight_bits
from vaeflash.lab.volumes.labels import INK, MASK, find_labels, read_labels
from vaeflash.lab.volumes.layers import open_layers
from vaeflash.lab.volumes.surface import Surface
from vaeflash.lab.volumes.volume import Box, Volume
from vaeflash.lab.volumes.zarrs import MARKS, open_zarr

FILES = {".npy": open_npy, ".nrrd": open_nrrd, ".nhdr": open_nrrd}
EXPECTED = "Expected: a Zarr folder or URL, a folder of layers NN.tif, a .npy or a .nrrd file."


def open_volume(location: str | Path, *, level: int = 0, memory: int = MEMORY) -> Volume:
    """The volume at a path or URL, of uint8 or uint16; nothing but its headers is read yet.

    Args:
        location: See above.
        level: Of an OME-Zarr image which resolution; 0 is the finest, others are coarser.
        memory: Bytes of decoded chunks or layers to keep.

    Raises:
        DataError: It is not there, damaged, of no known format, or not a volume of grey; or a
            package that reads it is not installed.
    """
    place = _place(location)
    if isinstance(place, str) or any((place / mark).is_file() for mark in MARKS):
        return open_zarr(place, level, memory)
    if level:
        what = f"there is no level {level}."
        raise DataError(Problem(str(place), what, "Only OME-Zarr images have levels but 0."))
    if place.is_dir() and place.suffix != ".zarr":
        return open_layers(place, memory)
    if place.is_file() and place.suffix.lower() in FILES:
        return FILES[place.suffix.lower()](place)
    if not place.exists():
        what = "there is no such file or folder."
    elif place.is_dir():
        what = f"this Zarr folder has no metadata: none of {', '.join(MARKS)}."
    else:
        what = f"a file that ends in '{place.suffix}' is of no known format."
    raise DataError(Problem(str(place), what, EXPECTED))


def open_surface(location: str | Path) -> Surface:
    """A flattened piece of papyrus with its ink labels, all of it in memory, in 8 bits.

    Args:
        location: A folder that holds layers (or `layers/`, or `surface_volume/`), `inklabels.png`
            and, if some of it is not papyrus, `mask.png`; `NAME_inklabels.png` will do, too.

    Raises:
        DataError: Something of it is missing, damaged or of another size.
    """
    folder = _place(location)
    if isinstance(folder, str) or not folder.is_dir():
        advice = f"Expected: a folder on this machine with layers and {INK}."
        raise DataError(Problem(str(folder), "this is no folder of a surface.", advice))
    volume = open_layers(folder)
    labels = find_labels(folder, INK)
    if labels is None:
        advice = f"Expected: {INK} beside the layers, of their height and width."
        raise DataError(Problem(str(folder), "there are no ink labels in this folder.", advice))
    depth, height, width = volume.shape
    ink = read_labels(labels, (height, width))
    outline = find_labels(folder, MASK)
    mask = read_labels(outline, ink.shape) if outline else np.ones_like(ink)
    voxels = np.empty(volume.shape, np.uint8)
    for z in range(depth):
        voxels[z] = eight_bits(volume.read(Box((z, 0, 0), (z + 1, height, width))))[0]
    return Surface(voxels, ink, mask)


def _place(location: str | Path) -> str | Path:
    """A path on this machine, or a URL as text."""
    if isinstance(location, str) and location.startswith("file://"):
        return Path(url2pathname(urlsplit(location).path))
    if isinstance(location, str) and ("://" in location or "::" in location):
        return location
    return Path(location).expanduser()
