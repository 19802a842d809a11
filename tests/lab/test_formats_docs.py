"""The Python in docs/volumes.md runs on files laid out as it says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from volume_files import cube, layers, ome_zarr

PAGE = Path(__file__).parents[2] / "docs" / "volumes.md"


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ome_zarr(tmp_path, cube((32, 40, 48))).rename(tmp_path / "scroll.zarr")
    layers(tmp_path / "segment", cube())
    Image.fromarray(cube()[0] > 99).save(tmp_path / "segment" / "inklabels.png")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)

    assert np.shape(names["voxels"]) == (16, 16, 16)
    assert np.shape(names["papyrus"]) == (4, 5, 6)
