"""Volumes of every format read back what was written, box by box."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from volume_files import CHUNK, FORMATS, cube, layers, npy, nrrd_file, ome_zarr, plain_zarr

from vaeflash.lab.volumes.formats import open_volume
from vaeflash.lab.volumes.grey import EightBits, eight_bits
from vaeflash.lab.volumes.volume import ArrayVolume, Box, Triple, Volume, whole

SIDES = st.integers(1, 14)


@st.composite
def boxes(draw: st.DrawFn, shape: Triple) -> Box:
    ends = [sorted((draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1)))) for n in shape]
    (z0, z1), (y0, y1), (x0, x1) = ends
    return Box((z0, y0, x0), (z1 + 1, y1 + 1, x1 + 1))


def everything(volume: Volume) -> Any:
    return volume.read(whole(volume.shape))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=12)
@given(data=st.data(), dtype=st.sampled_from(["u1", "u2"]), shape=st.tuples(SIDES, SIDES, SIDES))
def test_every_format_reads_back_what_was_written(
    name: str, data: st.DataObject, dtype: str, shape: Triple
):
    voxels = cube(shape, dtype, seed=sum(shape))
    box = data.draw(boxes(shape))
    with tempfile.TemporaryDirectory() as folder:
        volume = open_volume(FORMATS[name](Path(folder), voxels))
        read = volume.read(box)

    assert (volume.shape, volume.dtype) == (shape, read.dtype) == (shape, np.dtype(dtype))
    np.testing.assert_array_equal(read, voxels[box.slices])


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_read_is_a_copy_that_one_may_change(name: str, tmp_path: Path):
    volume = open_volume(FORMATS[name](tmp_path, cube()))
    first = everything(volume)
    first[:] = 0

    np.testing.assert_array_equal(everything(volume), cube())


@pytest.mark.parametrize(
    ("name", "chunks"),
    [
        ("zarr-2", CHUNK),
        ("zarr-3-sharded", CHUNK),
        ("ome-0.4-tczyx", CHUNK),
        ("layers", (1, 11, 13)),
        ("npy", (1, 11, 13)),
    ],
)
def test_a_volume_tells_what_is_stored_as_one_piece(name: str, chunks: Triple, tmp_path: Path):
    volume = open_volume(FORMATS[name](tmp_path, cube()))

    assert volume.chunks == chunks


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_level_of_an_image_is_chosen(version: str, tmp_path: Path):
    coarse = open_volume(ome_zarr(tmp_path, cube(), version), level=1)

    np.testing.assert_array_equal(everything(coarse), cube()[::2, ::2, ::2])


def test_an_array_within_an_image_is_named_by_its_path(tmp_path: Path):
    volume = open_volume(ome_zarr(tmp_path, cube(), lead=2) / "0")

    np.testing.assert_array_equal(everything(volume), cube())


@pytest.mark.parametrize("spelling", [str, Path, Path.as_uri])
def test_a_location_is_a_path_its_text_or_a_file_url(spelling: Any, tmp_path: Path):
    volume = open_volume(spelling(npy(tmp_path, cube())))

    np.testing.assert_array_equal(everything(volume), cube())


def test_a_chunk_that_is_not_stored_is_the_fill_value(tmp_path: Path):
    path = plain_zarr(tmp_path, cube(), zarr_format=2)
    (path / "0.0.0").unlink()
    expected = cube()
    expected[:4, :5, :6] = 0

    np.testing.assert_array_equal(everything(open_volume(path)), expected)


@pytest.mark.parametrize("place", ["layers", "surface_volume", "."])
def test_layers_are_found_in_the_folder_or_where_segments_keep_them(place: str, tmp_path: Path):
    layers(tmp_path / "segment", cube(), place)

    np.testing.assert_array_equal(everything(open_volume(tmp_path / "segment")), cube())


def test_layers_follow_their_numbers_not_their_names(tmp_path: Path):
    voxels = cube((12, 3, 4))
    for z, layer in enumerate(voxels):
        tifffile.imwrite(tmp_path / f"{z}.tif", layer)  # 10.tif sorts before 2.tif

    np.testing.assert_array_equal(everything(open_volume(tmp_path)), voxels)


def test_layers_may_begin_at_any_number_and_have_a_name(tmp_path: Path):
    for z, layer in enumerate(cube()):
        tifffile.imwrite(tmp_path / f"scroll_{z + 95:05d}.TIFF", layer)
    tifffile.imwrite(tmp_path / "preview.tif", cube()[0])

    np.testing.assert_array_equal(everything(open_volume(tmp_path)), cube())


def test_nrrd_lists_the_fastest_axis_first(tmp_path: Path):
    path = nrrd_file(tmp_path, cube())
    header = path.read_bytes().split(b"\n\n")[0].decode()

    assert "sizes: 13 11 9" in header
    assert open_volume(path).shape == (9, 11, 13)


def test_a_nrrd_of_other_byte_order_is_read(tmp_path: Path):
    voxels = cube(dtype="u2")
    path = nrrd_file(tmp_path, voxels.astype(">u2"), encoding="raw", endian="big")

    np.testing.assert_array_equal(everything(open_volume(path)), voxels)


@pytest.mark.parametrize("dtype", [">u2", "<u2"])
def test_voxels_come_in_the_byte_order_of_this_machine(dtype: str, tmp_path: Path):
    voxels = cube(dtype="u2")
    volume = open_volume(npy(tmp_path, voxels.astype(dtype)))

    assert everything(volume).dtype.isnative
    np.testing.assert_array_equal(everything(volume), voxels)


def test_an_array_in_a_file_is_mapped_and_not_loaded(tmp_path: Path):
    opened = [
        open_volume(npy(tmp_path, cube())),
        open_volume(nrrd_file(tmp_path, cube(), encoding="raw")),
    ]

    assert [type(v.voxels.base).__name__ for v in opened if isinstance(v, ArrayVolume)] == [
        "memmap",
        "memmap",
    ]


def test_sixteen_bits_become_eight_by_dropping_the_lower_half():
    voxels = np.array([0x0000, 0x00FF, 0x0100, 0x12FF, 0xFFFF], np.uint16)

    np.testing.assert_array_equal(eight_bits(voxels), np.array([0, 0, 1, 0x12, 0xFF], np.uint8))


def test_a_volume_of_sixteen_bits_is_read_as_eight(tmp_path: Path):
    voxels = cube(dtype="u2")
    volume = EightBits(open_volume(npy(tmp_path, voxels)))

    assert volume.dtype == everything(volume).dtype == np.uint8
    np.testing.assert_array_equal(everything(volume), voxels // 256)
