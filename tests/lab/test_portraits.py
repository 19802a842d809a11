"""Portraits are what their factors say, whoever stands beside them, at any side."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from vaeflash.lab import people, portraits
from vaeflash.lab.painting import WHOLE
from vaeflash.lab.people import Factors, sample
from vaeflash.lab.portraits import draw

SEEDS = st.integers(0, 2**32)
NAMES = [field.name for field in fields(Factors)]


def someone(n: int = 1, seed: int = 0, *, varied: bool = True) -> Factors:
    return sample(n, torch.Generator().manual_seed(seed), varied=varied)


@pytest.mark.parametrize("side", [1, 7, 64])
def test_portraits_are_float32_colours_from_0_to_1(side: int) -> None:
    images = draw(someone(5), side)

    assert (images.shape, images.dtype) == ((5, 3, side, side), torch.float32)
    assert 0 <= images.min() <= images.max() <= 1


def test_nobody_gives_no_picture() -> None:
    assert draw(someone(0)).shape == (0, 3, 64, 64)


@pytest.mark.slow
@given(SEEDS, st.integers(0, 6))
@settings(max_examples=20)
def test_a_portrait_does_not_depend_on_who_stands_beside(seed: int, i: int) -> None:
    group = someone(7, seed)

    alone = draw(group[i : i + 1], 32)

    torch.testing.assert_close(alone, draw(group, 32)[i : i + 1], atol=1e-6, rtol=0)


def test_more_people_than_are_painted_at_once_come_out_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = someone(10)
    together = draw(group, 32)
    monkeypatch.setattr(portraits, "PIXELS_AT_ONCE", 3 * 32 * 32)

    in_parts = draw(group, 32)

    torch.testing.assert_close(in_parts, together, atol=1e-6, rtol=0)


@pytest.mark.slow
@given(SEEDS)
@settings(max_examples=20)
def test_glasses_change_nothing_but_the_band_of_the_eyes(seed: int) -> None:
    person = someone(3, seed)
    bare, worn = (draw(person.wearing(glasses=g), 50, WHOLE) for g in (False, True))

    changed = (bare != worn).any(1)

    rows, columns = changed.any(2), changed.any(1)
    assert not rows[:, :20].any()
    assert not rows[:, 30:].any()
    assert not columns[:, :9].any()
    assert not columns[:, 41:].any()


@pytest.mark.slow
@given(SEEDS)
@settings(max_examples=20)
def test_glasses_show_on_everybody(seed: int) -> None:
    """Also dark frames on dark skin: at least 1% of the colours at 64 x 64 move by a tenth."""
    person = someone(8, seed, varied=False)
    bare, worn = (draw(person.wearing(glasses=g)) for g in (False, True))

    moved = ((bare - worn).abs() > 0.1).float().mean((1, 2, 3))

    assert moved.min() > 0.01


def test_wearing_changes_no_other_factor() -> None:
    group = someone(20)
    worn = group.wearing(glasses=True)

    assert [n for n in NAMES if not torch.equal(getattr(group, n), getattr(worn, n))] == ["glasses"]


def other(name: str, value: Tensor) -> Tensor:
    """Another value of a factor, far from this one."""
    if value.dtype == torch.bool:
        return ~value
    if value.dtype == torch.int64:
        return (value + 1) % 3
    low, high = {"yaw": (-1, 1), "light": (-1, 1), "brows": (-1, 1), "smile": (-0.4, 1)}.get(
        name, (0.8, 1.2) if name in ("width", "height", "eyes") else (0, 1)
    )
    return torch.full_like(value, low if value.item() > (low + high) / 2 else high)


@pytest.mark.parametrize("name", NAMES)
def test_every_factor_can_be_seen(name: str) -> None:
    person = someone(seed=1).wearing(glasses=True)
    changed = replace(person, **{name: other(name, getattr(person, name))})

    difference = (draw(person, 64, WHOLE) - draw(changed, 64, WHOLE)).abs().max()

    assert difference > 0.05


def test_a_picture_twice_as_large_is_the_same_picture() -> None:
    group = someone(6)

    halved = F.avg_pool2d(draw(group, 256), 4)

    assert (halved - draw(group, 64)).abs().mean() < 0.005


def test_a_head_that_turns_left_mirrors_one_that_turns_right() -> None:
    """But for the nose, which is drawn from the side, and the parting."""
    person = replace(someone(seed=3), fringe=torch.tensor([0.5]), light=torch.zeros(1))
    left, right = (
        draw(replace(person, yaw=torch.tensor([yaw])), 128, WHOLE) for yaw in (-1.0, 1.0)
    )

    difference = (left - right.flip(3)).abs().amax(1)

    difference[:, 62:80, 48:80] = 0
    assert difference.max() < 1e-3


def test_equal_seeds_draw_equal_people() -> None:
    first, again = someone(9, 4), someone(9, 4)

    assert all(torch.equal(getattr(first, name), getattr(again, name)) for name in NAMES)


@pytest.mark.parametrize("varied", [False, True])
def test_half_of_the_people_wear_glasses_whatever_else_they_look_like(varied: bool) -> None:
    group = someone(20_000, varied=varied)
    glasses = group.glasses.float()
    columns = [getattr(group, n).float() for n in NAMES if n != "glasses"]

    related = [torch.corrcoef(torch.stack([glasses, c]))[0, 1] for c in columns if c.std() > 0]

    assert glasses.mean().item() == pytest.approx(0.5, abs=0.02)
    assert max(map(abs, related)) < 0.03


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("hair", len(people.HAIR)),
        ("iris", len(people.IRIS)),
        ("backdrop", len(people.BACKDROP)),
        ("frame", len(people.FRAME)),
    ],
)
def test_every_colour_is_drawn(name: str, count: int) -> None:
    assert getattr(someone(2_000), name).unique().tolist() == list(range(count))
