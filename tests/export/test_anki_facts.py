"""Facts about Anki, each held against the real one: eighteen rows, and a test behind each.

Between two builds every card is answered by Anki's own scheduler: whatever an author does to a
course, no review is lost, no note is doubled, and every change arrives.
"""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from anki.collection import Collection
from real_anki import answer_all, load, reviews, sides

from vaeflash.card import Card, Claim, Control, Deck, Kind, Status
from vaeflash.export.anki import Changes, ExportMemory, ExportReport, build_package, notetypes
from vaeflash.export.anki.memory import Move, Rename
from vaeflash.export.edition import Edition
from vaeflash.judging.ledger import Entry, Ledger

NOW = 1_795_000_000
DAY = 86_400
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8cfc0f01f00050001ff5ff8d2c00000000049454e44ae426082"
)
CLAIM = Claim("kl_error < 1e-4", "kl-divergence", (Control("form=swapped"),))
MYTH = replace(CLAIM, text="kl_error > 1", myth=True)
ONE = Card("One", "First question?", "First answer. ![](curve.png)", id="one")
TWO = Card("Two", "Second question?", "Second answer.", id="two", kind=Kind.REVERSED)
GAPS = Card("Gaps", "A {{c1::gap}} and {{c2::one}}.", id="gaps", kind=Kind.CLOZE)
COURSE = (Deck("A", (ONE, TWO), tags=("vae",)), Deck("B", (GAPS,)))

Decks = tuple[Deck, ...]


class Desk:
    """An author's machine and a learner's Anki."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "x.apkg"
        self.anki = Collection(str(folder / "collection.anki2"))
        self.clock = NOW
        self.memory = folder / "memory.json"
        (folder / "curve.png").write_bytes(PNG)

    def export(
        self,
        decks: Decks,
        ledger: Ledger | None = None,
        chosen: Container[str | None] | None = None,
        **options: object,
    ) -> ExportReport:
        """Build the package a second later."""
        self.clock += 1
        return build_package(
            Edition("vae", "VAE", decks, ledger or Ledger(), self.folder, chosen=chosen),
            self.package,
            **{"memory": ExportMemory(self.memory), "now": self.clock} | options,  # type: ignore[arg-type]
        )

    def bring(self, decks: Decks, ledger: Ledger | None = None, **options: object) -> Changes:
        """Build the package and import it."""
        report = self.export(decks, ledger, **options)
        load(self.anki, self.package)
        return report.changes

    def fields(self, card: str) -> dict[str, str]:
        (note,) = self.anki.find_notes(f"Id:{card}")
        return dict(self.anki.get_note(note).items())

    def css(self, kind: str) -> str:
        self.anki.models._clear_cache()  # it remembers what it read before the import
        return self.anki.models.by_name(kind)["css"]

    def deck_of(self, card: str) -> str:
        return self.anki.decks.name(self.anki.get_card(self.anki.find_cards(f"Id:{card}")[0]).did)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A learner who imported the course and answered every card of it."""
    made = Desk(tmp_path)
    made.bring(COURSE)
    answer_all(made.anki)
    yield made
    made.anki.close()


def with_first(card: Card, *others: Deck) -> Decks:
    return (replace(COURSE[0], cards=(card, TWO)), COURSE[1], *others)


def redraw(desk: Desk) -> None:
    (desk.folder / "curve.png").write_bytes(PNG + b"\0")


EDITS: dict[str, tuple[Decks, Callable[[Desk], bool]]] = {
    "answer edited": (
        with_first(replace(ONE, answer="Better.")),
        lambda desk: "Better." in sides(desk.anki, "one")[1],
    ),
    "question edited": (
        with_first(replace(ONE, question="Clearer?")),
        lambda desk: "Clearer?" in sides(desk.anki, "one")[0],
    ),
    "title, context and tags edited": (
        with_first(replace(ONE, title="Uno", context="Here.", tags=("loss",))),
        lambda desk: (
            len(desk.anki.find_notes("Title:Uno Context:*Here* tag:vaeflash::tag::loss")) == 1
        ),
    ),
    "card inserted": (
        (replace(COURSE[0], cards=(replace(ONE, id="zero"), ONE, TWO)), COURSE[1]),
        lambda desk: len(desk.anki.find_notes("Id:zero")) == 1,
    ),
    "card deleted": (
        (replace(COURSE[0], cards=(TWO,)), COURSE[1]),
        lambda desk: len(desk.anki.find_notes("tag:vaeflash::card::one")) == 1,
    ),
    "card moved": (
        (replace(COURSE[0], cards=(TWO,)), replace(COURSE[1], cards=(GAPS, ONE))),
        lambda desk: desk.deck_of("one") == "VAE::A",
    ),
    "deck renamed": (
        (replace(COURSE[0], title="Z"), COURSE[1]),
        lambda desk: desk.deck_of("one") == "VAE::A",
    ),
    "myth added": (
        with_first(replace(ONE, claims=(MYTH,))),
        lambda desk: "Holds or refuted?" in sides(desk.anki, "one", template=2)[0],
    ),
    "gap added": (
        (COURSE[0], Deck("B", (replace(GAPS, question=GAPS.question + " {{c3::more}}"),))),
        lambda desk: len(desk.anki.find_cards("Id:gaps")) == 3,
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_loses_no_review_doubles_no_note_and_arrives(desk: Desk, edit: str) -> None:
    decks, arrived = EDITS[edit]
    before, notes = (
        reviews(desk.anki),
        {card.id for deck in (*COURSE, *decks) for card in deck.cards},
    )

    desk.bring(decks)

    assert (reviews(desk.anki), desk.anki.note_count(), arrived(desk)) == (before, len(notes), True)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_can_be_taken_back(desk: Desk, edit: str) -> None:
    before = {card: desk.fields(card) for card in ("one", "two", "gaps")}
    desk.bring(EDITS[edit][0])

    desk.bring(COURSE)

    assert {card: desk.fields(card) for card in before} == before


def test_a_changed_image_arrives_and_the_old_one_is_found_unused(desk: Desk) -> None:
    before, (old,) = reviews(desk.anki), re.findall(r"vaeflash-\w+", desk.fields("one")["Answer"])
    redraw(desk)

    desk.bring(COURSE)

    check = desk.anki.media.check()
    assert (reviews(desk.anki), list(check.missing), list(check.unused)) == (
        before,
        [],
        [f"{old}.png"],
    )


def styled(monkeypatch: pytest.MonkeyPatch, css: str) -> None:
    """A later release, whose styles and templates say something else."""
    read = notetypes._read

    def later(name: str) -> str:
        return css if name == "card.css" else read(name).replace("<h1>", "<h1>New: ")

    monkeypatch.setattr(notetypes, "_read", later)
    for name in ("card_type", "cloze_type"):
        fresh = getattr(notetypes, name).__wrapped__
        for module in ("package", "notes", "notes_on_disk"):
            monkeypatch.setattr(f"vaeflash.export.anki.{module}.{name}", fresh)


def test_changed_templates_and_styles_arrive_and_touch_no_note(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, stamps = reviews(desk.anki), desk.anki.db.list("select mod from notes order by id")
    styled(monkeypatch, ".card { color: teal; }")

    changes = desk.bring(COURSE)

    styles = {desk.css(name) for name in ("vaeflash card", "vaeflash cloze")}
    assert styles == {".card { color: teal; }"}
    assert "New: One" in sides(desk.anki, "one")[0]
    assert (reviews(desk.anki), desk.anki.db.list("select mod from notes order by id")) == (
        before,
        stamps,
    )
    assert changes == Changes(first=False)


def test_a_user_s_own_styles_stay_until_ours_change(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = desk.anki.models.by_name("vaeflash card")
    kind["css"] = "mine"
    desk.anki.models.update_dict(kind)

    desk.bring(with_first(replace(ONE, answer="Better.")))
    kept = desk.css("vaeflash card")
    desk.clock = tomorrow()
    styled(monkeypatch, "ours")
    desk.bring(COURSE)

    assert (kept, desk.css("vaeflash card")) == ("mine", "ours")


def tomorrow() -> int:
    """A day after what the user just did in Anki, which is stamped with the real time."""
    return int(time.time()) + DAY


def own_edit(desk: Desk) -> None:
    """The user writes into a note, and marks it."""
    (number,) = desk.anki.find_notes("Id:one")
    note = desk.anki.get_note(number)
    note["Answer"] = "My own words."
    note.tags += ["marked", "mine"]
    desk.anki.update_note(note)
    desk.clock = tomorrow()


def test_the_user_s_edit_and_tags_stay_where_the_card_did_not_change(desk: Desk) -> None:
    own_edit(desk)

    desk.bring((replace(COURSE[0], cards=(ONE, replace(TWO, answer="Other."))), COURSE[1]))

    (number,) = desk.anki.find_notes("Id:one")
    note = desk.anki.get_note(number)
    assert (note["Answer"], {"marked", "mine"} <= set(note.tags)) == ("My own words.", True)


def test_a_changed_card_takes_the_place_of_the_user_s_edit_and_tags(desk: Desk) -> None:
    own_edit(desk)

    desk.bring(with_first(replace(ONE, answer="Better.")))

    (number,) = desk.anki.find_notes("Id:one")
    note = desk.anki.get_note(number)
    assert (note["Answer"], set(note.tags)) == (
        "<p>Better.</p>",
        {"vaeflash::card::one", "vaeflash::tag::vae"},
    )


def test_two_exports_within_a_second_both_arrive(desk: Desk) -> None:
    desk.bring(with_first(replace(ONE, answer="Second.")), now=NOW + 1)
    desk.bring(with_first(replace(ONE, answer="Third.")), now=NOW + 1)

    assert desk.fields("one")["Answer"] == "<p>Third.</p>"


def test_a_clock_that_was_set_back_keeps_no_change_back(desk: Desk) -> None:
    desk.bring(with_first(replace(ONE, answer="Better.")), now=NOW - 30 * DAY)

    assert desk.fields("one")["Answer"] == "<p>Better.</p>"


@pytest.mark.parametrize("damage", [None, "", "{", "[]", '{"format": 1}', '{"format": 99}'])
def test_without_its_memory_an_export_still_arrives(desk: Desk, damage: str | None) -> None:
    """Another machine, or a lost or damaged file."""
    if damage is None:
        desk.memory.unlink()
    else:
        desk.memory.write_text(damage)
    before = reviews(desk.anki)

    changes = desk.bring(with_first(replace(ONE, answer="Better.")))

    assert (desk.fields("one")["Answer"], changes.first, reviews(desk.anki)) == (
        "<p>Better.</p>",
        True,
        before,
    )


def test_what_another_machine_brought_in_between_gives_way_to_a_restamped_export(
    desk: Desk,
) -> None:
    """Here nothing changed since the last export, so by itself it would not win."""
    answers = []
    desk.bring(with_first(replace(ONE, answer="Elsewhere.")), memory=ExportMemory())

    for restamp in (False, True):
        desk.bring(COURSE, restamp=restamp)
        answers.append("First answer." in desk.fields("one")["Answer"])

    assert answers == [False, True]


def test_a_card_that_left_comes_back_with_its_reviews(desk: Desk) -> None:
    before = reviews(desk.anki)
    gone = desk.bring((replace(COURSE[0], cards=(TWO,)), COURSE[1])).gone
    still = desk.bring((replace(COURSE[0], cards=(TWO,)), COURSE[1])).gone

    back = desk.bring(with_first(replace(ONE, answer="Better.")))

    assert (gone, still, back.returned, back.new) == (("one",), (), ("one",), ())
    assert (desk.fields("one")["Answer"], reviews(desk.anki)) == ("<p>Better.</p>", before)


def test_a_card_that_was_deleted_in_anki_is_new_again(desk: Desk) -> None:
    desk.anki.remove_notes(desk.anki.find_notes("Id:one"))

    desk.bring(COURSE)

    assert len(desk.anki.find_notes("Id:one")) == 1


def test_a_renamed_deck_is_told_and_a_search_finds_its_cards(desk: Desk) -> None:
    changes = desk.bring((replace(COURSE[0], title="Z"), COURSE[1]))

    assert (changes.renamed, changes.moved) == ((Rename("VAE::A", "VAE::Z"),), ())
    assert len(desk.anki.find_cards('"deck:VAE::A"')) == 3


def test_a_deck_that_was_renamed_in_anki_first_keeps_its_cards_together(desk: Desk) -> None:
    number = desk.anki.decks.id_for_name("VAE::A")
    desk.anki.decks.rename(number, "VAE::Z")

    desk.bring((replace(COURSE[0], title="Z"), COURSE[1]))

    decks = {deck.name for deck in desk.anki.decks.all_names_and_ids()} - {"Default"}
    assert (desk.deck_of("one"), decks) == ("VAE::Z", {"VAE", "VAE::Z", "VAE::B"})


def test_a_moved_card_is_told_and_found_by_its_tag(desk: Desk) -> None:
    changes = desk.bring((replace(COURSE[0], cards=(TWO,)), replace(COURSE[1], cards=(GAPS, ONE))))

    assert (changes.moved, changes.changed) == ((Move("one", "VAE::A", "VAE::B"),), ("one",))
    assert len(desk.anki.find_notes("tag:vaeflash::card::one")) == 1


def test_a_card_that_becomes_a_cloze_is_warned_of(desk: Desk) -> None:
    """Anki takes another note type under the same guid as a conflict and skips the note."""
    turned = Card("One", "Now a {{c1::gap}}.", id="one", kind=Kind.CLOZE)

    report = desk.export(with_first(turned))

    log = load(desk.anki, desk.package)
    assert (len(log.conflicting), [w.where for w in report.warnings]) == (1, ["card 'one'"])


def test_a_deck_or_a_tag_alone_is_the_same_notes(desk: Desk) -> None:
    before = reviews(desk.anki)

    report = desk.export(
        (COURSE[0], replace(COURSE[1], cards=(replace(GAPS, title="G"),))), chosen={"gaps"}
    )
    log = load(desk.anki, desk.package)

    assert (len(log.new), len(log.updated), report.changes.gone) == (0, 1, ())
    assert reviews(desk.anki) == before


def test_a_package_brings_no_schedule_that_could_overwrite_the_learner_s(desk: Desk) -> None:
    before = reviews(desk.anki)
    desk.export(with_first(replace(ONE, answer="Better.")))

    load(desk.anki, desk.package, with_scheduling=True)

    assert reviews(desk.anki) == before


@pytest.mark.parametrize("status", [Status.OPEN, Status.STALE, Status.NOT_RUN, Status.VACUOUS])
def test_a_back_says_that_its_evidence_is_not_sound(desk: Desk, status: Status) -> None:
    entry = Entry("one", CLAIM.text, myth=False, demo=CLAIM.demo, status=status, verdict="holds")
    ledger = Ledger([] if status is Status.NOT_RUN else [replace(entry, note="because")])

    desk.bring(with_first(replace(ONE, claims=(CLAIM,))), ledger)

    _, back = sides(desk.anki, "one")
    assert f"{status.sign}</span> {status}</span>" in back
    assert len(desk.anki.find_notes(f"Id:one tag:vaeflash::{status}")) == 1


def test_equal_cards_give_equal_packages_on_another_day(desk: Desk) -> None:
    before = desk.package.read_bytes()

    desk.export(COURSE, now=NOW + 400 * DAY)

    assert desk.package.read_bytes() == before


def test_anki_takes_the_legacy_collection(desk: Desk) -> None:
    with zipfile.ZipFile(desk.package) as archive:
        assert "collection.anki2" in archive.namelist()
    assert desk.anki.fix_integrity()[1]


TABLE = {
    1: (
        "test_anki_facts.test_two_exports_within_a_second_both_arrive",
        "test_anki_facts.test_a_clock_that_was_set_back_keeps_no_change_back",
        "test_anki_facts.test_equal_cards_give_equal_packages_on_another_day",
    ),
    2: ("test_anki_package.test_a_guid_comes_from_course_and_card_ids_alone",),
    3: ("test_anki_package.test_note_types_are_what_they_were_in_the_first_release",),
    4: (
        "test_anki_facts.test_a_renamed_deck_is_told_and_a_search_finds_its_cards",
        "test_anki_facts.test_a_moved_card_is_told_and_found_by_its_tag",
    ),
    5: ("test_anki_facts.test_a_card_that_left_comes_back_with_its_reviews",),
    6: (
        "test_anki_facts.test_the_user_s_edit_and_tags_stay_where_the_card_did_not_change",
        "test_anki_facts.test_a_changed_card_takes_the_place_of_the_user_s_edit_and_tags",
    ),
    7: ("test_anki_facts.test_a_changed_image_arrives_and_the_old_one_is_found_unused",),
    8: ("test_anki_facts.test_changed_templates_and_styles_arrive_and_touch_no_note",),
    9: (
        "test_html.test_text_is_escaped_once_and_formulas_stay",
        "test_anki_import.test_marks_of_anki_in_a_text_stay_text",
    ),
    10: ("test_anki_package.test_everything_wrong_is_reported_at_once",),
    11: ("test_anki_import.test_a_cloze_hides_and_shows_its_text",),
    12: ("test_anki_import.test_tags_are_prefixed_and_find_the_card",),
    13: (
        "test_anki_facts.test_a_package_brings_no_schedule_that_could_overwrite_the_learner_s",
        "test_anki_scheduling.test_the_same_answers_are_written_down_as_anki_writes_them",
    ),
    14: ("test_anki_package.test_the_package_is_deflated",),
    15: ("test_anki_import.test_new_cards_come_in_the_order_of_the_course",),
    16: ("test_anki_import.test_note_types_keep_their_names",),
    17: ("test_anki_import.test_a_display_formula_under_text_arrives_whole",),
    18: ("test_anki_facts.test_anki_takes_the_legacy_collection",),
}
"""Number of the fact -> the tests that hold us to it."""


@pytest.mark.parametrize("fact", range(1, 19))
def test_every_fact_has_its_test(fact: int) -> None:
    missing = []
    for name in TABLE[fact]:
        module, test = name.split(".")
        (path,) = Path(__file__).parents[1].rglob(f"{module}.py")
        if f"def {test}(" not in path.read_text(encoding="utf-8"):
            missing.append(name)

    assert missing == []
