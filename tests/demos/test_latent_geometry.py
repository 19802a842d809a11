"""The lesson on what codes keep, at a fraction of its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from demos import latent_geometry as demo
from vaeflash.lab.bench import Bench
from vaeflash.lab.networks import DenseAutoencoder, GaussianVAE


@cache
def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    small = replace(demo.Params(steps=15, linear_steps=15), **params)
    return dict(demo.run(small, Bench(seed, needs=demo.NEEDS)).metrics)


def test_agreement_is_scipys_rank_correlation_of_distances() -> None:
    g = torch.Generator().manual_seed(0)
    x, z = torch.randn(30, 9, generator=g), torch.randn(30, 2, generator=g)
    expected = spearmanr(pdist(x.numpy()), pdist(z.numpy())).statistic

    assert demo.distance_agreement(x, z) == pytest.approx(expected, abs=1e-3)


def test_a_scaled_code_agrees_fully() -> None:
    x = torch.randn(20, 5)

    assert demo.distance_agreement(x, 3 * x) == pytest.approx(1, abs=1e-3)


def test_a_rotation_keeps_lengths() -> None:
    q = demo.rotation(5, torch.Generator().manual_seed(0))

    torch.testing.assert_close(q @ q.T, torch.eye(5), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [DenseAutoencoder, GaussianVAE])
def test_turning_is_undone_by_the_decoder(kind: Any) -> None:
    model, x = kind(784, 9, 4), torch.rand(6, 784)
    q = demo.rotation(4, torch.Generator().manual_seed(0))

    assert demo.changed_by_turning(model, x, q, undo=True) < 1e-12


def test_turning_the_codes_alone_changes_pictures() -> None:
    model, x = DenseAutoencoder(784, 9, 4), torch.rand(6, 784)
    q = demo.rotation(4, torch.Generator().manual_seed(0))

    assert demo.changed_by_turning(model, x, q, undo=False) > 1e-8


def test_turning_leaves_the_model_as_it_was() -> None:
    model = DenseAutoencoder(784, 9, 4)
    before = [p.clone() for p in model.parameters()]

    demo.changed_by_turning(model, torch.rand(6, 784), demo.rotation(4, torch.Generator()), True)

    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_the_codes_of_a_vae_are_means() -> None:
    model, x = GaussianVAE(784, 9, 4), torch.rand(6, 784)

    assert torch.equal(demo.codes(model, x), model.encode(x)[0])


def test_the_flat_autoencoder_is_linear() -> None:
    flat = demo.Flat(torch.rand(784), bent=False)
    a, b = torch.rand(1, 784), torch.rand(1, 784)

    torch.testing.assert_close(flat((a + b) / 2), (flat(a) + flat(b)) / 2, atol=1e-5, rtol=0)


def test_the_bent_autoencoder_is_not() -> None:
    flat = demo.Flat(torch.zeros(784), bent=True)
    x = torch.randn(1, 784)

    middle = (flat(x) + flat(-x)) / 2

    assert not torch.allclose(middle, flat(torch.zeros(1, 784)), atol=1e-4)


@pytest.mark.slow
def test_permuted_codes_do_not_agree() -> None:
    assert abs(measure(permuted=True)["agreement"]) < 0.15


@pytest.mark.slow
def test_one_number_is_all_there_is() -> None:
    metrics = measure(latent=1)

    assert metrics["single_accuracy"] == metrics["all_accuracy"]
