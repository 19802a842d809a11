"""The lesson on arithmetic with codes, trained on few faces for one epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from demos import _faces as faces
from demos import latent_arithmetic as demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.lab.classifier import train_classifier
from vaeflash.lab.people import sample
from vaeflash.lab.portraits import draw


@pytest.fixture(scope="module", autouse=True)
def _few_faces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faces.Recipe, "portraits", 120)
        patch.setattr(faces.Recipe, "unseen", 30)
        patch.setattr(faces, "train_classifier", partial(train_classifier, steps=20))
        patch.setattr(demo, "TRIES", 3)
        faces._train.cache_clear()
        yield
    faces._train.cache_clear()


def bench(choice: str = "portraits") -> Bench:
    return Bench(0, needs={"faces": choice})


def fit() -> faces.Trained:
    return faces.trained(faces.Recipe(epochs=1), bench())


@cache
def result(**params: Any) -> Result:
    return demo.run(replace(demo.Params(epochs=1), **params), bench())


def measure(**params: Any) -> dict[str, Any]:
    return dict(result(**params).metrics)


@pytest.mark.parametrize(("edit", "share"), [(0.0, 0.0), (0.5, 0.75), (1.0, 1.0), (2.0, 0.0)])
def test_the_share_of_the_gap_that_is_closed(edit: float, share: float) -> None:
    start, truth = torch.zeros(2, 3, 64, 64), torch.ones(2, 3, 64, 64)

    assert demo.closed(start + edit, start, truth) == pytest.approx(share)


def test_above_and_below_the_band_nothing_counts() -> None:
    start, truth = torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64)
    edit = truth.clone()
    edit[:, :, :24] = edit[:, :, 45:] = 7

    assert demo.closed(edit, start, truth) == 1


def test_band_and_below_do_not_overlap() -> None:
    rows = torch.arange(64.0).view(1, 1, 64, 1).expand(1, 1, 64, 64)

    both = torch.cat([demo.band(rows), demo.below(rows)], dim=2)

    assert both[0, 0, :, 0].tolist() == [*range(24, 64)]


def test_the_glasses_are_in_the_band() -> None:
    people = sample(50, torch.Generator().manual_seed(0))
    change = draw(people.wearing(glasses=True)) - draw(people.wearing(glasses=False))

    assert demo.band(change).square().sum() / change.square().sum() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("amount", [-1.0, 0.0, 0.3])
def test_the_portion_of_a_change(amount: float) -> None:
    whole = torch.randn(2, 3, 8, 8)

    assert demo.portion(amount * whole, whole) == pytest.approx(amount, abs=1e-6)


def test_all_faces_of_a_kind_are_the_difference_of_means() -> None:
    codes, worn = torch.randn(10, 4), torch.arange(10) < 5

    few = demo.of_few(codes, worn, 5, torch.Generator())

    torch.testing.assert_close(few, faces.difference_of_means(codes, worn))


def test_few_faces_are_of_each_kind() -> None:
    worn = torch.arange(10) < 5
    codes = worn.float()[:, None]

    assert demo.of_few(codes, worn, 2, torch.Generator()).tolist() == [1]


def test_a_random_direction_is_as_long() -> None:
    v = torch.randn(64)

    assert demo.random_like(v, torch.Generator()).norm() == pytest.approx(float(v.norm()), rel=1e-5)


@pytest.mark.slow
def test_twins_are_the_same_people() -> None:
    trained = fit()
    pair = demo.twins(trained)
    worn = trained.faces.test_glasses

    assert torch.equal(
        trained.faces.test, torch.where(worn[:, None, None, None], pair.worn, pair.bare)
    )


def test_confounded_groups_are_those_whose_glasses_come_with_beards() -> None:
    trained = fit()
    assert trained.faces.train_people is not None
    beard = trained.faces.train_people.beard
    with_both, with_none = trained.glasses & beard, ~trained.glasses & ~beard
    expected = trained.mu[with_both].mean(0) - trained.mu[with_none].mean(0)

    torch.testing.assert_close(demo.group_vector(trained, "beards"), expected)


def test_a_beard_is_below_the_eyes_for_the_most_part() -> None:
    _, beard = demo.without_beards(fit())

    assert demo.below(beard).square().sum() > 0.9 * beard.square().sum()


@pytest.mark.slow
def test_without_strength_nothing_happens() -> None:
    measured = measure(strength=0.0)

    assert (measured["added_judged"], measured["added_closed"], measured["pasted_closed"]) == (
        measured["bare_judged"],
        0,
        0,
    )


@pytest.mark.slow
def test_the_rival_may_be_the_same() -> None:
    measured = measure(pasted_in="codes")

    assert measured["pasted_closed"] == measured["added_closed"]


@pytest.mark.slow
def test_a_vector_of_more_faces_is_more_alike() -> None:
    assert measure(average=40)["few_cosine"] > measure()["few_cosine"]


def test_figures_are_in_range() -> None:
    pictures = [figure.pixels for figure in result().figures.values() if hasattr(figure, "pixels")]

    assert all(grid.min() >= 0 and grid.max() <= 1 for grid in pictures)


@pytest.mark.slow
def test_photographs_have_no_truth_to_compare_with(tmp_path: Path) -> None:
    for kind in (False, True):
        people = sample(20, torch.Generator().manual_seed(int(kind))).wearing(glasses=kind)
        folder = tmp_path / ("glasses" if kind else "no_glasses")
        folder.mkdir()
        for i, picture in enumerate(draw(people, 64)):
            pixels = (255 * picture.movedim(0, -1)).byte().numpy()
            Image.fromarray(pixels).save(folder / f"{i}.png")

    measured = demo.run(demo.Params(epochs=1), bench(choice=str(tmp_path))).metrics

    truth = {"added_closed", "removed_closed", "pasted_closed", "rebuilt_closed", "beard_added"}
    assert set(measure()) - set(measured) == truth
