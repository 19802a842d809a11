"""The lesson on the KL, against torch.distributions, quadrature and numbers worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from demos import kl_divergence as demo
from vaeflash.lab.bench import Bench


def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(samples=4_000), **params)
    return dict(demo.run(small, Bench(seed)).metrics)


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    return measure()


def formula(form: str, mu: float, std: float) -> float:
    return demo.per_dimension(form, *torch.tensor([mu, std], dtype=torch.float64)).item()


means = st.floats(-3, 3)
stds = st.floats(0.05, 4)


@pytest.mark.parametrize("form", ["closed", "logvar"])
@given(mu=means, std=stds)
@settings(max_examples=50, deadline=None)
def test_the_right_forms_are_the_kl_of_torch(form: str, mu: float, std: float) -> None:
    m, s = torch.tensor([mu, std], dtype=torch.float64)
    prior = Normal(torch.zeros_like(m), torch.ones_like(s))

    assert formula(form, mu, std) == pytest.approx(
        kl_divergence(Normal(m, s), prior).item(), abs=1e-9
    )


@given(mu=means, std=stds)
@settings(max_examples=50, deadline=None)
def test_the_swapped_form_is_the_kl_from_the_prior(mu: float, std: float) -> None:
    m, s = torch.tensor([mu, std], dtype=torch.float64)
    prior = Normal(torch.zeros_like(m), torch.ones_like(s))
    expected = kl_divergence(prior, Normal(m, s)).item()

    assert formula("swapped", mu, std) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(mu=means, std=stds)
@settings(max_examples=50, deadline=None)
def test_the_mixed_form_is_the_source_s_code(mu: float, std: float) -> None:
    expected = -0.5 * (1 + std**2 - mu**2 - math.exp(std))

    assert formula("mixed", mu, std) == pytest.approx(expected, abs=1e-9)


@given(std=st.floats(0.001, 4))
@settings(max_examples=50, deadline=None)
def test_the_mixed_form_always_asks_for_a_smaller_std(std: float) -> None:
    s = torch.tensor(std, dtype=torch.float64, requires_grad=True)
    demo.per_dimension("mixed", torch.zeros_like(s), s).backward()

    assert s.grad is not None
    assert s.grad.item() >= 1 - math.log(2) - 1e-9


def test_the_closed_form_is_the_integral() -> None:
    mu, std = 0.7, 0.6
    z = torch.linspace(-8, 8, 100_001, dtype=torch.float64)
    q, p = Normal(torch.full_like(z, mu), std), Normal(torch.zeros_like(z), 1.0)
    integrand = q.log_prob(z).exp() * (q.log_prob(z) - p.log_prob(z))

    assert formula("closed", mu, std) == pytest.approx(
        torch.trapezoid(integrand, z).item(), abs=1e-9
    )


@pytest.mark.parametrize("form", ["closed", "logvar"])
def test_right_formulas_agree_with_the_matrix_formula(form: str) -> None:
    assert measure(form=form)["kl_error_nats"] < 1e-12


@pytest.mark.parametrize("form", ["mixed", "logstd", "swapped", "negated"])
def test_wrong_formulas_do_not(form: str) -> None:
    assert measure(form=form)["kl_error_nats"] > 0.5


def test_the_mean_over_latents_is_not_the_kl() -> None:
    assert measure(over="mean")["kl_error_nats"] > 0.5


@pytest.mark.parametrize(
    ("name", "nats"),
    [("mc_nats", 3.680), ("line2_nats", -2.757), ("line3_nats", 1.768), ("line4_nats", 3.680)],
)
def test_the_source_s_lines_are_worth_what_was_worked_out_by_hand(
    default: dict[str, Any], name: str, nats: float
) -> None:
    assert default[name] == pytest.approx(nats, abs=0.03)


def test_every_line_of_the_repaired_derivation_is_the_kl() -> None:
    measured = measure(derivation="repaired", mu=(-1.0, 2.0, 0.5), std=(0.3, 1.7, 1.0))
    lines = [measured[name] for name in ("mc_nats", "line2_nats", "line3_nats", "line4_nats")]

    assert lines == pytest.approx([measured["reference_nats"]] * 4, abs=0.05)


def test_samples_of_the_prior_measure_the_other_direction_with_its_sign_turned() -> None:
    measured = measure(average_over="prior", mu=(0.5,), std=(0.8,))
    backward = formula("swapped", 0.5, 0.8)

    assert measured["mc_nats"] == pytest.approx(-backward, abs=0.03)


@pytest.mark.parametrize(
    ("form", "reduction", "loss"),
    [("mixed", "mean", 0.965), ("closed", "mean", 4.485), ("closed", "sum", 5.290)],
)
def test_the_worked_example(form: str, reduction: str, loss: float) -> None:
    assert measure(form=form, reduction=reduction)["loss_nats"] == pytest.approx(loss, abs=5e-4)


def test_the_two_directions_differ(default: dict[str, Any]) -> None:
    expected = (1.5 - math.log(2), math.log(2) - 0.375)

    assert (default["forward_nats"], default["backward_nats"]) == pytest.approx(expected)


@pytest.mark.parametrize(("form", "std"), [("closed", 1.0), ("logstd", 0.71), ("mixed", 0.01)])
def test_where_each_formula_is_smallest(form: str, std: float) -> None:
    assert measure(form=form)["best_std"] == pytest.approx(std, abs=1e-6)


def test_the_mixed_form_pays_for_a_negative_std() -> None:
    assert measure(form="mixed")["negative_std_nats"] == pytest.approx(-0.5 * (1 + 2500))


def test_noise_shrinks_with_samples_and_bias_does_not(default: dict[str, Any]) -> None:
    assert measure(form="mixed")["mc_gain"] < 2 < 5 < default["mc_gain"]


def test_equal_seeds_give_equal_results(default: dict[str, Any]) -> None:
    assert measure() == default


def test_the_seed_changes_the_samples(default: dict[str, Any]) -> None:
    assert measure(1)["mc_nats"] != default["mc_nats"]
