"""The lesson on gradients through a draw, at a fraction of its steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from demos import reparameterization as demo
from vaeflash.lab.bench import Bench

TRAINED = ("rival_kl_nats", "rival_mse")
BY_HAND = ("by_hand_kl_nats", "by_hand_mse")


def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(steps=10, dimensions=3), **params)
    return dict(demo.run(small, Bench(seed, needs=("digits",))).metrics)


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    return measure()


@pytest.mark.parametrize("how", ["by_hand", "rsample", "sample", "numpy"])
def test_every_way_draws_from_the_same_distribution(how: str) -> None:
    torch.manual_seed(0)
    z = demo.draw(how, torch.full((50_000,), 2.0), torch.full((50_000,), 0.5)).float()

    torch.testing.assert_close(
        torch.stack([z.mean(), z.std()]), torch.tensor([2.0, 0.5]), rtol=0, atol=0.02
    )


def test_the_gradient_of_a_code_is_1_for_mu_and_the_noise_for_std() -> None:
    mu, std = torch.zeros(5, requires_grad=True), torch.ones(5, requires_grad=True)
    z = demo.draw("by_hand", mu, std)
    gradients = torch.autograd.grad(z.sum(), [mu, std])

    torch.testing.assert_close(torch.stack(gradients), torch.stack([torch.ones(5), z.detach()]))


def test_numpy_refuses_tensors_with_a_gradient() -> None:
    with pytest.raises(RuntimeError, match="requires grad"):
        demo.draw("numpy", torch.zeros(2, requires_grad=True), torch.ones(2))


@pytest.mark.parametrize("estimator", ["path", "score"])
def test_an_estimate_is_right_on_average(estimator: str) -> None:
    assert demo.estimate(estimator, 4, Bench(0)).off < 3


def test_the_variance_of_the_pathwise_estimate_is_that_of_its_formula() -> None:
    mu, std = torch.zeros(2).double(), torch.tensor([0.5, 2.0]).double()
    g = torch.Generator().manual_seed(0)
    gradients = demo.gradient_samples("path", mu, std, torch.ones(2).double(), 40_000, g)

    # 2 (mu + std eps - a) has the variance 4 std^2
    torch.testing.assert_close(
        gradients.var(0), torch.tensor([1.0, 16.0]).double(), rtol=0.05, atol=0
    )


@pytest.mark.slow
def test_sample_cuts_the_encoder_off_the_reconstruction(default: dict[str, Any]) -> None:
    names = (
        "reconstruction_reaches_encoder",
        "reconstruction_reaches_decoder",
        "kl_reaches_encoder",
    )

    assert [default[name] for name in names] == [0, 1, 1]


@pytest.mark.slow
def test_with_rsample_the_rival_is_the_same_vae() -> None:
    measured = measure(how="rsample")

    assert [measured[name] for name in TRAINED] == [measured[name] for name in BY_HAND]


@pytest.mark.slow
def test_the_first_vae_does_not_depend_on_its_rival(default: dict[str, Any]) -> None:
    measured = measure(how="by_variance")

    assert [measured[name] for name in BY_HAND] == [default[name] for name in BY_HAND]


def test_a_draw_leaves_the_global_generator_where_it_was() -> None:
    before = torch.get_rng_state()
    with demo.same_noise(3):
        torch.randn(2)

    assert torch.equal(torch.get_rng_state(), before)


def test_noise_on_the_wrong_device_is_refused() -> None:
    assert demo.on_device("cpu", "randn") == (demo.LATENT,)
    with pytest.raises(RuntimeError, match="device"):
        demo.on_device("meta", "randn")


@pytest.mark.slow
def test_equal_seeds_give_equal_results(default: dict[str, Any]) -> None:
    assert measure() == default


@pytest.mark.slow
def test_at_full_length_the_encoder_without_gradients_collapses() -> None:
    measured = measure(steps=demo.Params().steps)

    assert measured["rival_kl_nats"] < 0.1 * measured["by_hand_kl_nats"]
