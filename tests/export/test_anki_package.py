"""What a package holds, before Anki sees it: identities, pictures, errors, bytes."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.card import Card, Claim, Control, Deck, Kind, Status
from vaeflash.course.media import MediaFiles
from vaeflash.errors import CardError, CourseError, Problem
from vaeflash.export.anki import ExportReport, build_package
from vaeflash.export.anki.evidence import claim_html
from vaeflash.export.anki.notes import figure_html, make_note, note_guid
from vaeflash.export.anki.notetypes import FIELDS, card_type, cloze_type
from vaeflash.export.edition import Edition
from vaeflash.judging.ledger import ControlEntry, Entry, Ledger
from vaeflash.text.html import inline_to_html

NOW = 1_795_000_000.0
CARD = Card("Title", "Question?", "Answer.", id="one", line=3)
CLAIM = Claim("mse < 0.5 * mse_mean", "tiny-ae", (Control("latent=0"),))


def build(
    root: Path, *cards: Card, out: Path | None = None, ledger: Ledger | None = None
) -> ExportReport:
    decks = [Deck("Deck", cards, path="cards/deck.md")]
    return build_package(
        Edition("course", "Course", decks, ledger or Ledger(), root),
        out or root / "x.apkg",
        now=NOW,
    )


def problems(root: Path, *cards: Card) -> tuple[Problem, ...]:
    with pytest.raises(CardError) as caught:
        build(root, *cards)
    return caught.value.problems


def rows(package: Path, query: str) -> list[tuple[object, ...]]:
    """Ask the package's own database."""
    with zipfile.ZipFile(package) as archive:
        content = archive.read("collection.anki2")
    database = sqlite3.connect(":memory:")
    database.deserialize(content)
    found = database.execute(query).fetchall()
    database.close()
    return found


def test_note_types_are_what_they_were_in_the_first_release() -> None:
    """Anki takes any change of these as a conflict with every note that a learner has."""
    shape = [
        (
            kind.model_id,
            kind.name,
            [field["name"] for field in kind.fields],
            [template["name"] for template in kind.templates],
        )
        for kind in (card_type(), cloze_type())
    ]

    fields = [
        *("Id", "Title", "Context", "Question", "Answer", "Claims", "Demo", "Sources", "Figure"),
        *("Reversed", "Prediction", "Widget", "Extra1", "Extra2", "Extra3", "Extra4"),
    ]
    assert shape == [
        (1763700000101, "vaeflash card", fields, ["Forward", "Reverse", "Prediction"]),
        (1763700000102, "vaeflash cloze", fields, ["Cloze"]),
    ]


def test_guids_are_what_they_were_in_the_first_release() -> None:
    assert note_guid("vaeflash", "kl-closed-form") == "fd315eeba935735387eb"


@given(st.builds(Card, title=st.text(), question=st.text(), answer=st.text(), id=st.just("one")))
def test_a_guid_comes_from_course_and_card_ids_alone(card: Card) -> None:
    note = make_note("course", Deck("Any"), card, (), str, 1)

    assert note.guid == note_guid("course", "one")


@given(st.text(), st.text(), st.text(), st.text())
def test_different_ids_give_different_guids(a: str, b: str, c: str, d: str) -> None:
    assert (note_guid(a, b) == note_guid(c, d)) == ((a, b) == (c, d))


def test_deck_ids_come_from_course_id_and_deck_title(tmp_path: Path) -> None:
    build(tmp_path, CARD)
    first = rows(tmp_path / "x.apkg", "select did from cards")

    build(tmp_path, replace(CARD, title="Other"), replace(CARD, id="two"))

    assert set(rows(tmp_path / "x.apkg", "select did from cards")) == set(first)


def test_equal_deck_titles_of_two_courses_are_two_decks(tmp_path: Path) -> None:
    for course in ("a", "b"):
        decks = [Deck("Deck", (CARD,))]
        build_package(Edition(course, "C", decks, Ledger(), tmp_path), tmp_path / f"{course}.apkg")

    found = [rows(tmp_path / f"{course}.apkg", "select did from cards") for course in "ab"]
    assert found[0] != found[1]


def test_the_browser_sorts_by_title() -> None:
    note = make_note("course", Deck("D"), CARD, (), str, 1)

    assert note.sort_field == "Title"


def test_equal_cards_and_an_equal_stamp_give_equal_bytes(tmp_path: Path) -> None:
    build(tmp_path, CARD, out=tmp_path / "a.apkg")

    build(tmp_path, CARD, out=tmp_path / "b.apkg")

    assert (tmp_path / "a.apkg").read_bytes() == (tmp_path / "b.apkg").read_bytes()


def test_the_package_is_deflated(tmp_path: Path) -> None:
    build(tmp_path, *(replace(CARD, id=f"card-{number}") for number in range(200)))

    with zipfile.ZipFile(tmp_path / "x.apkg") as archive:
        info = archive.getinfo("collection.anki2")
        assert info.compress_size < info.file_size / 5


def test_new_cards_are_numbered_through_the_course(tmp_path: Path) -> None:
    decks = [Deck("B", (CARD,)), Deck("A", (replace(CARD, id="two"), replace(CARD, id="three")))]

    build_package(
        Edition("course", "Course", decks, Ledger(), tmp_path), tmp_path / "x.apkg", now=NOW
    )

    assert rows(tmp_path / "x.apkg", "select due from cards order by id") == [(1,), (2,), (3,)]


def test_notes_carry_the_given_stamp(tmp_path: Path) -> None:
    build(tmp_path, CARD)

    found = rows(tmp_path / "x.apkg", "select mod, id / 1000 from notes")
    assert found == [(int(NOW), int(NOW))]


def test_a_card_without_an_id_is_sent_to_the_id_command(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, replace(CARD, id=None))

    assert str(problem) == (
        "cards/deck.md:3: the card 'Title' has no id, so Anki could not keep its reviews.\n"
        "  Run `vaeflash id`, which writes one into the deck."
    )


def test_everything_wrong_is_reported_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        replace(CARD, id=None, line=1),
        replace(CARD, id="twice", line=2),
        replace(CARD, id="twice", line=3),
        replace(CARD, kind=Kind.CLOZE, line=4),
        replace(CARD, id="open", kind=Kind.CLOZE, question="{{c1::x", line=5),
        replace(CARD, id="zero", kind=Kind.CLOZE, question="{{c0::x}}", line=6),
        replace(CARD, id="picture", answer="![x](no.png) ![y](../y.png)", line=7),
    )

    lines = [int(re.search(r":(\d+)", problem.where)[1]) for problem in found]  # type: ignore[index]
    assert lines == [1, 2, 3, 4, 5, 6, 7, 7]


def test_nothing_is_written_when_a_card_is_wrong(tmp_path: Path) -> None:
    problems(tmp_path, CARD, replace(CARD, id=None))

    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_target_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CourseError, match=re.escape("file/x.apkg: cannot write this")):
        build(tmp_path, CARD, out=tmp_path / "file" / "x.apkg")


def test_the_old_package_survives_a_failed_export(tmp_path: Path) -> None:
    build(tmp_path, CARD)
    before = (tmp_path / "x.apkg").read_bytes()

    problems(tmp_path, replace(CARD, id=None))

    assert (tmp_path / "x.apkg").read_bytes() == before


def test_a_claim_without_evidence_is_a_warning(tmp_path: Path) -> None:
    (warning,) = build(tmp_path, replace(CARD, claims=(CLAIM,))).warnings

    assert warning.where == "card 'one'"


def test_a_card_is_tagged_with_its_most_urgent_status() -> None:
    myth = replace(CLAIM, text="a < b", myth=True)
    evidence = [
        (CLAIM, entry(status=Status.VERIFIED)),
        (myth, entry(status=Status.WRONG, claim=myth.text, myth=True)),
    ]

    note = make_note("course", Deck("D"), CARD, evidence, str, 1)

    assert note.tags[0] == "vaeflash::wrong"


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("two words", "two-words"),
        ('"quoted"', "quoted"),
        ("a::::b", "a::b"),
        ("β-VAE", "β-VAE"),
        (" ", None),
    ],
)
def test_tags_are_such_as_anki_takes(tag: str, shown: str | None) -> None:
    note = make_note("course", Deck("D", tags=(tag,)), CARD, (), str, 1)

    expected = [f"vaeflash::tag::{shown}"] if shown else []
    assert note.tags == [*expected, "vaeflash::card::one"]


def test_equal_pictures_are_carried_once_under_the_hash_of_their_content(tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "a.png").write_bytes(b"picture")
    (tmp_path / "b b.PNG").write_bytes(b"picture")

    report = build(tmp_path, replace(CARD, answer="![a](a.png) ![b](<b b.PNG>)"))

    with zipfile.ZipFile(tmp_path / "x.apkg") as archive:
        assert json.loads(archive.read("media")) == {"0": "vaeflash-2cea274d0bedc39ec4ab.png"}
        assert archive.read("0") == b"picture"
    assert report.media == 1


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("missing.png", "is not there"),
        ("../outside.png", "lies outside the course"),
        ("/outside.png", "is not there|lies outside the course"),
        ("link.png", "lies outside the course"),
        ("loop.png", "lies outside the course"),
        ("secrets.txt", "is not a picture"),
        ("https://a.example/x.png", "is not in the course"),
        ("folder.png", "cannot be read"),
        ("a\0.png", "is not a picture"),
        ("pipe.png", "cannot be read"),
        ("a" * 300 + ".png", "is not there"),
    ],
)
def test_a_picture_that_cannot_come_along_is_named_with_its_card(
    tmp_path: Path, source: str, reason: str
) -> None:
    root = tmp_path / "course"
    (root / "folder.png").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(b"x")
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    os.mkfifo(root / "pipe.png")

    with pytest.raises(CardError, match=rf"^here \(card 'one'\): the image .* ({reason})"):
        MediaFiles(root).add(source, "deck.md", "here (card 'one')")


def test_a_picture_inside_reached_through_a_link_comes_along(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(b"x")
    (tmp_path / "link.png").symlink_to("real.png")

    assert MediaFiles(tmp_path).add("link.png", "deck.md", "here").endswith(".png")


def entry(**changes: object) -> Entry:
    plain = Entry(
        card="one",
        claim=CLAIM.text,
        myth=False,
        demo=CLAIM.demo,
        status=Status.VERIFIED,
        verdict="holds",
        yes=5,
        controls=(ControlEntry("latent=0", "refuted", 0, 2, flipped=True),),
        device="cuda",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_word_and_a_sign_of_its_own(status: Status) -> None:
    page = claim_html(CLAIM, entry(status=status))

    signs = {
        re.search(r'"sign">(.)<', claim_html(CLAIM, entry(status=other)))[1]  # type: ignore[index]
        for other in Status
    }
    assert f"</span> {status}</span>" in page
    assert len(signs) == len(Status)


@pytest.mark.parametrize(
    ("claim", "evidence", "part"),
    [
        (CLAIM, entry(), "Flips under <code>latent=0</code>: refuted, true on 0 of 2 seeds."),
        (CLAIM, entry(yes=1), "True on 1 of 1 seed."),
        (
            CLAIM,
            entry(controls=(ControlEntry("latent=0", "holds", 5, 0, flipped=False),)),
            "Does not flip under <code>latent=0</code>: holds, true on 5 of 5 seeds.",
        ),
        (CLAIM, None, "Should flip under <code>latent=0</code>; not tried."),
        (replace(CLAIM, controls=()), None, "No control: nothing shows that it could fail."),
        (CLAIM, entry(data={}), "other data than what the demo makes itself"),
        (CLAIM, entry(note="a < b"), "a &lt; b"),
    ],
)
def test_a_claim_says_what_breaks_it_and_where_it_ends(
    claim: Claim, evidence: Entry | None, part: str
) -> None:
    assert part in claim_html(claim, evidence)


def test_fields_stay_in_their_places() -> None:
    card = replace(
        CARD,
        kind=Kind.REVERSED,
        context="Context.",
        demos=("tiny-ae",),
        sources=("c1 < c2", r"on \(x\)"),
    )

    note = make_note("course", Deck("D"), card, (), str, 1)

    assert dict(zip(FIELDS, note.fields, strict=True)) == dict.fromkeys(FIELDS, "") | {
        "Id": "one",
        "Title": inline_to_html("Title"),
        "Context": "<p>Context.</p>",
        "Question": "<p>Question?</p>",
        "Answer": "<p>Answer.</p>",
        "Demo": "<p><code>vaeflash demo tiny-ae</code></p>",
        "Sources": r"<ul><li>c1 &lt; c2</li><li>on \(x\)</li></ul>",
        "Reversed": "yes",
    }


def prediction(*claims: Claim, kind: Kind = Kind.BASIC) -> str:
    card = replace(CARD, question="{{c1::x}}", claims=claims, kind=kind)
    note = make_note("course", Deck("D"), card, (), str, 1)
    return str(note.fields[FIELDS.index("Prediction")])


A_MYTH = replace(CLAIM, text="a < b", myth=True)


def test_a_myth_is_asked_among_the_card_s_other_claims_in_an_order_of_no_meaning() -> None:
    asked = prediction(A_MYTH, CLAIM)

    assert re.findall("<code>(.*?)</code>", asked) == [CLAIM.text.replace("<", "&lt;"), "a &lt; b"]
    assert asked == prediction(CLAIM, A_MYTH)


@pytest.mark.parametrize(
    ("claims", "kind"), [((CLAIM,), Kind.BASIC), ((), Kind.BASIC), ((A_MYTH,), Kind.CLOZE)]
)
def test_without_a_myth_and_in_a_cloze_nothing_is_asked_as_a_prediction(
    claims: tuple[Claim, ...], kind: Kind
) -> None:
    assert prediction(*claims, kind=kind) == ""


def test_a_figure_has_its_caption_below_and_for_those_who_cannot_see_it() -> None:
    told = "a &lt; &quot;b&quot; &#92;(x&#92;)"

    assert figure_html("x.png", 'a < "b" \\(x\\)') == (
        f'<figure><img src="x.png" alt="{told}"><figcaption>{told}</figcaption></figure>'
    )


def test_the_styles_fetch_nothing_and_know_the_night() -> None:
    css = card_type().css

    assert (re.findall(r"url\(|@import|https?:", css), ".nightMode" in css) == ([], True)
