"""Volumes that are damaged, incomplete or of the wrong kind are refused by name, with advice."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from volume_files import (
    FORMATS,
    cube,
    layers,
    npy,
    nrrd_file,
    ome_zarr,
    pillow_layers,
    zarr_array,
)

from vaeflash.errors import DataError
from vaeflash.lab.volumes.formats import open_volume
from vaeflash.lab.volumes.volume import Box, whole


def refused(location: Any, **options: Any) -> str:
    """What is said when a volume is opened and read as a whole."""
    with pytest.raises(DataError) as caught:
        everything(location, **options)
    return str(caught.value)


def everything(location: Any, **options: Any) -> Any:
    volume = open_volume(location, **options)
    return volume.read(whole(volume.shape))


def cut(path: Path, keep: float = 0.5) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])


# -- of the wrong kind


@pytest.mark.parametrize("dtype", ["f4", "i2", "u4", "?"])
@pytest.mark.parametrize("name", ["zarr-2", "zarr-3", "npy"])
def test_voxels_of_another_dtype_are_named(name: str, dtype: str, tmp_path: Path):
    path = FORMATS[name](tmp_path, cube().astype(dtype))

    assert refused(path) == (
        f"{path}: its voxels are {np.dtype(dtype)}.\n  Expected: uint8 or uint16."
    )


@pytest.mark.parametrize(("dtype", "word"), [("f4", "float"), ("i2", "int16"), ("u4", "uint32")])
def test_a_nrrd_of_another_type_is_named(dtype: str, word: str, tmp_path: Path):
    path = nrrd_file(tmp_path, cube().astype(dtype))

    assert f"{path}: its voxels are {word}" in refused(path)


def test_a_layer_of_another_dtype_is_named(tmp_path: Path):
    layers(tmp_path, cube().astype("f4"))

    assert f"{tmp_path / 'layers' / '00.tif'}: its voxels are float32." in refused(tmp_path)


@pytest.mark.parametrize("shape", [(8,), (8, 9), (2, 8, 9, 10), (2, 1, 8, 9, 10)])
@pytest.mark.parametrize("name", ["zarr", "npy", "nrrd"])
def test_arrays_of_other_than_three_axes_are_named(
    name: str, shape: tuple[int, ...], tmp_path: Path
):
    voxels = np.zeros(shape, np.uint8)
    if name == "zarr":
        zarr_array(tmp_path / "a.zarr", voxels, chunks=shape)
        path = tmp_path / "a.zarr"
    else:
        path = {"npy": npy, "nrrd": nrrd_file}[name](tmp_path, voxels)

    assert (
        f"{path}: its array is {' x '.join(map(str, shape))}.\n  Expected: three axes"
        in refused(path)
    )


def test_an_array_without_voxels_is_named(tmp_path: Path):
    assert "its array is 0 x 4 x 4" in refused(npy(tmp_path, np.zeros((0, 4, 4), np.uint8)))


def test_axes_in_another_order_are_named(tmp_path: Path):
    path = ome_zarr(tmp_path, cube())
    meta = json.loads((path / ".zattrs").read_text())
    meta["multiscales"][0]["axes"].reverse()
    (path / ".zattrs").write_text(json.dumps(meta))

    assert f"{path}: its axes are x, y, z." in refused(path)


def test_channels_beyond_one_are_named(tmp_path: Path):
    path = ome_zarr(tmp_path, cube((8, 9, 10)))
    zarr.open_group(path, mode="a").create_array("2", shape=(3, 8, 9, 10), dtype="u1")

    assert "2: its array is 3 x 8 x 9 x 10." in refused(path / "2")


@pytest.mark.parametrize("level", [-1, 2, 99])
def test_a_level_that_is_not_there_is_named(level: int, tmp_path: Path):
    path = ome_zarr(tmp_path, cube())

    assert refused(path, level=level) == (
        f"{path}: there is no level {level}.\n  Its levels are 0 to 1; 0 is the finest."
    )


@pytest.mark.parametrize("name", ["zarr-3", "npy", "layers", "nrrd-raw"])
def test_only_images_have_levels(name: str, tmp_path: Path):
    assert "level" in refused(FORMATS[name](tmp_path, cube()), level=1)


# -- not there, or of no known format


def test_a_place_that_is_not_there_is_named(tmp_path: Path):
    assert f"{tmp_path / 'no'}: there is no such file or folder." in refused(tmp_path / "no")


@pytest.mark.parametrize("name", ["a.mha", "a", "00.tif"])
def test_a_file_of_no_known_format_is_named_with_those_that_are(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(b"what is this")
    said = refused(tmp_path / name)

    assert "is of no known format.\n  Expected: a Zarr folder or URL, a folder of layers" in said


def test_an_empty_folder_is_named(tmp_path: Path):
    assert refused(tmp_path) == (
        f"{tmp_path}: there are no layers in this folder.\n"
        "  Expected: 00.tif, 01.tif, ... in it, or in its layers or surface_volume."
    )


def test_a_zarr_folder_without_metadata_is_named(tmp_path: Path):
    (tmp_path / "a.zarr").mkdir()

    assert "this Zarr folder has no metadata" in refused(tmp_path / "a.zarr")


def test_a_group_that_is_no_image_is_named(tmp_path: Path):
    zarr_array(zarr.open_group(tmp_path / "g.zarr", mode="w").store, cube(), name="volume")

    assert f"Name one of its arrays: {tmp_path / 'g.zarr'}/NAME" in refused(tmp_path / "g.zarr")


def test_a_level_that_the_image_lists_and_lacks_is_named(tmp_path: Path):
    path = ome_zarr(tmp_path, cube())
    (path / "1" / ".zarray").unlink()

    assert f"{path}/1: the image's list of levels names this array, but" in refused(path, level=1)


# -- damaged


@pytest.mark.parametrize(
    ("name", "chunk"),
    [
        ("zarr-2", "1.0.2"),
        ("zarr-2-raw", "1.0.2"),
        ("zarr-3-raw", "c/1/0/2"),
        ("zarr-3-blosc", "c/1/0/2"),
        ("zarr-3-zstd", "c/1/0/2"),
        ("zarr-3-gzip", "c/1/0/2"),
        ("zarr-3-sharded", "c/1/0/1"),
        ("ome-0.4", "0/1.0.2"),
        ("ome-0.4-tczyx", "0/0.0.1.0.2"),
        ("ome-0.5-czyx", "0/c/0/1/0/2"),
    ],
)
@pytest.mark.parametrize("keep", [0, 0.2, 0.7])
def test_a_chunk_that_ends_too_early_is_named(name: str, chunk: str, keep: float, tmp_path: Path):
    path = FORMATS[name](tmp_path, cube(dtype="u2"))
    found = path / chunk
    cut(found, keep)
    said = refused(path)

    assert said.startswith(f"{found}: this chunk cannot be read: ")
    assert "It holds the voxels from (" in said


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@settings(max_examples=25)
@given(keep=st.floats(0, 0.95))
def test_a_layer_that_ends_too_early_is_named(
    compression: str, keep: float, tmp_path_factory: pytest.TempPathFactory
):
    folder = pillow_layers(tmp_path_factory.mktemp("cut"), cube((3, 16, 17), "u2"), compression)
    cut(folder / "1.tif", keep)

    assert refused(folder).startswith(f"{folder / '1.tif'}: this layer ")


def test_layers_that_end_too_early_are_found_before_anything_is_read(tmp_path: Path):
    path = layers(tmp_path, cube())
    for z in (2, 5):
        cut(path / f"{z:02d}.tif", 0.9)

    with pytest.raises(DataError) as caught:
        open_volume(path)
    assert [problem.where for problem in caught.value.problems] == [
        str(path / "02.tif"),
        str(path / "05.tif"),
    ]


@pytest.mark.parametrize("name", ["npy", "nrrd-raw", "nrrd-gzip", "nrrd-detached"])
@pytest.mark.parametrize("keep", [0, 0.05, 0.5, 0.9])
def test_a_file_that_ends_too_early_is_named(name: str, keep: float, tmp_path: Path):
    path = FORMATS[name](tmp_path, cube())
    cut(next(tmp_path.glob("*.raw"), path), keep)

    assert refused(path).startswith(f"{path}: ")


@pytest.mark.parametrize("name", [".zattrs", "0/.zarray", ".zgroup"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"multiscales": [{}]}'])
def test_damaged_metadata_is_named(name: str, content: bytes, tmp_path: Path):
    path = ome_zarr(tmp_path, cube())
    (path / name).write_bytes(content)

    assert refused(path).startswith(f"{path}")


def test_pickled_objects_are_never_loaded(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)

    assert f"{tmp_path / 'a.npy'}: this volume cannot be read" in refused(tmp_path / "a.npy")


def test_several_arrays_in_one_file_are_refused(tmp_path: Path):
    np.savez(tmp_path / "a.npz", a=cube())
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")

    assert "this holds several arrays" in refused(tmp_path / "a.npy")


# -- layers that do not fit together


def test_missing_layers_are_named_by_their_numbers(tmp_path: Path):
    path = layers(tmp_path, cube((12, 4, 4)))
    for z in (3, 4, 9):
        (path / f"{z:02d}.tif").unlink()

    assert f"{path}: layers are missing between 0 and 11: 3, 4, 9." in refused(tmp_path)


def test_of_many_missing_layers_the_first_are_named(tmp_path: Path):
    path = layers(tmp_path, cube((2, 4, 4)))
    (path / "01.tif").rename(path / "1000.tif")

    assert "between 0 and 1000: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...." in refused(tmp_path)


def test_layers_with_the_same_number_are_named(tmp_path: Path):
    path = layers(tmp_path, cube())
    tifffile.imwrite(path / "1.tif", cube()[1])

    assert "these have the same number: 01.tif, 1.tif." in refused(path)


def test_layers_of_two_sets_are_refused(tmp_path: Path):
    for name in ("left", "right"):
        tifffile.imwrite(tmp_path / f"{name}_0.tif", cube()[0])

    assert "several names: left_NN.tif, right_NN.tif" in refused(tmp_path)


def test_layers_in_two_places_are_refused(tmp_path: Path):
    layers(tmp_path, cube(), "layers")
    layers(tmp_path, cube(), "surface_volume")

    assert "layers and in" in refused(tmp_path)


@pytest.mark.parametrize(
    ("odd", "what"),
    [
        (cube((1, 10, 13))[0], "10 x 13, uint8"),
        (cube(dtype="u2")[0], "11 x 13, uint16"),
    ],
)
def test_a_layer_unlike_the_others_is_named(odd: Any, what: str, tmp_path: Path):
    path = layers(tmp_path, cube())
    tifffile.imwrite(path / "00.tif", odd, photometric="minisblack")

    assert refused(path) == (
        f"{path / '00.tif'}: this layer is {what}.\n  Expected: 11 x 13, uint8, as most are."
    )


def test_every_damaged_layer_is_told_at_once_but_not_hundreds(tmp_path: Path):
    path = layers(tmp_path, cube((40, 4, 4)))
    for z in range(12, 40):
        (path / f"{z:02d}.tif").write_bytes(b"")
    said = refused(path)

    assert said.count("this layer cannot be read") == 10
    assert "18 other layers cannot be used" in said


@pytest.mark.parametrize(
    ("pixels", "options", "what"),
    [
        (np.zeros((4, 4, 3), "u1"), {"photometric": "rgb"}, "4 x 4 x 3, rgb"),
        (np.zeros((3, 4, 4), "u1"), {"photometric": "minisblack"}, "pages: 3"),
        (np.zeros((4, 4), "u1"), {"photometric": "miniswhite"}, "miniswhite"),
        (
            np.zeros((4, 4), "u1"),
            {"photometric": "minisblack", "extratags": [(274, 3, 1, 3, True)]},
            "turned or mirrored",
        ),
    ],
)
def test_a_layer_that_is_no_upright_picture_in_grey_is_refused(
    pixels: Any, options: dict[str, Any], what: str, tmp_path: Path
):
    tifffile.imwrite(tmp_path / "0.tif", pixels, **options)

    assert what in refused(tmp_path)


def test_layers_above_the_limit_of_pillow_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    layers(tmp_path, cube(), compression="zlib")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)

    np.testing.assert_array_equal(everything(tmp_path), cube())


# -- boxes and packages


@pytest.mark.parametrize("name", ["zarr-3", "layers", "npy"])
@pytest.mark.parametrize(
    "box", [Box((0, 0, 0), (10, 1, 1)), Box((-1, 0, 0), (1, 1, 1)), Box((2, 2, 2), (2, 3, 3))]
)
def test_a_box_that_reaches_outside_is_refused(name: str, box: Box, tmp_path: Path):
    volume = open_volume(FORMATS[name](tmp_path, cube()))

    with pytest.raises(DataError, match="is not inside"):
        volume.read(box)


@pytest.mark.parametrize(
    ("name", "package"),
    [("zarr-3", "zarr"), ("layers", "tifffile"), ("nrrd-raw", "nrrd")],
)
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = FORMATS[name](tmp_path, cube())
    monkeypatch.setitem(sys.modules, package, None)

    assert f"needs {package}, which is not installed.\n  Install it: pip install" in refused(path)


def test_urls_need_fsspec(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.delitem(sys.modules, "vaeflash.lab.volumes.remote", raising=False)

    assert 'pip install "vaeflash[volumes]"' in refused("https://host/a.zarr")


def test_without_the_extra_arrays_of_numpy_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for package in ("zarr", "fsspec", "tifffile", "nrrd"):
        monkeypatch.setitem(sys.modules, package, None)

    assert open_volume(npy(tmp_path, cube())).shape == (9, 11, 13)
