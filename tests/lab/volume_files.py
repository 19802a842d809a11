"""Writes one array in every format that volumes are read from, and serves folders over HTTP."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nrrd
import numpy as np
import tifffile
import zarr
from PIL import Image
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

CHUNK = (4, 5, 6)


def cube(shape: tuple[int, int, int] = (9, 11, 13), dtype: str = "u1", seed: int = 0) -> Any:
    """Random voxels over the whole range of their dtype."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def zarr_array(store: Any, voxels: Any, **options: Any) -> Any:
    chunks = options.pop("chunks", CHUNK)
    array = zarr.create_array(
        store, shape=voxels.shape, chunks=chunks, dtype=voxels.dtype, fill_value=0, **options
    )
    array[...] = voxels
    return array


def plain_zarr(folder: Path, voxels: Any, **options: Any) -> Path:
    zarr_array(folder / "a.zarr", voxels, **options)
    return folder / "a.zarr"


def ome_zarr(folder: Path, voxels: Any, version: str = "0.4", lead: int = 0) -> Path:
    """Two levels, the second with every other voxel; `lead` axes of length 1 before z."""
    kept = zarr.open_group(folder / "o.zarr", mode="w", zarr_format=2 if version == "0.4" else 3)
    for level, step in enumerate((1, 2)):
        part = voxels[(None,) * lead + (slice(None, None, step),) * 3]
        zarr_array(
            kept.store,
            part,
            name=str(level),
            chunks=(1,) * lead + CHUNK,
            zarr_format=kept.metadata.zarr_format,
        )
    axes = [{"name": name} for name in "tczyx"[2 - lead :]]
    datasets = [{"path": "0"}, {"path": "1"}]
    image = {"multiscales": [{"axes": axes, "datasets": datasets, "version": version}]}
    kept.attrs.update(image if version == "0.4" else {"ome": image | {"version": version}})
    return folder / "o.zarr"


def layers(folder: Path, voxels: Any, place: str = "layers", **options: Any) -> Path:
    (folder / place).mkdir(parents=True)
    for z, layer in enumerate(voxels):
        tifffile.imwrite(
            folder / place / f"{z:02d}.tif", layer, photometric="minisblack", **options
        )
    return folder / place


def pillow_layers(folder: Path, voxels: Any, compression: str) -> Path:
    for z, layer in enumerate(voxels):
        Image.fromarray(layer).save(folder / f"{z}.tif", compression=compression)
    return folder


def npy(folder: Path, voxels: Any) -> Path:
    np.save(folder / "a.npy", voxels)
    return folder / "a.npy"


def nrrd_file(folder: Path, voxels: Any, name: str = "a.nrrd", **header: Any) -> Path:
    nrrd.write(str(folder / name), voxels, header, index_order="C")
    return folder / name


Write = Callable[[Path, Any], Path]
FORMATS: dict[str, Write] = {
    "zarr-2": functools.partial(plain_zarr, zarr_format=2),
    "zarr-2-raw": functools.partial(plain_zarr, zarr_format=2, compressors=None),
    "zarr-3": functools.partial(plain_zarr, zarr_format=3),
    "zarr-3-raw": functools.partial(plain_zarr, zarr_format=3, compressors=None),
    "zarr-3-blosc": functools.partial(plain_zarr, compressors=BloscCodec()),
    "zarr-3-zstd": functools.partial(plain_zarr, compressors=ZstdCodec()),
    "zarr-3-gzip": functools.partial(plain_zarr, compressors=GzipCodec()),
    "zarr-3-sharded": functools.partial(plain_zarr, shards=(8, 10, 12)),
    "ome-0.4": ome_zarr,
    "ome-0.5": functools.partial(ome_zarr, version="0.5"),
    "ome-0.4-tczyx": functools.partial(ome_zarr, lead=2),
    "ome-0.5-czyx": functools.partial(ome_zarr, version="0.5", lead=1),
    "layers": layers,
    "layers-strips": functools.partial(layers, rowsperstrip=3),
    "layers-big-endian": functools.partial(layers, byteorder=">"),
    "layers-deflate": functools.partial(layers, compression="zlib"),
    "layers-deflate-big-endian": functools.partial(layers, compression="zlib", byteorder=">"),
    "layers-deflate-tiles": functools.partial(layers, compression="zlib", tile=(16, 16)),
    "layers-lzw": functools.partial(pillow_layers, compression="tiff_lzw"),
    "layers-packbits": functools.partial(pillow_layers, compression="packbits"),
    "npy": npy,
    "nrrd-raw": functools.partial(nrrd_file, encoding="raw"),
    "nrrd-gzip": functools.partial(nrrd_file, encoding="gzip"),
    "nrrd-detached": functools.partial(nrrd_file, name="a.nhdr", encoding="raw"),
}


class Server(ThreadingHTTPServer):
    """Serves a folder on this machine, ranges included, and counts what was asked for.

    Attributes:
        asked: How often each path was asked for.
        broken: Paths that are answered with "500 Internal Server Error".
    """

    daemon_threads = True

    def __init__(self, root: Path, *, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(root)))
        self.ranges = ranges
        self.asked: Counter[str] = Counter()
        self.broken: set[str] = set()
        self.counting = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def chunks(self) -> Counter[str]:
        """How often each file that is no metadata was asked for."""
        meta = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
        return Counter({p: n for p, n in self.asked.items() if not p.endswith(meta)})


@contextmanager
def serving(root: Path, *, ranges: bool = True) -> Iterator[Server]:
    with Server(root, ranges=ranges) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(SimpleHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        path, asked = unquote(self.path), self.headers.get("Range", "")
        with self.server.counting:
            self.server.asked[f"{path} {asked}".strip()] += 1
        file = Path(self.translate_path(self.path))
        if path in self.server.broken:
            self.send_error(500)
        elif not asked or not self.server.ranges or not file.is_file():
            super().do_GET()
        else:
            self.send_part(file.read_bytes(), *asked.removeprefix("bytes=").split("-"))

    def send_part(self, content: bytes, first: str, last: str) -> None:
        start = int(first) if first else len(content) - int(last)
        stop = min(int(last) + 1, len(content)) if first and last else len(content)
        self.send_response(206)
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start:stop])
