"""Rendered texts are remembered: the same HTML, less work, and never a reason to fail."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.card import Card, Deck
from vaeflash.errors import CardError
from vaeflash.export.anki import build_package, rendered
from vaeflash.export.anki.rendered import Rendered
from vaeflash.export.edition import Edition
from vaeflash.judging.ledger import Ledger
from vaeflash.text.html import Media, cloze_to_html, inline_to_html, to_html


class Counting:
    """A writer that says how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, text: str, media: Media) -> str:
        self.asked.append(text)
        return to_html(text, media)

    __name__ = "counting"


def export(path: Path | None, *texts: str, whole: bool = True) -> list[str]:
    """Render these texts; those that had to be."""
    writer, kept = Counting(), Rendered(path)
    for text in texts:
        assert kept.html(writer, text, str) == to_html(text, str)
    kept.save(whole=whole)
    return writer.asked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "cache" / "x.sqlite3"
    export(made, "one", "*two*")
    return made


def test_only_what_is_new_is_rendered(path: Path) -> None:
    assert export(path, "one", "edited", "*two*", "") == ["edited"]


def test_a_text_with_an_image_is_rendered_each_time(path: Path) -> None:
    export(path, "![x](y.png)")

    assert export(path, "![x](y.png)") == ["![x](y.png)"]


def test_what_left_the_course_is_forgotten(path: Path) -> None:
    export(path, "one")

    assert export(path, "one", "*two*") == ["*two*"]


def test_a_part_of_the_course_forgets_nothing(path: Path) -> None:
    export(path, "one", whole=False)

    assert export(path, "one", "*two*") == []


def test_another_renderer_begins_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "_renderer", lambda: "newer")

    assert export(path, "one") == ["one"]


@pytest.mark.parametrize("damage", [b"", b"nonsense" * 200, b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_file_is_made_anew(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)

    assert [export(path, "one"), export(path, "one")] == [["one"], []]


def test_a_table_of_another_shape_costs_time_only(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.executescript("drop table rendered; create table rendered (other text)")
    database.close()

    assert export(path, "one", "*two*") == ["one", "*two*"]


def test_a_file_in_use_costs_time_only(path: Path) -> None:
    other = Rendered(path)

    asked = export(path, "one", "one")

    other.save()
    assert (asked, export(path, "one")) == (["one", "one"], ["one"])


def test_a_folder_that_cannot_be_made_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert export(tmp_path / "file" / "x.sqlite3", "one") == ["one"]


def test_an_export_that_was_broken_off_keeps_what_was_there(path: Path) -> None:
    broken = Rendered(path)
    broken.html(to_html, "new", str)
    assert broken._kept
    broken._kept.close()  # as the end of a process does

    assert export(path, "one", "*two*", "new") == ["new"]


def test_an_export_of_a_broken_course_remembers_what_it_rendered(path: Path) -> None:
    sound, broken = Card("sound", "Q?", "A.", id="a"), Card("x", "Q?", "![](no.png)", id="b")
    with pytest.raises(CardError):
        build_package(
            Edition("c", "C", [Deck("D", (sound, broken))], Ledger(), path.parent),
            path.parent / "x.apkg",
            texts=Rendered(path),
        )
    kept, writer = Rendered(path), Counting()
    writer.__name__ = "inline_to_html"  # type: ignore[misc]

    kept.html(writer, "sound", str)

    kept.save()
    assert writer.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("write", [to_html, inline_to_html, cloze_to_html])
@given(text=st.text(alphabet=st.sampled_from("ab*_`$\\()[]{}c1:!<&\n ")))
def test_a_remembered_text_is_the_rendered_one(
    tmp_path_factory: pytest.TempPathFactory, write: rendered.Writer, text: str
) -> None:
    path = tmp_path_factory.mktemp("rendered") / "x.sqlite3"
    pages = []
    for _ in range(2):
        kept = Rendered(path)
        pages.append(kept.html(write, text, str))
        kept.save()

    assert pages == [write(text, str) if text else ""] * 2


@pytest.mark.parametrize(
    "change", ["html || '<script>'", "'<script>'", "''", "x'ff'", "replace(html, 'one', 'two')"]
)
def test_an_entry_that_was_altered_is_rendered_again(path: Path, change: str) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"update rendered set html = {change}")
    database.close()

    assert [export(path, "one"), export(path, "one")] == [["one"], []]


def test_an_entry_in_the_place_of_another_is_rendered_again(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("update rendered set html = (select html from rendered limit 1)")
    database.close()

    assert len(export(path, "one", "*two*")) == 1
