"""The lesson on three betas and one plane, at a fraction of its steps."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from demos import beta_plane as demo
from vaeflash.demo import Plane, Result
from vaeflash.lab.bench import Bench


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    return demo.run(demo.Params(steps=15, **params), Bench(seed, needs=demo.NEEDS))


@pytest.mark.slow
def test_a_larger_beta_has_the_smaller_kl() -> None:
    metrics = measured().metrics

    assert metrics["kl_01_nats"] > metrics["kl_1_nats"] > metrics["kl_10_nats"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kl", "outside", "narrow", "digits"])
def test_equal_betas_make_equal_planes(name: str) -> None:
    same = {
        value for key, value in measured(same=True).metrics.items() if key.startswith(f"{name}_")
    }

    assert len(same) == 1


@pytest.mark.slow
def test_the_middle_one_is_the_same_whatever_the_others_are() -> None:
    assert measured(same=True).metrics["kl_1_nats"] == measured().metrics["kl_1_nats"]


def test_of_draws_from_the_prior_as_many_lie_beyond_as_the_lesson_says() -> None:
    draws = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0)).norm(dim=1)
    distances = torch.tensor([0.0, 1.0, 2.0, 3.0])

    expected = (-0.5 * distances.square()).exp()
    torch.testing.assert_close(demo.beyond(draws, distances), expected, atol=4e-3, rtol=0)


@pytest.mark.slow
def test_the_figure_switches_between_three_decoders() -> None:
    figure = measured().figures["plane"]

    assert isinstance(figure, Plane)
    assert list(figure.decoders) == ["β 0.1", "β 1", "β 10"]
