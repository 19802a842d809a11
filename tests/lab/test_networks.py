"""Parameter counts of the sources, shapes, and starting from the mean picture."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from vaeflash.errors import DemoError
from vaeflash.lab.metrics import parameter_count
from vaeflash.lab.networks import (
    Centred,
    ConvAutoencoder,
    DenseAutoencoder,
    GaussianVAE,
    logit,
    mlp,
    reparameterize,
    start_at_mean,
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (DenseAutoencoder(784, 200, 20), 322_804),
        (GaussianVAE(784, 400, 20), 652_824),
        (ConvAutoencoder(2), 200_963),
        (ConvAutoencoder(2).encoder, 98_946),
        (Centred(ConvAutoencoder(2), torch.rand(1, 28, 28)), 200_963),
    ],
)
def test_a_network_has_as_many_parameters_as_its_source(network, count):
    assert parameter_count(network) == count


@pytest.mark.parametrize(
    "build",
    [
        lambda: DenseAutoencoder(784, 200, 0),
        lambda: GaussianVAE(784, 400, 0),
        lambda: GaussianVAE(784, -1, 2),
        lambda: ConvAutoencoder(0),
    ],
)
def test_a_code_or_layer_of_no_numbers_is_refused(build):
    with pytest.raises(DemoError, match=r"network .*: every layer, and the code, needs at least"):
        build()


def test_the_lectures_sides_are_28_14_7_and_back_by_7_13_27_29():
    network = ConvAutoencoder()
    x = torch.zeros(1, 1, 28, 28)
    sides = []
    for part in (network.encoder, network.decoder):
        for layer in part:
            x = layer(x)
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                sides.append(x.shape[-1])

    assert sides == [28, 14, 7, 7, 7, 13, 27, 29]


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (DenseAutoencoder(784, 30, 10, 4), (784,)),
        (GaussianVAE(784, 30, 10, 4), (784,)),
        (ConvAutoencoder(4), (1, 28, 28)),
        (Centred(GaussianVAE(784, 30, 4), torch.rand(784)), (784,)),
        (Centred(ConvAutoencoder(4), torch.rand(1, 28, 28)), (1, 28, 28)),
    ],
)
def test_pictures_come_back_in_their_shape_as_the_sigmoid_of_the_logits(network, shape):
    x = torch.rand(3, *shape)
    code = network.encode(x)
    mean_code = code[0] if isinstance(code, tuple) else code

    x_hat = network(x)

    assert (x_hat.shape, mean_code.shape) == (x.shape, (3, 4))
    assert torch.equal(x_hat, network.decode(mean_code).sigmoid())


@pytest.mark.parametrize("network", [DenseAutoencoder(784, 9, 4), ConvAutoencoder(4)])
def test_codes_and_logits_are_float32_under_autocast(network):
    x = torch.rand(2, 784) if isinstance(network, DenseAutoencoder) else torch.rand(2, 1, 28, 28)
    with torch.autocast("cpu", torch.bfloat16):
        z = network.encode(x)
        logits = network.decode(z)

    assert (z.dtype, logits.dtype) == (torch.float32, torch.float32)


def test_reparameterized_codes_follow_the_posterior():
    mu, logvar = torch.tensor([[-1.0, 2.0]]), torch.tensor([[0.5, -3.0]])

    z = reparameterize(
        mu.expand(100_000, 2), logvar.expand(100_000, 2), torch.Generator().manual_seed(0)
    )

    posterior = Normal(mu, (0.5 * logvar).exp())
    quantiles = posterior.cdf(z).sort(dim=0).values
    uniform = torch.linspace(0, 1, len(z))[:, None]
    assert (quantiles - uniform).abs().max() < 0.01  # Kolmogorov and Smirnov: 4e-3 at 5%


def test_reparameterizing_leaves_the_global_generator_alone_if_it_has_its_own():
    before = torch.get_rng_state()

    reparameterize(torch.zeros(2, 3), torch.zeros(2, 3), torch.Generator().manual_seed(0))

    assert torch.equal(torch.get_rng_state(), before)


def test_a_decoder_without_weights_starts_at_the_mean_picture():
    x = 0.1 + 0.8 * torch.rand(50, 12)
    network = DenseAutoencoder(12, 5, 3)
    start_at_mean(network.encoder, network.decoder, x)
    nn.init.zeros_(network.decoder[-1].weight)

    assert torch.allclose(network(x), x.mean(0), atol=1e-6)


def test_the_centred_first_layer_sees_what_it_saw_of_the_difference():
    x = torch.rand(50, 12)
    encoder, decoder = mlp(12, 5, 3), mlp(3, 5, 12)
    expected = encoder(x - x.mean(0))

    start_at_mean(encoder, decoder, x)

    assert torch.allclose(encoder(x), expected, atol=1e-6)


def test_a_centred_network_sees_the_difference_and_adds_the_means_logits():
    inner, mean, x = DenseAutoencoder(12, 5, 3), torch.rand(12), torch.rand(50, 12)
    expected = (inner.decode(inner.encode(x - mean)) + mean.logit()).sigmoid()

    assert torch.allclose(Centred(inner, mean)(x), expected, atol=1e-6)


def test_a_centred_networks_mean_is_saved_with_it():
    first, second = (Centred(ConvAutoencoder(), torch.full((1, 28, 28), v)) for v in (0.2, 0.7))

    second.load_state_dict(first.state_dict())

    assert torch.equal(second.mean, first.mean)


def test_pixels_that_are_always_black_have_finite_logits():
    assert logit(torch.tensor([0.0, 1.0])).isfinite().all()
