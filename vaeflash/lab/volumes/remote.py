"""Zarr stores behind any URL that fsspec knows, each piece asked for once.

fsspec can keep what it downloads by itself: `simplecache::https://...`. Under zarr-python 3 that
raises, asks an HTTP server twice for each piece, loses count with several threads and cannot cut a
shard's index from the end of a file. So the prefix is understood here, and the pieces are kept in
the folder that fsspec was told of.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import fsspec
from fsspec.asyn import AsyncFileSystem
from zarr.storage import FsspecStore

from vaeflash.errors import DataError, Problem
from vaeflash.files import cache_folder, write_atomically
from vaeflash.lab.volumes.chunks import Cache
from vaeflash.lab.volumes.extra import reason

KEEPING = ("simplecache", "filecache")
"""Prefixes that ask for what is downloaded to be kept on disk."""
ENDS = 2**25
"""Bytes of ends of files that are kept in memory: indices of shards, asked for by every chunk."""

_Piece = tuple[str, int | None, int | None]


def open_store(url: str) -> FsspecStore:
    """A store to read from; nothing is asked of the server yet.

    Raises:
        DataError: The protocol is unknown, or its package is not installed.
    """
    prefix, chained, inner = url.partition("::")
    keeping = bool(chained) and prefix in KEEPING
    try:
        files, path = fsspec.url_to_fs(inner if keeping else url)
    except (ImportError, ValueError) as error:
        # Its own words name the package: "Install s3fs to access S3".
        advice = "Install what the protocol needs, or copy the data to this machine."
        raise DataError(Problem(url, f"{reason(error)}.", advice)) from error
    folder = _folder(prefix) if keeping else None
    return FsspecStore(_Pieces(files, folder), path=path, read_only=True)


def _folder(prefix: str) -> Path:
    """Where fsspec's settings want it, e.g. FSSPEC_SIMPLECACHE_CACHE_STORAGE; else our own."""
    chosen = fsspec.config.conf.get(prefix, {}).get("cache_storage")
    return Path(chosen).expanduser() if chosen else cache_folder() / "volumes"


class _Pieces(AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """What zarr asks of a file system, asked in threads, and kept where the user wants it."""

    cachable = False

    def __init__(self, files: Any, folder: Path | None) -> None:
        super().__init__(asynchronous=True)
        self.files = files
        self.folder = folder
        self.ends: Cache[_Piece, bytes] = Cache(self._piece, ENDS, len)

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        get = self.ends.__getitem__ if start is not None and start < 0 else self._piece
        return await asyncio.to_thread(get, (path, start, end))

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> Any:
        return await asyncio.to_thread(self.files.ls, path, detail=detail)

    async def _info(self, path: str, **_: Any) -> Any:
        return await asyncio.to_thread(self.files.info, path)

    def _piece(self, piece: _Piece) -> bytes:
        if self.folder is None:
            return self._asked(*piece)
        name = hashlib.sha256(repr((self.files.protocol, piece)).encode()).hexdigest()
        kept = self.folder / name[:2] / name
        if kept.exists():
            return kept.read_bytes()
        content = self._asked(*piece)
        write_atomically(kept, content)
        return content

    def _asked(self, path: str, start: int | None, end: int | None) -> bytes:
        content: bytes = self.files.cat_file(path, start=start, end=end)
        if start is None:
            return content
        # Plain servers ignore a range and send the whole file.
        if start < 0:
            return content[start:]
        return content if end is None or len(content) <= end - start else content[start:end]
