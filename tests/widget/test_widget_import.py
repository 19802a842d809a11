"""A build with something to touch over one without: no review in the real Anki is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from anki.collection import Collection
from planes import network, plane
from real_anki import answer_all, load, reviews, sides

from vaeflash.card import Card, Claim, Deck, Kind
from vaeflash.demo import Bars, Figure
from vaeflash.errors import CardError
from vaeflash.export.anki import build_package
from vaeflash.export.edition import Edition
from vaeflash.gallery import draw, read_gallery
from vaeflash.judging.ledger import Ledger

NOW = 1_795_000_000.0
CARDS = (
    Card("One", "Q?", "A.", id="one", demos=("demo",), claims=(Claim("a < 1", "demo", myth=True),)),
    Card("Turned", "Q?", "A.", id="turned", kind=Kind.REVERSED, demos=("demo",)),
    Card("Hole", "A {{c1::hole}}.", "", id="hole", kind=Kind.CLOZE, demos=("demo",)),
    Card("Plain", "Q?", "A.", id="plain", demos=("demo",), figure="none"),
)
BEFORE = Bars("Bars.", {"a": 1.0})
AFTER = plane([network()])


def build(root: Path, figure: Figure, now: float) -> Path:
    draw(root, "demo", "code", {"shown": figure})
    decks = [Deck("D", CARDS, path="cards/d.md")]
    out = root / "x.apkg"
    build_package(
        Edition("c", "C", decks, Ledger(), root, gallery=read_gallery(root)), out, now=now
    )
    return out


@pytest.fixture
def reviewed(tmp_path: Path) -> Iterator[Collection]:
    """Anki with the earlier build, every card answered."""
    opened = Collection(str(tmp_path / "collection.anki2"))
    load(opened, build(tmp_path, BEFORE, NOW))
    answer_all(opened)
    yield opened
    opened.close()


@pytest.mark.slow
def test_every_review_stays(reviewed: Collection, tmp_path: Path) -> None:
    before = reviews(reviewed)

    load(reviewed, build(tmp_path, AFTER, NOW + 60))

    assert (reviews(reviewed), before[1]) == (before, 6)


@pytest.mark.slow
def test_notes_are_updated_and_none_is_new_or_in_conflict(
    reviewed: Collection, tmp_path: Path
) -> None:
    log = load(reviewed, build(tmp_path, AFTER, NOW + 60))

    assert (len(log.new), len(log.conflicting), reviewed.note_count()) == (0, 0, 4)
    assert len(log.updated) == 4


@pytest.mark.slow
def test_what_shows_a_figure_can_be_touched_and_shows_it_once(
    reviewed: Collection, tmp_path: Path
) -> None:
    load(reviewed, build(tmp_path, AFTER, NOW + 60))
    backs = {name: sides(reviewed, name)[1] for name in ("one", "turned", "hole", "plain")}

    assert [name for name, back in backs.items() if 'class="plane"' in back] == [
        *("one", "turned", "hole")
    ]
    assert [back.count("<img") for back in backs.values()] == [1, 1, 1, 0]


@pytest.mark.slow
def test_the_script_is_copied_once_and_nothing_is_missing_or_unused(
    reviewed: Collection, tmp_path: Path
) -> None:
    load(reviewed, build(tmp_path, AFTER, NOW + 60))
    backs = [sides(reviewed, card)[1] for card in ("one", "hole")]
    named = {name for back in backs for name in re.findall(r'src="(_[^"]*)"', back)}
    check = reviewed.media.check()

    kept = {path.name for path in Path(reviewed.media.dir()).glob("*.js")}
    assert (kept, len(named)) == (named, 1)
    assert list(check.missing) == []
    assert [name for name in check.unused if name.startswith("_")] == []


@pytest.mark.slow
def test_a_changed_plane_brings_its_script(reviewed: Collection, tmp_path: Path) -> None:
    load(reviewed, build(tmp_path, AFTER, NOW + 60))

    load(reviewed, build(tmp_path, plane([network(7)]), NOW + 120))

    (name,) = re.findall(r'<script src="([^"]*)"', sides(reviewed, "one")[1])
    assert (Path(reviewed.media.dir()) / name).is_file()


@pytest.mark.slow
def test_an_equal_build_is_an_equal_package(tmp_path: Path) -> None:
    first, second = (build(tmp_path, AFTER, NOW).read_bytes() for _ in range(2))

    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize("content", ["{}", "alert(1)", ""])
def test_data_that_are_no_plane_are_no_part_of_a_package(tmp_path: Path, content: str) -> None:
    build(tmp_path, AFTER, NOW)
    (tmp_path / "figures" / "demo" / "shown.widget.json").write_text(content)

    edition = Edition(
        "c", "C", [Deck("D", CARDS)], Ledger(), tmp_path, gallery=read_gallery(tmp_path)
    )
    with pytest.raises(CardError, match=r"shown\.widget\.json: what this figure shows when"):
        build_package(edition, tmp_path / "y.apkg")
