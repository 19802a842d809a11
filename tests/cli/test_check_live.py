"""The claims at work, as a person sees them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from conftest import COIN, MakeCourse, card, deck
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from vaeflash.cli.check_live import Watch, answers, claims_at_work
from vaeflash.cli.screen import Screen
from vaeflash.judging.cases import Selection, choose
from vaeflash.judging.evidence import Evidence
from vaeflash.judging.judge import JudgedArm
from vaeflash.judging.outcome import Outcome
from vaeflash.runs.known import Job, Runs

METAS = (
    ":demo coin\n:claim heads == 1\n:control rate=0",
    ":demo coin\n:claim value[rate=0.75, scale=2] == 2 +- 0.001 in 95% of seeds\n:control scale=3",
)


def arm(said: Sequence[bool], *, waits_for: tuple[Job, ...] = (), verdict: str = "") -> JudgedArm:
    evidence = Evidence(0.1, sum(said), len(said) - sum(said))
    return JudgedArm(verdict, evidence, tuple(said), waits_for=waits_for)


@pytest.fixture
def selection(make_course: MakeCourse) -> Selection:
    cards = (card(f"c{n}", meta) for n, meta in enumerate(METAS))
    return choose(make_course(cards={"deck": deck(*cards)}, demos={"coin": COIN}))


@pytest.fixture
def outcomes(selection: Selection) -> list[Outcome]:
    first, second = selection.items
    job = Runs().job(first.source, {}, 1000)
    return [
        Outcome(first, arm([True, True, True], waits_for=(job,))),
        Outcome(
            second,
            arm([True] * 12, verdict="holds"),
            ((second.controls[0], arm([False], waits_for=(job,))),),
        ),
    ]


def drawn(renderable: object, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), no_color=True, force_terminal=False)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_claims_at_work(
    outcomes: list[Outcome], width: int, snapshot: SnapshotAssertion
) -> None:
    assert drawn(claims_at_work(outcomes), width) == snapshot


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "…"),
        ([True, False], "yes no …"),
        ([True] * 7, "yes yes yes yes yes yes yes …"),
        ([True] * 8, "yes x8 …"),
        ([True] * 6 + [False] + [True] * 3, "yes x6 no yes x3 …"),
    ],
)
def test_answers_are_told_in_order(selection: Selection, said: list[bool], told: str) -> None:
    job = Runs().job(selection.items[0].source, {}, 1000)

    assert answers(arm(said, waits_for=(job,))).plain == told


def test_a_decided_claim_leaves_the_picture(selection: Selection, outcomes: list[Outcome]) -> None:
    screen = Screen(Console(file=io.StringIO(), width=80))
    watch = Watch(screen, selection)
    for outcome in outcomes:
        watch.see(outcome)

    watch.see(Outcome(outcomes[0].item, outcomes[0].arm, entry=object()))  # type: ignore[arg-type]

    shown = drawn(watch, 80)
    assert ("heads == 1" in shown, "1 of 2 claims" in shown) == (False, True)
