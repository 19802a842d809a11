"""Which blocks of a volume hold papyrus, against the plain mean of each block."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from volume_files import cube

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.chunks import ChunkedVolume, chunk_box, voxel_cache
from vaeflash.lab.volumes.masks import papyrus_mask
from vaeflash.lab.volumes.volume import ArrayVolume, Box, Triple

SIDES = st.tuples(*[st.integers(1, 9)] * 3)


class Chunked(ArrayVolume):
    """An array with chunks of any shape that counts what is read of it."""

    def __init__(self, voxels: Any, chunks: Triple) -> None:
        super().__init__(voxels)
        object.__setattr__(self, "sides", chunks)
        object.__setattr__(self, "asked", Counter())

    @property
    def chunks(self) -> Triple:
        return self.sides  # type: ignore[attr-defined]

    def read(self, box: Box) -> Any:
        self.asked[box] += 1  # type: ignore[attr-defined]
        return super().read(box)


@pytest.mark.slow
@given(shape=SIDES, chunks=SIDES, block=SIDES, dtype=st.sampled_from(["u1", "u2"]))
def test_a_block_is_papyrus_where_its_mean_reaches_the_threshold(
    shape: Triple, chunks: Triple, block: Triple, dtype: str
):
    voxels = cube(shape, dtype)
    threshold = float(np.median(voxels))
    grid = [range(0, side, b) for side, b in zip(shape, block, strict=True)]
    means = [
        voxels[z : z + block[0], y : y + block[1], x : x + block[2]].mean()
        for z, y, x in itertools.product(*grid)
    ]
    expected = np.array(means).reshape([len(axis) for axis in grid]) >= threshold
    mask = papyrus_mask(Chunked(voxels, chunks), threshold, block)

    np.testing.assert_array_equal(mask, expected)


@pytest.mark.slow
@given(shape=SIDES, chunks=SIDES, block=SIDES)
def test_every_chunk_is_read_once_whatever_the_block(shape: Triple, chunks: Triple, block: Triple):
    volume = Chunked(cube(shape), chunks)
    papyrus_mask(volume, 100, block)
    grid = itertools.product(*(range(-(-n // side)) for n, side in zip(shape, chunks, strict=True)))

    assert volume.asked == Counter(chunk_box(index, chunks, shape) for index in grid)  # type: ignore[attr-defined]


def test_a_cylinder_in_air_is_found():
    y, x = np.ogrid[:64, :64]
    inside = (y - 32) ** 2 + (x - 32) ** 2 < 24**2
    voxels = np.where(inside, 120, 20)[None].repeat(16, 0).astype(np.uint8)
    mask = papyrus_mask(ArrayVolume(voxels), 70, (8, 8, 8))

    assert mask.shape == (2, 8, 8)
    assert mask[:, 4, 4].all()
    assert not mask[:, 0, 0].any()
    assert mask.mean() == pytest.approx(inside.mean(), abs=0.08)


def test_an_error_of_a_chunk_is_told():
    def broken(_: Triple) -> Any:
        raise DataError(Problem("a/0.0.0", "this chunk cannot be read."))

    volume = ChunkedVolume("a", (64, 64, 64), np.dtype("u1"), (8, 8, 8), voxel_cache(broken, 1))

    with pytest.raises(DataError, match=r"a/0\.0\.0"):
        papyrus_mask(volume, 1, (8, 8, 8))


def test_a_block_without_voxels_is_refused():
    with pytest.raises(DataError, match="has no voxels"):
        papyrus_mask(ArrayVolume(cube()), 1, (4, 0, 4))
