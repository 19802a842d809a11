"""Faces drawn and read: what `take` gives, from pictures of every kind, and bad ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vaeflash.errors import DataError
from vaeflash.lab import datasets
from vaeflash.lab.faces import FaceData, Faces
from vaeflash.lab.image_folder import read_squares
from vaeflash.lab.people import sample
from vaeflash.lab.portraits import draw


def faces(choice: str | Path = "", seed: int = 0) -> Faces:
    loaded = datasets.load("faces", torch.Generator().manual_seed(seed), str(choice))
    assert isinstance(loaded, Faces)
    return loaded


def images(taken: FaceData) -> torch.Tensor:
    return torch.cat([taken.train, taken.test])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty faces with glasses and ten without, as files; no two alike."""
    people = sample(30, torch.Generator().manual_seed(0))
    for i, face in enumerate(draw(people, 32)):
        kind = tmp_path / ("glasses" if i < 20 else "no_glasses")
        kind.mkdir(exist_ok=True)
        pixels = face.mul(255).byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(kind / f"{i}.png")
    return tmp_path


def picture(path: Path, side: int = 32, mode: str = "RGB", colour: object = (200, 100, 50)) -> Path:
    Image.new(mode, (side, side), colour).save(path)  # type: ignore[arg-type]
    return path


def test_portraits_come_in_the_numbers_and_side_asked_for():
    taken = faces().take(side=16, train=30, test=7)

    assert (taken.train.shape, taken.train_glasses.shape) == ((30, 3, 16, 16), (30,))
    assert (taken.test.shape, taken.test_glasses.shape) == ((7, 3, 16, 16), (7,))
    assert (taken.train.dtype, taken.train_glasses.dtype) == (torch.float32, torch.bool)


def test_the_pictures_of_portraits_are_drawn_of_their_people():
    taken = faces().take(side=16, train=9, test=5)

    assert torch.equal(draw(taken.train_people, 16), taken.train)
    assert torch.equal(taken.train_people.glasses, taken.train_glasses)


def test_taking_twice_takes_the_same_faces():
    source = faces()

    assert torch.equal(source.take(16, 9, 5).train, source.take(16, 9, 5).train)


def test_another_seed_takes_other_faces():
    assert not torch.equal(faces(seed=0).take(16, 9, 5).test, faces(seed=1).take(16, 9, 5).test)


def test_more_to_train_on_changes_nobody_who_is_unseen():
    source = faces()

    assert torch.equal(source.take(16, 9, 5).test, source.take(16, 90, 5).test)


def test_redrawn_with_what_they_wear_unseen_people_look_as_before():
    taken = faces().take(side=32, train=1, test=40)
    bare, worn = taken.redraw_test(glasses=False), taken.redraw_test(glasses=True)

    as_worn = torch.where(taken.test_glasses[:, None, None, None], worn, bare)

    assert torch.equal(as_worn, taken.test)
    assert (bare != worn).flatten(1).any(1).all()


def test_varied_portraits_have_light_from_the_side():
    source = faces()

    assert source.take(16, 9, 5, varied=True).train_people.light.abs().max() > 0
    assert source.take(16, 9, 5).train_people.light.abs().max() == 0


def test_photographs_are_all_there_once_in_both_parts(folder):
    taken = faces(folder).take(side=32, test=100)
    source = taken.source

    got = sorted(map(bytes, images(taken).mul(255).round().byte().flatten(1).numpy()))

    read = read_squares(source.files, 32)
    assert got == sorted(map(bytes, read.flatten(1).numpy()))


def test_a_fifth_of_each_kind_of_photographs_stays_unseen(folder):
    taken = faces(folder).take(side=32)

    assert (taken.test_glasses.sum(), (~taken.test_glasses).sum()) == (4, 2)
    assert len(taken.train) == 24


def test_photographs_keep_their_kind(folder):
    taken = faces(folder).take(side=32)
    worn = draw(sample(30, torch.Generator().manual_seed(0)), 32)[:20].mul(255).byte()

    is_worn = [
        bool((image.mul(255).round().byte() == worn).flatten(1).all(1).any())
        for image in images(taken)
    ]

    assert is_worn == torch.cat([taken.train_glasses, taken.test_glasses]).tolist()


def test_fewer_photographs_to_train_on_are_of_both_kinds(folder):
    taken = faces(folder).take(side=16, train=12)

    assert len(taken.train) == 12
    assert 0 < taken.train_glasses.sum() < 12


def test_photographs_cannot_be_redrawn(folder):
    taken = faces(folder).take(side=16)

    with pytest.raises(DataError, match=r"with other glasses\.\n  .*--set faces=portraits"):
        taken.redraw_test(glasses=True)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGB", (200, 100, 50), (200, 100, 50)),
        ("L", 90, (90, 90, 90)),
        ("1", 1, (255, 255, 255)),
        ("LA", (90, 0), (255, 255, 255)),
        ("RGBA", (200, 100, 50, 255), (200, 100, 50)),
        ("RGBA", (200, 100, 50, 0), (255, 255, 255)),
        ("I;16", 90 * 257, (90, 90, 90)),
    ],
)
def test_every_kind_of_png_becomes_three_colours(tmp_path, mode, colour, expected):
    file = picture(tmp_path / "a.png", mode=mode, colour=colour)

    square = read_squares([file], 16)

    assert square.dtype == torch.uint8
    assert torch.equal(square[0], torch.tensor(expected)[:, None, None].expand(3, 16, 16).byte())


@pytest.mark.parametrize("transparent", [False, True])
def test_a_palette_becomes_its_colours_and_its_transparent_one_white(tmp_path, transparent):
    image = Image.new("P", (32, 32), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.save(tmp_path / "a.png", **({"transparency": 1} if transparent else {}))

    square = read_squares([tmp_path / "a.png"], 16)

    assert square[0, :, 8, 8].tolist() == ([255, 255, 255] if transparent else [200, 100, 50])


def test_a_cmyk_jpeg_becomes_three_colours(tmp_path):
    file = picture(tmp_path / "a.jpg", mode="CMYK", colour=(0, 0, 0, 255))

    assert read_squares([file], 16).max() < 3


@pytest.mark.parametrize("size", [(90, 30), (30, 90)])
def test_of_a_longish_picture_the_middle_is_kept(tmp_path, size):
    """A red third, a green one, a blue one, along the longer side."""
    pixels = np.zeros((30, 90, 3), np.uint8)
    for third in range(3):
        pixels[:, 30 * third : 30 * (third + 1), third] = 255
    Image.fromarray(pixels if size[0] == 90 else pixels.swapaxes(0, 1).copy()).save(
        tmp_path / "a.png"
    )

    square = read_squares([tmp_path / "a.png"], 16)

    inner = square[0, :, 2:-2, 2:-2].float()  # the filter looks a little over the edge
    assert inner.mean((1, 2)).tolist() == [0, 255, 0]


def test_a_fine_pattern_is_averaged_and_not_sampled(tmp_path):
    pixels = np.indices((256, 256)).sum(0).astype(np.uint8) % 2 * 255
    Image.fromarray(pixels).save(tmp_path / "a.png")

    square = read_squares([tmp_path / "a.png"], 32)

    assert (square.float() - 127.5).abs().max() < 3


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:16] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # orientation: upside down
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)

    square = read_squares([tmp_path / "a.png"], 32)

    assert (square[0, 0, 0, 0], square[0, 0, 31, 31]) == (0, 255)


def broken(path: Path, how: str) -> Path:
    if how == "cut short":
        rng = np.random.default_rng(0)
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:900])
    else:
        path.write_bytes(
            {"no picture": b"hello", "empty": b"", "only a head": b"\xff\xd8\xff"}[how]
        )
    return path


@pytest.mark.parametrize("how", ["cut short", "no picture", "empty", "only a head"])
def test_a_broken_jpeg_is_named(tmp_path, how):
    file = broken(tmp_path / "anna.jpg", how)

    with pytest.raises(DataError, match=r"anna\.jpg: this picture cannot be read: .*\n  Replace"):
        read_squares([file], 16)


def test_pictures_of_one_pixel_are_refused(tmp_path):
    file = picture(tmp_path / "dot.png", side=1)

    with pytest.raises(DataError, match=r"dot\.png: the picture is 1 x 1 pixels\.\n  .* 16 x 16"):
        read_squares([file], 16)


def test_every_bad_picture_is_told_up_to_ten(tmp_path):
    files = [picture(tmp_path / f"{i}.png", side=1) for i in range(13)]

    with pytest.raises(DataError) as caught:
        read_squares(files, 16)

    told = [problem.where for problem in caught.value.problems]
    assert told == [*map(str, files[:10]), "and more"]
    assert caught.value.problems[-1].what == "3 other pictures cannot be used."
