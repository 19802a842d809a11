"""The lesson on a convolutional autoencoder, at a fraction of its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from demos import conv_ae as demo
from vaeflash.lab.bench import Bench
from vaeflash.lab.networks import Centred, ConvAutoencoder

PICTURES = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@cache
def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(width=2, steps=4, examples=100), **params)
    return dict(demo.run(small, Bench(seed, needs=demo.NEEDS)).metrics)


def products(width: int, latent: int) -> int:
    """Multiplications for a picture: places times weights of each layer, counted by hand."""
    w, t = width, 2 * width
    down = 784 * 9 * w + 196 * 9 * w * t + 2 * 49 * 9 * t * t + 49 * t * latent
    up = latent * 49 * t + 2 * 49 * 9 * t * t + 13 * 13 * 9 * t * w + 27 * 27 * 9 * w
    return down + up


def test_at_full_width_it_is_the_labs_network() -> None:
    ours, theirs = demo.Autoencoder(32, 2), ConvAutoencoder(2)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        mine.data.copy_(other)

    torch.testing.assert_close(ours(PICTURES), theirs(PICTURES))


@pytest.mark.parametrize("without", ["none", "last", "encoder", "decoder"])
def test_whatever_is_left_out_answers_pictures_with_pictures(without: str) -> None:
    assert demo.Autoencoder(2, 3, without)(PICTURES).shape == PICTURES.shape


@pytest.mark.parametrize(("width", "latent"), [(2, 2), (4, 7)])
def test_multiplications_are_places_times_weights(width: int, latent: int) -> None:
    counted = demo.multiplications(demo.Autoencoder(width, latent), PICTURES[:1])

    assert counted == products(width, latent)


def test_bars_of_layers_add_up_to_all_multiplications() -> None:
    bars = demo.arithmetic(demo.Autoencoder(2, 2), PICTURES[:1])

    assert sum(bars.values.values()) * 1e6 == pytest.approx(products(2, 2))


def test_a_half_comes_back_from_its_file_with_its_weights() -> None:
    half = demo.Autoencoder(2, 2).encoder

    back = demo.saved_and_loaded(half, seed=1)

    assert torch.equal(back(PICTURES), half(PICTURES))


def test_loading_a_half_leaves_the_generator_alone() -> None:
    half = demo.Autoencoder(2, 2).encoder
    before = torch.get_rng_state()

    demo.saved_and_loaded(half, seed=1)

    assert torch.equal(torch.get_rng_state(), before)


def test_a_twin_answers_alike_by_opposite_codes() -> None:
    network = demo.Autoencoder(2, 2)

    other = demo.twin(network)

    assert torch.equal(other(PICTURES), network(PICTURES))
    assert torch.equal(other.encode(PICTURES), -network.encode(PICTURES))


def test_the_last_convolution_is_taken_out_of_a_copy() -> None:
    network = demo.Autoencoder(2, 2)

    pruned = demo.without_last(network)

    assert (len(demo.weighted(pruned.encoder)), len(demo.weighted(network.encoder))) == (4, 5)


@pytest.mark.parametrize("centred", [False, True])
def test_a_model_is_rebuilt_around_another_network(centred: bool) -> None:
    one, other = demo.Autoencoder(2, 2), demo.Autoencoder(2, 2)
    mean = PICTURES.mean(0)
    wrap: Any = (lambda network: Centred(network, mean)) if centred else (lambda network: network)

    rebuilt = demo.replaced(wrap(one), other)

    assert torch.equal(rebuilt(PICTURES), wrap(other)(PICTURES))


@pytest.mark.parametrize(("shift", "exact"), [(4, True), (8, True), (2, False)])
def test_maps_move_along_by_whole_strides(shift: int, exact: bool) -> None:
    left_behind = demo.maps_left_behind(demo.Autoencoder(4, 2), PICTURES, shift)

    assert (left_behind < 1e-5) is exact


def test_a_code_that_sums_ink_does_not_move() -> None:
    network = demo.Autoencoder(2, 1, "encoder")
    linear = demo.weighted(network.encoder)[0]
    nn.init.ones_(linear.weight)
    narrow = nn.functional.pad(PICTURES[..., :20], (4, 4))

    assert demo.code_moves(network, narrow, 4) == pytest.approx(0, abs=1e-4)


@pytest.mark.slow
def test_a_code_that_stays_has_not_moved() -> None:
    assert measure(shift=0)["code_moves"] == 0


@pytest.mark.slow
def test_saved_halves_change_nothing_and_the_twins_do() -> None:
    own, other = (measure(decoder=decoder) for decoder in ("own", "twin"))

    assert (own["pixels_changed_by_halves"], other["pixels_changed_by_halves"] > 0) == (0, True)


def test_the_twins_decoder_leaves_the_training_alone() -> None:
    assert measure(decoder="twin")["test_mse"] == measure()["test_mse"]


def test_cutting_after_the_training_judges_the_cut_network() -> None:
    cut, whole = measure(without="last", cut="after"), measure()

    assert (cut["train_mse"], cut["test_mse"] != whole["test_mse"]) == (whole["train_mse"], True)


@pytest.mark.slow
def test_halfway_is_where_half_the_steps_end() -> None:
    assert measure(steps=8)["half_mse"] == measure(steps=4)["test_mse"]


def test_without_steps_all_errors_are_those_of_the_start() -> None:
    measured = measure(steps=0)

    assert measured["start_mse"] == measured["half_mse"] == measured["test_mse"]


@pytest.mark.parametrize("start", ["mean", "plain"])
def test_a_centred_start_is_near_the_mean_image_and_a_plain_one_is_grey(start: str) -> None:
    measured = measure(start=start, steps=0)

    assert (measured["start_mse"] < 1.2 * measured["mean_image_mse"]) is (start == "mean")


def test_equal_seeds_give_equal_results() -> None:
    small = demo.Params(width=2, steps=4, examples=100)

    again = demo.run(small, Bench(0, needs=demo.NEEDS))

    assert dict(again.metrics) == measure()
