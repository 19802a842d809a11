"""Decks in tests/decks: NAME.md, its canonical form NAME.out.md, its messages NAME.problems.txt.

VAEFLASH_UPDATE_DECKS=1 writes the expected files anew; read the difference before keeping it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from vaeflash.card import Deck
from vaeflash.errors import CardError
from vaeflash.parse import Reading, parse_deck, read_deck, with_ids, write_deck

DECKS = Path(__file__).parents[1] / "decks"
NAMES = sorted(path.stem for path in DECKS.glob("*.md") if not path.name.endswith(".out.md"))
SOURCE_37 = DECKS / "source-37.md"
INLINE = re.compile(r"\\\(.+?\\\)")
DISPLAY = re.compile(r"\\\[.+?\\\]")


def read(name: str) -> Reading:
    return read_deck((DECKS / f"{name}.md").read_bytes().decode(), f"{name}.md")


def messages(reading: Reading) -> str:
    told = [("error", problem) for problem in reading.errors]
    told += [("repair", problem) for problem in reading.repairs]
    return "".join(f"{kind} {problem}\n" for kind, problem in told)


def expect(path: Path, text: str) -> str:
    if os.environ.get("VAEFLASH_UPDATE_DECKS"):
        path.write_bytes(text.encode())
    return path.read_bytes().decode()


def texts(deck: Deck) -> str:
    return "\n\n".join(
        text for card in deck.cards for text in (card.context, card.question, card.answer)
    )


def basic(answer: str) -> str:
    return f"# D\n\n#### T\n\n:p q\n??x\n{answer}\nx??\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_deck_is_written_in_canonical_form(name):
    written = write_deck(read(name).deck)

    assert written == expect(DECKS / f"{name}.out.md", written)


@pytest.mark.parametrize("name", NAMES)
def test_every_irregularity_is_named_with_its_line(name):
    told = messages(read(name))

    assert told == expect(DECKS / f"{name}.problems.txt", told)


@pytest.mark.parametrize("name", NAMES)
def test_a_written_deck_reads_as_the_same_deck(name):
    deck = read(name).deck

    assert read_deck(write_deck(deck), f"{name}.md").deck == deck


@pytest.mark.parametrize("name", NAMES)
def test_a_written_deck_needs_no_repair(name):
    deck = read(name).deck

    assert read_deck(write_deck(deck), f"{name}.md").repairs == ()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("broken-")])
def test_a_broken_deck_raises_all_its_errors_at_once(name):
    text = (DECKS / f"{name}.md").read_text(encoding="utf-8")

    with pytest.raises(CardError) as raised:
        parse_deck(text, f"{name}.md")

    assert raised.value.problems == read(name).errors != ()


def test_the_spec_card_is_canonical_as_it_stands():
    text = (DECKS / "native-card.md").read_text(encoding="utf-8")

    assert write_deck(parse_deck(text)) == text


def test_source_37_holds_every_irregularity_it_was_written_for():
    """The oracle is a count in the raw text, not the parser."""
    lines = SOURCE_37.read_text(encoding="utf-8").split("\n")
    counted = Counter(lines)
    shut = [  # a closer is a mark with the separator or a blank line behind it
        line for line, below in pairwise(lines) if below in ("", "---")
    ]
    doubled = re.findall(r"(?m)^---\n+---$", "\n".join(lines))

    assert (
        sum(line.startswith("#### ") for line in lines) - 1,  # one of them is code
        counted["x??"],
        shut.count("??x"),
        len(doubled),
    ) == (37, 31, 6, 5)


def test_source_37_has_37_cards_and_no_errors():
    reading = read("source-37")

    assert (len(reading.deck.cards), reading.errors) == (37, ())


def test_all_28_formulas_of_source_37_are_intact():
    source = SOURCE_37.read_text(encoding="utf-8")

    found = texts(read("source-37").deck)

    assert INLINE.findall(found) == INLINE.findall(source)
    assert DISPLAY.findall(found) == DISPLAY.findall(source)
    assert (len(INLINE.findall(found)), len(DISPLAY.findall(found))) == (20, 8)


def test_each_display_formula_of_source_37_stays_right_under_its_text():
    found = texts(read("source-37").deck)

    assert len(re.findall(r"[^\n]\n\\\[", found)) == 8


@pytest.mark.parametrize(
    ("card", "field", "text"),
    [
        (15, "context", "mean 𝜇 and a deviation 𝜎 per"),
        (17, "context", "With 𝜇 alone"),
        (27, "context", "network’s"),
        (36, "context", "3 × 6"),
        (37, "context", "≈ 40"),
    ],
)
def test_damaged_signs_of_source_37_are_repaired(card, field, text):
    cards = read("source-37").deck.cards

    assert text in getattr(cards[card - 1], field)


def test_an_imported_source_deck_reads_without_a_message():
    imported = write_deck(with_ids(read("source-37").deck))

    again = read_deck(imported)

    assert (again.errors, again.repairs) == ((), ())


def test_an_imported_source_deck_has_an_id_on_every_card():
    deck = with_ids(read("source-37").deck)

    assert len({card.id for card in deck.cards} - {None}) == 37


def test_a_path_is_in_every_message():
    reading = read_deck("#### T\n", "cards/x.md")

    assert {problem.where for problem in reading.errors + reading.repairs} == {"cards/x.md:1"}


def test_a_card_a_claim_and_a_control_know_their_lines():
    card = read("native-card").deck.cards[0]

    assert (card.line, card.claims[0].line, card.claims[0].controls[0].line) == (3, 13, 14)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(end):
    text = (DECKS / "native-words.md").read_text(encoding="utf-8")

    assert read_deck(text.replace("\n", end)).deck == read_deck(text).deck


def test_line_numbers_are_the_same_for_every_line_end():
    text = (DECKS / "broken-words.md").read_text(encoding="utf-8")

    assert read_deck(text.replace("\n", "\r\n")).errors == read_deck(text).errors


@pytest.mark.parametrize("mark", ["\ufeff", "ï»¿"])
def test_a_byte_order_mark_is_no_text(mark):
    assert read_deck(f"{mark}# Title\n").deck == Deck("Title")


@pytest.mark.parametrize("blank", [" ", "\t", "  \t"])
def test_blanks_behind_structure_do_not_matter(blank):
    text = basic("a") + ":demo d\n:claim x < 1\n"

    assert read_deck(text.replace("\n", f"{blank}\n")).deck == read_deck(text).deck


def test_control_characters_and_lone_surrogates_are_replaced():
    reading = read_deck(basic("a\0b\ud800\x1b]0;title\x07"))

    assert reading.deck.cards[0].answer == "a\ufffdb\ufffd\ufffd]0;title\ufffd"
    assert [problem.where for problem in reading.repairs] == ["<text>:7"]


def test_a_figure_is_named_in_a_line_of_its_own():
    assert read_deck(basic("a") + ":demo d\n:figure loss\n").deck.cards[0].figure == "loss"


@pytest.mark.parametrize("lines", [":figure a\n:figure b\n", ":figure a b\n", ":figure a, b\n"])
def test_a_card_shows_one_figure(lines):
    (error,) = read_deck(basic("a") + ":demo d\n" + lines).errors

    assert error.what == "a card shows one figure."


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\xa0"])
def test_only_line_ends_end_a_line(character):
    answer = f"a{character}x??{character}b{character}"

    assert read_deck(basic(answer)).deck.cards[0].answer == answer


@pytest.mark.parametrize(
    "text",
    [
        "l’été, «à», “Ä”, „Ä“",
        "«\xa0la beauté\xa0», à\xa0« gauche\xa0»",
        "√π ≈ 1.77, √∞",
        "(x ± 1) · β ≤ σ²",
        "Größe, naïve, São, ČÁST",
        "Ελληνικά, русский, 日本語, 🙂",
    ],
)
def test_sound_text_is_not_repaired(text):
    assert read_deck(basic(text)).repairs == ()


@pytest.mark.parametrize("encoding", ["mac_roman", "cp1252"])
@pytest.mark.parametrize("sign", ["’", "×", "≈", "σ", "μ", "é", "–", "²", "∑", "🙂"])
def test_a_sign_that_was_read_in_another_encoding_is_repaired(sign, encoding):
    """Bytes that cp1252 leaves open are read as control characters, as browsers do."""
    damaged = "".join(
        bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in sign.encode()
    )

    assert read_deck(basic(f"a {damaged} b")).deck.cards[0].answer == f"a {sign} b"


def test_repair_is_per_run():
    damaged = "√ó".encode().decode()

    assert read_deck(basic(f"{damaged} and é and σ{damaged}")).deck.cards[0].answer == (
        "× and é and σ√ó"
    )


@pytest.mark.slow
def test_deep_front_matter_is_an_error_not_a_crash():
    text = f"---\ntags: {'[' * 2_000}\n---\n"

    assert read_deck(text, "x.md").errors[0].where == "x.md:1"


def test_many_unclosed_fences_are_all_reported():
    text = "# D\n" + "".join(f"#### T{n}\n:p q\n??x\n```python\na\n" for n in range(500))

    assert len(read_deck(text).errors) == 500


def test_reading_cards_loads_nothing_heavy():
    code = (
        "import sys, vaeflash.parse;"
        "heavy = {'yaml', 'numpy', 'torch', 'matplotlib', 'genanki', 'markdown_it'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("key", ["title", "tags", "description", "colour"])
def test_a_key_that_stands_twice_is_an_error_of_the_second_line(key):
    text = f"---\n{key}: a\ntags_: x\n{key}: b\n---\n# D\n"

    told = {problem.where for problem in read_deck(text, "x.md").errors if "twice" in problem.what}
    assert told == {"x.md:4"}


@pytest.mark.parametrize("escape", [r"\U00110000", r"\UFFFFFFFF"])
def test_front_matter_that_names_no_character_is_an_error(escape):
    (error,) = read_deck(f'---\ntitle: "{escape}"\n---\n# D\n', "x.md").errors

    assert (error.where, error.what) == ("x.md:1", "this front matter is not YAML.")


def test_a_list_as_a_key_is_no_key_of_a_deck():
    (error,) = read_deck("---\ntitle: D\n[a, b]: c\n---\n# D\n", "x.md").errors

    assert (error.where, "has no key" in error.what) == ("x.md:3", True)
