"""Tiled inference against MONAI's, and what is measured of tiles against cases known in advance."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.errors import DataError
from vaeflash.lab.volumes.tiles import (
    LEAST,
    beside,
    error_by_distance,
    orthogonal_slices,
    predict_tiled,
    seam_ratio,
    weight_sum,
    weighted_sum,
    window_weights,
)


def volume(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


class Blur(nn.Module):
    """Zeros around a tile make it wrong at the faces, as a network is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).sin()


class MeanDepth(nn.Module):
    """A picture from a window through the sheet."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0].mean(1)


@pytest.mark.slow
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.75])
@pytest.mark.parametrize(("ours", "theirs"), [("uniform", "constant"), ("gaussian", "gaussian")])
def test_it_is_monais_sliding_window(ours, theirs, overlap):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inferers = pytest.importorskip("monai.inferers")
    torch.manual_seed(0)
    model, x = Blur(), volume(13, 20, 17)
    with torch.no_grad():
        expected = inferers.sliding_window_inference(
            x[None, None], (8, 8, 8), 4, model, overlap=overlap, mode=theirs
        )

    found = predict_tiled(model, x, 8, round(8 * (1 - overlap)), ours, batch=5)

    torch.testing.assert_close(found, expected[0, 0], atol=1e-6, rtol=1e-5)


@pytest.mark.slow
@given(
    side=st.integers(1, 6),
    extra=st.tuples(*[st.integers(0, 7)] * 3),
    data=st.data(),
    window=st.sampled_from(["uniform", "hann", "gaussian"]),
)
def test_a_network_that_copies_gives_the_volume_back(side, extra, data, window):
    """At any size and stride: nothing is left out, nothing is weighted twice."""
    x = volume(*(side + more for more in extra))
    stride = data.draw(st.integers(1, side))

    torch.testing.assert_close(predict_tiled(nn.Identity(), x, side, stride, window, batch=7), x)


def test_uniform_weights_count_the_tiles_of_each_voxel():
    counts = weight_sum((10, 4, 4), torch.ones(4, 4, 4), stride=3)

    assert counts[:, 0, 0].tolist() == [1, 1, 1, 2, 1, 1, 2, 1, 1, 1]


def test_the_last_tile_is_moved_back_inside():
    counts = weight_sum((9, 4, 4), torch.ones(4, 4, 4), stride=4)

    assert counts[:, 0, 0].tolist() == [1, 1, 1, 1, 1, 2, 2, 2, 1]


def test_hann_windows_at_half_a_side_sum_to_one():
    total = weight_sum((32, 32, 32), window_weights("hann", (8, 8, 8)), stride=4)

    torch.testing.assert_close(total[4:-4, 4:-4, 4:-4], torch.ones(24, 24, 24))


def test_gaussian_weights_have_a_least():
    assert window_weights("gaussian", (16, 16, 16)).min().item() == pytest.approx(LEAST)


def test_a_sum_of_weighted_predictions_over_a_count_is_no_mean():
    """The published mistake can be written from the parts, and is one."""
    x, weights = volume(16, 16, 16), window_weights("gaussian", (8, 8, 8))
    total = weighted_sum(nn.Identity(), x, weights, stride=4)

    wrong = total / weight_sum(x.shape, torch.ones(8, 8, 8), stride=4)

    assert (wrong - x).abs().max() > 0.5


@pytest.mark.parametrize("batch", [1, 2, 1000])
@pytest.mark.parametrize("window", ["uniform", "hann", "gaussian"])
def test_a_network_of_pictures_gives_a_picture(window, batch):
    x = volume(6, 20, 31)

    found = predict_tiled(MeanDepth(), x, (6, 8, 8), 3, window, batch=batch)

    torch.testing.assert_close(found, x.mean(0))


def test_pictures_need_tiles_as_deep_as_the_volume():
    with pytest.raises(DataError, match="as deep as the volume"):
        predict_tiled(MeanDepth(), volume(6, 20, 20), (5, 8, 8), 4)


def test_eight_bit_voxels_are_read_as_shares():
    x = torch.randint(256, (8, 8, 8), generator=torch.Generator().manual_seed(0)).byte()

    torch.testing.assert_close(predict_tiled(nn.Identity(), x, 4, 2), x.float() / 255)


def test_the_network_is_evaluated_and_left_as_it_was():
    net = nn.Sequential(nn.Dropout(0.9), nn.Conv3d(1, 1, 1))
    nn.init.ones_(net[1].weight)
    nn.init.zeros_(net[1].bias)
    x = volume(4, 4, 4)

    found = predict_tiled(net, x, 4, 4)

    assert net.training
    assert not found.requires_grad
    torch.testing.assert_close(found, x)


@pytest.mark.parametrize(
    ("side", "stride", "word"), [(9, 4, "larger"), (4, 5, "gaps"), (4, 0, "gaps")]
)
def test_tiles_that_cannot_cover_the_volume_are_refused(side, stride, word):
    with pytest.raises(DataError, match=word):
        predict_tiled(nn.Identity(), volume(8, 8, 8), side, stride)


def test_noise_has_no_seams():
    assert seam_ratio(volume(64, 64, 64), 16) == pytest.approx(1, abs=0.02)


def test_tiles_of_their_own_brightness_have_seams():
    """Neighbours within a tile differ by 1, across a seam by 3."""
    ramp = torch.arange(32.0) + 2 * (torch.arange(32) // 8)
    tiles = ramp[:, None, None] + ramp[:, None] + ramp

    assert seam_ratio(tiles, 8) == pytest.approx(3)


def test_one_tile_has_no_seam():
    with pytest.raises(DataError, match="no two tiles"):
        seam_ratio(volume(16, 16, 8), 8)


@pytest.mark.parametrize("side", [4, 5])
def test_the_profile_of_an_error_is_its_mean_at_each_distance(side):
    """Peeling one layer of voxels after the other."""
    error = volume(3, side, side, side)
    sums = [error[:, k : side - k, k : side - k, k : side - k].sum().item() for k in range(4)]
    counts = [3 * max(0, side - 2 * k) ** 3 for k in range(4)]
    layers = math.ceil(side / 2)
    expected = [(sums[k] - sums[k + 1]) / (counts[k] - counts[k + 1]) for k in range(layers)]

    assert error_by_distance(error).tolist() == pytest.approx(expected)


def test_the_slices_are_the_middle_planes():
    x = volume(4, 6, 8)
    slices = orthogonal_slices(x)

    assert [tuple(s.shape) for s in slices] == [(6, 8), (4, 8), (4, 6)]
    assert slices[0][3, 4] == slices[1][2, 4] == slices[2][2, 3] == x[2, 3, 4]


def test_a_copy_shows_no_difference():
    x = volume(4, 6, 8)
    pictures = beside(x, x)

    assert pictures.shape == (3, 3, 8, 8)
    assert torch.equal(pictures[0], pictures[1])
    assert pictures[2, 0, :6].unique().tolist() == [0.5]


def test_a_lighter_reconstruction_is_lighter_in_the_difference():
    x = torch.full((4, 4, 4), 0.2)

    assert beside(x, x + 0.4)[2].unique().tolist() == pytest.approx([0.7])


def test_what_is_blurred_is_blurred_alike_in_the_middle_of_one_tile():
    torch.manual_seed(0)
    model, x = Blur(), volume(8, 8, 8)
    with torch.no_grad():
        direct = F.conv3d(x[None, None], model.conv.weight, model.conv.bias, padding=1).sin()

    torch.testing.assert_close(predict_tiled(model, x, 8, 8, "uniform"), direct[0, 0])
