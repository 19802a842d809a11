"""The lesson on sampling with batch norm, and on rows of six."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import ceil
from typing import Any

import pytest
import torch
from torch import nn

from demos import face_samples as demo
from vaeflash.lab.bench import Bench


@cache
def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    return dict(demo.run(replace(demo.Params(), **params), Bench(seed)).metrics)


@pytest.mark.slow
def test_in_training_mode_neighbours_count() -> None:
    assert measure()["gap"] > 1e-3


@pytest.mark.slow
def test_in_eval_mode_they_do_not() -> None:
    assert measure(mode="eval")["gap"] < 1e-6


@pytest.mark.slow
def test_without_neighbours_nobody_can_interfere() -> None:
    assert measure(others=0)["gap"] == 0


def test_the_mode_is_that_of_the_decoder() -> None:
    decoder = nn.Sequential(nn.Linear(3, 12), nn.Unflatten(1, (3, 2, 2)), nn.BatchNorm2d(3))
    z, others = torch.randn(1, 3), torch.randn(5, 3)

    pictures = {mode: demo.decoded(decoder, z, others, mode) for mode in ("train", "eval")}

    alone = [torch.allclose(decoder(z)[0], picture) for picture in pictures.values()]

    assert alone == [False, True]


def test_a_picture_is_no_way_from_itself() -> None:
    picture = torch.rand(3, 4, 4)

    assert demo.relative(picture, picture) == 0


def test_a_difference_as_large_as_the_contrast_is_one() -> None:
    picture = torch.rand(3, 4, 4)

    assert demo.relative(picture, picture + picture.std(correction=0)) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("samples", "second", "third"), [(18, 6, 3), (18, 6, 5), (24, 6, 3), (17, 6, 2), (18, 9, 1)]
)
def test_rows_follow_from_pictures_in_a_row(samples: int, second: int, third: int) -> None:
    assert demo.layout(samples, second, third) == (ceil(samples / second), second, third)


@pytest.mark.slow
def test_equal_seeds_give_equal_results() -> None:
    first = measure()
    measure.cache_clear()

    assert measure() == first
