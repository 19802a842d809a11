"""Other people's words are shown, never obeyed."""

from __future__ import annotations

import json
import shlex
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.printable import STAND_IN, command, escaped, printable

EVERY = "".join(map(chr, [*range(0x20000), *range(0xE0000, 0xE1000), sys.maxunicode]))
"""Every character but those of planes that hold Chinese, nothing, or private ones."""
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = {"LEFT-TO-RIGHT MARK", "RIGHT-TO-LEFT MARK", "ARABIC LETTER MARK"}


def is_obeyed(char: str) -> bool:
    """As the Unicode database has it: controls, surrogates, line ends, direction, tags."""
    return char not in "\n\t" and (
        unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(char) in TURNING
        or unicodedata.name(char, "") in MARKS
        or 0x206A <= ord(char) <= 0x206F  # switches for shapes and digits, long deprecated
        or ord(char) >> 7 == 0xE0000 >> 7
    )


def test_what_a_terminal_would_obey_is_replaced_and_nothing_else() -> None:
    expected = "".join(STAND_IN if is_obeyed(char) else char for char in EVERY)

    assert printable(EVERY) == expected


def test_a_json_document_says_the_same_in_plain_characters() -> None:
    apart = list(EVERY)  # in a row, two surrogates are one character
    told = escaped(json.dumps(apart, ensure_ascii=False))

    assert (json.loads(told) == apart, printable(told) == told) == (True, True)


@given(st.lists(st.text()))
def test_a_document_of_safe_texts_is_left_as_it_is(texts: list[str]) -> None:
    document = json.dumps([printable(text) for text in texts], ensure_ascii=False)

    assert escaped(document) == document


@given(st.text(st.characters(exclude_characters="\0")))
def test_a_shell_reads_a_name_in_a_command_as_a_name(name: str) -> None:
    assert shlex.split(command("demo", name)) == ["vaeflash", "demo", name]


@pytest.mark.parametrize("name", ["kl-closed-form", "cards/deck.md", "beta_2.0", "a=3"])
def test_a_usual_name_stands_without_quotes(name: str) -> None:
    assert command("check", name) == f"vaeflash check {name}"
