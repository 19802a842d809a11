"""Each chunk is fetched once, whoever asks; memory stays bounded; layers are opened once."""

from __future__ import annotations

import builtins
import itertools
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from volume_files import cube, layers, pillow_layers, plain_zarr

from vaeflash.lab.volumes.chunks import Cache, ChunkedVolume, touched, voxel_cache
from vaeflash.lab.volumes.formats import open_volume
from vaeflash.lab.volumes.volume import Box, Triple, whole


class Counted:
    """Gives a number for a key and counts how often each was asked for."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()

    def __call__(self, key: int) -> int:
        self.asked[key] += 1
        return key


@given(keys=st.lists(st.integers(0, 9)), limit=st.integers(0, 20))
def test_a_cache_gives_the_piece_of_each_key_and_stays_within_its_limit(
    keys: list[int], limit: int
):
    cache = Cache(lambda key: key * key, limit, lambda _: 3)

    assert [(cache[key], cache.spent <= limit) for key in keys] == [(k * k, True) for k in keys]


@given(keys=st.lists(st.integers(0, 6)), room=st.integers(1, 5))
def test_what_was_not_used_for_longest_goes_first(keys: list[int], room: int):
    get = Counted()
    cache = Cache(get, room, lambda _: 1)
    expected: Counter[int] = Counter()
    recent: list[int] = []  # the oracle: the last `room` different keys
    for key in keys:
        expected[key] += key not in recent
        recent = [*(k for k in recent if k != key), key][-room:]
        assert cache[key] == key

    assert get.asked == +expected


def test_a_piece_above_the_limit_is_given_and_pushes_nothing_out():
    get = Counted()
    cache = Cache(get, 10, lambda key: key)
    pieces = [cache[key] for key in (4, 5, 11, 4, 5)]

    assert (pieces, get.asked[4], get.asked[5]) == ([4, 5, 11, 4, 5], 1, 1)


def test_threads_that_ask_together_share_one_fetch():
    """One thread is held within its fetch; the others must be seen waiting, not fetching."""
    entered, release, get = threading.Event(), threading.Event(), Counted()

    def slowly(key: int) -> int:
        entered.set()
        assert release.wait(60)
        return get(key)

    cache = Cache(slowly, 10, lambda _: 1)
    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(cache.__getitem__, 7)
        assert entered.wait(60)
        others = [threads.submit(cache.__getitem__, 7) for _ in range(4)]
        release.set()

    assert [first.result(), *(other.result() for other in others)] == [7] * 5
    assert get.asked == {7: 1}


def test_another_piece_does_not_wait_for_a_slow_one():
    release = threading.Event()

    def get(key: int) -> int:
        assert key or release.wait(60)
        return key

    cache = Cache(get, 10, lambda _: 1)
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(cache.__getitem__, 0)
        quick = cache[1]
        release.set()

    assert (quick, slow.result()) == (1, 0)


def test_many_threads_fetch_each_piece_once():
    get, interval = Counted(), sys.getswitchinterval()
    cache = Cache(get, 100, lambda _: 1)
    together = threading.Barrier(8)

    def ask(seed: int) -> None:
        together.wait(60)
        for key in np.random.default_rng(seed).permutation(64):
            assert cache[int(key)] == key

    try:
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(ask, range(8)))
    finally:
        sys.setswitchinterval(interval)

    assert get.asked == dict.fromkeys(range(64), 1)


def test_an_error_is_told_and_the_next_to_ask_tries_again():
    answers = iter([OSError("cut off"), 5])

    def get(_: str) -> int:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    cache = Cache(get, 10, lambda _: 1)
    with pytest.raises(OSError, match="cut off"):
        cache["a"]

    assert cache["a"] == 5


def test_an_error_reaches_those_who_wait():
    entered, release = threading.Event(), threading.Event()

    def get(_: str) -> int:
        entered.set()
        assert release.wait(60)
        raise OSError("cut off")

    cache = Cache(get, 10, lambda _: 1)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(cache.__getitem__, "a")]
        assert entered.wait(60)
        asked.append(threads.submit(cache.__getitem__, "a"))
        release.set()

    assert [str(future.exception()) for future in asked] == ["cut off", "cut off"]


@given(data=st.data())
def test_a_box_touches_just_the_chunks_it_has_voxels_of(data: st.DataObject):
    sides = st.tuples(*[st.integers(1, 5)] * 3)
    start, shape, chunks = data.draw(sides), data.draw(sides), data.draw(sides)
    box = Box.at(start, shape)
    inside = itertools.product(*(range(a, b) for a, b in zip(box.start, box.stop, strict=True)))
    expected = {tuple(c // n for c, n in zip(voxel, chunks, strict=True)) for voxel in inside}

    assert touched(box, chunks) == sorted(expected)


def test_overlapping_boxes_fetch_each_chunk_once():
    voxels, chunks = cube((12, 15, 18)), (4, 5, 6)
    asked: Counter[Triple] = Counter()

    def get(index: Triple) -> Any:
        asked[index] += 1
        z, y, x = (i * n for i, n in zip(index, chunks, strict=True))
        return voxels[z : z + 4, y : y + 5, x : x + 6]

    volume = ChunkedVolume("a", voxels.shape, voxels.dtype, chunks, voxel_cache(get, 10**6))
    for z, y, x in itertools.product(range(0, 9, 2), repeat=3):
        volume.read(Box.at((z, y, x), (4, 4, 4)))

    assert set(asked.values()) == {1}


def test_chunks_that_are_kept_stay_within_the_memory_given(tmp_path: Path):
    volume = open_volume(plain_zarr(tmp_path, cube((20, 20, 24))), memory=500)
    assert isinstance(volume, ChunkedVolume)
    volume.read(whole(volume.shape))

    assert 0 < volume.cache.spent <= 500


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was opened since."""
    counts: Counter[str] = Counter()
    plain = builtins.open

    def counting(file: Any, *args: Any, **kwargs: Any) -> Any:
        counts[Path(str(file)).name] += 1
        return plain(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", counting)
    return counts


def read_much(volume: Any) -> None:
    for corner in itertools.product(range(6), repeat=2):
        volume.read(Box.at((0, *corner), (volume.shape[0], 4, 4)))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_each_layer_is_opened_once_for_all_boxes(
    compression: str, tmp_path: Path, opened: Counter[str]
):
    volume = open_volume(pillow_layers(tmp_path, cube(), compression))
    opened.clear()
    read_much(volume)

    assert opened == {f"{z}.tif": 1 for z in range(9)}


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_without_memory_each_layer_is_opened_for_every_box(
    compression: str, tmp_path: Path, opened: Counter[str]
):
    """As a loop does that reads its batch layer by layer."""
    volume = open_volume(pillow_layers(tmp_path, cube(), compression), memory=0)
    opened.clear()
    read_much(volume)

    assert opened == {f"{z}.tif": 36 for z in range(9)}


def test_layers_stored_as_they_are_cost_no_memory(tmp_path: Path):
    volume = open_volume(layers(tmp_path, cube()))
    assert isinstance(volume, ChunkedVolume)

    assert isinstance(volume.cache[3, 0, 0], np.memmap)
