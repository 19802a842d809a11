"""The data set `scroll`: two drawn scrolls, or the parts of a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vaeflash.errors import DataError
from vaeflash.lab import datasets
from vaeflash.lab.scroll import Cut, Scroll, read_ink
from vaeflash.lab.volumes.phantom import Phantom
from vaeflash.lab.volumes.volume import ArrayVolume, Box, whole

SMALL = (8, 20, 60)
"""Of a surface."""


def scroll(choice: str | Path = "", seed: int = 0) -> Scroll:
    loaded = datasets.load("scroll", torch.Generator().manual_seed(seed), str(choice))
    assert isinstance(loaded, Scroll)
    return loaded


def voxels(volume: Any) -> Any:
    return volume.read(whole(volume.shape))


def cube(dtype: str = "u1", shape: tuple[int, int, int] = (10, 12, 14)) -> Any:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)


def npy(folder: Path, values: Any) -> Path:
    np.save(folder / "cube.npy", values)
    return folder / "cube.npy"


def segment(folder: Path, values: Any, ink: Any = None) -> Path:
    tifffile = pytest.importorskip("tifffile")
    (folder / "layers").mkdir()
    for z, layer in enumerate(values):
        tifffile.imwrite(folder / "layers" / f"{z:02d}.tif", layer, photometric="minisblack")
    if ink is not None:
        Image.fromarray(ink.astype(np.uint8) * 255).save(folder / "inklabels.png")
    return folder


def test_a_drawn_volume_has_the_shape_asked_for():
    volume = scroll().volume("train", (20, 40, 30))

    assert (volume.shape, voxels(volume).shape, volume.dtype) == (*[(20, 40, 30)] * 2, np.uint8)


@pytest.mark.slow
def test_the_scroll_for_the_test_is_another_one():
    drawn = scroll()
    seen, unseen = (voxels(drawn.volume(part, (8, 64, 64))) for part in ("train", "test"))

    assert (seen != unseen).mean() > 0.9


@pytest.mark.slow
def test_equal_seeds_draw_equal_scrolls_and_others_others():
    first, again, other = (voxels(scroll(seed=s).volume("train", (8, 64, 64))) for s in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9


def test_a_drawn_surface_has_the_shape_asked_for():
    surface = scroll().surface("train", SMALL)

    assert (surface.voxels.shape, surface.ink.shape) == (SMALL, SMALL[1:])
    assert surface.mask.all()


@pytest.mark.slow
def test_without_contrast_the_labels_stay():
    drawn = scroll()
    clear, unseen = (drawn.surface("test", (8, 60, 160), ink=ink) for ink in (40.0, 0.0))

    np.testing.assert_array_equal(clear.ink, unseen.ink)
    assert clear.ink.any()
    assert clear.voxels[:, clear.ink].mean() > unseen.voxels[:, clear.ink].mean() + 2


@pytest.mark.slow
def test_a_blank_scroll_is_blank():
    drawn = scroll()
    volume = drawn.volume("train", (40, 64, 64), blank=1.0)

    assert not drawn.surface("train", SMALL, blank=1.0).ink.any()
    assert not read_ink(volume, whole(volume.shape)).any()


def test_the_ink_of_a_phantom_is_read_voxel_by_voxel():
    volume = scroll().volume("train", (60, 90, 90))
    assert isinstance(volume, Phantom)

    ink = read_ink(volume, Box((0, 0, 0), (60, 80, 70)))

    assert (ink.shape, ink.dtype, ink.any()) == ((60, 80, 70), np.bool_, True)


def test_asking_where_ink_is_in_other_volumes_says_what_is_expected():
    with pytest.raises(DataError, match=r"scroll: .*not known voxel by voxel\.\n  Expected: a pha"):
        read_ink(ArrayVolume(cube()), Box((0, 0, 0), (1, 1, 1)))


def test_a_real_scroll_is_divided_along_its_axis(tmp_path: Path):
    real = scroll(npy(tmp_path, cube()))

    np.testing.assert_array_equal(voxels(real.volume("train", None)), cube()[:8])
    np.testing.assert_array_equal(voxels(real.volume("test", None)), cube()[8:])


def test_of_a_real_scroll_the_middle_is_cut(tmp_path: Path):
    volume = scroll(npy(tmp_path, cube())).volume("train", (4, 100, 6))

    np.testing.assert_array_equal(voxels(volume), cube()[2:6, :, 4:10])


def test_the_upper_8_of_16_bits_are_kept(tmp_path: Path):
    volume = scroll(npy(tmp_path, cube("u2"))).volume("test", None)

    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(voxels(volume), (cube("u2")[8:] // 256).astype(np.uint8))


def test_a_real_surface_is_divided_along_its_rows(tmp_path: Path):
    ink = cube()[0] > 128
    real = scroll(segment(tmp_path, cube("u2"), ink))
    train, test = (real.surface(part, None) for part in ("train", "test"))

    np.testing.assert_array_equal(np.concatenate([train.voxels, test.voxels], 1), cube("u2") >> 8)
    np.testing.assert_array_equal(np.concatenate([train.ink, test.ink]), ink)
    assert train.mask.shape == (9, 14)


def test_of_a_real_surface_the_middle_is_cut(tmp_path: Path):
    ink = cube()[0] > 128
    surface = scroll(segment(tmp_path, cube(), ink)).surface("train", (4, 5, 6))

    np.testing.assert_array_equal(surface.voxels, cube()[3:7, 2:7, 4:10])
    np.testing.assert_array_equal(surface.ink, ink[2:7, 4:10])


def test_a_surface_without_labels_says_what_is_expected(tmp_path: Path):
    with pytest.raises(DataError, match=r"no ink labels .*\n  Expected: inklabels\.png"):
        scroll(segment(tmp_path, cube())).surface("train")


def test_a_volume_is_no_surface(tmp_path: Path):
    with pytest.raises(DataError, match=r"no folder of a surface\.\n  Expected: a folder"):
        scroll(npy(tmp_path, cube())).surface("train")


def test_a_single_plane_cannot_be_divided(tmp_path: Path):
    real = scroll(npy(tmp_path, cube(shape=(1, 5, 5))))

    with pytest.raises(DataError, match=r"1 planes cannot be divided .*\n  Expected: at least two"):
        real.volume("train")


@pytest.mark.slow
@given(st.data())
def test_a_cut_reads_as_its_box_of_the_volume(data: st.DataObject):
    everything = cube(shape=(6, 7, 8))

    def box(shape: tuple[int, ...]) -> Box:
        corner = [data.draw(st.integers(0, n - 1)) for n in shape]
        z, y, x = (data.draw(st.integers(1, n - c)) for c, n in zip(corner, shape, strict=True))
        return Box.at((corner[0], corner[1], corner[2]), (z, y, x))

    outer = box((6, 7, 8))
    cut = Cut(ArrayVolume(everything), outer)
    inner = box(cut.shape)

    np.testing.assert_array_equal(cut.read(inner), everything[outer.slices][inner.slices])


def test_a_cut_ends_where_it_ends():
    """Though the volume around it goes on."""
    cut = Cut(ArrayVolume(cube()), Box((2, 2, 2), (5, 5, 5)))

    with pytest.raises(DataError, match="this part of the scroll: the box"):
        cut.read(Box((0, 0, 0), (4, 1, 1)))
