"""Lint tells everything wrong with a course at once."""

from pathlib import Path

import pytest
from conftest import COIN, MakeCourse, card, deck

from vaeflash.card import Status
from vaeflash.course.course import Course, bundled_root, open_course
from vaeflash.demo import Bars
from vaeflash.gallery import draw
from vaeflash.judging.ledger import Entry, Ledger, write_ledger
from vaeflash.lint import Level, lint

GOOD = ":demo coin\n:claim heads == 1\n:control rate=0"


def told(course: Course, level: Level = Level.ERROR) -> list[str]:
    return [f"{f.problem.where}: {f.problem.what}" for f in lint(course) if f.level is level]


def lint_card(make_course: MakeCourse, meta: str, text: str = "") -> Course:
    cards = {"deck": deck(card("it", meta)).replace("It.", text or "It.")}
    return make_course(cards=cards, demos={"coin": COIN})


def test_a_good_course_has_no_finding(make_course: MakeCourse) -> None:
    assert lint(lint_card(make_course, GOOD)) == []


@pytest.mark.slow
def test_the_bundled_course_has_no_finding() -> None:
    assert [str(f.problem) for f in lint(open_course(bundled_root()))] == []


@pytest.mark.parametrize(
    ("meta", "text", "expected"),
    [
        (":demo dice\n:claim a < 1\n:control b=1", "", "this course has no demo 'dice'"),
        (":demo dice", "", "this course has no demo 'dice'"),
        (GOOD.replace("rate=0", "rat=0"), "", "coin has no parameter 'rat'"),
        (GOOD.replace("heads", "tails"), "", "the claim names 'tails'"),
        (GOOD.replace("== 1", "== "), "", "column"),
        (GOOD, r"\( \frac{1}{2 \)", "the braces of a formula do not match"),
        (
            GOOD,
            r"\(" + r"\sqrt{" * 5000 + "x" + "}" * 5000 + r"\)",
            "a formula stays TeX: it is longer",
        ),
        (
            GOOD,
            r"\(" + r"\sqrt{" * 90 + "x" + "}" * 90 + r"\)",
            "it nests more than 64 levels deep",
        ),
        (GOOD, rf"\( {'(' * 30} \)", "more than 8 of its brackets are never closed"),
        (GOOD, "> " * 25 + "x", "so deep that their text is not shown"),
        (GOOD, "- " * 12 + "x", "so deep that their text is not shown"),
        (GOOD, "![x](none.png)", "the image 'none.png' is not there"),
        (GOOD, "![x](../../secret.png)", "lies outside the course"),
        (GOOD, "![x](/etc/x.png)", "lies outside the course"),
        (GOOD, "![x](/etc/passwd)", "is not a picture"),
        (GOOD, "![x](https://example.org/x.png)", "is not in the course"),
    ],
)
def test_an_error_is_told(make_course: MakeCourse, meta: str, text: str, expected: str) -> None:
    errors = [error for error in told(lint_card(make_course, meta, text)) if "no card" not in error]

    assert (len(errors), expected in errors[0]) == (1, True)


def test_a_card_without_id_is_told_with_the_command_that_helps(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": deck(card("it", "").replace(" {#it}", ""))})
    (finding,) = lint(course)

    assert "vaeflash id cards/deck.md" in finding.problem.advice


def test_a_claim_without_control_is_a_warning(make_course: MakeCourse) -> None:
    course = lint_card(make_course, ":demo coin\n:claim heads == 1")

    assert told(course, Level.WARNING) == [
        "cards/deck.md:11: the claim has no control, so it cannot become verified."
    ]


def test_a_demo_that_no_card_links_is_a_warning(make_course: MakeCourse) -> None:
    assert told(lint_card(make_course, ""), Level.WARNING) == [
        "demos/coin.py: no card links this demo."
    ]


def test_a_deck_named_in_course_toml_must_exist(make_course: MakeCourse) -> None:
    course = lint_card(make_course, GOOD)
    (course.root / "course.toml").write_text('id = "x"\ntitle = "T"\ndecks = ["gone"]')

    assert told(open_course(course.root)) == [
        "course.toml: 'decks' names 'gone', but there is no cards/gone.md."
    ]


def test_evidence_that_no_card_claims_is_a_warning(make_course: MakeCourse) -> None:
    course = lint_card(make_course, GOOD)
    entry = Entry("gone", "heads == 2", False, "coin", Status.OPEN, "inconclusive")
    write_ledger(course.ledger_path, Ledger([entry]))

    assert told(course, Level.WARNING) == [
        "ledger.jsonl: evidence for a claim that no card makes: gone: heads == 2"
    ]


def test_a_damaged_ledger_is_an_error(make_course: MakeCourse) -> None:
    course = lint_card(make_course, GOOD)
    (course.root / "ledger.jsonl").write_text("{")

    assert "ledger.jsonl:1: this line of the ledger cannot be read: " in told(course)[0]


def test_a_repair_is_told_with_its_line(make_course: MakeCourse) -> None:
    text = deck(card("it", GOOD)).replace("x??", "??x")

    assert told(make_course(cards={"deck": text}, demos={"coin": COIN}), Level.REPAIR)[
        0
    ].startswith("cards/deck.md:")


def test_an_unreadable_deck_does_not_hide_the_others(make_course: MakeCourse) -> None:
    course = lint_card(make_course, ":demo dice")
    Path(course.root / "cards" / "binary.md").write_bytes(b"\xff\xff")

    assert [line.partition(":")[0] for line in told(course)] == [
        "cards/binary.md",
        "cards/deck.md",
    ]


def test_a_figure_that_its_demo_does_not_measure_is_a_warning(make_course: MakeCourse) -> None:
    course = lint_card(make_course, f"{GOOD}\n:figure throws")
    draw(course.root, "coin", "0" * 16, {"sides": Bars("Heads and tails.", {"heads": 1.0})})

    found = told(course, Level.WARNING)

    assert found == ["cards/deck.md:3: no figure 'throws' of its demos was drawn."]


def test_a_damaged_index_of_figures_is_an_error(make_course: MakeCourse) -> None:
    course = lint_card(make_course, GOOD)
    draw(course.root, "coin", "0" * 16, {"sides": Bars("Heads and tails.", {"heads": 1.0})})
    (course.root / "figures" / "coin" / "index.json").write_text("{")

    assert ["this index of figures cannot be read" in error for error in told(course)] == [True]


def test_clozes_in_too_many_others_are_told(make_course: MakeCourse) -> None:
    text = "{{c1::" * 11 + "x" + "}}" * 11
    cards = {"deck": f"# D\n\n#### A {{#a}}\n\n:p {text}\nx??\n\n:cloze\n"}

    assert told(make_course(cards=cards)) == [
        "cards/deck.md:3: clozes stand in one another more than 10 deep; the inner ones are text."
    ]


@pytest.mark.parametrize(
    "text", ["> " * 19 + "x", "- " * 9 + "x", " " * 36 + "- x", "x\n" + "-" * 40]
)
def test_what_is_not_too_deep_is_not_told(make_course: MakeCourse, text: str) -> None:
    assert told(lint_card(make_course, GOOD, text)) == []
