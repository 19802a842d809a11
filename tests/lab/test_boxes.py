"""Windows through boxes: as likely as without, whatever the threads do, and no box read in vain."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from vaeflash.errors import DataError, Problem
from vaeflash.lab.volumes.boxes import Boxes, Pool, cell_shape
from vaeflash.lab.volumes.places import Masked, Uniform
from vaeflash.lab.volumes.streams import Shard
from vaeflash.lab.volumes.volume import ArrayVolume, Box, Triple, whole

SMALL = 1e-3
PATIENCE = 60
"""Seconds after which a test that waits for a thread fails: nothing waits that long."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@dataclass
class Chunked:
    """A volume in memory with chunks of its own, which counts and lets a test meddle."""

    voxels: np.ndarray
    chunks: Triple = (4, 4, 4)
    reads: count = field(default_factory=count)
    meddle: object = lambda number, box: None  # noqa: ARG005
    read_boxes: list[Box] = field(default_factory=list)

    @property
    def shape(self):
        return self.voxels.shape

    @property
    def dtype(self):
        return self.voxels.dtype

    def read(self, box):
        self.meddle(next(self.reads), box)
        self.read_boxes.append(box)
        return ArrayVolume(self.voxels).read(box)


def random_volume(shape=(17, 14, 20), **options) -> Chunked:
    return Chunked(np.random.default_rng(0).integers(0, 256, shape, np.uint8), **options)


def boxes(volume=None, size: int = 12, seed: int = 0, window=(3, 4, 5), **options) -> Boxes:
    volume = volume or random_volume()
    options.setdefault("pool", Pool(boxes=4, cuts=12, cell=4))
    return Boxes(volume, Uniform(whole(volume.shape), window), size, generator(seed), **options)


def corners(batches: int, shape: Triple, place, size: int, seed: int = 0, **options):
    """First voxels of all windows, `(batches, size, 3)`: read off volumes that show coordinates."""
    found = []
    for axis in np.indices(shape, np.uint8):
        with Boxes(Chunked(axis), place, size, generator(seed), **options) as source:
            firsts = [source.next()[:, 0, 0, 0, 0] for _ in range(batches)]
        found.append(torch.stack(firsts).mul(255).round().long())
    return torch.stack(found, -1)


@pytest.mark.slow
@given(data=st.data(), seed=st.integers(0, 2**30))
def test_what_comes_out_are_windows_of_the_region(data, seed):
    start = data.draw(st.tuples(*[st.integers(0, 9)] * 3))
    shape = data.draw(st.tuples(*[st.integers(1, 14)] * 3))
    window = tuple(data.draw(st.integers(1, side)) for side in shape)
    place = Uniform(Box.at(start, shape), window)
    numbers = st.integers(1, 9)
    size, pool = data.draw(numbers), Pool(*(data.draw(numbers) for _ in range(3)), threads=1)
    volume = random_volume((24, 25, 26))
    with Boxes(volume, place, size, generator(seed), pool=pool) as source:
        batches = [source.next() for _ in range(4)]

    for batch, at in zip(
        batches, corners(4, (24, 25, 26), place, size, seed, pool=pool), strict=True
    ):
        for cube, corner in zip(batch, at.tolist(), strict=True):
            box = Box.at(tuple(corner), window)
            assert box.within(place.region)
            assert np.array_equal((cube[0] * 255).round().numpy(), volume.read(box))


SIDES: Triple = (6, 6, 7)
"""Of a volume that numbers its voxels: 252 of them, so that a number fits 8 bits."""


def frequencies(place, batches: int, size: int, pool: Pool, which=slice(None)) -> np.ndarray:
    """How often each window of that volume was drawn, of some of the windows of all batches."""
    voxels = np.arange(np.prod(SIDES), dtype=np.uint8).reshape(SIDES)
    with Boxes(Chunked(voxels, (2, 2, 2)), place, size, generator(), pool=pool) as source:
        firsts = torch.stack([source.next()[:, 0, 0, 0, 0] for _ in range(batches)])
    numbers = firsts.mul(255).round().long()[which].flatten().numpy()
    return np.bincount(numbers, minlength=voxels.size).reshape(SIDES)


def corners_of(place: Uniform) -> np.ndarray:
    """Whether a voxel is a window's first, `SIDES`."""
    region, window = place.region, place.window
    corners = np.zeros(SIDES, bool)
    corners[Box(region.start, tuple(np.subtract(region.stop, window) + 1)).slices] = True
    return corners


@pytest.mark.slow
def test_every_window_is_as_likely_also_one_that_straddles_chunks():
    """A box for each window, so that all are independent, as the chi-square test supposes."""
    place = Uniform(Box((1, 0, 0), (6, 6, 6)), (2, 3, 2))
    found = frequencies(place, 60, 64, Pool(boxes=64, cuts=1, cell=2))
    possible = corners_of(place)

    assert found[~possible].sum() == 0
    assert chisquare(found[possible]).pvalue > SMALL


@pytest.mark.slow
def test_the_last_window_cut_from_a_box_is_as_likely_as_the_first():
    place = Uniform(Box((1, 0, 0), (6, 4, 5)), (2, 3, 2))
    last = (slice(3, None, 4), 1)
    found = frequencies(place, 4_000, 2, Pool(boxes=1, cuts=8, cell=2), last)
    possible = corners_of(place)

    assert found.sum() == 1_000
    assert chisquare(found[possible]).pvalue > SMALL


@pytest.mark.slow
def test_every_window_with_its_centre_in_a_mask_is_as_likely():
    mask = np.random.default_rng(3).random((3, 2, 3)) < 0.5
    place = Masked(whole(SIDES), (2, 3, 2), mask, (2, 3, 3))
    found = frequencies(place, 30, 64, Pool(boxes=64, cuts=1, cell=2))
    z, y, x = np.indices((5, 4, 6))
    possible = np.zeros(SIDES, bool)
    possible[:5, :4, :6] = mask[(z + 1) // 2, (y + 1) // 3, (x + 1) // 3]

    assert found[~possible].sum() == 0
    assert chisquare(found[possible]).pvalue > SMALL


def test_windows_of_one_box_lie_in_it():
    volume = random_volume((64, 64, 64))
    with boxes(volume, 16, pool=Pool(boxes=2, cuts=64, cell=8, threads=1)) as source:
        source.next()

    sizes = {box.shape for box in volume.read_boxes}

    assert max(sizes) <= (10, 11, 12)


def test_the_order_in_which_threads_finish_changes_nothing():
    second = threading.Event()

    def first_waits(number, box):  # noqa: ARG001
        if number == 0:
            assert second.wait(PATIENCE)
        else:
            second.set()

    pool = Pool(boxes=4, cuts=12, cell=4, threads=3)
    with boxes() as plain, boxes(random_volume(meddle=first_waits), pool=pool) as late:
        same = [plain.next().equal(late.next()) for _ in range(12)]

    assert all(same)


def test_the_next_boxes_are_read_before_they_are_asked_for():
    ahead = threading.Event()

    def watch(number, box):  # noqa: ARG001
        if number >= 4:
            ahead.set()

    with boxes(random_volume(meddle=watch)) as source:
        source.next()

        assert ahead.wait(PATIENCE)


def test_a_box_is_read_once_for_all_its_windows():
    volume = random_volume()
    with boxes(volume, size=8, pool=Pool(boxes=4, cuts=20, cell=4)) as source:
        for _ in range(100):
            source.next()

    # A box lasts for 10 batches; the four begin at 0, 2, 5 and 7 of them.
    used = 10 + 11 + 11 + 11

    assert used <= len(volume.read_boxes) <= used + 4  # the next of each may be read ahead


def test_a_box_gives_other_windows_in_each_batch():
    with boxes(random_volume((20, 20, 20)), size=2, pool=Pool(1, cuts=8, cell=16)) as source:
        batches = [source.next() for _ in range(4)]

    assert len({batch.numpy().tobytes() for batch in batches}) == 4


@pytest.mark.parametrize("size", [5, 12])
@pytest.mark.parametrize("done", [1, 7])
def test_a_resumed_source_goes_on_as_an_unbroken_one(size, done):
    """The other one has another seed, and boxes of its own that must go."""
    with boxes(size=size) as unbroken, boxes(size=size, seed=1) as resumed:
        resumed.next()
        for _ in range(done):
            unbroken.next()
        resumed.load_state_dict(unbroken.state_dict())

        assert all(unbroken.next().equal(resumed.next()) for _ in range(7))


def test_a_source_can_go_back():
    with boxes() as source:
        start = source.state_dict()
        first = [source.next() for _ in range(5)]
        source.load_state_dict(start)

        assert all(source.next().equal(batch) for batch in first)


@pytest.mark.parametrize(("of", "size"), [(2, 12), (3, 12), (2, 10)])
def test_the_shares_of_all_processes_are_the_batch_of_one(of, size):
    shares = [boxes(size=size, shard=Shard(rank, of)) for rank in range(of)]
    with boxes(size=size) as alone:
        whole_batches = [alone.next() for _ in range(6)]
    parts = [[share.next() for share in shares] for _ in range(6)]
    for share in shares:
        share.close()

    together = [torch.stack(part, 1).flatten(0, 1) for part in parts]

    assert all(a.equal(b) for a, b in zip(together, whole_batches, strict=True))


def test_a_process_reads_only_its_own_boxes():
    volume = random_volume()
    with boxes(volume, 8, shard=Shard(1, 2), pool=Pool(boxes=8, cuts=1, cell=4)) as source:
        for _ in range(20):
            source.next()

    assert len(volume.read_boxes) <= 21 * 4


def damaged_at(number_of_damage):
    def meddle(number, box):  # noqa: ARG001
        if number == number_of_damage:
            raise DataError(Problem("chunk 3/1/4", "it is damaged."))

    return meddle


@pytest.mark.parametrize("number", [0, 2, 9])
def test_what_a_thread_meets_arrives_where_the_batch_is_asked_for(number):
    with (
        boxes(random_volume(meddle=damaged_at(number))) as source,
        pytest.raises(DataError, match="chunk 3/1/4: it is damaged"),
    ):
        [source.next() for _ in range(12)]


def test_asking_again_after_an_error_reads_again_and_loses_no_batch():
    pool = Pool(boxes=4, cuts=12, cell=4, threads=1)
    batches = []
    with boxes() as plain, boxes(random_volume(meddle=damaged_at(2)), pool=pool) as source:
        with pytest.raises(DataError):
            source.next()
        batches = [(source.next(), plain.next()) for _ in range(6)]

    assert all(found.equal(expected) for found, expected in batches)


def test_after_closing_no_thread_is_left():
    with boxes() as source:
        source.next()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("boxes")]


def interrupted(batch):
    """A training step in which the user has had enough."""
    raise KeyboardInterrupt(f"at a batch of {len(batch)}")


def test_an_interrupt_in_the_loop_closes_the_threads_too():
    with pytest.raises(KeyboardInterrupt), boxes() as source:
        interrupted(source.next())

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("boxes")]


def test_on_another_device_nothing_is_read_back():
    """The meta device has no values: whatever looks at one fails."""
    with boxes(device="meta") as source:
        source.next()
        x = source.next()

    assert (x.device.type, x.shape, x.dtype) == ("meta", (12, 1, 3, 4, 5), torch.float32)


@pytest.mark.parametrize(
    ("chunks", "shape"),
    [
        ((64, 64, 64), (64, 64, 64)),
        ((32, 48, 128), (64, 96, 128)),
        ((1, 3_000, 5_000), (64, 64, 64)),
    ],
)
def test_a_cell_is_of_whole_chunks_unless_they_are_far_longer(chunks, shape):
    assert cell_shape(chunks, 64) == shape


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: boxes(Chunked(np.zeros((9, 9, 9), np.uint16))), "this volume: it is of uint16"),
        (
            lambda: Boxes(random_volume(), Uniform(whole((17, 14, 21)), (3, 3, 3)), 4, generator()),
            "the region of the windows: the box .* is not inside",
        ),
        (lambda: boxes(size=9, shard=Shard(0, 2)), "2 processes cannot share it equally"),
        (lambda: Pool(boxes=0), "boxes = 0: a pool of boxes needs at least 1"),
        (
            lambda: boxes().load_state_dict(boxes(pool=Pool(boxes=8)).state_dict()),
            "they were drawn with another cell, number of boxes, life of a box",
        ),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(DataError, match=message):
        make()
