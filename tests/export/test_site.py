"""The pages of `export-html`: what they say, what they link, and what they never let through."""

from __future__ import annotations

import itertools
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as Tree

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latex2mathml.converter import convert
from syrupy.assertion import SnapshotAssertion

from vaeflash.card import Card, Claim, Control, Deck, Kind, Status
from vaeflash.course.course import bundled_root, open_course
from vaeflash.errors import CardError
from vaeflash.export.edition import Edition
from vaeflash.export.site import SiteReport, build_site
from vaeflash.export.site.article import sides, words
from vaeflash.export.site.claims import claim_html
from vaeflash.export.site.formula import to_mathml
from vaeflash.export.site.text import Writer, plain
from vaeflash.gallery import read_gallery
from vaeflash.judging.ledger import ControlEntry, Entry, Ledger
from vaeflash.judging.staleness import current_evidence
from vaeflash.judging.words import verdict_in_words
from vaeflash.text.markdown import formulas

COURSE = open_course(bundled_root())
DECKS = COURSE.decks()
CLAIM = Claim("error < 1", "demo", (Control("form=swapped"),))
HELD = ControlEntry("form=swapped", "holds", 5, 0, flipped=False)
MYTH = Claim("error > 1", "demo", myth=True)


def entry(status: Status, claim: Claim = CLAIM, **more: Any) -> Entry:
    return Entry("one", claim.text, claim.myth, "demo", status, "", **more)


def parse(page: str) -> Tree.Element:
    """A page's tree; an error of HTML is an error here."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def attributes(tree: Tree.Element, *names: str) -> Iterator[str]:
    for element in tree.iter():
        for name in names:
            if name in element.attrib:
                yield element.attrib[name]


def build(tmp_path: Path, *cards: Card, **more: Any) -> SiteReport:
    deck = Deck("A::Deck", cards, ("topic",), "What it is *about*.", path="cards/deck.md")
    return build_site(
        Edition("c", "A course", [deck], Ledger(), tmp_path, **more), tmp_path / "out"
    )


def page(tmp_path: Path, *cards: Card, **more: Any) -> str:
    build(tmp_path, *cards, **more)
    return (tmp_path / "out" / "deck.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled course."""
    out = tmp_path_factory.mktemp("site")
    ledger, gallery = current_evidence(COURSE).as_ledger(), read_gallery(COURSE.root)
    build_site(Edition(COURSE.id, COURSE.title, DECKS, ledger, COURSE.root, gallery=gallery), out)
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Tree.Element]:
    return {p.name: parse(p.read_text(encoding="utf-8")) for p in sorted(site.glob("*.html"))}


# The bundled course.


@pytest.mark.slow
def test_every_page_of_the_course_is_html_without_an_error(
    pages: dict[str, Tree.Element],
) -> None:
    assert set(pages) == {"index.html", *(f"{Path(d.path).stem}.html" for d in DECKS)}


@pytest.mark.slow
def test_every_card_is_an_article_of_its_deck_once(pages: dict[str, Tree.Element]) -> None:
    found = {name: [a.get("id") for a in tree.iter("article")] for name, tree in pages.items()}

    assert found == {"index.html": []} | {
        f"{Path(deck.path).stem}.html": [card.id for card in deck.cards] for deck in DECKS
    }


@pytest.mark.slow
def test_ids_are_unique_on_each_page(pages: dict[str, Tree.Element]) -> None:
    counts = {name: Counter(attributes(tree, "id")) for name, tree in pages.items()}

    assert {(n, i) for n, found in counts.items() for i, number in found.items() if number > 1} == (
        set()
    )


def test_every_link_has_a_target_in_the_folder(pages: dict[str, Tree.Element], site: Path) -> None:
    missing = set()
    for name, tree in pages.items():
        for link in attributes(tree, "href", "src"):
            file, _, fragment = link.partition("#")
            known = pages.get(file or name)
            there = (site / unquote(file or name)).is_file()
            if not there or (fragment and fragment not in attributes(known, "id")):
                missing.add((name, link))

    assert missing == set()


def test_every_picture_says_what_it_shows(pages: dict[str, Tree.Element]) -> None:
    images = [image for tree in pages.values() for image in tree.iter("img")]

    assert len(images) > 50
    assert all(image.get("alt") for image in images)


def test_headings_go_down_one_step_at_a_time(pages: dict[str, Tree.Element]) -> None:
    for tree in pages.values():
        ranks = [int(e.tag[1]) for e in tree.iter() if re.fullmatch("h[1-6]", str(e.tag))]

        assert ranks[:1] == [1]
        assert ranks.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(ranks))


def test_the_search_knows_every_card(site: Path) -> None:
    text = (site / "search-index.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("document.currentScript.index=").removesuffix(";\n"))

    found = [(index["decks"][number][0], name) for number, name, *_ in index["cards"]]
    assert found == [(f"{Path(d.path).stem}.html", card.id) for d in DECKS for card in d.cards]


def test_the_index_counts_the_cards_and_their_verdicts(site: Path) -> None:
    cards = sum(len(deck.cards) for deck in DECKS)
    claims = sum(len(card.claims) for deck in DECKS for card in deck.cards)

    text = " ".join(parse((site / "index.html").read_text()).itertext())
    assert f"{cards} cards in {len(DECKS)} decks. {claims} claims: " in text


# Formulas.


def leaves(mathml: str) -> str:
    """The letters and digits of a formula, whatever their style; hats are letters to no reader."""
    tree = Tree.fromstring(mathml.replace("&ApplyFunction;", ""))
    text = unicodedata.normalize("NFKC", "".join(tree.itertext()))
    return "".join(c for c in text if c.isalnum() and unicodedata.category(c) != "Lm")


@pytest.mark.parametrize("deck", DECKS, ids=lambda deck: Path(deck.path).stem)
def test_every_formula_has_the_letters_that_another_converter_finds(deck: Deck) -> None:
    texts = [t for c in deck.cards for t in (c.title, c.context, c.question, c.answer)]
    found = {tex for text in texts for tex in formulas(text)}

    ours = {tex: leaves(to_mathml(tex.strip(), display=False)) for tex in found}
    assert ours == {tex: leaves(convert(tex)) for tex in found}


def test_a_change_of_style_stands_where_a_validator_expects_it() -> None:
    assert to_mathml(r"\tfrac12 x", display=True) == (
        '<math display="block"><mstyle displaystyle="false"><mfrac><mn>1</mn><mn>2</mn></mfrac>'
        "</mstyle><mi>x</mi></math>"
    )


def test_a_formula_that_cannot_be_read_stays_tex_and_is_noted(tmp_path: Path) -> None:
    report = build(tmp_path, Card("T", "Q", r"\( \unknown{x} \)", id="one"))

    text = (tmp_path / "out" / "deck.html").read_text(encoding="utf-8")
    assert r"<code> \unknown{x} </code>" in text
    assert [warning.where for warning in report.warnings] == ["cards/deck.md:0 (card 'one')"]
    assert "a formula stays TeX: " in report.warnings[0].what


# Texts.

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=40)
PIECES = st.sampled_from(
    [
        *(
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "</title>",
            '"',
            "'",
            "&lt;",
        ),
        *("</article></details>", "\\(", "\\)", "$", "\\text{<b>", "}", "`", "```html\n", "\n"),
        *("[a](javascript:alert(1))", "![a](b.png)", "<!--", "]]>", "&#60;script&#62;", "# H\n"),
        *("\\href{javascript:x}{y}", "\\color{red}", "\\tfrac", "{{c1::", "}}", "| a |\n|---|\n"),
    ]
)
MIXED = st.lists(st.one_of(TEXTS, PIECES), max_size=8).map("".join)
HARMLESS = {"href", "class", "src", "alt", "style", "start"}


@pytest.mark.slow
@given(markdown=MIXED)
def test_no_text_becomes_markup_of_its_own(markdown: str) -> None:
    writer = Writer(lambda _: "media/x.png")
    body = writer.block(markdown)
    tree = parse(f"<!DOCTYPE html><title>t</title><div>{body}</div>")

    seen = [e for e in tree.iter("*") if "MathML" not in str(e.tag)]
    assert not {"script", "iframe", "svg", "input"} & {str(e.tag) for e in seen}
    assert {name for e in seen for name in e.attrib} <= HARMLESS
    assert not [href for href in attributes(tree, "href") if href.startswith("javascript")]


@pytest.mark.slow
@given(text=MIXED)
def test_words_of_a_search_are_one_line(text: str) -> None:
    assert not re.search(r"\s\s|\n", plain(text))


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("[a](https://x.org/?b&c)", '<a href="https://x.org/?b&amp;c">a</a>'),
        ("[a](../notes.md)", "<a>a</a>"),
        ("[a](javascript:x)", "[a](javascript:x)"),
        ("<b>", "&lt;b&gt;"),
        ("`a < b`", "<code>a &lt; b</code>"),
        ("![a *b*](c.png)", '<img src="media/c.png" alt="a b">'),
    ],
)
def test_inline_markdown_on_a_page(markdown: str, html: str) -> None:
    assert Writer("media/{}".format).inline(markdown) == html


def test_code_is_coloured_by_class() -> None:
    assert '<span class="k">def</span>' in Writer(str).block("```python\ndef f(): ...\n```")


def test_headings_of_a_text_stand_below_the_card_s_title() -> None:
    assert Writer(str).block("# A\n\n##### B") == "<h3>A</h3>\n<h3>B</h3>"


def test_a_text_with_holes_is_asked_with_all_of_them_open() -> None:
    card = Card("T", "A {{c1::first}} and a {{c2::second::hint}}.", id="x", kind=Kind.CLOZE)

    assert sides(card) == (
        "A **[...]** and a **[hint]**.",
        "A **first** and a **second**.",
    )


def test_a_search_looks_through_texts_formulas_claims_and_demos() -> None:
    card = Card("T", "*Why* \\( \\sigma^2 \\)?", "`x`", context="C.", id="x", claims=(CLAIM,))

    assert words(card) == "C. Why σ²? x error < 1 demo"


# Claims.


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (entry(Status.VERIFIED, yes=10), "Verified on 10 of 10 seeds"),
        (entry(Status.VERIFIED, yes=1), "Verified on 1 of 1 seed"),
        (entry(Status.BUSTED, MYTH, no=2), "A myth, refuted: true on 0 of 2 seeds"),
        (entry(Status.WRONG, no=2), "The experiment says the opposite: true on 0 of 2 seeds"),
        (entry(Status.OPEN, yes=9, no=11), "Undecided: true on 9 of 20 seeds"),
        (entry(Status.ERROR), "The run broke"),
        (None, "Not run yet"),
    ],
)
def test_a_verdict_is_told_in_words(known: Entry | None, said: str) -> None:
    assert verdict_in_words(known) == said


def test_every_status_has_its_words() -> None:
    said = {verdict_in_words(entry(status, yes=3)) for status in Status}

    assert len(said) == len(Status)


def test_a_claim_tells_what_breaks_it_and_what_it_does_not_establish() -> None:
    flipped = ControlEntry("form=swapped", "refuted", 0, 2, flipped=True)
    known = entry(
        Status.VERIFIED,
        yes=5,
        controls=(flipped,),
        data={"digits": "mnist <b> #abc"},
        device="cpu",
        torch="2.13",
        date="2026-11-21T10:00:00",
    )

    shown = claim_html(CLAIM, known)
    assert "<p>Flips under <code>form=swapped</code>: true on 0 of 2 seeds.</p>" in shown
    assert "other data than digits (mnist &lt;b&gt;), other sizes or other devices." in shown
    assert "Measured on cpu, torch 2.13, 2026-11-21." in shown


@pytest.mark.parametrize(
    ("claim", "known", "told"),
    [
        (CLAIM, None, "Should flip under <code>form=swapped</code>, which was not tried."),
        (MYTH, None, "A myth, which should come out refuted. Not run yet."),
        (MYTH, None, "No control: nothing shows that it could fail."),
        (
            CLAIM,
            entry(
                Status.VACUOUS,
                yes=5,
                controls=(ControlEntry("form=swapped", "holds", 5, 0, False),),
            ),
            "Does not flip under <code>form=swapped</code>: true on 5 of 5 seeds.",
        ),
        (CLAIM, entry(Status.ERROR, note="it <raised>"), "it &lt;raised&gt;"),
    ],
)
def test_what_is_missing_is_told(claim: Claim, known: Entry | None, told: str) -> None:
    assert told in claim_html(claim, known)


# Pages.

SMALL = (
    Card(
        "The *first*",
        "What is \\( x \\)?",
        "A letter.\n\n```python\nx = 1\n```",
        id="first",
        context="Some **context**.",
        claims=(CLAIM,),
        sources=("[1] A *book*",),
        tags=("letters",),
    ),
    Card("Second", "Why?", "| a | b |\n|---|--:|\n| 1 | 2 |", id="second"),
)


def test_a_small_page(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    text = page(tmp_path, *SMALL)

    assert parse(text) is not None
    assert text == snapshot


def test_a_deck_called_index_does_not_take_the_place_of_the_index(tmp_path: Path) -> None:
    deck = Deck("Index", SMALL, path="cards/index.md")

    build_site(Edition("c", "A course", [deck], Ledger(), tmp_path), tmp_path / "out")

    index = parse((tmp_path / "out" / "index.html").read_text())
    assert "index-deck.html" in attributes(index, "href")
    assert "first" in attributes(parse((tmp_path / "out" / "index-deck.html").read_text()), "id")


def test_a_deck_s_file_may_be_called_anything(tmp_path: Path) -> None:
    deck = Deck("D", SMALL, path="cards/a b#c?ä%.md")

    build_site(Edition("c", "A course", [deck], Ledger(), tmp_path), tmp_path / "out")

    index = parse((tmp_path / "out" / "index.html").read_text())
    link = next(link for link in attributes(index, "href") if link.startswith("a"))
    assert (tmp_path / "out" / unquote(link)).is_file()


def test_chosen_cards_alone_are_shown(tmp_path: Path) -> None:
    found = parse(page(tmp_path, *SMALL, chosen={"second"}))

    assert [article.get("id") for article in found.iter("article")] == ["second"]


def test_pictures_are_copied_under_names_of_their_content(tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "a.png").write_bytes(b"picture")
    found = parse(page(tmp_path, Card("T", "![A *dot*](a.png)", "A", id="one")))

    (image,) = found.iter("img")
    assert image.get("alt") == "A dot"
    assert (tmp_path / "out" / str(image.get("src"))).read_bytes() == b"picture"


@pytest.mark.parametrize(
    ("cards", "told"),
    [
        ([Card("T", "Q", "A")], "has no id, so nothing could link to it."),
        ([Card("T", "Q", "A", id="a"), Card("U", "Q", "A", id="a")], "has the same id."),
        ([Card("T", "![x](gone.png)", "A", id="a")], "the image 'gone.png' is not there."),
        ([Card("T", "![x](../../x.png)", "A", id="a")], "lies outside the course."),
    ],
)
def test_what_cannot_be_shown_is_told_and_nothing_is_written(
    tmp_path: Path, cards: list[Card], told: str
) -> None:
    with pytest.raises(CardError, match=re.escape(told)):
        build(tmp_path, *cards)

    assert not (tmp_path / "out").exists()


def test_every_image_that_is_not_there_is_told(tmp_path: Path) -> None:
    cards = [Card("T", f"![x]({name}.png)", "A", id=name) for name in ("one", "two")]

    with pytest.raises(CardError) as error:
        build(tmp_path, *cards)

    assert len(error.value.problems) == 2


def test_the_same_course_gives_the_same_bytes_and_writes_none(tmp_path: Path) -> None:
    build(tmp_path, *SMALL)

    assert build(tmp_path, *SMALL).written == ()


def test_an_edit_rewrites_its_page_and_the_index_of_the_search(tmp_path: Path) -> None:
    build(tmp_path, *SMALL)

    changed = (SMALL[0], Card("Second", "Why?", "Because.", id="second"))
    assert sorted(build(tmp_path, *changed).written) == ["deck.html", "search-index.js"]


# Names of pages.


def page_names(tmp_path: Path, *names: str) -> dict[str, str]:
    """Each deck's page, by the deck's file; its one card has the deck's number."""
    decks = [
        Deck(f"Deck {n}", (Card("T", "Q", "A", id=f"id{n}"),), path=f"cards/{name}")
        for n, name in enumerate(names)
    ]
    build_site(Edition("c", "A course", decks, Ledger(), tmp_path), tmp_path / "out")
    texts = {p.name: p.read_text() for p in (tmp_path / "out").glob("*.html")}
    return {
        name: page
        for n, name in enumerate(names)
        for page, text in texts.items()
        if f'<article id="id{n}">' in text
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["index.md", "index-deck.md"], ["index-deck-2.html", "index-deck.html"]),
        (["index-deck.md", "Index.md"], ["index-deck.html", "Index-deck-2.html"]),
        (["A.md", "a.md", "a-2.md"], ["A-3.html", "a.html", "a-2.html"]),
        (["Straße.md", "STRASSE.md"], ["Straße-2.html", "STRASSE.html"]),
        (["e\u0301.md", "é.md"], ["e\u0301-2.html", "é.html"]),
        (["CON.md", "nul.tar.md"], ["CON-deck.html", "nul.tar-deck.html"]),
        ([".md"], [".md.html"]),
        (
            ["site.md", "search-index.md", "media.md"],
            ["site.html", "search-index.html", "media.html"],
        ),
    ],
)
def test_no_two_decks_have_one_page(tmp_path: Path, names: list[str], expected: list[str]) -> None:
    assert page_names(tmp_path, *names) == dict(zip(names, expected, strict=True))


def test_a_page_is_called_the_same_whatever_else_is_shown(tmp_path: Path) -> None:
    decks = [
        Deck(stem, (Card("T", "Q", "A", id=stem.lower() + str(n)),), path=f"cards/{stem}.md")
        for n, stem in enumerate(("A", "a"))
    ]

    build_site(Edition("c", "C", decks, Ledger(), tmp_path, chosen={"a0"}), tmp_path / "out")

    assert sorted(p.name for p in (tmp_path / "out").glob("*.html")) == ["A-2.html", "index.html"]


def test_a_name_that_is_too_long_for_a_page_is_cut(tmp_path: Path) -> None:
    names = [f"{'ä' * 125}.md", f"{'ä' * 124}b.md"]

    pages = page_names(tmp_path, *names).values()

    assert [len(set(pages)), *(len(page.encode()) < 240 for page in pages)] == [2, True, True]


def test_a_deck_whose_name_is_not_utf_8_is_told(tmp_path: Path) -> None:
    deck = Deck("D", SMALL, path=os.fsdecode(b"cards/\xff.md"))

    with pytest.raises(CardError, match=r"cards/\\xff\.md: the name of this file is not UTF-8"):
        build_site(Edition("c", "C", [deck], Ledger(), tmp_path), tmp_path / "out")


@pytest.mark.parametrize(
    "tex", [r"\sqrt{" * 5000 + "x" + "}" * 5000, r"\begin{matrix}" * 245, "(" * 60]
)
def test_a_formula_that_is_too_much_is_shown_as_tex(tmp_path: Path, tex: str) -> None:
    report = build(tmp_path, Card("T", "Q", rf"\( {tex} \)", id="a"))

    assert [problem.what.partition(":")[0] for problem in report.warnings] == [
        "a formula stays TeX"
    ]
