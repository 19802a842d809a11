"""Zarr behind URLs: memory, a server on this machine, and a folder that keeps what came."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from volume_files import CHUNK, cube, ome_zarr, plain_zarr, serving, zarr_array

from vaeflash.errors import DataError
from vaeflash.lab.volumes.formats import open_volume
from vaeflash.lab.volumes.volume import Box, Volume, whole

BOXES = [Box.at((z, y, x), CHUNK) for z in range(6) for y in range(7) for x in range(8)]


def everything(volume: Volume) -> Any:
    return volume.read(whole(volume.shape))


@pytest.fixture
def memory() -> Iterator[str]:
    """The URL of a file system in memory, empty again afterwards."""
    yield "memory://volumes"
    fsspec.filesystem("memory").store.clear()


@pytest.mark.parametrize("options", [{"zarr_format": 2}, {"shards": (8, 10, 12)}])
def test_an_array_in_memory_is_read(options: dict[str, Any], memory: str):
    zarr_array(f"{memory}/a.zarr", cube(), **options)

    np.testing.assert_array_equal(everything(open_volume(f"{memory}/a.zarr")), cube())


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("end", ["", "/"])
def test_an_image_on_a_server_is_read_at_its_level(version: str, end: str, tmp_path: Path):
    ome_zarr(tmp_path, cube(), version)
    with serving(tmp_path) as server:
        volume = open_volume(f"{server.url}/o.zarr{end}", level=1)

        np.testing.assert_array_equal(everything(volume), cube()[::2, ::2, ::2])


@pytest.mark.slow
def test_each_chunk_is_downloaded_once_however_many_boxes_and_threads(tmp_path: Path):
    plain_zarr(tmp_path, cube(), zarr_format=2)
    with serving(tmp_path) as server:
        volume = open_volume(f"{server.url}/a.zarr")
        with ThreadPoolExecutor(8) as threads:
            read = list(threads.map(volume.read, BOXES))

    for box, voxels in zip(BOXES, read, strict=True):
        np.testing.assert_array_equal(voxels, cube()[box.slices])
    assert set(server.chunks().values()) == {1}
    assert len(server.chunks()) == 3 * 3 * 3


def test_opening_downloads_no_chunk(tmp_path: Path):
    plain_zarr(tmp_path, cube(), zarr_format=2)
    with serving(tmp_path) as server:
        open_volume(f"{server.url}/a.zarr")

    assert not server.chunks()


def test_of_a_shard_come_its_index_once_and_each_chunk_once(tmp_path: Path):
    plain_zarr(tmp_path, cube((8, 10, 12)), shards=(8, 10, 12))
    with serving(tmp_path) as server:
        volume = open_volume(f"{server.url}/a.zarr")
        for box in Box((0, 0, 0), (8, 10, 12)).blocks((2, 2, 2)):
            np.testing.assert_array_equal(volume.read(box), cube((8, 10, 12))[box.slices])

    assert set(server.chunks().values()) == {1}
    assert len(server.chunks()) == 1 + 8


def test_a_server_that_ignores_ranges_is_understood(tmp_path: Path):
    plain_zarr(tmp_path, cube(), shards=(8, 10, 12))
    with serving(tmp_path, ranges=False) as server:
        volume = open_volume(f"{server.url}/a.zarr")

        np.testing.assert_array_equal(everything(volume), cube())


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["simplecache", "filecache"])
@pytest.mark.parametrize("options", [{"zarr_format": 2}, {"shards": (8, 10, 12)}])
def test_what_was_downloaded_is_kept_for_the_next_time(
    prefix: str, options: dict[str, Any], tmp_path: Path
):
    plain_zarr(tmp_path, cube(), **options)
    with serving(tmp_path) as server:
        url = f"{prefix}::{server.url}/a.zarr"
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(open_volume(url).read, BOXES))
        first = server.chunks()
        again = everything(open_volume(url))

    assert set(first.values()) == {1}
    assert server.chunks() == first
    np.testing.assert_array_equal(again, cube())


@pytest.mark.parametrize("settings", [True, False])
def test_it_is_kept_where_fsspec_or_else_the_user_keeps_caches(
    settings: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    chosen, own = tmp_path / "chosen", tmp_path / "own"
    monkeypatch.setenv("VAEFLASH_CACHE", str(own))
    if settings:
        monkeypatch.setitem(fsspec.config.conf, "simplecache", {"cache_storage": str(chosen)})
    plain_zarr(tmp_path, cube())
    with serving(tmp_path) as server:
        open_volume(f"simplecache::{server.url}/a.zarr")

    assert (chosen.exists(), own.exists()) == (settings, not settings)


def test_the_setting_is_the_one_that_the_documentation_names():
    """fsspec reads FSSPEC_SIMPLECACHE_CACHE_STORAGE as the setting that is looked at here."""
    conf: dict[str, Any] = {}
    fsspec.config.set_conf_env(conf, {"FSSPEC_SIMPLECACHE_CACHE_STORAGE": "/somewhere"})

    assert conf == {"simplecache": {"cache_storage": "/somewhere"}}


def test_a_chunk_that_the_server_fails_on_is_named_and_tried_again(tmp_path: Path):
    plain_zarr(tmp_path, cube(), zarr_format=2)
    with serving(tmp_path) as server:
        volume = open_volume(f"{server.url}/a.zarr")
        server.broken.add("/a.zarr/1.0.2")
        with pytest.raises(DataError, match=r"a\.zarr/1\.0\.2: this chunk cannot be read: 500"):
            everything(volume)
        server.broken.clear()

        np.testing.assert_array_equal(everything(volume), cube())


def test_a_server_that_is_not_there_is_named():
    with serving(Path()) as server:
        gone = f"{server.url}/a.zarr"

    with pytest.raises(DataError, match=r"a\.zarr: this Zarr store cannot be opened: "):
        open_volume(gone)


def test_an_address_without_an_array_is_named(tmp_path: Path):
    with (
        serving(tmp_path) as server,
        pytest.raises(DataError, match="there is no Zarr array here"),
    ):
        open_volume(f"{server.url}/a.zarr")


@pytest.mark.parametrize(
    ("url", "what"),
    [("s3://bucket/a.zarr", "Install s3fs"), ("parchment://a.zarr", "Protocol not known")],
)
def test_a_protocol_that_is_unknown_or_not_installed_is_named(
    url: str, what: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(DataError, match=f"^{url}: {what}"):
        open_volume(url)
