"""Zarr arrays and OME-Zarr images as volumes: v2 and v3, sharded or not, from disk or any URL."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vaeflash.errors import DataError, Problem, VaeflashError
from vaeflash.lab.volumes.chunks import MEMORY, ChunkedVolume, chunk_box, voxel_cache
from vaeflash.lab.volumes.extra import needing_extra, reason
from vaeflash.lab.volumes.grey import last_three, require_grey
from vaeflash.lab.volumes.volume import Triple, Voxels

if TYPE_CHECKING:
    import zarr

MARKS = ("zarr.json", ".zarray", ".zgroup")
"""Files by which a folder is known as Zarr."""


def open_zarr(location: str | Path, level: int = 0, memory: int = MEMORY) -> ChunkedVolume:
    """An array, or one resolution of an OME-Zarr image (0.4 in Zarr v2, 0.5 in Zarr v3).

    A chunk that is not stored counts as the array's fill value, as Zarr has it: of a half-copied
    array nobody can tell.

    Args:
        location: A folder or URL.
        level: Which resolution; 0 is the finest.
        memory: Bytes of decoded chunks to keep.

    Raises:
        DataError: There is no such array, it cannot be read, or it is not a volume of grey.
    """
    where = str(location)
    with needing_extra(where):
        import zarr
    node = _opened(location)
    if isinstance(node, zarr.Array):
        if level:
            raise DataError(Problem(where, "an array has one resolution, level 0."))
        return _volume(where, node, memory)
    path = _dataset(where, node, level)
    name = f"{where.rstrip('/')}/{path}"
    return _volume(name, _member(name, node, path), memory)


def _opened(location: str | Path) -> zarr.Array[Any] | zarr.Group:
    import zarr
    from zarr.errors import NodeNotFoundError

    where = str(location)
    store: Any = location
    if isinstance(location, str):
        with needing_extra(where):
            from vaeflash.lab.volumes.remote import open_store
        store = open_store(location)
    try:
        return zarr.open(store, mode="r")
    except (FileNotFoundError, NodeNotFoundError) as error:
        advice = "Name the array, or an OME-Zarr image with `multiscales`, itself."
        raise DataError(Problem(where, "there is no Zarr array here.", advice)) from error
    except VaeflashError:
        raise
    except Exception as error:  # codecs, JSON, servers: whatever a damaged store makes them raise
        what = f"this Zarr store cannot be opened: {reason(error)}."
        raise DataError(Problem(where, what, "Check the address, or copy it again.")) from error


def _dataset(where: str, group: zarr.Group, level: int) -> str:
    """The path of one resolution within an OME-Zarr image."""
    attributes: Any = group.attrs.asdict()
    ome = attributes.get("ome", attributes)
    try:
        image = ome["multiscales"][0]
        paths = [str(dataset["path"]) for dataset in image["datasets"]]
        axes = [
            axis["name"] if isinstance(axis, Mapping) else axis for axis in image.get("axes", [])
        ]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        what = "this Zarr group does not say, under `multiscales`, which arrays are its image."
        advice = f"Name one of its arrays: {where.rstrip('/')}/NAME"
        raise DataError(Problem(where, what, advice)) from error
    if axes and axes[-3:] != ["z", "y", "x"]:
        what = f"its axes are {', '.join(map(str, axes))}."
        raise DataError(Problem(where, what, "Expected: z, y and x, in this order, as the last."))
    if not 0 <= level < len(paths):
        advice = f"Its levels are 0 to {len(paths) - 1}; 0 is the finest."
        raise DataError(Problem(where, f"there is no level {level}.", advice))
    return paths[level]


def _member(where: str, group: zarr.Group, path: str) -> zarr.Array[Any]:
    import zarr

    try:
        array = group[path]
    except Exception as error:
        what = f"the image's list of levels names this array, but: {reason(error)}."
        raise DataError(Problem(where, what, "Copy it again, or choose another level.")) from error
    if not isinstance(array, zarr.Array):
        raise DataError(Problem(where, "this is a group, and should be an array."))
    return array


def _volume(where: str, array: zarr.Array[Any], memory: int) -> ChunkedVolume:
    shape = last_three(array.shape, where)
    dtype = require_grey(np.dtype(array.dtype), where)
    z, y, x = array.chunks[-3:]
    get = functools.partial(_chunk, where, array, dtype, shape, (z, y, x))
    return ChunkedVolume(where, shape, dtype, (z, y, x), voxel_cache(get, memory))


def _chunk(
    where: str,
    array: zarr.Array[Any],
    dtype: np.dtype[Any],
    shape: Triple,
    chunks: Triple,
    index: Triple,
) -> Voxels:
    box = chunk_box(index, chunks, shape)
    before = (0,) * (array.ndim - 3)
    region: Any = (*before, *box.slices)
    try:
        return np.asarray(array[region], dtype)
    except VaeflashError:
        raise
    except Exception as error:  # codecs, servers: whatever a damaged chunk makes them raise
        stored = array.shards or array.chunks
        first = (*before, *(a // side for a, side in zip(box.start, stored[-3:], strict=True)))
        name = f"{where}/{array.metadata.encode_chunk_key(first)}"
        what = f"this chunk cannot be read: {reason(error)}."
        advice = f"It holds the voxels from {box.start} to {box.stop}: copy it again."
        raise DataError(Problem(name, what, advice)) from error
