"""Volumes in one file: numpy's `.npy` and `.nrrd`, mapped into memory where that can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.extra import needing_extra, reason
from vaeflash.lab.volumes.grey import last_three, require_grey
from vaeflash.lab.volumes.volume import ArrayVolume, Voxels

NRRD_TYPES = {
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
}
"""NRRD's words for what voxels may be -> numpy's."""


def open_npy(path: Path) -> ArrayVolume:
    """An array that `numpy.save` wrote, mapped into memory; pickled objects are never loaded.

    Raises:
        DataError: It is damaged, or not a volume of grey.
    """
    try:
        voxels = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy raises many kinds for a damaged header
        raise _unreadable(path, error) from error
    if not isinstance(voxels, np.ndarray):
        voxels.close()
        raise DataError(Problem(str(path), "this holds several arrays.", "Expected: one."))
    return _volume(path, voxels)


def open_nrrd(path: Path) -> ArrayVolume:
    """A NRRD image. Its header lists the fastest axis first, x y z; here it is (z, y, x).

    Raw voxels in the same file are mapped into memory, all others are read at once.

    Raises:
        DataError: It is damaged, or not a volume of grey.
    """
    where = str(path)
    with needing_extra(where):
        import nrrd
    try:
        with path.open("rb") as file:
            header = nrrd.read_header(file)
            begin = file.tell()
    except Exception as error:  # pynrrd raises many kinds for a damaged header
        raise _unreadable(path, error) from error
    kind = str(header.get("type", "nothing"))
    if kind not in NRRD_TYPES:
        raise DataError(Problem(where, f"its voxels are {kind}.", "Expected: uint8 or uint16."))
    order = ">" if header.get("endian") == "big" else "<"
    dtype = np.dtype(order + NRRD_TYPES[kind])
    try:
        shape = tuple(int(side) for side in header["sizes"][::-1])
        last_three(shape, where)
        detached = {"data file", "datafile"} & header.keys()
        skips = {"line skip", "lineskip", "byte skip", "byteskip"} & header.keys()
        if header["encoding"] == "raw" and not detached and not skips:
            return _volume(path, np.memmap(path, dtype, "r", begin, shape))
        voxels, _ = nrrd.read(where, index_order="C")
    except DataError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error
    return _volume(path, voxels)


def _volume(path: Path, voxels: Voxels) -> ArrayVolume:
    native: np.dtype[Any] = require_grey(voxels.dtype, str(path))
    shape = last_three(voxels.shape, str(path))
    # The copy, in memory, is made of foreign byte orders only.
    return ArrayVolume(voxels.reshape(shape).astype(native, copy=False))


def _unreadable(path: Path, error: Exception) -> DataError:
    what = f"this volume cannot be read: {reason(error)}."
    return DataError(Problem(str(path), what, "Copy it again, or save it as raw voxels."))
