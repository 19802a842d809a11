"""Where scrolls come from: computed, or a user's own, in any form that the lab can open.

phantom       computed by `vaeflash.lab.volumes.phantom`; the default
a path        Zarr, a folder of layers NN.tif, .npy, .nrrd
a URL         Zarr behind https://, s3://, ...; `simplecache::` before it keeps what was read

What is read of a scroll is told by `vaeflash.lab.volumes.formats`; here it is only found.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from vaeflash.course.fingerprint import LAB
from vaeflash.data.drawn import code_fingerprint
from vaeflash.data.source import DataSource, combined, digests
from vaeflash.errors import DataError, Problem

DRAWN = "phantom"
DRAWN_BY = ("volume", "surface", "writing", "winding", "papyrus", "unrolling", "phantom")
"""Modules of the lab's volumes."""
CHOICES = (
    "phantoms computed by vaeflash, their ink known: the default",
    "your own scroll or segment, Zarr, layers NN.tif, .npy or .nrrd: --set scroll=PATH",
    'Zarr behind a URL: pip install "vaeflash[volumes]", then --set scroll=URL',
)
LICENCE = "phantoms: MIT, as vaeflash; scans of the Vesuvius Challenge: CC BY-NC 4.0"

WHOLE = 1_000_000_000
"""Bytes up to which all content counts."""
PIECES, PIECE = 256, 65_536
"""How many pieces of larger data count, and how many bytes each has."""
NOTES = (".json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
"""Ends of small files that say what the others hold: they always count."""
CACHING = ("simplecache::", "filecache::")
_CLUTTER = (".DS_Store", "Thumbs.db")


@dataclass(frozen=True, slots=True)
class ScrollSource(DataSource):
    """A scroll that was found.

    Attributes:
        location: The path or URL to open; empty for a phantom.
    """

    location: str = ""


def find_scroll(choice: str = DRAWN) -> ScrollSource:
    """The scroll that a choice names.

    The fingerprint of files covers, up to a gigabyte, the names of all files in a folder and all
    their content. Of more it covers names, sizes, the documents that describe a Zarr store, and
    256 pieces of 64 KiB, spread evenly over all bytes: it finds other data, and not every voxel
    that was changed in place. Of a URL it covers the address: what lies there is taken to stay.

    Args:
        choice: "phantom", a path or a URL.

    Raises:
        DataError: It is not here, or cannot be read.
    """
    if choice in ("", DRAWN):
        return _phantom()
    if choice.startswith("file://"):
        # It brings the whole of HTTP, and every command that reads cards imports this module.
        from urllib.request import url2pathname

        return _files(Path(url2pathname(urlsplit(choice).path)))
    if "://" in choice or "::" in choice:
        return _address(choice)
    return _files(Path(choice).expanduser())


def _phantom() -> ScrollSource:
    files = tuple(LAB / "volumes" / f"{module}.py" for module in DRAWN_BY)
    return ScrollSource("scroll", "computed phantoms", "drawn", files, code_fingerprint(files))


def _address(url: str) -> ScrollSource:
    bare = url
    for prefix in CACHING:  # where copies are kept changes nothing
        bare = bare.removeprefix(prefix)
    digest = hashlib.sha256(bare.encode()).digest()
    # A query or a user's name may hold a secret, and this is printed and kept.
    shown = bare.partition("?")[0]
    scheme, mark, rest = shown.partition("://")
    host, slash, path = rest.partition("/")
    shown = f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
    return ScrollSource("scroll", shown, "url", (), combined([digest]), location=url)


def _files(root: Path) -> ScrollSource:
    root = root.absolute()
    files = list(_walk(root))
    if not files:
        what = "this folder is empty." if root.is_dir() else "there is no such file or folder."
        expected = "Expected: a Zarr folder, a folder of layers NN.tif, a .npy or a .nrrd file."
        raise DataError(Problem(str(root), what, expected))
    try:
        sizes = [file.stat().st_size for file in files]
        content = digests(files) if sum(sizes) <= WHOLE else _sampled(files, sizes)
    except OSError as error:
        what, advice = f"cannot read this: {error.strerror}.", "Check the file and its permissions."
        raise DataError(Problem(str(error.filename), what, advice)) from error
    # Names count below the root alone: they say where in the scroll a chunk lies.
    names = [f"{file.relative_to(root)}\0{size}\n" for file, size in zip(files, sizes, strict=True)]
    listing = hashlib.sha256("".join(names).encode()).digest()
    count = f"{len(files):,} file" + ("s" if len(files) > 1 else "")
    return ScrollSource(
        name="scroll",
        origin=f"a scroll in {count}, {sum(sizes) / 1e6:,.1f} MB",
        kind="files",
        files=(root,),
        fingerprint=combined([listing, *content]),
        location=str(root),
    )


def _walk(root: Path) -> Iterator[Path]:
    """Every file of a folder, or the one file, in a fixed order."""
    if root.is_file():
        yield root
    for folder, below, names in os.walk(root):
        below.sort()
        for name in sorted(names):
            if name not in _CLUTTER and not name.startswith("._"):
                yield Path(folder, name)


def _sampled(files: Sequence[Path], sizes: Sequence[int]) -> list[bytes]:
    """Hashes of the documents, and of pieces spread evenly over the bytes of all files."""
    parts = digests(file for file in files if file.name.endswith(NOTES))
    total, begin = sum(sizes), 0
    places = iter([total * i // PIECES for i in range(PIECES)])
    place = next(places, total)
    for path, size in zip(files, sizes, strict=True):
        if place < begin + size:
            with path.open("rb") as file:
                while place < begin + size:
                    file.seek(place - begin)
                    parts.append(hashlib.sha256(file.read(PIECE)).digest())
                    place = next(places, total)
        begin += size
    return parts
