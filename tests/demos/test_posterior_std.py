"""The lesson on the encoder's second head."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from demos import posterior_std as demo
from vaeflash.lab.bench import Bench


def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    return dict(demo.run(demo.Params(**params), Bench(seed, needs=("digits",))).metrics)


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    return measure()


@pytest.mark.parametrize("form", ["log_std", "log_square"])
def test_both_forms_are_the_kl_of_torch(form: str) -> None:
    g = torch.Generator().manual_seed(0)
    mu, std = torch.randn(5, 3, generator=g), 0.1 + torch.rand(5, 3, generator=g)
    expected = kl_divergence(Normal(mu, std), Normal(0.0, 1.0)).sum(1)

    torch.testing.assert_close(demo.kl_to_prior(form, mu, std), expected)


def test_the_square_hides_the_sign() -> None:
    mu, std = torch.zeros(1, 1), torch.tensor([[-0.5]])

    torch.testing.assert_close(
        demo.kl_to_prior("log_square", mu, std), demo.kl_to_prior("log_std", mu, -std)
    )


@pytest.mark.parametrize("inplace", ["none", "fresh", "on_logvar"])
def test_every_way_gives_the_same_std(inplace: str) -> None:
    logvar = torch.tensor([-2.0, 0.0, 1.0])

    torch.testing.assert_close(
        demo.std_from(logvar.clone(), inplace), torch.tensor([0.36788, 1.0, 1.64872])
    )


@pytest.mark.parametrize("inplace", ["none", "fresh"])
def test_the_encoders_output_stays_as_it_is(inplace: str) -> None:
    assert demo.overwriting(inplace) == (0.5, 0.0)


def test_overwriting_the_encoders_output_is_refused_for_a_leaf_only() -> None:
    assert demo.overwriting("on_logvar")[0] == 0.5
    with pytest.raises(RuntimeError, match="leaf"):
        demo.overwriting("on_leaf")


def test_the_toy_std_is_negative_beyond_one() -> None:
    assert demo.toy_std(torch.tensor(1.5)).item() == pytest.approx(-0.05)


def test_normal_accepts_stds_above_0_only() -> None:
    said = [demo.what_normal_says(torch.tensor([1.0, std])) for std in (0.1, 0.0, -0.1)]

    assert said == ["none", "ValueError", "ValueError"]


@pytest.mark.parametrize("head", ["exp", "softplus"])
def test_a_positive_head_has_no_undefined_kl(head: str) -> None:
    assert measure(head=head)["nan_encoders"] == 0


def test_without_one_most_encoders_have() -> None:
    assert measure(head="linear")["nan_encoders"] > demo.HEADS / 2


def test_half_the_outputs_are_stds() -> None:
    assert measure(outputs=6)["latents"] == 3


def test_equal_seeds_give_equal_results(default: dict[str, Any]) -> None:
    assert measure() == default
