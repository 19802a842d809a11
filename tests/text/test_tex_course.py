"""Every formula of the bundled course, as the terminal shows it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from vaeflash.cli.text import CardMarkdown
from vaeflash.course.course import bundled_root
from vaeflash.files import read_text
from vaeflash.parse import read_deck
from vaeflash.text.markdown import formulas
from vaeflash.text.tex import to_unicode, translate

DECKS = sorted((bundled_root() / "cards").glob("*.md"))


def formulas_of(path: Path) -> list[str]:
    """Each formula of a deck once, in order."""
    cards = read_deck(read_text(path), path.name).deck.cards
    texts = [text for card in cards for text in (card.context, card.question, card.answer)]
    return list(dict.fromkeys(tex for text in texts for tex in formulas(text)))


def shown(markdown: str) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(CardMarkdown(markdown))
    return console.file.getvalue()


@pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)
def test_every_formula_of_a_deck_reads_like_this(path: Path, snapshot: SnapshotAssertion) -> None:
    """After an edit, look at the new lines of `pytest --snapshot-update` on this file."""
    read = [f"{tex.strip()}\n    {to_unicode(tex)}" for tex in formulas_of(path)]

    assert "\n".join(read) == snapshot


@pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)
def test_no_formula_of_a_deck_is_beyond_us(path: Path) -> None:
    assert [tex for tex in formulas_of(path) if translate(tex) is None] == []


@pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)
def test_no_command_of_tex_is_left_on_the_screen(path: Path) -> None:
    texts = [f"\\[ {tex} \\]" for tex in formulas_of(path)]

    assert "\\" not in shown("\n\n".join(texts))


@pytest.mark.parametrize("tex", [r"\foo{x}^2", r"\frac{1", r"x^2^3", r"\begin{tikz} x \end{tikz}"])
def test_what_cannot_be_read_is_shown_as_it_was_written(tex: str) -> None:
    assert (tex in shown(f"Before \\( {tex} \\) behind."), tex in shown(f"\\[ {tex} \\]")) == (
        True,
        True,
    )
