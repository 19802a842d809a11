"""Where faces come from, each with or without glasses: drawn, or photographs.

portraits     drawn by `vaeflash.lab.portraits`; the default
orl           400 photographs, through the extra `orl`
a folder      two folders of pictures in it, one with glasses and one without
"""

from __future__ import annotations

import re
from pathlib import Path

from vaeflash.course.fingerprint import LAB
from vaeflash.data import orl
from vaeflash.data.drawn import code_fingerprint
from vaeflash.data.source import DataSource, combined, digests
from vaeflash.errors import DataError, Problem

DRAWN = "portraits"
DRAWN_BY = ("painting", "people", "portraits")
"""Modules of the lab."""
CHOICES = (
    "portraits drawn by vaeflash, every factor known: the default",
    "any folder with two folders of pictures, glasses and no_glasses: --set faces=DIR",
    "400 ORL photographs: pip install 'vaeflash[orl]', then --set faces=orl",
)
LICENCE = f"portraits: MIT, as vaeflash; ORL: {orl.LICENCE}"

PICTURES = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
BARE = {"no", "non", "not", "none", "without", "bare"}
FEWEST = 5
"""Of each kind: one to keep unseen, and a mean that is one."""


def find_faces(choice: str = DRAWN) -> DataSource:
    """The faces that a choice names.

    Args:
        choice: "portraits", "orl" or a folder.

    Raises:
        DataError: They are not here, or not two kinds of pictures.
    """
    if choice in ("", DRAWN):
        return _drawn()
    if choice == "orl":
        return orl.find_orl()
    return _photographs(Path(choice).expanduser())


def _drawn() -> DataSource:
    # What is drawn depends on the code alone; comments do not count, as in a demo's fingerprint.
    files = tuple(LAB / f"{module}.py" for module in DRAWN_BY)
    return DataSource("faces", "drawn portraits", "drawn", files, code_fingerprint(files))


def _photographs(root: Path) -> DataSource:
    labelled = [
        (label, file) for folder, label in _kinds(root).items() for file in _pictures(folder)
    ]
    contents = digests(file for _, file in labelled)
    items = [
        (label, digest, file) for (label, file), digest in zip(labelled, contents, strict=True)
    ]
    # By content: a copy under other names is the same data, in the same order.
    items.sort(key=lambda item: item[:2])
    labels = tuple(label for label, _, _ in items)
    return DataSource(
        name="faces",
        origin=f"{len(items):,} photographs, {sum(labels):,} with glasses",
        kind="photographs",
        files=tuple(file for _, _, file in items),
        fingerprint=combined([bytes([label]) + digest for label, digest, _ in items]),
        labels=labels,
    )


def _kinds(root: Path) -> dict[Path, int]:
    """The two folders of pictures -> whether those show glasses."""
    if not root.is_dir():
        what = "this is a file." if root.exists() else "there is no such folder."
        raise DataError(Problem(str(root), what, _EXPECTED))
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and _pictures(path)]
    if not folders:
        raise DataError(Problem(str(root), "there is no folder of pictures in it.", _EXPECTED))
    kinds = {folder: wears_glasses(folder.name) for folder in folders}
    unclear = [folder.name for folder, label in kinds.items() if label is None]
    if unclear:
        named = ", ".join(f"'{name}'" for name in unclear)
        what = f"no telling whether glasses are worn in {named}."
        raise DataError(Problem(str(root), what, _EXPECTED))
    if sorted(map(bool, kinds.values())) != [False, True]:
        names = ", ".join(f"'{folder.name}'" for folder in folders)
        what = f"one folder with glasses and one without are needed, and there is {names}."
        raise DataError(Problem(str(root), what, _EXPECTED))
    few = [
        Problem(str(folder), f"{count} pictures are too few.", f"At least {FEWEST} are needed.")
        for folder in folders
        if (count := len(_pictures(folder))) < FEWEST
    ]
    if few:
        raise DataError(*few)
    return {folder: int(bool(label)) for folder, label in kinds.items()}


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()
    )


def wears_glasses(name: str) -> bool | None:
    """Whether faces in a folder of this name wear glasses; `None` if the name does not tell.

    `with`, `glasses` and `Eyeglasses` do, `without`, `no_glasses` and `NoGlasses` do not.
    """
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    lower = [word.lower() for word in words]
    if BARE & set(lower) or re.match(r"(no|without)_?(eye)?glasses", name.lower()):
        return False
    if "with" in lower or any("glasses" in word or "spectacles" in word for word in lower):
        return True
    return None


_EXPECTED = "Expected a folder that holds two folders of pictures, `glasses` and `no_glasses`."
