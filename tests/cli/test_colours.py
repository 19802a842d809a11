"""What is printed can be read on a dark and on a light ground."""

from __future__ import annotations

import ast
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.color import Color
from rich.console import Console
from rich.text import Text

import vaeflash.cli
from vaeflash.cli.colours import PALETTE, in_palette, theme
from vaeflash.cli.screen import Screen, themed
from vaeflash.cli.text import CardMarkdown

GROUNDS = {
    "white": ("#ffffff", 3.8),
    "black": ("#000000", 3.8),
    "Solarized light": ("#fdf6e3", 3.5),
    "Solarized dark": ("#002b36", 2.7),
}
"""The lowest contrast there; 3 is what WCAG 2.1 asks of large text and of signs."""
STYLE = re.compile(rf"((not )?(bold|dim|italic) )*({'|'.join(PALETTE)})( \w+)*")
CODE = "Inline `code`.\n\n```python\n@dec\ndef f(x):  # why\n    return 'a' + str(1)\n```\n"


def luminance(colour: str) -> float:
    """Relative, as WCAG 2.1 defines it."""
    channels = [channel / 255 for channel in Color.parse(colour).get_truecolor()]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """From 1 to 21, as WCAG 2.1 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def printed(item: object, **options: object) -> str:
    console = Console(file=StringIO(), force_terminal=True, width=60, **options)
    Screen(themed(console)).print(item)
    return console.file.getvalue()


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", PALETTE)
def test_a_colour_stands_out_from_every_ground(name: str, ground: str) -> None:
    paper, least = GROUNDS[ground]

    assert contrast(f"color({PALETTE[name]})", paper) >= least


@pytest.mark.parametrize("name", ["green", "cyan", "yellow"])
def test_the_usual_colours_do_not(name: str) -> None:
    """Else there would be no need for ours; in xterm's palette."""
    usual = {"green": "#00cd00", "cyan": "#00cdcd", "yellow": "#cdcd00"}

    assert contrast(usual[name], "#ffffff") < 3


@pytest.mark.slow
def test_every_style_that_the_commands_name_has_our_colours() -> None:
    folder = Path(vaeflash.cli.__file__).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")]
    texts = {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    styles = {text for text in texts if STYLE.fullmatch(text)} - {"blue underline"}

    assert (len(styles) > 5, styles - set(theme(many=True).styles)) == (True, set())


def test_a_style_word_is_printed_in_our_colour() -> None:
    text = Text.assemble(("word", "bold cyan"))

    assert f"38;5;{PALETTE['cyan']}m" in printed(text, color_system="256")


def test_code_has_no_ground_of_its_own() -> None:
    shown = printed(CardMarkdown(CODE), color_system="256")

    assert ("\x1b[48" in shown, ";48;" in shown, "38;5" in shown) == (False, False, True)


def test_only_our_colours_are_in_a_card() -> None:
    shown = printed(CardMarkdown(CODE), color_system="256")
    used = {int(number) for number in re.findall(r"38;5;(\d+)", shown)}

    assert (used <= set(PALETTE.values()), re.findall(r"\x1b\[(?:\d;)?(?:3[0-7]|9\d)m", shown)) == (
        True,
        [],
    )


def test_without_colour_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = printed(CardMarkdown(CODE), color_system="256")

    assert re.findall(r"\x1b\[[\d;]*[34]8;", shown) == []


@pytest.mark.parametrize(("system", "numbers"), [("standard", False), ("truecolor", True)])
def test_a_terminal_of_sixteen_colours_keeps_its_own(system: str, numbers: bool) -> None:
    console = Console(file=StringIO(), force_terminal=True, color_system=system)
    Screen(themed(console)).print(Text("word", style="green"))

    assert ("38;5;28" in console.file.getvalue()) == numbers


@pytest.mark.parametrize(
    ("style", "numbers"),
    [("bold green", "bold color(28)"), ("dim", "dim"), ("not bold red", "not bold color(160)")],
)
def test_colour_words_become_numbers(style: str, numbers: str) -> None:
    assert in_palette(style) == numbers
