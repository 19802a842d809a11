"""The phantom, written in each format, is read back as it was computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from volume_files import FORMATS, layers

from vaeflash.lab.volumes.formats import open_surface, open_volume
from vaeflash.lab.volumes.phantom import Papyrus, Phantom
from vaeflash.lab.volumes.volume import Box, whole

PHANTOM = Phantom((24, 40, 48), seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_a_box_of_the_written_phantom_is_a_box_of_the_phantom(name: str, tmp_path: Path):
    path = FORMATS[name](tmp_path, PHANTOM.read(whole(PHANTOM.shape)))
    box = Box((3, 7, 11), (20, 39, 48))

    np.testing.assert_array_equal(open_volume(path).read(box), PHANTOM.read(box))


@pytest.mark.parametrize("bits", [8, 16])
def test_the_unrolled_phantom_is_read_back_with_its_labels(bits: int, tmp_path: Path):
    side = Papyrus().side_for(64, 16)
    phantom = Phantom((32, side, side), seed=3)
    first = phantom.columns(16).start
    surface = phantom.surface(range(32), range(first, first + 64), 16)
    noise = np.random.default_rng(0).integers(0, 256, surface.voxels.shape, np.uint16)
    stored = surface.voxels if bits == 8 else surface.voxels.astype(np.uint16) * 256 + noise
    layers(tmp_path, stored)
    Image.fromarray(surface.ink.astype(np.uint8) * 255).save(tmp_path / "inklabels.png")
    Image.fromarray(surface.mask).save(tmp_path / "mask.png")
    read = open_surface(tmp_path)

    np.testing.assert_array_equal(read.voxels, surface.voxels)
    np.testing.assert_array_equal(read.ink, surface.ink)
    np.testing.assert_array_equal(read.mask, surface.mask)
