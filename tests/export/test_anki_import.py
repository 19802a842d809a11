"""Packages in the real Anki: its importer, template engine, scheduler and checks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from anki.collection import Collection
from real_anki import answer_all, load, reviews, sides, visible

from vaeflash.card import Card, Claim, Control, Deck, Kind, Status
from vaeflash.export.anki import ExportReport, build_package
from vaeflash.export.edition import Edition
from vaeflash.judging.ledger import ControlEntry, Entry, Ledger

NOW = 1_795_000_000.0
CLAIM = Claim("kl_error < 1e-4", "kl-divergence", (Control("form=swapped"),))
MYTH = Claim("mean_gap < 0.1", "sum-or-mean", (Control("size=1"),), myth=True)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8cfc0f01f00050001ff5ff8d2c00000000049454e44ae426082"
)

KL = Card(
    title=r"KL divergence to \( N(0, I) \)",
    id="kl-closed-form",
    context="A diagonal Gaussian posterior, a < b.",
    question=r"What is \( KL(q \| p) \)?",
    answer="In nats:\n\\[\n\\tfrac12 \\sum_d \\mu_d^2\n- \\log \\sigma_d^2 < c\n\\]\n\n"
    "```python\ndef kl(mu): return 0.5 * (mu < 1)\n```\n\n![curve](figures/kl.png)",
    claims=(CLAIM, MYTH),
    sources=("c24-step5", "Kingma & Welling (2014), *VAE*"),
    tags=("loss",),
    line=7,
)
TERM = Card(
    title="Posterior collapse",
    id="collapse",
    kind=Kind.REVERSED,
    question="What is posterior collapse?",
    answer="The posterior equals the prior: {{Front}} {{c1::no}} [sound:no.mp3] \\\\(no\\\\)",
)
HOLES = Card(
    title="The ELBO",
    id="elbo-cloze",
    kind=Kind.CLOZE,
    context="Written {{c9::here}} as text.",
    question=r"ELBO is {{c1::\( \frac{a}{\sqrt{b}} \)}} minus {{c2::KL::a divergence}},"
    r" \( L = {{c3::\frac{a}{\sqrt{b}}}} \), `{{c4::x[::2]}}`, {{c5::out {{c6::in}}}}",
)
DECKS = (
    Deck("Losses::KL", (KL,), tags=("vae",), path="cards/kl.md"),
    Deck("Terms", (TERM, HOLES), path="cards/terms.md"),
)
EVIDENCE = Ledger(
    [
        Entry(
            card="kl-closed-form",
            claim=CLAIM.text,
            myth=False,
            demo=CLAIM.demo,
            status=Status.VERIFIED,
            verdict="holds",
            yes=5,
            controls=(ControlEntry("form=swapped", "refuted", 0, 2, flipped=True),),
            data={"digits": "5,000 digits #abcdef"},
            device="cpu",
            torch="2.13",
            date="2026-11-20T10:00:00+00:00",
        )
    ]
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A course folder with one picture."""
    (tmp_path / "course" / "cards" / "figures").mkdir(parents=True)
    (tmp_path / "course" / "cards" / "figures" / "kl.png").write_bytes(PNG)
    return tmp_path / "course"


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """A fresh collection of the real Anki."""
    opened = Collection(str(tmp_path / "collection.anki2"))
    yield opened
    opened.close()


def build(
    root: Path, decks: tuple[Deck, ...] = DECKS, ledger: Ledger = EVIDENCE, now: float = NOW
) -> ExportReport:
    return build_package(
        Edition("vae", "Autoencoders", decks, ledger, root), root / "x.apkg", now=now
    )


@pytest.fixture
def imported(collection: Collection, root: Path) -> Collection:
    """The collection after the first import."""
    build(root)
    load(collection, root / "x.apkg")
    return collection


def test_every_note_is_new_and_none_conflicts(collection: Collection, root: Path) -> None:
    report = build(root)

    log = load(collection, root / "x.apkg")

    assert (len(log.new), len(log.conflicting) + len(log.duplicate) + len(log.missing_deck)) == (
        report.notes,
        0,
    )


def test_cards_are_those_of_the_report(collection: Collection, root: Path) -> None:
    report = build(root)

    load(collection, root / "x.apkg")

    assert (collection.note_count(), collection.card_count()) == (report.notes, report.cards)


def test_kinds_make_their_cards(imported: Collection) -> None:
    """One for question and answer, one more for a myth or for reversed, one for each cloze."""
    counts = {
        name: len(imported.find_cards(f"Id:{name}"))
        for name in ("kl-closed-form", "collapse", "elbo-cloze")
    }

    assert counts == {"kl-closed-form": 2, "collapse": 2, "elbo-cloze": 6}


def test_anki_sees_no_empty_card(imported: Collection) -> None:
    assert not imported.get_empty_cards().notes


def test_integrity_check_finds_nothing(imported: Collection) -> None:
    assert imported.fix_integrity()[1]


def test_nothing_of_the_media_is_missing_or_unused(imported: Collection) -> None:
    check = imported.media.check()

    assert (list(check.missing), list(check.unused)) == ([], [])


def test_a_picture_is_stored_under_its_content(imported: Collection) -> None:
    _, back = sides(imported, "kl-closed-form")

    name = re.search(r'<img src="(vaeflash-\w+\.png)"', back)

    assert name
    assert (Path(imported.media.dir()) / name[1]).read_bytes() == PNG


def test_decks_lie_under_the_course(imported: Collection) -> None:
    names = {deck.name for deck in imported.decks.all_names_and_ids()} - {"Default"}

    assert names == {
        "Autoencoders",
        "Autoencoders::Losses",
        "Autoencoders::Losses::KL",
        "Autoencoders::Terms",
    }


def test_note_types_keep_their_names(imported: Collection) -> None:
    used = {imported.get_note(n).note_type()["name"] for n in imported.find_notes("")}

    assert used == {"vaeflash card", "vaeflash cloze"}


def test_tags_are_prefixed_and_find_the_card(imported: Collection) -> None:
    (note_id,) = imported.find_notes("tag:vaeflash::card::kl-closed-form")

    assert imported.get_note(note_id).tags == [
        "vaeflash::card::kl-closed-form",
        "vaeflash::not-run",
        "vaeflash::tag::loss",
        "vaeflash::tag::vae",
    ]


def test_new_cards_come_in_the_order_of_the_course(imported: Collection) -> None:
    rows = imported.db.all(
        "select n.flds, min(c.due) from notes n join cards c on c.nid = n.id group by n.id"
        " order by min(c.due)"
    )

    assert [fields.split("\x1f")[0] for fields, _ in rows] == [
        "kl-closed-form",
        "collapse",
        "elbo-cloze",
    ]


def test_front_shows_the_question_and_not_the_answer(imported: Collection) -> None:
    front, _ = sides(imported, "kl-closed-form")

    assert r"\( KL(q \| p) \)" in front
    assert "tfrac" not in front


def test_context_is_escaped_once(imported: Collection) -> None:
    front, _ = sides(imported, "kl-closed-form")

    assert "<p>A diagonal Gaussian posterior, a &lt; b.</p>" in front


def test_a_display_formula_under_text_arrives_whole(imported: Collection) -> None:
    _, back = sides(imported, "kl-closed-form")

    assert "\\[\n\\tfrac12 \\sum_d \\mu_d^2\n- \\log \\sigma_d^2 &lt; c\n\\]" in back


def test_code_is_highlighted_by_class(imported: Collection) -> None:
    _, back = sides(imported, "kl-closed-form")

    assert '<span class="k">def</span>' in back
    assert "style=" not in back


def test_back_shows_claim_status_and_counts(imported: Collection) -> None:
    text = visible(sides(imported, "kl-closed-form")[1])

    assert "✔ verified" in text
    assert "kl_error < 1e-4 True on 5 of 5 seeds." in text
    assert "Flips under form=swapped : refuted, true on 0 of 2 seeds." in text


def test_back_shows_a_claim_without_evidence_as_not_run(imported: Collection) -> None:
    assert (
        "– not-run : no run yet A myth, which should come out refuted: mean_gap < 0.1"
        in visible(sides(imported, "kl-closed-form")[1])
    )


def test_back_shows_device_limits_command_and_sources(imported: Collection) -> None:
    text = visible(sides(imported, "kl-closed-form")[1])

    for part in (
        "cpu · torch 2.13 · 2026-11-20",
        "Says nothing about other data than digits (5,000 digits)",
        "vaeflash demo kl-divergence",
        "Kingma & Welling (2014), VAE",
    ):
        assert part in text


def test_reverse_asks_for_the_question(imported: Collection) -> None:
    front, back = sides(imported, "collapse", template=1)

    assert "The posterior equals the prior" in front
    assert "What is posterior collapse?" not in front
    assert "What is posterior collapse?" in back


def test_marks_of_anki_in_a_text_stay_text(imported: Collection) -> None:
    """Template and cloze braces need nothing; a sound tag and written-out math delimiters do."""
    (note_id,) = imported.find_notes("Id:collapse")
    shown = imported.get_note(note_id).cards()[0].render_output()

    text = html.unescape(re.sub(r"<[^>]*>", "", shown.answer_text))

    assert r"{{Front}} {{c1::no}} [sound:no.mp3] \(no\)" in text
    assert r"\(no" not in shown.answer_text
    assert not list(shown.answer_av_tags)


@pytest.mark.parametrize(
    ("number", "hidden"),
    [
        (1, r"\( \frac{a}{\sqrt{b} } \)"),
        (2, "KL"),
        (4, "<code>"),
        (6, "in"),
    ],
)
def test_a_cloze_hides_and_shows_its_text(imported: Collection, number: int, hidden: str) -> None:
    front, back = sides(imported, "elbo-cloze", template=number - 1)

    assert re.search(r'<span class="cloze"[^>]*>\[(\.\.\.|a divergence)\]</span>', front)
    assert re.search(rf'<span class="cloze" data-ordinal="{number}">(.*?)</span>', back)
    assert hidden in back


def test_a_cloze_inside_a_formula_keeps_the_formula_whole(imported: Collection) -> None:
    front, back = sides(imported, "elbo-cloze", template=2)

    assert r"\( L = [...] \)" in front
    assert r"\( L = \frac{a}{\sqrt{b} } \)" in " ".join(re.sub(r"</?span[^>]*>", "", back).split())


def test_a_cloze_in_code_keeps_two_colons(imported: Collection) -> None:
    _, back = sides(imported, "elbo-cloze", template=3)

    assert "x[::2]" in html.unescape(re.sub(r"<[^>]*>", "", back))


def test_cloze_marks_in_another_field_are_text(imported: Collection) -> None:
    front, _ = sides(imported, "elbo-cloze")

    assert "Written {{c9::here}} as text." in front


def edited() -> tuple[Deck, ...]:
    """Every text of a card changed, its deck renamed in nothing, and a card added before it."""
    changed = replace(KL, title="New title", question="New question?", answer="New answer.")
    added = Card("First", "Q?", "A.", id="added")
    return (replace(DECKS[0], cards=(added, changed)), DECKS[1])


def test_an_edited_course_keeps_every_review(imported: Collection, root: Path) -> None:
    answer_all(imported)
    before = reviews(imported)

    build(root, edited(), now=NOW + 60)
    load(imported, root / "x.apkg")

    assert (reviews(imported), before[1]) == (before, 10)


def test_an_edited_course_updates_notes_and_adds_only_the_new_one(
    imported: Collection, root: Path
) -> None:
    build(root, edited(), now=NOW + 60)

    log = load(imported, root / "x.apkg")

    assert (len(log.new), len(log.conflicting), imported.note_count()) == (1, 0, 4)
    assert "New answer." in sides(imported, "kl-closed-form")[1]


def test_new_evidence_reaches_the_back(imported: Collection, root: Path) -> None:
    wrong = Ledger(entry.marked(Status.WRONG) for entry in EVIDENCE)

    build(root, ledger=wrong, now=NOW + 60)
    load(imported, root / "x.apkg")

    assert "≠ wrong" in visible(sides(imported, "kl-closed-form")[1])


def test_importing_the_same_package_twice_changes_nothing(imported: Collection, root: Path) -> None:
    log = load(imported, root / "x.apkg")

    assert (len(log.new), len(log.updated), imported.note_count()) == (0, 0, 3)


def test_a_changed_picture_gets_a_new_name(imported: Collection, root: Path) -> None:
    first = sides(imported, "kl-closed-form")[1]
    (root / "cards" / "figures" / "kl.png").write_bytes(PNG + b"\0")

    build(root, now=NOW + 60)
    load(imported, root / "x.apkg")

    pictures = [
        re.findall(r"vaeflash-\w+\.png", page)
        for page in (first, sides(imported, "kl-closed-form")[1])
    ]
    assert pictures[0] != pictures[1]
