"""Which scroll a choice names, what its fingerprint covers, and what is said when it names none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vaeflash import data
from vaeflash.course.fingerprint import LAB
from vaeflash.data import molecules, scroll
from vaeflash.data.scroll import ScrollSource
from vaeflash.errors import DataError


def find(choice: Path | str = "") -> ScrollSource:
    found = data.find("scroll", choice=str(choice))
    assert isinstance(found, ScrollSource)
    return found


def store(root: Path) -> Path:
    """A Zarr folder as far as finding looks: a document and two chunks."""
    (root / "c" / "0").mkdir(parents=True)
    (root / "zarr.json").write_text('{"shape": [4, 4, 4]}')
    (root / "c" / "0" / "0").write_bytes(bytes(range(200)))
    (root / "c" / "0" / "1").write_bytes(bytes(range(50)))
    return root


def test_scrolls_are_computed_by_default():
    assert (find().kind, find(), find().location) == ("drawn", find("phantom"), "")


@pytest.mark.parametrize("name", ["scroll", "molecules"])
def test_finding_imports_neither_numpy_nor_torch(name, tmp_path):
    choice = str(store(tmp_path / "a")) if name == "scroll" else ""
    code = (
        f"import sys; from vaeflash.data import find\nfind({name!r}, choice={choice!r})\n"
        "print(sorted({'numpy', 'torch', 'zarr', 'fsspec'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_molecules_are_drawn():
    assert data.find("molecules").kind == "drawn"


@pytest.mark.parametrize("name", ["scroll", "molecules"])
def test_both_are_listed_with_where_they_come_from_and_their_licence(name):
    (listed,) = [known for known in data.available({}) if known.name == name]

    assert listed.source == data.find(name)
    assert (listed.problem, "MIT" in listed.licence, bool(listed.choices)) == (None, True, True)


def lab_copy(root: Path, old: str = "", new: str = "") -> Path:
    """The modules that draw, with one text replaced by another."""
    (root / "volumes").mkdir(parents=True)
    names = [f"volumes/{module}" for module in scroll.DRAWN_BY] + list(molecules.DRAWN_BY)
    for name in names:
        text = (LAB / f"{name}.py").read_text(encoding="utf-8")
        (root / f"{name}.py").write_text(text.replace(old, new), encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("name", "old", "new", "same"),
    [
        ("scroll", "def read(", "# A comment.\n    def read(", True),
        ("scroll", "pitch: float = 15.0", "pitch: float = 15.5", False),
        ("scroll", "WANDER = 0.125", "WANDER = 0.12", False),
        ("scroll", "PERIOD = 512", "PERIOD = 1024", False),
        ("scroll", "STRIDE = 4", "STRIDE = 3", False),
        ("scroll", "BOND = 3.8", "BOND = 3.7", True),
        ("molecules", "BOND = 3.8", "BOND = 3.7", False),
        ("molecules", "SPREAD = 0.225", "SPREAD = 0.3", False),
    ],
)
def test_the_fingerprint_of_what_is_drawn_follows_the_code(
    tmp_path, monkeypatch, name, old, new, same
):
    before = data.find(name).fingerprint
    for module in (scroll, molecules):
        monkeypatch.setattr(module, "LAB", lab_copy(tmp_path / module.__name__, old, new))

    assert (data.find(name).fingerprint == before) is same


def test_what_draws_imports_nothing_of_the_lab_that_does_not_count():
    """Else the fingerprint would miss it."""
    drawn = [f"volumes.{module}" for module in scroll.DRAWN_BY] + list(molecules.DRAWN_BY)
    imported = {
        line.split()[1]
        for name in drawn
        for line in (LAB / f"{name.replace('.', '/')}.py").read_text().splitlines()
        if line.startswith(("from vaeflash.lab", "import vaeflash.lab"))
    }

    assert imported <= {f"vaeflash.lab.{name}" for name in drawn}


def test_a_folder_is_found_with_what_it_holds(tmp_path):
    source = find(store(tmp_path / "a.zarr"))

    assert (source.kind, source.location) == ("files", str(tmp_path / "a.zarr"))
    assert source.origin == "a scroll in 3 files, 0.0 MB"


def test_a_single_file_is_found(tmp_path):
    (tmp_path / "cube.npy").write_bytes(b"voxels")

    assert find(tmp_path / "cube.npy").origin == "a scroll in 1 file, 0.0 MB"


def test_a_path_may_be_relative_or_begin_at_home_or_be_a_file_url(tmp_path, monkeypatch):
    store(tmp_path / "my scroll")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    url = (tmp_path / "my scroll").as_uri()

    assert find("my scroll") == find("~/my scroll") == find(url) == find(tmp_path / "my scroll")


def test_the_fingerprint_does_not_depend_on_the_place(tmp_path):
    assert find(store(tmp_path / "a")).fingerprint == find(store(tmp_path / "b")).fingerprint


def test_clutter_does_not_count(tmp_path):
    before = find(store(tmp_path)).fingerprint
    for name in (".DS_Store", "._zarr.json"):
        (tmp_path / name).write_bytes(b"clutter")

    assert find(tmp_path).fingerprint == before


def change_voxels(root: Path) -> None:
    (root / "c" / "0" / "1").write_bytes(bytes(49) + b"\1")


def change_document(root: Path) -> None:
    (root / "zarr.json").write_text('{"shape": [4, 4, 5]}')


def move_chunk(root: Path) -> None:
    (root / "c" / "0" / "1").rename(root / "c" / "0" / "2")


def lose_chunk(root: Path) -> None:
    (root / "c" / "0" / "1").unlink()


def lengthen_chunk(root: Path) -> None:
    with (root / "c" / "0" / "1").open("ab") as file:
        file.write(b"\0")


@pytest.mark.parametrize("limit", [scroll.WHOLE, 10], ids=["small", "large"])
@pytest.mark.parametrize(
    "change", [change_voxels, change_document, move_chunk, lose_chunk, lengthen_chunk]
)
def test_other_data_have_another_fingerprint(tmp_path, monkeypatch, limit, change):
    monkeypatch.setattr(scroll, "WHOLE", limit)
    before = find(store(tmp_path)).fingerprint
    change(tmp_path)

    assert find(tmp_path).fingerprint != before


def test_of_large_data_only_pieces_are_read(tmp_path, monkeypatch):
    """Three pieces of eight bytes, at 0, 100 and 200 of 300: what lies between does not count."""
    for name, value in {"WHOLE": 10, "PIECES": 3, "PIECE": 8}.items():
        monkeypatch.setattr(scroll, name, value)

    def fingerprint(place: int) -> str:
        content = bytearray(300)
        content[place] = 1
        (tmp_path / "cube.npy").write_bytes(content)
        return find(tmp_path / "cube.npy").fingerprint

    found = {place: fingerprint(place) for place in (0, 7, 100, 107, 200, 207, 50, 108, 299)}

    assert len({found[place] for place in (0, 7, 100, 107, 200, 207)}) == 6
    assert found[50] == found[108] == found[299]


def test_pieces_are_spread_over_all_files(tmp_path, monkeypatch):
    for name, value in {"WHOLE": 10, "PIECES": 8, "PIECE": 4}.items():
        monkeypatch.setattr(scroll, name, value)
    for i in range(4):
        (tmp_path / f"{i}.tif").write_bytes(bytes(100))
    before = find(tmp_path).fingerprint

    for i in range(4):
        (tmp_path / f"{i}.tif").write_bytes(b"\1" + bytes(99))
        assert find(tmp_path).fingerprint != before
        (tmp_path / f"{i}.tif").write_bytes(bytes(100))
    assert find(tmp_path).fingerprint == before


def test_a_url_is_told_by_its_address():
    source = find("https://host.example/scroll.zarr")

    assert (source.kind, source.files) == ("url", ())
    assert source.location == source.origin == "https://host.example/scroll.zarr"
    assert source.fingerprint != find("https://host.example/other.zarr").fingerprint


def test_keeping_copies_changes_nothing_of_the_data():
    plain, kept = find("s3://bucket/a.zarr"), find("simplecache::s3://bucket/a.zarr")

    assert plain.fingerprint == kept.fingerprint
    assert kept.location == "simplecache::s3://bucket/a.zarr"


def test_what_is_printed_of_a_url_holds_no_secret():
    source = find("https://me:secret@host.example/a.zarr?token=secret")

    assert source.origin == "https://host.example/a.zarr"
    assert "secret" in source.location


def test_a_path_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no-such: there is no such file or folder\.\n  Expected"):
        find(tmp_path / "no-such")


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"this folder is empty\.\n  Expected: a Zarr folder"):
        find(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    store(tmp_path)
    monkeypatch.setattr(scroll, "WHOLE", 10)
    target = tmp_path / "c" / "0" / "1"
    real = Path.open

    def open_(path: Path, *args: object, **kwargs: object) -> object:
        if path == target:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", open_)

    with pytest.raises(DataError, match=r"0/1: cannot read this: Permission denied"):
        find(tmp_path)


def test_a_copy_of_a_scroll_is_the_same_scroll(tmp_path):
    store(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")

    assert find(tmp_path / "a").fingerprint == find(tmp_path / "b").fingerprint
