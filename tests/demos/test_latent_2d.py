"""The lesson on codes of two numbers, at a fraction of its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from demos import latent_2d as demo
from vaeflash.lab.bench import Bench
from vaeflash.lab.networks import DenseAutoencoder


@cache
def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(steps=20), **params)
    return dict(demo.run(small, Bench(seed, needs=demo.NEEDS)).metrics)


@pytest.mark.parametrize(("use", "calls"), [("encoder", 0), ("both", 1)])
def test_calls_of_the_decoder_are_counted(use: str, calls: int) -> None:
    _, counted = demo.place(DenseAutoencoder(784, 2), torch.rand(3, 784), use)

    assert counted == calls


def test_placing_gives_the_encoders_codes() -> None:
    model, x = DenseAutoencoder(784, 2), torch.rand(3, 784)

    z, _ = demo.place(model, x, "both")

    assert torch.equal(z, model.encoder(x))


def test_placing_leaves_no_hook_behind() -> None:
    model = DenseAutoencoder(784, 2)

    demo.place(model, torch.rand(3, 784), "both")

    assert not model.decoder._forward_hooks


def test_flattening_two_numbers_keeps_all_distances() -> None:
    z, queries = torch.randn(50, 2), torch.randn(9, 2)

    flat, flat_queries = demo.flattened(z, queries)

    torch.testing.assert_close(
        torch.cdist(flat_queries, flat), torch.cdist(queries, z), rtol=1e-3, atol=1e-4
    )


def test_among_nines_is_a_nine_with_nines_around_it() -> None:
    nines = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    lone = torch.tensor([[100.0, 100.0]])
    others = lone + torch.randn(20, 2, generator=torch.Generator().manual_seed(1))
    z = torch.cat([lone, nines, others])
    labels = torch.tensor([9] * 21 + [4] * 20)

    assert demo.among(z, labels, 9).norm() < 10


def test_the_box_leaves_outliers_out() -> None:
    z = torch.cat([torch.linspace(0, 1, 1_000), torch.tensor([1e6])])[:, None]

    low, high = demo.box(z)

    assert (low.item(), high.item()) == pytest.approx((0.02, 0.98), abs=0.01)


@pytest.mark.slow
def test_shuffled_labels_leave_the_decoder_alone() -> None:
    assert measure(labels="shuffled")["shown_accuracy"] == measure()["shown_accuracy"]


@pytest.mark.slow
def test_shuffled_labels_tell_nothing() -> None:
    assert measure(labels="shuffled")["knn_accuracy"] < 0.2


@pytest.mark.slow
def test_one_number_can_be_measured_and_drawn() -> None:
    assert measure(latent=1)["code_size"] == 1


@pytest.mark.slow
def test_equal_seeds_give_equal_results() -> None:
    again = demo.run(demo.Params(steps=20), Bench(0, needs=demo.NEEDS))

    assert dict(again.metrics) == measure()
