"""The lesson on the loss of density maps: its weights, gradients and measures, untrained."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from demos import density_loss as demo
from vaeflash.lab.bench import Bench


@cache
def measure(seed: int = 0, steps: int = 0, **params: Any) -> dict[str, Any]:
    return dict(demo.run(demo.Params(steps=steps, **params), Bench(seed, needs=demo.NEEDS)).metrics)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model(side: int = 35) -> demo.VAE:
    torch.manual_seed(0)
    return demo.VAE(side, torch.zeros(1))


def some_maps(n: int = 2, side: int = 35) -> Tensor:
    return torch.randn(n, 1, side, side, side, generator=generator())


@pytest.mark.parametrize("side", [32, 33, 34, 35])
def test_maps_of_any_side_come_back(side: int) -> None:
    x = some_maps(side=side)
    vae = model(side)

    assert vae.decode(vae.encode(x)[0]).shape == x.shape


def test_four_latents_stand_at_each_of_9_9_9_places() -> None:
    mu, logvar = model().encode(some_maps())

    assert mu.shape == logvar.shape == (2, 4, 9, 9, 9)


@pytest.mark.parametrize(
    ("params", "weight"),
    [
        (demo.Params(), 35**3),
        (demo.Params(reduction="mean"), 1),
        (demo.Params(reduction="mean", times=100), 100),
        (demo.Params(times=2), 2 * 35**3),
    ],
)
def test_the_error_is_weighted_as_written(params: demo.Params, weight: float) -> None:
    x, x_hat = some_maps(3), torch.zeros(3, 1, 35, 35, 35)

    error = demo.Objective(params, generator()).error(x_hat, x)

    torch.testing.assert_close(error, weight * x.square().sum() / (3 * 35**3))


def test_the_kl_is_pytorchs_summed_over_all_latents() -> None:
    x, vae = some_maps(), model()
    mu, logvar = vae.encode(x)
    expected = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum() / len(x)

    _, kl = demo.Objective(demo.Params(), generator()).split(vae, x)

    torch.testing.assert_close(kl, expected)


def test_the_loss_is_the_error_and_the_weighted_kl() -> None:
    x, vae = some_maps(), model()
    error, kl = demo.Objective(demo.Params(), generator()).split(vae, x)

    loss = demo.Objective(demo.Params(beta=3.0), generator())(vae, x)

    torch.testing.assert_close(loss, error + 3 * kl)


@pytest.mark.parametrize("times", [10.0, 0.5])
def test_the_pull_goes_with_the_weight(times: float) -> None:
    x, vae = some_maps(), model()

    pulls = [
        demo.pull(vae, demo.Objective(demo.Params(times=t), generator()), x) for t in (1.0, times)
    ]

    assert pulls[1] == pytest.approx(times * pulls[0], rel=1e-3)


def test_the_mean_explains_nothing_and_the_map_itself_everything() -> None:
    x = some_maps(5)

    assert demo.explained(x.mean(0), x, x.mean(0)) == 0
    assert demo.explained(x, x, x.mean(0)) == 1


def test_a_ramp_survives_shrinking_inside() -> None:
    ramp = torch.linspace(0, 1, 35)[:, None, None].expand(1, 1, 35, 35, 35)

    torch.testing.assert_close(demo.shrunk(ramp)[..., 2:-2, :, :], ramp[..., 2:-2, :, :])


@pytest.mark.parametrize(
    ("errors", "fall"), [([9, 9, 9, 9, 4, 4, 1, 1], 0.75), ([5, 5, 5, 5], 0), ([1, 2, 4, 6], -0.5)]
)
def test_the_late_fall_compares_the_last_two_quarters(errors: list[float], fall: float) -> None:
    assert demo.late_fall(torch.tensor(errors, dtype=torch.float)) == pytest.approx(fall)


@pytest.mark.slow
def test_without_steps_no_fall_is_reported() -> None:
    fall = measure()["late_fall"]

    assert fall != fall


@pytest.mark.slow
@pytest.mark.parametrize("side", [35, 34])
def test_voxels_are_counted_on_the_maps(side: int) -> None:
    measured = measure(side=side)

    assert measured["voxels"] == side**3
    assert measured["weight"] == pytest.approx(side**3)
    assert measured["torch_sum_over_mean"] == pytest.approx(4 * side**3)


@pytest.mark.slow
def test_a_map_of_its_own_starts_as_the_mean_map() -> None:
    measured = measure(last="map")

    assert measured["mse"] < 1.1 * measured["mean_map_mse"] < measure()["mse"]


@pytest.mark.slow
def test_a_short_training_lowers_the_error() -> None:
    assert measure(steps=8)["mse"] < measure()["mse"]
