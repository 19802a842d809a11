"""torchvision beside this torch, and fetching without a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import pytest

from vaeflash import data
from vaeflash.errors import DataError
from vaeflash.lab import vision

USE = """
import numpy as np, torch
from vaeflash.lab import vision
tv = vision.torchvision()
picture = np.full((4, 4, 3), 255, np.uint8)
assert tv.transforms.ToTensor()(picture).max() == 1
assert tv.transforms.v2.functional.resize(torch.zeros(3, 4, 4), [2, 2]).shape == (3, 2, 2)
assert tv.utils.make_grid(torch.zeros(4, 1, 5, 5), padding=0).shape == (3, 5, 20)
assert len(tv.datasets.FakeData(size=3)) == 3
assert vision.torchvision() is tv
"""


@pytest.mark.slow
def test_datasets_transforms_and_utils_work_in_a_fresh_process():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def replace_mnist(monkeypatch: pytest.MonkeyPatch, mnist: object) -> None:
    fake = SimpleNamespace(datasets=SimpleNamespace(MNIST=mnist))
    monkeypatch.setattr(vision, "torchvision", lambda: fake)


def write_four_files(root: str, *, download: bool) -> None:
    assert download
    folder = Path(root, "MNIST", "raw")
    folder.mkdir(parents=True)
    for name in data.MNIST_FILES:
        (folder / name).write_bytes(b"")


def test_fetched_digits_are_found_where_they_were_put(monkeypatch, tmp_path):
    replace_mnist(monkeypatch, write_four_files)

    source = vision.fetch("digits", tmp_path)

    assert source.files[0].is_relative_to(tmp_path)


def test_digits_are_fetched_into_the_user_folder(monkeypatch):
    data.user_folder().mkdir(parents=True)
    replace_mnist(monkeypatch, write_four_files)

    vision.fetch("digits")

    assert data.find("digits", {}).kind == "mnist"


@pytest.mark.parametrize("error", [URLError("no route"), RuntimeError("Error downloading")])
def test_a_failed_download_is_told_in_words(monkeypatch, tmp_path, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    replace_mnist(monkeypatch, fail)

    with pytest.raises(DataError, match=r"could not be downloaded: .*(no route|Error downloading)"):
        vision.fetch("digits", tmp_path)


def test_only_digits_can_be_fetched(tmp_path):
    with pytest.raises(DataError, match="'faces': it cannot be downloaded"):
        vision.fetch("faces", tmp_path)
