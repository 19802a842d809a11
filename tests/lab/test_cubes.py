"""Batches of cubes: the voxels that were asked for, from seed and number alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from vaeflash.errors import DataError
from vaeflash.lab.volumes.cubes import Cubes, resident
from vaeflash.lab.volumes.labelled import balanced
from vaeflash.lab.volumes.places import Uniform
from vaeflash.lab.volumes.streams import Shard, Streams
from vaeflash.lab.volumes.volume import ArrayVolume, whole
from vaeflash.lab.volumes.windows import Windows, gather

SMALL = 1e-3
SHAPE = (20, 24, 28)
WINDOW = (4, 6, 8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_voxels(shape=SHAPE, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def cubes(size: int = 12, seed: int = 0, **options) -> Cubes:
    place = Uniform(whole(SHAPE), WINDOW)
    return Cubes(random_voxels(), place, size, generator(seed), **options)


@st.composite
def gathers(draw):
    """Voxels of any number of axes, a window over the last of them, and corners."""
    shape = draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    leading = draw(st.integers(0, len(shape) - 1))
    window = tuple(draw(st.integers(1, side)) for side in shape[leading:])
    room = [*shape[:leading], *(s - w + 1 for s, w in zip(shape[leading:], window, strict=True))]
    corner = st.tuples(*(st.integers(0, r - 1) for r in room))
    corners = draw(st.lists(corner, min_size=1, max_size=6))
    return random_voxels(shape, draw(st.integers(0, 99))), torch.tensor(corners), window


def sliced(voxels, corners, window):
    """The same windows by plain slicing."""
    leading = voxels.ndim - len(window)
    parts = []
    for corner in corners.tolist():
        sides = zip(corner[leading:], window, strict=True)
        parts.append(voxels[(*corner[:leading], *(slice(c, c + w) for c, w in sides))])
    return torch.stack(parts)


@pytest.mark.slow
@given(gathers())
def test_a_gather_is_what_slicing_gives(drawn):
    assert gather(*drawn).equal(sliced(*drawn))


@pytest.mark.slow
@given(gathers())
def test_the_path_for_a_cpu_gives_the_gathered_voxels_scaled(drawn):
    voxels, corners, window = drawn

    cut = Windows(voxels, window).cut(corners)

    assert cut.equal(gather(*drawn).float() / 255)


def test_windows_of_more_voxels_than_fit_a_piece_are_the_same():
    voxels, window = random_voxels((100, 100, 100)), (90, 90, 90)
    corners = torch.tensor([(0, 0, 0), (10, 3, 7), (4, 10, 10)])

    assert Windows(voxels, window).cut(corners).equal(sliced(voxels, corners, window).float() / 255)


def test_grey_levels_become_all_of_zero_to_one():
    voxels = torch.tensor([0, 51, 255], dtype=torch.uint8)
    cut = Windows(voxels, (3,)).cut(torch.tensor([[0]]))

    assert cut.equal(torch.tensor([[0, 0.2, 1]]))


@pytest.mark.slow  # torch.compile takes seconds to import
def test_a_gather_can_be_traced_whole():
    """Not compiled here, which takes a C++ compiler: traced, and no graph break is allowed."""
    voxels, corners = random_voxels(), torch.tensor([(0, 1, 2), (3, 4, 5)])

    @torch.compile(backend="eager", fullgraph=True)
    def step(voxels, corners):
        return gather(voxels, corners, WINDOW).float().mean()

    assert step(voxels, corners).equal(gather(voxels, corners, WINDOW).float().mean())


def test_what_a_batch_holds_is_never_overwritten():
    batches = cubes()
    first = batches.next()
    copy = first.clone()

    for _ in range(10):
        batches.next()

    assert first.equal(copy)


def test_a_part_of_a_batch_keeps_its_memory():
    batches = cubes()
    part = batches.next()[3, 0, 1:]
    copy = part.clone()

    for _ in range(10):
        batches.next()

    assert part.equal(copy)


def test_memory_that_nobody_holds_is_taken_again():
    batches = cubes()

    addresses = {batches.next().data_ptr() for _ in range(10)}

    assert len(addresses) == 1


def test_a_batch_is_of_the_windows_that_were_drawn():
    batches = cubes()
    corners = batches.corners(0)

    assert batches.next()[:, 0].equal(sliced(random_voxels(), corners, WINDOW).float() / 255)


@pytest.mark.slow
def test_corners_over_many_small_batches_are_uniform():
    """Each batch has a generator of its own: seeds that are near must not draw what is near."""
    place = Uniform(whole((13, 7, 7)), (4, 4, 4))
    batches = Cubes(random_voxels((13, 7, 7)), place, 2, generator())
    corners = torch.cat([batches.corners(k) for k in range(4_000)]).numpy()

    found = np.bincount(np.ravel_multi_index(tuple(corners.T), (10, 4, 4)), minlength=160)

    assert chisquare(found).pvalue > SMALL


@pytest.mark.slow
def test_neighbouring_batches_are_independent():
    place = Uniform(whole((8, 1, 1)), (1, 1, 1))
    batches = Cubes(random_voxels((8, 1, 1)), place, 1, generator())
    z = torch.cat([batches.corners(k) for k in range(6_401)])[:, 0].numpy()

    pairs = np.bincount(8 * z[:-1] + z[1:], minlength=64)

    assert chisquare(pairs).pvalue > SMALL


@given(seed=st.integers(0, 2**32 - 1))
def test_streams_of_different_numbers_have_different_seeds(seed):
    streams = Streams(generator())
    streams.seed = seed

    assert len({streams.at(k).initial_seed() for k in range(50)}) == 50


def test_the_same_seed_gives_the_same_batches():
    first, second = cubes(seed=5), cubes(seed=5)

    assert all(first.next().equal(second.next()) for _ in range(3))


def test_another_seed_gives_others():
    assert not cubes(seed=5).next().equal(cubes(seed=6).next())


def test_a_resumed_source_goes_on_as_an_unbroken_one():
    unbroken, broken, resumed = cubes(), cubes(), cubes(seed=1)
    for _ in range(3):
        unbroken.next()
        broken.next()
    file = io.BytesIO()
    torch.save(broken.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))

    assert all(unbroken.next().equal(resumed.next()) for _ in range(3))


@pytest.mark.parametrize("of", [1, 2, 3, 4])
def test_the_shares_of_all_processes_are_the_batch_of_one(of):
    alone = cubes()
    shares = [cubes(shard=Shard(rank, of)) for rank in range(of)]
    alone.next()
    for share in shares:
        share.next()

    together = torch.stack([share.next() for share in shares], 1).flatten(0, 1)

    assert together.equal(alone.next())


def test_a_state_resumes_on_another_number_of_processes():
    two, three = cubes(shard=Shard(1, 2)), cubes(shard=Shard(2, 3), seed=8)
    two.next()
    three.load_state_dict(two.state_dict())
    unbroken = cubes()
    unbroken.next()

    assert three.next().equal(unbroken.next()[2::3])


def test_labels_are_those_below_the_cubes():
    """A surface whose voxels show its labels: every cube shows its own."""
    ink = torch.from_numpy(np.random.default_rng(0).random((24, 28)) < 0.01)
    voxels = (255 * ink.to(torch.uint8)).expand(5, 24, 28).contiguous()
    place = balanced(whole((5, 24, 28)), (4, 6, 8), ink.numpy(), 0.5)

    x, y = Cubes(voxels, place, 10, generator(), labels=ink).next()

    assert y.dtype == torch.float32
    assert x.equal(y[:, None, None].expand(10, 1, 4, 6, 8))


def test_shares_of_a_balanced_batch_are_balanced_too():
    ink = torch.zeros(40, 40, dtype=torch.bool)
    ink[10:20, 10:20] = True
    place = balanced(whole((4, 40, 40)), (4, 6, 6), ink.numpy(), 0.5)
    voxels = random_voxels((4, 40, 40))
    shares = [
        Cubes(voxels, place, 16, generator(), labels=ink, shard=Shard(rank, 4)) for rank in range(4)
    ]

    held = [int(share.next()[1].flatten(1).any(1).sum()) for share in shares]

    assert held == [2, 2, 2, 2]


def test_on_another_device_nothing_is_read_back():
    """The meta device has no values: whatever looks at one fails."""
    ink = torch.zeros(24, 28, dtype=torch.bool, device="meta")
    batches = Cubes(
        random_voxels().to("meta"), Uniform(whole(SHAPE), WINDOW), 12, generator(), labels=ink
    )

    x, y = batches.next()

    assert (x.device.type, x.shape, x.dtype) == ("meta", (12, 1, *WINDOW), torch.float32)
    assert (y.device.type, y.shape, y.dtype) == ("meta", (12, 6, 8), torch.float32)


@pytest.mark.parametrize("done", [1, 40])
def test_what_was_drawn_ahead_does_not_outlive_a_state(done):
    long, broken = cubes(), cubes(seed=9)
    for _ in range(done):
        long.next()
    broken.next()
    broken.load_state_dict(long.state_dict())

    assert all(long.next().equal(broken.next()) for _ in range(40))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_resident_volume_is_the_volume(dtype):
    voxels = np.random.default_rng(0).integers(0, 200, (150, 9, 10)).astype(dtype)

    assert np.array_equal(resident(ArrayVolume(voxels)).numpy(), voxels)


def test_a_volume_resident_elsewhere_has_its_shape_and_type_there():
    volume = ArrayVolume(np.zeros((5, 6, 7), np.uint16))

    found = resident(volume, "meta")

    assert (found.device.type, found.shape, found.dtype) == ("meta", (5, 6, 7), torch.uint16)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Cubes(
                random_voxels((9, 9, 9)), Uniform(whole((9, 9, 10)), (2, 2, 2)), 4, generator()
            ),
            "the region of the windows: the box .* is not inside",
        ),
        (
            lambda: cubes(labels=torch.zeros(24, 27, dtype=torch.bool)),
            "the region of the windows: the box .* is not inside",
        ),
        (
            lambda: Cubes(
                torch.zeros(SHAPE, dtype=torch.int16),
                Uniform(whole(SHAPE), WINDOW),
                4,
                generator(),
            ),
            "voxels: they are int16",
        ),
        (lambda: cubes(size=0), "batch size 0: 1 processes cannot share it"),
        (lambda: cubes(size=13, shard=Shard(0, 2)), "batch size 13: 2 processes cannot share it"),
        (lambda: Shard(2, 2), "process 2 of 2: there is none"),
        (
            lambda: cubes(size=12).load_state_dict(cubes(size=6).state_dict()),
            "saved batches: they were drawn with another batch size",
        ),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(DataError, match=message):
        make()
