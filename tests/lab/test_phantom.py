"""The computed scroll: the same bytes in any box, like a scan of a real one, ink where it says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from vaeflash.errors import DataError
from vaeflash.lab.volumes.papyrus import PERIOD, Grain, Texture
from vaeflash.lab.volumes.phantom import Papyrus, Phantom
from vaeflash.lab.volumes.surface import Surface
from vaeflash.lab.volumes.volume import ArrayVolume, Box, Triple, whole
from vaeflash.lab.volumes.writing import Writing

SHAPE = (70, 130, 90)
PHANTOM = Phantom(SHAPE, 7)
VOXELS = PHANTOM.read(whole(SHAPE))
INK = PHANTOM.read_ink(whole(SHAPE))
ROWS, DEPTH = 96, 16
COLUMNS = range(300, 812)


def flat(papyrus: Papyrus | None = None, seed: int = 3) -> Surface:
    side = Papyrus().side_for(640, DEPTH)
    return Phantom((ROWS, side, side), seed, papyrus).surface(range(ROWS), COLUMNS, DEPTH)


FLAT = flat()


@st.composite
def boxes(draw: st.DrawFn, shape: Triple = SHAPE) -> Box:
    corner = [draw(st.integers(0, side - 1)) for side in shape]
    sides = zip(corner, shape, strict=True)
    z, y, x = (draw(st.integers(1, min(40, side - first))) for first, side in sides)
    return Box.at((corner[0], corner[1], corner[2]), (z, y, x))


@settings(max_examples=60)
@given(boxes())
def test_any_box_holds_the_bytes_of_the_whole(box: Box):
    np.testing.assert_array_equal(PHANTOM.read(box), VOXELS[box.slices])


@settings(max_examples=20)
@given(boxes())
def test_any_box_holds_the_ink_of_the_whole(box: Box):
    np.testing.assert_array_equal(PHANTOM.read_ink(box), INK[box.slices])


def test_threads_read_what_one_reads():
    parts = list(whole(SHAPE).blocks((16, 50, 90)))

    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(PHANTOM.read, parts))

    assert all(np.array_equal(a, VOXELS[b.slices]) for a, b in zip(read, parts, strict=True))


@pytest.mark.slow
def test_a_seed_is_one_scroll_and_another_seed_another():
    box = Box((0, 0, 0), (8, 130, 90))

    assert np.array_equal(Phantom(SHAPE, 7).read(box), VOXELS[:8])
    assert (Phantom(SHAPE, 8).read(box) != VOXELS[:8]).mean() > 0.9


def test_a_phantom_is_a_volume_of_bytes():
    assert (PHANTOM.shape, PHANTOM.dtype, VOXELS.dtype) == (SHAPE, np.uint8, np.uint8)
    assert INK.dtype == np.bool_


@pytest.mark.slow
def test_a_part_of_the_surface_is_cut_from_the_whole():
    part = Phantom((ROWS, 256, 256), 3).surface(range(11, 50), range(437, 601), DEPTH)
    all_of_it = Phantom((ROWS, 256, 256), 3).surface(range(ROWS), range(430, 700), DEPTH)

    np.testing.assert_array_equal(part.voxels, all_of_it.voxels[:, 11:50, 7:171])
    np.testing.assert_array_equal(part.ink, all_of_it.ink[11:50, 7:171])


def spread_and_slope(layer: np.ndarray) -> tuple[float, float]:
    """Spread of grey values; slope of the log power spectrum over log frequency, radial."""
    n = min(layer.shape)
    window = np.hanning(n)[:, None] * np.hanning(n)
    power = np.abs(np.fft.fft2((layer[:n, :n] - layer.mean()) * window)) ** 2
    f = np.fft.fftfreq(n)
    radius = np.hypot(f[:, None], f).ravel()
    edges = np.geomspace(0.03, 0.25, 12)
    rings = [(radius >= a) & (radius < b) for a, b in pairwise(edges)]
    means = [power.ravel()[ring].mean() for ring in rings]
    return layer.std(), np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(means), 1)[0]


def test_a_layer_at_the_sheets_face_is_like_one_of_a_real_segment():
    """A real one had spread 48 and spectral slope -3.2."""
    faces = [spread_and_slope(FLAT.voxels[DEPTH // 2 + d].astype(float)) for d in (-4, 3)]

    spread, slope = np.mean(faces, 0)

    assert 30 < spread < 50
    assert -3.8 < slope < -2.4


def test_half_a_scroll_is_papyrus_and_half_is_air():
    """Sheets 7 thick, 15 apart; the two grey values are far apart."""
    papyrus = VOXELS > (38 + 150) / 2

    assert papyrus.mean() == pytest.approx(7 / 15, abs=0.08)


@pytest.mark.slow
def test_fibres_run_along_the_winding_inside_and_along_the_axis_outside():
    """So neighbours along the fibres are more alike than neighbours across them."""
    quiet = flat(Papyrus(noise=0.0, blank=1.0))

    def alike(layer: np.ndarray, axis: int) -> float:
        layer = layer.astype(float) - layer.mean()
        ahead, behind = np.split(np.swapaxes(layer, 0, axis), [8])[1], np.swapaxes(layer, 0, axis)
        return (ahead * behind[:-8]).mean() / layer.var()

    recto, verso = quiet.voxels[DEPTH // 2 - 2], quiet.voxels[DEPTH // 2 + 1]
    assert alike(recto, axis=1) > alike(recto, axis=0) + 0.2
    assert alike(verso, axis=0) > alike(verso, axis=1) + 0.2


def test_ink_covers_about_a_twelfth_of_a_sheet():
    sheet = Writing(3000, 3000, np.random.default_rng(0), blank=Papyrus().blank)

    ink = sheet.picture(range(3000), range(3000)) > 0.5

    assert ink.mean() == pytest.approx(0.09, abs=0.01)


def best_auc(surface: Surface) -> float:
    return max(roc_auc_score(surface.ink.ravel(), layer.ravel()) for layer in surface.voxels)


def test_one_layer_shows_ink_and_not_well():
    assert 0.68 < best_auc(FLAT) < 0.85


@pytest.mark.slow
def test_ink_without_contrast_cannot_be_seen():
    """The control: the labels stay, and no layer knows of them."""
    unseen = flat(Papyrus(ink=0.0))

    np.testing.assert_array_equal(unseen.ink, FLAT.ink)
    assert best_auc(unseen) < 0.56


@pytest.mark.slow
def test_the_more_contrast_the_better_ink_is_seen():
    seen = [best_auc(flat(Papyrus(ink=ink))) for ink in (10.0, 40.0, 90.0)]

    assert seen == sorted(seen)
    assert seen[-1] > 0.85


@pytest.mark.slow
def test_where_nothing_is_written_there_is_no_ink():
    blank = Phantom(SHAPE, 7, Papyrus(blank=1.0))

    assert not blank.read_ink(whole(SHAPE)).any()
    assert not flat(Papyrus(blank=1.0)).ink.any()


def test_ink_changes_the_voxels_of_its_mask_and_few_others():
    bare = Phantom(SHAPE, 7, Papyrus(ink=0.0)).read(whole(SHAPE)).astype(int)
    darker = VOXELS.astype(int) - bare > 4

    assert darker[INK].mean() > 0.6
    assert INK[darker].mean() > 0.6
    assert (VOXELS.astype(int) >= bare)[INK].mean() > 0.9


def test_ink_lies_on_the_inner_face():
    """The layers of a surface go from inside to outside; the sheet's middle is in the middle."""
    inked = FLAT.voxels[:, FLAT.ink].mean(1) - FLAT.voxels[:, ~FLAT.ink].mean(1)

    assert DEPTH // 2 - 4 <= inked.argmax() < DEPTH // 2
    assert inked[DEPTH // 2 + 2 :].max() < inked.max() / 3


@pytest.mark.slow
def test_ink_labels_of_a_surface_are_those_of_the_volume():
    """Sampled through the volume, the mask of the inner face is the flat picture."""
    side = 200
    phantom = Phantom((40, side, side), 5, Papyrus(blank=0.3))
    columns = range(phantom.columns(8).start, phantom.columns(8).start + 300)
    y, x = phantom._unrolling.paths(range(40), columns, 8)
    mask = phantom.read_ink(whole(phantom.shape))

    z = np.arange(40)[:, None]
    found = mask[z, np.rint(y[:, 2]).astype(int), np.rint(x[:, 2]).astype(int)]

    assert (found == phantom.surface(range(40), columns, 8).ink).mean() > 0.97


def test_noise_is_white_and_as_strong_as_asked():
    noise = Grain(128, 0.0, 1.0, np.random.default_rng(0)).within(whole((32, 64, 128)))

    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.01)
    for axis in range(3):
        ahead = np.roll(noise, 1, axis)
        assert np.corrcoef(noise.ravel(), ahead.ravel())[0, 1] == pytest.approx(0, abs=0.01)


def test_patterns_of_papyrus_go_on_where_they_end():
    texture = Texture(np.random.default_rng(0))
    u = np.array([0, 100, PERIOD, PERIOD + 100])

    values = texture.blisters(texture.place(np.array([5, 5, 5 + PERIOD, 5 + PERIOD]), u))

    assert values[:2].tolist() == values[2:].tolist()


@pytest.mark.parametrize("box", [Box((0, 0, 0), (71, 1, 1)), Box((3, 3, 3), (3, 4, 4))])
def test_a_box_outside_is_refused(box: Box):
    for read in (PHANTOM.read, PHANTOM.read_ink):
        with pytest.raises(DataError, match="this phantom: the box from"):
            read(box)


@pytest.mark.parametrize("shape", [(0, 9, 9), (9, -1, 9)])
def test_a_volume_without_voxels_is_refused(shape: Triple):
    with pytest.raises(DataError, match=r"phantom: .* has no voxels"):
        Phantom(shape, 0)


def test_a_warp_that_folds_is_refused():
    with pytest.raises(DataError, match="would fold it"):
        Phantom(SHAPE, 0, replace(Papyrus(), folds=(13.0, 64)))


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        (range(97), COLUMNS, "rows 0 to 97 is not inside"),
        (range(0), COLUMNS, "rows 0 to 0"),
        (range(9), range(100_000), r"columns 0 to 100000 is not inside\.\n  The columns go from"),
        (range(0, 9, 2), COLUMNS, "rows 0 to 9"),
    ],
)
def test_a_surface_that_is_not_inside_is_refused(rows: range, columns: range, words: str):
    with pytest.raises(DataError, match=words):
        Phantom((96, 256, 256), 0).surface(rows, columns, DEPTH)


def test_a_volume_too_small_for_any_surface_is_refused():
    with pytest.raises(DataError, match="no surface 32 voxels deep fits"):
        Phantom((9, 64, 64), 0).columns(32)


@given(st.integers(1, 3000), st.integers(1, 65))
def test_the_side_asked_for_holds_the_surface(columns: int, depth: int):
    made = Papyrus()
    side = made.side_for(columns, depth)

    held = made.unrolling((1, side, side), np.random.default_rng(1)).columns(depth)
    assert len(held) >= columns


@pytest.mark.parametrize(
    ("voxels", "ink", "mask", "words"),
    [
        ((4, 5), (4, 5), (4, 5), "its layers are 4 x 5"),
        ((2, 4, 5), (4, 6), (4, 5), r"its ink labels are 4 x 6\.\n  Expected: 4 x 5"),
        ((2, 4, 5), (4, 5), (5, 4), "its mask are 5 x 4"),
    ],
)
def test_parts_of_a_surface_that_do_not_fit_are_refused(
    voxels: tuple[int, ...], ink: tuple[int, ...], mask: tuple[int, ...], words: str
):
    with pytest.raises(DataError, match=words):
        Surface(np.zeros(voxels, np.uint8), np.zeros(ink, bool), np.zeros(mask, bool))


def test_layers_of_16_bits_are_no_surface():
    flat_mask = np.zeros((4, 5), bool)

    with pytest.raises(DataError, match="it holds uint16"):
        Surface(np.zeros((2, 4, 5), np.uint16), flat_mask, flat_mask)  # type: ignore[arg-type]


def test_a_phantom_in_memory_reads_as_the_phantom():
    box = Box((3, 4, 5), (9, 10, 11))

    np.testing.assert_array_equal(ArrayVolume(VOXELS).read(box), PHANTOM.read(box))
