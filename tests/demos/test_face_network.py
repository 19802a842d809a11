"""The lesson on the face VAE's sizes, against the bench's network and counts by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from demos import face_network as demo
from vaeflash.lab.bench import Bench
from vaeflash.lab.face_networks import full_face_vae


@cache
def measure(**params: Any) -> dict[str, Any]:
    return dict(demo.run(replace(demo.Params(), **params), Bench(0)).metrics)


def sizes(*parts: nn.Module) -> list[tuple[int, ...]]:
    return sorted(tuple(p.shape) for part in parts for p in part.parameters())


def test_the_encoder_is_the_benchs() -> None:
    with torch.device("meta"):
        ours, bench = demo.Encoder(demo.Params()), full_face_vae()

    assert sizes(ours) == sizes(bench.encoder, bench.to_mu, bench.to_log_std)


def test_the_decoder_is_the_benchs() -> None:
    with torch.device("meta"):
        ours, bench = demo.Decoder(demo.Params()), full_face_vae()

    assert sizes(ours) == sizes(bench.decoder)


def test_both_decode_to_one_shape() -> None:
    with torch.device("meta"):
        z = torch.empty(2, 100)
        ours, bench = demo.Decoder(demo.Params()), full_face_vae()

        assert ours(z).shape == bench.decode(z).shape == (2, 3, 256, 256)


@pytest.mark.parametrize(("padding", "last", "flat"), [(0, 31, 30_752), (1, 32, 32_768)])
def test_the_third_padding_decides_the_last_side(padding: int, last: int, flat: int) -> None:
    measured = measure(third_padding=padding)

    assert (measured["sides_down"], measured["flat"]) == ((128, 64, last), flat)


@pytest.mark.parametrize(("up", "sides"), [(1, (64, 128, 256)), (0, (63, 125, 249))])
def test_the_way_up(up: int, sides: tuple[int, ...]) -> None:
    assert measure(output_padding=up)["sides_up"] == sides


def test_numbers_grow_while_channels_shrink() -> None:
    expected = tuple(c * n * n for c, n in ((32, 31), (16, 64), (8, 128), (3, 256)))

    assert measure()["numbers_up"] == expected


def test_kept_channels_grow_fourfold() -> None:
    assert measure(channels="kept")["channels_up"] == (32, 32, 32, 3)


def test_the_first_linear_layer_by_hand() -> None:
    assert measure()["first_linear_parameters"] == 1024 * (32 * 31 * 31 + 1)


def test_the_heads_by_hand() -> None:
    assert measure()["head_parameters"] == 2 * 100 * (1024 + 1)


def test_multiplications_by_hand() -> None:
    convs = 128**2 * 8 * 27 + 64**2 * 16 * 72 + 31**2 * 32 * 144
    linears = 30_752 * 1024 + 2 * 1024 * 100

    assert (measure()["multiplications"], measure()["conv_work_share"]) == (
        convs + linears,
        pytest.approx(convs / (convs + linears)),
    )


@pytest.mark.parametrize(("optimizer", "copies"), [("adam", 4), ("sgd", 2)])
def test_training_keeps_copies_of_the_weights(optimizer: str, copies: int) -> None:
    weights = measure()["encoder_parameters"] + measure()["decoder_parameters"]

    assert measure(optimizer=optimizer)["training_megabytes"] == pytest.approx(
        copies * 4 * weights / 1e6, rel=1e-5
    )


@pytest.mark.parametrize(("norm", "count"), [("second", 1), ("all", 3)])
def test_convolutions_with_a_batch_norm_behind_them(norm: str, count: int) -> None:
    assert measure(norm=norm)["normalised_convs"] == count


@pytest.mark.parametrize(("noise", "count"), [("cuda", 0), ("normal", 1), ("randn_like", 2)])
def test_noise_on_other_devices(noise: str, count: int) -> None:
    assert demo.devices_that_work(noise) == count


@pytest.mark.parametrize("noise", ["normal", "randn_like"])
def test_draws_have_the_mean_and_deviation_asked_for(noise: str) -> None:
    torch.manual_seed(0)
    z = demo.Draw(noise)(torch.full((20_000, 1), 3.0), torch.full((20_000, 1), 0.5))

    assert (z.mean().item(), z.std().item()) == (
        pytest.approx(3, abs=0.02),
        pytest.approx(0.5, abs=0.02),
    )


def test_a_shorter_code_has_shorter_heads() -> None:
    assert (measure(latent=50)["mu_size"], measure(latent=50)["std_size"]) == (50, 50)


def test_no_seed_changes_anything() -> None:
    assert dict(demo.run(demo.Params(), Bench(1)).metrics) == measure()
