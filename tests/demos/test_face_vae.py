"""The lesson on a VAE of faces, trained on few of them for one epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from demos import _faces as faces
from demos import face_vae as demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.lab.classifier import train_classifier
from vaeflash.lab.face_networks import Eigenfaces
from vaeflash.lab.people import sample
from vaeflash.lab.portraits import draw


@pytest.fixture(scope="module", autouse=True)
def _few_faces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faces.Recipe, "portraits", 120)
        patch.setattr(faces.Recipe, "unseen", 30)
        patch.setattr(faces, "train_classifier", partial(train_classifier, steps=20))
        faces._train.cache_clear()
        yield
    faces._train.cache_clear()


def bench(seed: int = 0, choice: str = "portraits") -> Bench:
    return Bench(seed, needs={"faces": choice})


@cache
def result(**params: Any) -> Result:
    return demo.run(replace(demo.Params(epochs=1), **params), bench())


def measure(**params: Any) -> dict[str, Any]:
    return dict(result(**params).metrics)


# Training, once for all


@pytest.mark.slow
def test_what_was_trained_before_is_taken_again() -> None:
    recipe = faces.Recipe(epochs=1)

    assert faces.trained(recipe, bench()) is faces.trained(recipe, bench())


@pytest.mark.parametrize("change", [{"weight": "as_it_is"}, {"epochs": 2}, {"size": "full"}])
def test_another_recipe_is_another_order(change: dict[str, Any]) -> None:
    recipe, lab = faces.Recipe(epochs=1), bench()
    orders = [
        faces._Order(r, (0, "cpu", ""), lab.data("faces"), lab)
        for r in (recipe, replace(recipe, **change))
    ]

    assert orders[0] != orders[1]


@pytest.mark.slow
def test_a_run_is_the_same_whether_it_trains_or_not() -> None:
    known = measure()
    faces._train.cache_clear()

    assert dict(demo.run(demo.Params(epochs=1), bench()).metrics) == known


@pytest.mark.slow
def test_training_leaves_the_global_generator_alone() -> None:
    lab = bench(1)
    before = torch.get_rng_state()

    faces.trained(faces.Recipe(epochs=0), lab)

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_another_seed_is_trained_anew() -> None:
    recipe = faces.Recipe(epochs=0)

    assert faces.trained(recipe, bench(1)) is not faces.trained(recipe, bench())


@pytest.mark.slow
def test_training_lowers_the_error() -> None:
    assert measure()["mse"] < measure(epochs=0)["mse"]


def test_samples_are_looked_at_before_and_after_every_epoch() -> None:
    fit = faces.trained(faces.Recipe(epochs=1), bench())

    assert fit.epochs.shape == (2, 18, 3, 64, 64)


@pytest.mark.parametrize(
    ("size", "weight", "expected"),
    [("small", "as_at_256", 16), ("small", "as_it_is", 1), ("full", "as_at_256", 1)],
)
def test_the_weight_is_that_of_the_pixels(size: Any, weight: Any, expected: float) -> None:
    assert faces.Recipe(size=size, weight=weight).error_weight == expected


def test_a_large_picture_is_shown_at_64() -> None:
    assert faces.shown(torch.rand(2, 5, 3, 256, 256)).shape == (2, 5, 64, 64, 3)


# What is asked of the codes


def test_the_difference_of_means_by_hand() -> None:
    codes = torch.tensor([[1.0, 0], [3, 0], [0, 5]])

    v = faces.difference_of_means(codes, torch.tensor([True, True, False]))

    assert v.tolist() == [2, -5]


def test_without_any_axis_eigenfaces_give_the_mean_face() -> None:
    x = torch.rand(30, 3, 8, 8)
    mean = x.mean(0).expand_as(x)

    torch.testing.assert_close(demo.by_eigenfaces(Eigenfaces(x, 5), x, 0), mean)


def test_the_explained_share_is_the_squared_correlation() -> None:
    g = torch.Generator().manual_seed(0)
    numbers, worn = torch.randn(50, 3, generator=g), torch.rand(50, generator=g) < 0.5
    expected = [np.corrcoef(column, worn)[0, 1] ** 2 for column in numbers.T.numpy()]

    assert demo.explained(numbers, worn).tolist() == pytest.approx(expected)


def test_turning_keeps_lengths() -> None:
    codes = torch.randn(20, 5)

    turned = demo.turned(codes, torch.randn(5))

    torch.testing.assert_close(turned.norm(dim=1), codes.norm(dim=1))


def test_the_first_turned_number_lies_along_the_direction() -> None:
    codes, direction = torch.randn(20, 5), torch.randn(5)

    turned = demo.turned(codes, direction)

    torch.testing.assert_close(turned[:, 0], codes @ direction / direction.norm())


@pytest.mark.slow
def test_one_turned_number_explains_what_the_direction_does() -> None:
    measured = measure(units="turned")

    assert measured["best_unit_r2"] >= measured["direction_r2"] * (1 - 1e-4)


@pytest.mark.slow
def test_turning_changes_no_direction() -> None:
    assert measure(units="turned")["direction_r2"] == measure()["direction_r2"]


def test_gradual_factors_are_real_ones() -> None:
    assert set(demo.GRADUAL) < {field.name for field in fields(sample(1, torch.Generator()))}


@pytest.mark.parametrize("name", ["hair", "beard", "glasses", "iris"])
def test_couples_share_what_has_no_middle(name: str) -> None:
    pairs = demo.couples(9, torch.Generator().manual_seed(0))

    assert torch.equal(getattr(pairs.between(1), name), getattr(pairs.first, name))


def test_the_middle_is_halfway_in_each_gradual_factor() -> None:
    pairs = demo.couples(9, torch.Generator().manual_seed(0))
    middle = (pairs.first.skin + pairs.other.skin) / 2

    torch.testing.assert_close(pairs.between(0.5).skin, middle)


@pytest.mark.slow
def test_the_middle_of_one_person_is_that_person() -> None:
    measured = measure(apart=0.0)

    assert measured["middle_by_codes_mse"] == pytest.approx(measured["middle_rebuilt_mse"])


@pytest.mark.slow
def test_one_code_has_no_variety() -> None:
    assert measure(samples="centre")["samples_diversity"] == 0


def test_fitted_codes_have_the_codes_mean() -> None:
    fit = faces.trained(faces.Recipe(epochs=1), bench())
    z = demo.codes_to_sample("fitted", fit, 20_000, torch.Generator().manual_seed(0))

    torch.testing.assert_close(z.mean(0), fit.mu.mean(0), atol=0.1, rtol=0)


def test_figures_are_in_range() -> None:
    pictures = [figure.pixels for figure in result().figures.values() if hasattr(figure, "pixels")]

    assert all(grid.min() >= 0 and grid.max() <= 1 for grid in pictures)


@pytest.mark.slow
def test_photographs_are_asked_for_all_but_the_truth(tmp_path: Path) -> None:
    for kind in (False, True):
        people = sample(20, torch.Generator().manual_seed(int(kind))).wearing(glasses=kind)
        folder = tmp_path / ("glasses" if kind else "no_glasses")
        folder.mkdir()
        for i, picture in enumerate(draw(people, 64)):
            pixels = (255 * picture.movedim(0, -1)).byte().numpy()
            Image.fromarray(pixels).save(folder / f"{i}.png")

    measured = demo.run(demo.Params(epochs=1), bench(choice=str(tmp_path))).metrics

    truth = {"middle_by_codes_mse", "middle_by_pictures_mse", "middle_rebuilt_mse"}
    assert set(measure()) - set(measured) == truth
