"""The source's sizes; eigenfaces against another implementation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn

from vaeflash.lab.face_networks import (
    Eigenfaces,
    EigenfaceVAE,
    GaussianVAE,
    error_weight,
    full_face_vae,
)
from vaeflash.lab.metrics import parameter_count


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def full() -> GaussianVAE:
    """The large network without its 253 MB of numbers."""
    with torch.device("meta"):
        return full_face_vae()


def rank_5(n: int = 60, shape: tuple[int, ...] = (3, 8, 8)) -> Tensor:
    """Pictures on five axes of very different variance, and a little of everything else."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.Size(shape).numel()
    codes = torch.randn(n, 5, generator=generator) * torch.tensor([16.0, 8, 4, 2, 1])
    axes = torch.linalg.qr(torch.randn(pixels, 5, generator=generator))[0]
    rest = 0.01 * torch.randn(n, pixels, generator=generator)
    return (codes @ axes.T + rest).unflatten(1, shape) + 0.5


def small() -> EigenfaceVAE:
    return EigenfaceVAE(rank_5(), latent=4, width=10, count=5)


def test_the_full_network_has_the_sources_parameters() -> None:
    net = full()
    halves = ((net.encoder, net.to_mu, net.to_log_std), (net.decoder,))

    assert [sum(map(parameter_count, half)) for half in halves] == [31_702_136, 31_630_275]


def test_one_layer_of_the_full_network_holds_nearly_all_of_its_encoder() -> None:
    (layer,) = [m for m in full().encoder if isinstance(m, nn.Linear)]

    assert parameter_count(layer) == 31_491_072


def sides(layers: Any, x: Tensor) -> list[int]:
    """Of the pictures in front of the first and after each convolution."""
    passed = [x.shape[-1]]
    for layer in layers:
        x = layer(x)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Unflatten):
            passed.append(x.shape[-1])
    return passed


def test_the_full_networks_sides_are_the_sources() -> None:
    net = full()
    x, z = torch.empty(2, 3, 256, 256, device="meta"), torch.empty(2, 100, device="meta")

    assert sides(net.encoder, x) == [256, 128, 64, 31]
    assert sides(net.decoder, z)[1:] == [31, 64, 128, 256]


def test_the_full_network_gives_a_posterior_of_100_numbers_and_a_picture() -> None:
    net = full()
    mu, logvar = net.encode(torch.empty(2, 3, 256, 256, device="meta"))

    assert (mu.shape, logvar.shape, net.decode(mu).shape) == ((2, 100), (2, 100), (2, 3, 256, 256))


def test_logvar_is_twice_the_log_of_the_standard_deviation() -> None:
    net = GaussianVAE(nn.Identity(), 3, 2, nn.Identity())
    x = torch.randn(4, 3)

    torch.testing.assert_close(net.encode(x)[1], 2 * net.to_log_std(x))


def test_a_sum_at_64_weighs_a_16th_of_one_at_256() -> None:
    assert (error_weight(64), error_weight(256)) == (16, 1)


def test_eigenfaces_are_the_principal_components() -> None:
    """scikit-learn's; each axis up to its sign."""
    images = rank_5()
    expected = torch.from_numpy(PCA(5).fit(images.flatten(1).numpy()).components_)

    axes = Eigenfaces(images, 5).axes

    torch.testing.assert_close((expected @ axes).abs(), torch.eye(5), atol=1e-3, rtol=0)


def test_projecting_what_was_restored_changes_nothing() -> None:
    faces, coordinates = Eigenfaces(rank_5(), 5), torch.randn(7, 5)

    torch.testing.assert_close(faces.project(faces.restore(coordinates)), coordinates)


def test_an_error_of_coordinates_is_one_of_pixels_but_for_a_constant() -> None:
    images = rank_5()
    faces = Eigenfaces(images, 5)
    on_axes = faces.project(images)
    off_axes = (images - faces.restore(on_axes)).square().sum((1, 2, 3))
    guess = torch.randn(len(images), 5)

    of_pixels = (images - faces.restore(guess)).square().sum((1, 2, 3))

    torch.testing.assert_close(of_pixels, (on_axes - guess).square().sum(1) + off_axes)


@pytest.mark.parametrize(("n", "shape", "count"), [(3, (3, 8, 8), 3), (60, (1, 2, 2), 4)])
def test_there_are_no_more_eigenfaces_than_pictures_or_pixels(
    n: int, shape: tuple[int, ...], count: int
) -> None:
    assert len(Eigenfaces(torch.rand(n, *shape), 256)) == count


@pytest.mark.slow
def test_the_small_network_has_only_its_core_to_train() -> None:
    """256-512-512 and two heads of 64, then back: weights and biases."""
    net = EigenfaceVAE(torch.rand(300, 3, 64, 64))

    assert parameter_count(net) == parameter_count(net.core)
    assert parameter_count(net) == (
        (257 * 512 + 513 * 512 + 2 * 513 * 64) + (65 * 512 + 513 * 512 + 513 * 256)
    )


def test_the_small_networks_pictures_are_from_0_to_1() -> None:
    net = small()
    x_hat = net.decode(50 * torch.randn(6, 4))

    assert (x_hat.shape, x_hat.min().item(), x_hat.max().item()) == ((6, 3, 8, 8), 0, 1)


def test_a_picture_goes_the_same_way_as_its_coordinates() -> None:
    net, images = small(), rank_5()
    mu, _ = net.core.encode(net.eigenfaces.project(images))

    torch.testing.assert_close(net(images), net.eigenfaces.restore(net.core.decode(mu)).clamp(0, 1))


def test_a_saved_network_comes_back_with_its_eigenfaces() -> None:
    net, other = small(), EigenfaceVAE(rank_5(50) + 1, latent=4, width=10, count=5)
    other.load_state_dict(net.state_dict())
    x = rank_5(9)

    assert torch.equal(net(x), other(x))
