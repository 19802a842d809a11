"""Every status comes about in its one way, and only so."""

import random

import pytest
from conftest import COIN, SUM, MakeCourse, card, deck

from vaeflash.card import Status
from vaeflash.course.course import Course
from vaeflash.errors import VaeflashError
from vaeflash.judging.cases import choose
from vaeflash.judging.check import check
from vaeflash.judging.judge import SEED_UNUSED
from vaeflash.judging.ledger import Entry, Ledger
from vaeflash.judging.staleness import CurrentEvidence
from vaeflash.judging.status import status_of
from vaeflash.runs.known import Runs
from vaeflash.runs.processes import InProcess

COMPUTED = SUM.replace('metrics={"total"', 'metrics={**{}, "total"')
"""The same, but its metrics' names cannot be read from the source."""
DEMOS = {"coin": COIN, "two_and_two": SUM, "computed": COMPUTED}


def check_course(course: Course, runs: Runs | None = None, **options: int) -> list[Entry]:
    """The entries of a course's claims, judged with runs made in this process."""
    outcomes = check(choose(course).items, runs or Runs(), InProcess(), lambda _: None, **options)
    return [outcome.entry for outcome in outcomes if outcome.entry]


def judged_entry(make_course: MakeCourse, meta: str, **options: int) -> Entry:
    course = make_course(cards={"deck": deck(card("it", meta))}, demos=DEMOS)
    (entry,) = check_course(course, **options)
    return entry


def heads_up_to(rate: float, seeds: int) -> list[bool]:
    """What COIN does on the evidence seeds, worked out apart from the engine."""
    return [random.Random(1000 + n).random() < rate for n in range(seeds)]


@pytest.mark.parametrize(
    ("meta", "status", "told"),
    [
        (":demo coin\n:claim heads == 1\n:control rate=0", Status.VERIFIED, "5/5"),
        (":demo coin\n:myth heads == 0\n:control rate=0", Status.BUSTED, "0/2"),
        (":demo coin\n:claim heads == 0\n:control rate=0", Status.WRONG, "0/2"),
        (":demo coin\n:myth heads == 1\n:control rate=0", Status.WRONG, "5/5"),
        (":demo coin\n:claim heads == 1", Status.VACUOUS, "5/5"),
        (":demo coin\n:claim heads >= 0\n:control rate=0", Status.VACUOUS, "5/5"),
        (":demo two-and-two\n:claim total == 4\n:control a=3", Status.VERIFIED, "1/1"),
        (":demo two-and-two\n:claim total == 5\n:control a=3", Status.WRONG, "0/1"),
        (":demo computed\n:claim nothing == 4\n:control a=3", Status.ERROR, "0/0"),
        (":demo two-and-two\n:claim total[fail=ValueError] == 4", Status.ERROR, "0/0"),
        (
            ':demo two-and-two\n:claim error[fail=ValueError] == "ValueError"\n:control fail=""',
            Status.VERIFIED,
            "1/1",
        ),
        (
            ':demo two-and-two\n:claim error[fail=RuntimeError] == "ValueError"\n:control a=1',
            Status.ERROR,
            "0/0",
        ),
    ],
)
def test_a_claim_gets_its_status(
    make_course: MakeCourse, meta: str, status: Status, told: str
) -> None:
    entry = judged_entry(make_course, meta)

    assert (entry.status, f"{entry.yes}/{entry.seeds}") == (status, told)


def test_evidence_uses_every_seed_from_1000_in_order(make_course: MakeCourse) -> None:
    entry = judged_entry(make_course, ":demo coin\n:claim heads[rate=0.7] == 1")
    values = [bool(measured["heads[rate=0.7]"]) for measured in entry.values.values()]

    assert (list(entry.values), values) == (
        [str(1000 + n) for n in range(entry.seeds)],
        heads_up_to(0.7, entry.seeds),
    )


@pytest.mark.parametrize(("rate", "noticed"), [("0.7", False), ("1", True)])
def test_a_seed_that_changes_nothing_is_noticed(
    make_course: MakeCourse, rate: str, noticed: bool
) -> None:
    entry = judged_entry(make_course, f":demo coin\n:claim heads[rate={rate}] >= 0")

    assert (SEED_UNUSED in entry.note) is noticed


def test_a_claim_that_the_budget_does_not_decide_is_open(make_course: MakeCourse) -> None:
    entry = judged_entry(make_course, ":demo coin\n:claim heads == 1\n:control rate=0", budget=3)

    assert (entry.status, entry.verdict, entry.yes) == (Status.OPEN, "inconclusive", 3)


def test_a_crash_under_control_is_not_a_flip(make_course: MakeCourse) -> None:
    meta = ":demo two-and-two\n:claim total == 4\n:control fail=ValueError"
    entry = judged_entry(make_course, meta)

    assert (entry.status, entry.controls[0].verdict) == (Status.VACUOUS, "error")


def test_every_control_must_flip(make_course: MakeCourse) -> None:
    meta = ":demo two-and-two\n:claim total == 4\n:control a=3\n:control a=1,b=3"
    entry = judged_entry(make_course, meta)

    assert (entry.status, [c.flipped for c in entry.controls]) == (Status.VACUOUS, [True, False])


def test_a_demo_that_needs_a_gpu_is_not_run_without_one(make_course: MakeCourse) -> None:
    demos = {"gpu": 'NEEDS = ("cuda",)\n' + SUM}
    cards = {"deck": deck(card("it", ":demo gpu\n:claim total == 4\n:control a=3"))}

    (entry,) = check_course(make_course(cards=cards, demos=demos))

    assert (entry.status, entry.note) == (Status.NOT_RUN, "the demo needs a CUDA device")


def test_a_demo_that_needs_an_extra_is_not_run_without_it(make_course: MakeCourse) -> None:
    demos = {"gpu": 'NEEDS = ("extra:no_such_package",)\n' + SUM}
    cards = {"deck": deck(card("it", ":demo gpu\n:claim total == 4\n:control a=3"))}

    (entry,) = check_course(make_course(cards=cards, demos=demos))

    assert entry.status is Status.NOT_RUN


def test_cards_share_their_runs(make_course: MakeCourse) -> None:
    meta = ":demo two-and-two\n:claim total == 4\n:control a=3"
    cards = {"deck": deck(card("one", meta), card("two", meta))}
    runs = Runs()

    check_course(make_course(cards=cards, demos=DEMOS), runs)

    assert (runs.made, runs.recalled) == (2, 0)


def test_a_second_check_recalls_every_run(make_course: MakeCourse) -> None:
    meta = ":demo coin\n:claim heads == 1\n:control rate=0"
    course = make_course(cards={"deck": deck(card("it", meta))}, demos=DEMOS)
    first = check_course(course)
    again = Runs()

    second = check_course(course, again)

    assert (again.made, again.recalled, second) == (0, 7, first)


@pytest.mark.parametrize(
    ("verdict", "flips", "myth", "status"),
    [
        ("holds", [True], False, Status.VERIFIED),
        ("holds", [True], True, Status.WRONG),
        ("refuted", [True], True, Status.BUSTED),
        ("refuted", [], False, Status.WRONG),
        ("holds", [], False, Status.VACUOUS),
        ("refuted", [True, False], True, Status.VACUOUS),
        ("inconclusive", [], False, Status.OPEN),
        ("error", [], True, Status.ERROR),
        ("not-run", [], False, Status.NOT_RUN),
    ],
)
def test_a_status_follows_from_verdict_and_controls(
    verdict: str, flips: list[bool], myth: bool, status: Status
) -> None:
    assert status_of(verdict, flips, myth=myth) is status


def judged_as(make_course: MakeCourse, meta: str, demos: dict[str, str]) -> CurrentEvidence:
    """The evidence right after a check of one claim."""
    course = make_course(cards={"deck": deck(card("it", meta))}, demos=demos)
    return CurrentEvidence(course, Ledger(check_course(course)))


@pytest.fixture
def judged(make_course: MakeCourse) -> CurrentEvidence:
    """The evidence on a course whose one claim has just been verified."""
    return judged_as(make_course, ":demo coin\n:claim heads == 1\n:control rate=0", DEMOS)


def standing_after(judged: CurrentEvidence, old: str, new: str, file: str) -> Status:
    """The status after an edit of the course, read anew."""
    from vaeflash.course.course import open_course
    from vaeflash.course.fingerprint import forget

    path = judged.course.root / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    forget()
    course: Course = open_course(judged.course.root)
    ((_, edited),) = course.cards()
    return CurrentEvidence(course, judged.ledger).entry(edited, edited.claims[0]).status


def test_fresh_evidence_is_current(judged: CurrentEvidence) -> None:
    ((_, it),) = judged.course.cards()

    assert judged.entry(it, it.claims[0]).status is Status.VERIFIED


@pytest.mark.parametrize(
    ("old", "new", "file", "status"),
    [
        ("< params.rate", "<= params.rate", "demos/coin.py", Status.STALE),
        ("rate: float = 1.0", "rate: float = 0.9", "demos/coin.py", Status.STALE),
        (":control rate=0", ":control rate=0.1", "cards/deck.md", Status.STALE),
        ("heads == 1", "heads > 0", "cards/deck.md", Status.NOT_RUN),
        ("{#it}", "{#that}", "cards/deck.md", Status.NOT_RUN),
        ("One toss.", "A toss.", "demos/coin.py", Status.VERIFIED),
        ("What is it?", "What might it be?", "cards/deck.md", Status.VERIFIED),
    ],
)
def test_evidence_stands_until_what_it_depends_on_changes(
    judged: CurrentEvidence, old: str, new: str, file: str, status: Status
) -> None:
    assert standing_after(judged, old, new, file) is status


def test_a_control_added_to_a_vacuous_claim_makes_it_stale(make_course: MakeCourse) -> None:
    vacuous = judged_as(make_course, ":demo coin\n:claim heads == 1", DEMOS)
    added = ":claim heads == 1\n:control rate=0"

    status = standing_after(vacuous, ":claim heads == 1", added, "cards/deck.md")

    assert status is Status.STALE


def test_a_verdict_that_left_its_controls_unrun_is_not_stale_for_that(
    make_course: MakeCourse,
) -> None:
    meta = ":demo coin\n:claim heads == 0\n:control rate=0"
    wrong = judged_as(make_course, meta, DEMOS)
    ((_, it),) = wrong.course.cards()

    assert wrong.entry(it, it.claims[0]).status is Status.WRONG


def test_an_error_is_stale_once_the_demo_was_mended(make_course: MakeCourse) -> None:
    raising = {"coin": COIN.replace("    heads =", "    raise RuntimeError\n    heads =")}
    broken = judged_as(make_course, ":demo coin\n:claim heads == 1", raising)

    status = standing_after(broken, "    raise RuntimeError\n", "", "demos/coin.py")

    assert status is Status.STALE


def test_evidence_from_another_torch_is_stale(
    judged: CurrentEvidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vaeflash.judging.staleness.torch_minor", lambda: "9.9")
    ((_, it),) = judged.course.cards()

    assert judged.entry(it, it.claims[0]).status is Status.STALE


def problems_of(make_course: MakeCourse, *metas: str) -> list[str]:
    cards = {"deck": deck(*(card(f"c{n}", meta) for n, meta in enumerate(metas)))}
    broken = choose(make_course(cards=cards, demos=DEMOS)).unreadable
    return [str(problem) for claim in broken for problem in claim.problems]


def test_everything_wrong_with_the_claims_is_told_without_running_any(
    make_course: MakeCourse,
) -> None:
    told = problems_of(
        make_course,
        ":demo dice\n:claim heads == 1",
        ":demo coin\n:claim tails == 1",
        ":demo coin\n:claim heads[rat=1] == 1",
        ":demo coin\n:claim heads ==",
        ":demo coin\n:claim heads == 1\n:control rate=fast",
    )

    assert [line.partition(": ")[0] for line in told] == [
        "cards/deck.md:11",
        "cards/deck.md:21",
        "cards/deck.md:31",
        "cards/deck.md:41, column 9",
        "cards/deck.md:52",
    ]


def test_an_unknown_metric_lists_those_measured(make_course: MakeCourse) -> None:
    (told,) = problems_of(make_course, ":demo coin\n:claim tails == 1")

    assert told.endswith("does not measure.\n  Measured: heads, value.")


def test_a_name_that_fits_nothing_gets_the_nearest(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": deck(card("it", ":demo coin"))}, demos=DEMOS)

    with pytest.raises(VaeflashError, match=r"'coim': no card, deck or demo.*\n.*coin"):
        choose(course, ["coim"])
