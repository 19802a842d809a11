"""A flattened surface: layers, ink labels and mask that fit together, and where they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from volume_files import cube, layers

from vaeflash.errors import DataError
from vaeflash.lab.volumes.formats import open_surface

INK = cube((1, 11, 13), seed=1)[0] > 127
MASK = cube((1, 11, 13), seed=2)[0] > 127


def png(path: Path, pixels: Any, mode: str | None = None) -> None:
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path)


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """Nine layers of 16 bits with ink labels; no mask."""
    layers(tmp_path, cube(dtype="u2"), "surface_volume")
    png(tmp_path / "inklabels.png", INK.astype("u1") * 255)
    return tmp_path


def test_layers_of_sixteen_bits_are_read_as_eight(segment: Path):
    surface = open_surface(segment)

    np.testing.assert_array_equal(surface.voxels, (cube(dtype="u2") >> 8).astype("u1"))


def test_layers_of_eight_bits_stay_as_they_are(tmp_path: Path):
    layers(tmp_path, cube())
    png(tmp_path / "inklabels.png", INK)

    np.testing.assert_array_equal(open_surface(str(tmp_path)).voxels, cube())


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("brightest", [1, 255])
def test_labels_are_0_and_255_or_0_and_1_in_any_mode(segment: Path, mode: str, brightest: int):
    if mode == "1":
        png(segment / "inklabels.png", INK)
    else:
        png(segment / "inklabels.png", INK.astype("u1") * np.uint8(brightest), mode)

    np.testing.assert_array_equal(open_surface(segment).ink, INK)


@pytest.mark.parametrize("ink", [np.zeros_like(INK), np.ones_like(INK)])
def test_a_surface_may_have_ink_nowhere_or_everywhere(segment: Path, ink: Any):
    png(segment / "inklabels.png", ink.astype("u1") * 255)

    np.testing.assert_array_equal(open_surface(segment).ink, ink)


def test_without_a_mask_everything_is_papyrus(segment: Path):
    assert open_surface(segment).mask.all()


def test_a_mask_says_where_papyrus_is(segment: Path):
    png(segment / "mask.png", MASK.astype("u1") * 255)

    np.testing.assert_array_equal(open_surface(segment).mask, MASK)


def test_labels_may_carry_the_name_of_their_segment(segment: Path):
    (segment / "inklabels.png").rename(segment / "20230827161847_inklabels.png")
    png(segment / "20230827161847_mask.png", MASK)
    surface = open_surface(segment)

    assert (surface.ink == INK).all()
    assert (surface.mask == MASK).all()


def test_labels_of_several_segments_are_ambiguous(segment: Path):
    (segment / "inklabels.png").rename(segment / "a_inklabels.png")
    png(segment / "b_inklabels.png", INK)

    with pytest.raises(DataError, match=r"there are a_inklabels\.png, b_inklabels\.png"):
        open_surface(segment)


def test_missing_labels_are_named(segment: Path):
    (segment / "inklabels.png").unlink()

    with pytest.raises(DataError, match=r"no ink labels(.|\n)*Expected: inklabels\.png beside"):
        open_surface(segment)


@pytest.mark.parametrize("name", ["inklabels.png", "mask.png"])
def test_labels_of_another_size_are_named_with_both_sizes(segment: Path, name: str):
    png(segment / name, INK[:, :-1])

    with pytest.raises(DataError, match=rf"{name}: this picture is 11 x 12(.|\n)*11 x 13"):
        open_surface(segment)


def test_labels_with_shades_of_grey_are_refused(segment: Path):
    png(segment / "inklabels.png", INK.astype("u1") * 255 // 2)

    with pytest.raises(DataError, match=r"inklabels\.png: its values are 0, 127\."):
        open_surface(segment)


def test_labels_in_colour_are_refused(segment: Path):
    pixels = np.zeros((11, 13, 3), "u1")
    pixels[3, 4] = 255, 0, 0
    png(segment / "inklabels.png", pixels)

    with pytest.raises(DataError, match=r"inklabels\.png: this picture is 11 x 13 x 3"):
        open_surface(segment)


@pytest.mark.parametrize("keep", [0, 20, 60])
def test_damaged_labels_are_named(segment: Path, keep: int):
    png(segment / "inklabels.png", cube((1, 11, 13))[0])
    content = (segment / "inklabels.png").read_bytes()
    (segment / "inklabels.png").write_bytes(content[:keep])

    with pytest.raises(DataError, match=r"inklabels\.png: this picture cannot be read"):
        open_surface(segment)


def test_large_labels_are_no_attack(segment: Path, monkeypatch: pytest.MonkeyPatch):
    """Pillow's `open` refuses pictures above a limit, which those of whole segments exceed."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)

    assert open_surface(segment).ink.shape == (11, 13)


@pytest.mark.parametrize("location", ["nowhere", "https://host/segment"])
def test_a_surface_is_a_folder_on_this_machine(location: str):
    with pytest.raises(DataError, match=f"{location}: this is no folder of a surface"):
        open_surface(location)
