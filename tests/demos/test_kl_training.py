"""The lesson on training with a misspelt KL, at a fraction of its steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from demos import kl_training as demo
from vaeflash.lab.bench import Bench


def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(steps=40, latent=4), **params)
    return dict(demo.run(small, Bench(seed, needs=("digits",))).metrics)


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    return measure()


def test_the_closed_term_is_the_kl_of_torch() -> None:
    g = torch.Generator().manual_seed(0)
    mu, std = torch.randn(5, 3, generator=g), 0.1 + torch.rand(5, 3, generator=g)
    expected = kl_divergence(Normal(mu, std), Normal(0.0, 1.0)).sum(1)

    torch.testing.assert_close(demo.kl_term("closed", mu, std), expected)


def test_the_mixed_term_is_worth_what_the_worked_example_says() -> None:
    term = demo.kl_term("mixed", torch.tensor([[0.2, 0.3]]), torch.tensor([[0.1, 0.1]]))

    assert term.item() == pytest.approx(0.160, abs=5e-4)


@pytest.mark.slow
def test_the_mixed_kl_shrinks_the_posterior(default: dict[str, Any]) -> None:
    assert default["rival_std"] < 0.5 * default["closed_std"]


def test_the_mixed_kl_raises_the_true_one(default: dict[str, Any]) -> None:
    assert default["rival_kl_nats"] > default["closed_kl_nats"]


@pytest.mark.slow
def test_with_the_same_kl_the_rival_is_the_same_vae() -> None:
    measured = measure(kl="closed")
    names = ("std", "kl_nats", "loss_nats", "mse")

    assert [measured[f"rival_{name}"] for name in names] == [
        measured[f"closed_{name}"] for name in names
    ]


@pytest.mark.slow
def test_the_first_vae_does_not_depend_on_its_rival(default: dict[str, Any]) -> None:
    assert measure(kl="none")["closed_loss_nats"] == default["closed_loss_nats"]


def test_without_training_both_are_as_they_began() -> None:
    measured = measure(steps=0)

    assert measured["rival_loss_nats"] == measured["closed_loss_nats"]


@pytest.mark.slow
def test_equal_seeds_give_equal_results(default: dict[str, Any]) -> None:
    assert measure() == default


@pytest.mark.slow
def test_the_seed_changes_the_result(default: dict[str, Any]) -> None:
    assert measure(1)["closed_loss_nats"] != default["closed_loss_nats"]


@pytest.mark.slow
def test_at_full_length_the_broken_vae_rebuilds_better_and_is_worse() -> None:
    full = demo.Params()
    measured = measure(steps=full.steps, latent=full.latent)

    assert measured["rival_mse"] < measured["closed_mse"]
    assert measured["rival_loss_nats"] > measured["closed_loss_nats"] + 50
