"""A course's drawn figures: which one a card shows, and how they are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vaeflash.card import Card
from vaeflash.course.course import bundled_root, open_course
from vaeflash.demo import Bars, Curves
from vaeflash.errors import CourseError, DemoError
from vaeflash.gallery import draw, read_gallery

CARD = Card("T", "Q?", "A.", id="one", demos=("first", "second"))
ONE, TWO = Bars("One.", {"a": 1.0}), Bars("Two, “quoted”.", {"b": 2.0})
BUNDLED = open_course(bundled_root())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    draw(tmp_path, "first", "code", {"one": ONE, "two": TWO})
    draw(tmp_path, "second", "code", {"three": ONE})
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("figure", "path"),
    [
        ("", "figures/first/one.png"),
        ("two", "figures/first/two.png"),
        ("three", "figures/second/three.png"),
        ("none", None),
        ("other", None),
    ],
)
def test_a_card_shows_the_first_figure_of_its_demos_or_the_one_it_names(
    root: Path, figure: str, path: str | None
) -> None:
    shown = read_gallery(root).of(replace(CARD, figure=figure))

    assert (shown and shown.path) == path


@pytest.mark.slow
def test_a_caption_stays_beside_its_picture(root: Path) -> None:
    shown = read_gallery(root).of(replace(CARD, figure="two"))

    assert shown
    assert (shown.caption, (root / shown.path).read_bytes()[:4]) == ("Two, “quoted”.", b"\x89PNG")


def test_a_course_without_figures_has_an_empty_gallery(tmp_path: Path) -> None:
    assert read_gallery(tmp_path).of(CARD) is None


@pytest.mark.slow
def test_a_figure_that_is_drawn_no_more_goes(root: Path) -> None:
    (root / "figures" / "first" / "mine.png").write_bytes(b"not ours")

    draw(root, "first", "newer", {"two": TWO})

    names = sorted(path.name for path in (root / "figures" / "first").iterdir())
    assert (names, read_gallery(root).codes["first"]) == (
        ["index.json", "mine.png", "two.png"],
        "newer",
    )


@pytest.mark.slow
def test_nothing_is_written_when_a_figure_cannot_be_drawn(root: Path) -> None:
    before = {path: path.read_bytes() for path in (root / "figures").rglob("*.*")}

    with pytest.raises(DemoError, match="figure 'two'"):
        draw(root, "first", "newer", {"one": ONE, "two": Curves("", [1, 2], {"y": [1]})})

    assert {path: path.read_bytes() for path in (root / "figures").rglob("*.*")} == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"code": 1, "captions": {}}', "[" * 100_000),
        *(
            json.dumps({"code": "", "captions": {name: "y"}})
            for name in ("../x", "a\0b", "\n", "x" * 300)
        ),
    ],
)
def test_a_damaged_index_is_named(root: Path, text: str) -> None:
    (root / "figures" / "first" / "index.json").write_text(text)

    with pytest.raises(CourseError, match=r"first/index.json: this index of figures cannot"):
        read_gallery(root)


def test_the_bundled_figures_are_small() -> None:
    sizes = [path.stat().st_size for path in (BUNDLED.root / "figures").rglob("*.png")]

    assert (max(sizes) <= 40_000, sum(sizes) <= 2_000_000) == (True, True)


@pytest.mark.slow
def test_the_bundled_figures_are_those_of_the_demos_as_they_are() -> None:
    codes = {name: BUNDLED.demo(name).fingerprint for name in BUNDLED.demo_paths}
    undrawn = codes.keys() - read_gallery(BUNDLED.root).codes.keys()

    assert {name for name in undrawn if "cuda" not in BUNDLED.demo(name).needs} == set()
    assert read_gallery(BUNDLED.root).codes.items() <= codes.items()


def test_every_figure_that_a_bundled_card_names_is_there() -> None:
    gallery = read_gallery(BUNDLED.root)
    named = [card for _, card in BUNDLED.cards() if card.figure not in ("", "none")]

    assert [card.id for card in named if gallery.of(card) is None] == []
