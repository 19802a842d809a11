"""The small classifier: what it recognises, what it looks at, and that it leaves no traces."""

from __future__ import annotations

import pytest
import scipy.ndimage
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from vaeflash.lab import classifier
from vaeflash.lab.classifier import Classifier, edges_of, shift, shrink, train_classifier
from vaeflash.lab.datasets import load
from vaeflash.lab.digits import ImageData


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits() -> ImageData:
    found = load("digits", generator())
    assert isinstance(found, ImageData)
    return found


@pytest.fixture(scope="module")
def model(digits: ImageData) -> Classifier:
    return train_classifier(digits.train, digits.train_labels, generator())


def blurred(images: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(images, (1, 1, 1, 1)), 3, 1)


@pytest.mark.slow
def test_unseen_digits_are_recognised(digits, model):
    assert model.accuracy(digits.test, digits.test_labels) > 0.96


@pytest.mark.slow
def test_blurred_digits_are_too(digits, model):
    assert model.accuracy(blurred(digits.test), digits.test_labels) > 0.95


@pytest.mark.slow
def test_noisy_digits_are_too(digits, model):
    noise = 0.1 * torch.randn(digits.test.shape, generator=generator())

    assert model.accuracy((digits.test + noise).clamp(0, 1), digits.test_labels) > 0.95


@pytest.mark.slow
def test_with_shuffled_labels_nothing_is_learned(digits):
    order = torch.randperm(len(digits.train), generator=generator())
    fooled = train_classifier(digits.train, digits.train_labels[order], generator(), steps=50)

    assert fooled.accuracy(digits.test, digits.test_labels) < 0.25


def test_accuracy_is_the_share_of_right_answers(digits, model):
    right = (model.classify(digits.test) == digits.test_labels).sum().item()

    assert model.accuracy(digits.test, digits.test_labels) == right / len(digits.test)


def test_the_last_layer_sees_64_features_that_do_not_depend_on_the_company(digits, model):
    alone = torch.cat([model.features(one) for one in digits.test[:5].split(1)])

    assert alone.shape == (5, 64)
    assert torch.allclose(model.features(digits.test)[:5], alone, atol=1e-5)


def test_logits_follow_from_the_features_alone(digits, model):
    features = model.features(digits.test[:50])

    assert torch.equal(model.head(features).argmax(1), model.classify(digits.test[:50]))


def weights(model: Classifier) -> Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def trained(seed: int, images: Tensor, labels: Tensor) -> Tensor:
    return weights(train_classifier(images, labels, generator(seed), steps=5))


def test_the_generator_alone_decides_what_comes_out(digits):
    images, labels = digits.train[:200], digits.train_labels[:200]
    torch.manual_seed(1)
    first = trained(0, images, labels)
    torch.manual_seed(2)

    again, other = trained(0, images, labels), trained(1, images, labels)

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_global_generator_is_left_as_it_was(digits):
    before = torch.get_rng_state()

    trained(0, digits.train[:200], digits.train_labels[:200])

    assert torch.equal(torch.get_rng_state(), before)


def portraits(n: int) -> tuple[Tensor, Tensor]:
    """Colour noise, half of it with two dark rings where eyes would be; `(n, 3, 64, 64)`."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    radii = [(y - 28).square() + (x - middle).square() for middle in (20, 44)]
    rings = sum(((r > 36) & (r < 64)).float() for r in radii)
    wearing = torch.arange(n) % 2 == 1
    images = 0.5 + 0.2 * torch.rand(n, 3, 64, 64, generator=generator(n))
    return images - 0.3 * rings * wearing[:, None, None, None], wearing


@pytest.mark.slow
def test_whether_large_colour_pictures_show_a_thing_is_learned_from_bools():
    model = train_classifier(*portraits(200), generator(), steps=60)

    images, wearing = portraits(101)

    assert model.accuracy(images, wearing) == 1


def test_more_pictures_than_the_limit_are_left_out(digits, monkeypatch):
    images, labels = digits.train[:200], digits.train_labels[:200]
    monkeypatch.setattr(classifier, "LIMIT", 120)

    limited = trained(0, images, labels)

    assert torch.equal(limited, trained(0, images[:120], labels[:120]))


def ramp(angle: float) -> Tensor:
    """Brightness that rises in one direction, 0 to the right, 90 downwards; `(1, 1, 28, 28)`."""
    along = torch.arange(28.0) - 14
    direction = torch.tensor(angle).deg2rad()
    return (direction.cos() * along + direction.sin() * along[:, None])[None, None]


@pytest.mark.parametrize("angle", [0, 45, 90, 180, 315])
def test_edges_answer_to_the_direction_in_which_brightness_rises(angle):
    inner = edges_of(ramp(angle)).view(8, 6, 6)[:, 1:5, 1:5].sum((1, 2))

    assert inner.argmax().item() * 45 == angle


def test_edges_are_derivatives_of_a_gaussian_as_in_scipy():
    image = torch.rand(28, 28, generator=generator())
    theirs = scipy.ndimage.gaussian_filter(
        image.numpy(), 1, order=(0, 1), radius=2, mode="constant"
    )
    rises = torch.from_numpy(theirs).clamp(min=0)
    windows = F.avg_pool2d(rises[None], 8, 4).flatten()

    ours = edges_of(image[None, None])[0, :36]

    assert torch.allclose(ours / ours.norm(), windows / windows.norm(), atol=1e-3)


def test_contrast_does_not_count(digits):
    assert torch.allclose(edges_of(digits.test[:9]), edges_of(digits.test[:9] / 3), atol=1e-6)


def test_an_empty_picture_has_no_edges():
    assert edges_of(torch.zeros(1, 1, 28, 28)).eq(0).all()


@pytest.mark.parametrize(("side", "shrunk"), [(8, 8), (28, 28), (63, 63), (64, 32), (256, 32)])
def test_large_pictures_are_shrunk_to_32_pixels(side, shrunk):
    assert shrink(torch.rand(2, 3, side, side)).shape == (2, 1, shrunk, shrunk)


def test_a_shift_moves_and_repeats_the_border():
    image = torch.arange(9.0).view(1, 1, 3, 3)

    moved = shift(image, 1, -1)

    assert moved[0, 0].tolist() == [[1, 2, 2], [1, 2, 2], [4, 5, 5]]


def test_of_colours_the_mean_counts():
    colours = torch.rand(2, 3, 28, 28, generator=generator())

    assert torch.allclose(edges_of(colours), edges_of(colours.mean(1, keepdim=True)))
