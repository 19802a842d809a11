r"""What Anki acts on where it finds it in a field: sounds, speech, LaTeX, covered pictures.

No text of a course may become one of these in the real Anki, wherever it stands; the learner sees
the text itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anki.collection import Collection
from real_anki import load

from vaeflash.card import Card, Claim, Control, Deck, Kind, Status
from vaeflash.errors import CardError
from vaeflash.export.anki import build_package
from vaeflash.export.edition import Edition
from vaeflash.gallery import Gallery, Picture
from vaeflash.judging.ledger import ControlEntry, Entry, Ledger
from vaeflash.text.cloze import MAX_DEPTH, cloze_numbers, is_too_deep
from vaeflash.text.html import to_html

TAGS = [
    "[sound:x.mp3]",
    "[anki:tts lang=en_US]x[/anki:tts]",
    "[anki:play:q:0]",
    "[latex]x[/latex]",
    "[$]x[/$]",
    "[$$]x[/$$]",
    "<!-- x -->",
    "{{Front}} {{c1::x}}",
]
TEXTS = [
    *TAGS,
    *(f"\\{tag[:-1]}\\]" for tag in TAGS[:6]),  # `\[sound:x.mp3\]`
    r"\[latex]x[/latex\]",
    r"\[$]x[/$\]",
    "$$sound:x.mp3$$",
    "\\[\nsound:x.mp3\\]",
    r"\([sound:x.mp3]\)",
    r"\[ a [latex]x[/latex] \]",
    "`[sound:x.mp3]`",
    "```python\n[sound:x.mp3]\n```",
    "![[sound:x.mp3]](x.png)",
    '[a](b "[sound:x.mp3]")',
    "[a](<[sound:x.mp3]>)",
    "[sound\\:x.mp3]",
    "&#91;sound:x.mp3]",
    r"\\[sound:x.mp3\\]",
]
CLOZES = [
    r"\[{{c1::sound:x.mp3}}\] {{c2::x}}",
    r"\[{{c1::latex}}]x[/latex\]",
    r"\[{{c1::a}} [sound{{c2:::x.mp3}}]\]",
    r"\({{c1::[}}sound:x.mp3]\)",
    r"\([{{c1::::h}}sound:x.mp3]\)",
    r"\({{c1::x::sound:y}}\)",
    "{{c1::a::sound:x.mp3}}",
    "{{c1::a::sound:::x.mp3}}",
    "{{c1::a::&#115;ound:x.mp3}}",
    "{{c1::a::latex}} x {{c1::b::/latex}}",
    r"{{c1::a::\$}} x {{c1::b::/\$}}",
    "{{c1::a::anki:tts lang=en_US}} x {{c1::b::/anki:tts}}",
    "{{c1::a::anki:play:q:0}}",
    "{{c1::{{c2::a::sound:x}}::latex}}x{{c1::b::/latex}}",
    "{{c1::image-occlusion:rect:left=.1:top=.1:width=.1:height=.1}}",
    "`{{c1::image-occlusion:rect:left=.1:top=.1:width=.1:height=.1}}`",
    *(f"{tag} {{{{c1::x}}}} `{tag}`" for tag in TAGS[:6]),
    *(f"{{{{c1::{tag}}}}}" for tag in TAGS[:6]),
]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8cfc0f01f00050001ff5ff8d2c00000000049454e44ae426082"
)


@dataclass(frozen=True)
class Acted:
    """What Anki made of a card besides text."""

    sounds: int
    pictures_by_latex: int
    played: bool
    covered: bool


NOTHING = Acted(0, 0, played=False, covered=False)


def acted(collection: Collection, name: str) -> set[Acted]:
    """What it made of the cards of a note."""
    return {_acted(collection, number) for number in collection.find_cards(f"Id:{name}")}


def _acted(collection: Collection, card: Any) -> Acted:
    shown = collection.get_card(card).render_output()
    sides = (shown.question_text, shown.answer_text)
    extract = collection._backend.extract_latex
    return Acted(
        len(shown.question_av_tags) + len(shown.answer_av_tags),
        sum(len(extract(text=s, svg=False, expand_clozes=False).latex) for s in sides),
        played=any("[anki:play" in side for side in sides),
        covered=any("data-shape" in side for side in sides),
    )


def one_line(text: str) -> str:
    return text.replace("\n", " ")


def everywhere(number: int, text: str) -> Card:
    """A card that says it in every text it has."""
    line = one_line(text)
    return Card(
        title=line,
        id=f"text-{number}",
        kind=Kind.REVERSED,
        question=text,
        answer=text,
        context=text,
        claims=(
            Claim(line, "demo", (Control(line),)),
            Claim(f"{line} too", "demo", (Control(f"{line} too"),), myth=True),
        ),
        demos=(line,),
        sources=(line,),
        tags=(line,),
    )


def entry(card: Card) -> Entry:
    claim = card.claims[0]
    said = claim.text
    return Entry(
        card=card.id or "",
        claim=claim.text,
        myth=False,
        demo="demo",
        status=Status.VERIFIED,
        verdict="holds",
        yes=5,
        controls=(ControlEntry(said, said, 0, 2, flipped=True),),
        data={said: said},
        device=said,
        torch=said,
        date=said,
        note=said,
    )


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """All of it, imported."""
    root = tmp_path_factory.mktemp("tags")
    (root / "x.png").write_bytes(PNG)
    cards = [everywhere(number, text) for number, text in enumerate(TEXTS)]
    holes = [
        Card("T", text, "", id=f"cloze-{n}", kind=Kind.CLOZE, context=text)
        for n, text in enumerate(CLOZES)
    ]
    figures = {one_line(text): (Picture(one_line(text), "a", "x.png", text, ""),) for text in TEXTS}
    described = "[sound:x.mp3] \\[sound:x.mp3\\]"
    deck = Deck("[sound:x.mp3]", (*cards, *holes), ("[sound:x.mp3]",), described, "cards/a.md")
    ledger = Ledger([entry(card) for card in cards])
    gallery = Gallery({name: list(found) for name, found in figures.items()}, {})
    build_package(Edition("c", "C", [deck], ledger, root, gallery=gallery), root / "x.apkg")
    found = Collection(str(root / "x.anki2"))
    load(found, root / "x.apkg")
    yield found
    found.close()


def page(collection: Collection, name: str) -> str:
    """The back of its first card, which has all fields."""
    return collection.get_card(collection.find_cards(f"Id:{name}")[0]).render_output().answer_text


@pytest.mark.parametrize("number", range(len(TEXTS)), ids=lambda n: ascii(TEXTS[n]))
def test_a_text_stays_a_text_in_every_field(collection: Collection, number: int) -> None:
    assert acted(collection, f"text-{number}") == {NOTHING}


@pytest.mark.parametrize("number", range(len(CLOZES)), ids=lambda n: ascii(CLOZES[n]))
def test_a_cloze_hides_text_and_nothing_else(collection: Collection, number: int) -> None:
    assert acted(collection, f"cloze-{number}") == {NOTHING}


@pytest.mark.parametrize("number", range(6), ids=TAGS[:6])
def test_the_learner_sees_what_the_author_wrote(collection: Collection, number: int) -> None:
    shown = page(collection, f"text-{number}")

    assert html.unescape(re.sub("<[^>]*>", "", shown)).count(TAGS[number]) >= 10


def test_a_formula_that_looks_like_a_sound_stays_a_formula(collection: Collection) -> None:
    assert r"\[ sound:x.mp3\]" in page(collection, f"text-{len(TAGS)}")


def test_a_written_out_delimiter_before_a_tag_opens_no_formula() -> None:
    assert r"\[" not in html.unescape(to_html(r"\\[sound:x.mp3\\]"))


@pytest.mark.parametrize("depth", [1, 2, 9, 10, 11, 12, 40])
def test_clozes_nest_as_deep_as_anki_reads_them(collection: Collection, depth: int) -> None:
    text = "".join(f"{{{{c{n + 1}::" for n in range(depth)) + "x" + "}}" * depth
    note = collection.new_note(collection.models.by_name("Cloze"))
    note["Text"] = text

    assert set(cloze_numbers(text)) == set(note.cloze_numbers_in_fields())


@pytest.mark.parametrize(
    "text",
    [
        "{{c1,2::x}}",
        "{{c01::x}}",
        "{{c,1::x}}",
        "{{c70000::x}}",
        "{{c0::x}}",
        "{{c٣::x}}",
        "{{C1::x}}",
    ],
)
def test_the_numbers_of_a_cloze_are_those_that_anki_reads(
    collection: Collection, text: str
) -> None:
    note = collection.new_note(collection.models.by_name("Cloze"))
    note["Text"] = text

    assert list(cloze_numbers(text)) == sorted(set(note.cloze_numbers_in_fields()) - {0})


def test_a_card_with_clozes_in_too_many_others_is_told(tmp_path: Path) -> None:
    text = "{{c1::" * 1000 + "x" + "}}" * 1000
    card = Card("T", text, "", id="a", kind=Kind.CLOZE)

    with pytest.raises(CardError, match=f"more than {MAX_DEPTH} deep"):
        build_package(
            Edition("c", "C", [Deck("D", (card,))], Ledger(), tmp_path), tmp_path / "x.apkg"
        )


def test_a_number_of_many_digits_hides_nothing() -> None:
    assert cloze_numbers("{{c" + "9" * 5000 + "::x}} {{c" + "9" * 90 + "::x}}") == ()


@pytest.mark.parametrize(("depth", "deep"), [(MAX_DEPTH, False), (MAX_DEPTH + 1, True)])
def test_a_cloze_in_too_many_others_is_seen(depth: int, deep: bool) -> None:
    assert is_too_deep("{{c1::" * depth + "x" + "}}" * depth) is deep
