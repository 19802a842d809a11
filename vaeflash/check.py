"""Judge claims on fresh seeds, break each on purpose, and write down what came of it.

Item -> runs (cache or demo) -> yes or no per seed -> evidence -> verdict
     -> the same under every control -> status -> ledger
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vaeflash.card import Status, Value
from vaeflash.claims import Overlay, metric_label
from vaeflash.course import Course
from vaeflash.errors import ClaimError, DemoError, Problem, VaeflashError
from vaeflash.evidence import FIRST_SEED, Evidence
from vaeflash.ledger import ControlEntry, Entry
from vaeflash.machine import device_kind, torch_minor
from vaeflash.needs import missing_need, used_data
from vaeflash.runner import Runs
from vaeflash.runs import NO_ERROR, Run
from vaeflash.selection import Item

SEED_UNUSED = "no metric changes with the seed: does the demo use it?"
"""Said of a verdict whose seeds all measured the same, which is then one run told many times."""
OPPOSITE = {"holds": "refuted", "refuted": "holds"}


@dataclass(frozen=True, slots=True)
class Arm:
    """A claim judged under one overlay: as written, or under one control.

    Attributes:
        verdict: "holds", "refuted", "inconclusive", "error" or "not-run".
        values: Seed -> metric as written in the claim -> what was measured.
        note: Why there is no verdict, in words.
    """

    verdict: str
    evidence: Evidence
    values: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    date: str = ""
    note: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of checking one claim."""

    item: Item
    entry: Entry
    seconds: float
    problems: tuple[Problem, ...] = ()


def measure(item: Item, control: Mapping[str, Value], seed: int, runs: Runs) -> dict[Overlay, Run]:
    """The runs that a claim needs on one seed, `control` laid over each.

    Raises:
        DemoError: A run raised something that the claim does not ask about.
    """
    measured = {}
    for overlay in item.parsed.runs:
        params = item.source.accept(dict(overlay) | dict(control), item.where)
        run = measured[overlay] = runs.get(item.source, params, seed)
        if run.error not in {NO_ERROR, *item.parsed.expected_errors.get(overlay, ())}:
            raise DemoError(
                Problem(
                    item.where,
                    f"the demo raised {run.error} on seed {seed}: {run.message}.",
                    f"See it with: vaeflash --debug demo {item.source.name} --seed {seed}",
                )
            )
    return measured


def answer(item: Item, measured: Mapping[Overlay, Run]) -> bool:
    """Whether the claim is true of these runs.

    Raises:
        ClaimError: It cannot be evaluated on them, e.g. it names an unknown metric.
    """
    try:
        return item.parsed.holds({overlay: run.metrics for overlay, run in measured.items()})
    except ClaimError as error:
        raise ClaimError(*(problem.within(item.where) for problem in error.problems)) from error


def judge(item: Item, control: Mapping[str, Value], runs: Runs, budget: int | None = None) -> Arm:
    """Add seeds until the evidence decides, laying `control` over every run of the claim.

    A demo that says it is deterministic is run once, on the first seed.

    Raises:
        VaeflashError: A run or the claim cannot be evaluated; that is no verdict either way.
    """
    evidence = Evidence(item.parsed.failure_share)
    values: dict[str, dict[str, Value]] = {}
    date = ""
    first: dict[Overlay, Mapping[str, Value]] = {}
    note = SEED_UNUSED
    limit = 1 if item.source.deterministic else budget or evidence.budget
    for seed in range(FIRST_SEED, FIRST_SEED + limit):
        measured = measure(item, control, seed, runs)
        yes = answer(item, measured)
        evidence = evidence.add(yes)
        metrics = {o: run.metrics for o, run in measured.items() if run.error == NO_ERROR}
        first = first or metrics
        if metrics != first or not metrics:  # a run that raised, as asked, measured nothing
            note = ""
        date = max(date, *(run.date for run in measured.values()))
        values[str(seed)] = {
            metric_label(overlay, name): plain(measured[overlay].metrics[name])
            for overlay, name in item.parsed.metrics
        }
        if item.source.deterministic:
            return Arm("holds" if yes else "refuted", evidence, values, date)
        if evidence.verdict:
            return Arm(evidence.verdict, evidence, values, date, note)
    return Arm("inconclusive", evidence, values, date, f"undecided after {limit} seeds")


def plain(value: Value) -> Value:
    """The value as every JSON reader takes it: NaN and infinities become words."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def check_claim(item: Item, runs: Runs, budget: int | None = None) -> Outcome:
    """Judge a claim, then each of its controls, and sum up.

    Controls are run only when the claim came out as stated: they show that it could have failed.
    """
    started = time.perf_counter()
    stated = "refuted" if item.claim.myth else "holds"
    arm = _judged(item, {}, runs, budget)
    broken = [
        (control.text, _judged(item, control.params, runs, budget))
        for control in (item.controls if arm.verdict == stated else ())
    ]
    controls = tuple(
        ControlEntry(
            control=text,
            verdict=other.verdict,
            yes=other.evidence.yes,
            no=other.evidence.no,
            flipped=other.verdict == OPPOSITE[stated],
            note=other.note,
        )
        for text, other in broken
    )
    status = status_of(arm.verdict, [c.flipped for c in controls], myth=item.claim.myth)
    entry = Entry(
        card=item.card.id or "",
        claim=item.claim.text,
        myth=item.claim.myth,
        demo=item.source.name,
        status=status,
        verdict=arm.verdict,
        yes=arm.evidence.yes,
        no=arm.evidence.no,
        e_for=round(arm.evidence.e_for, 4),
        e_against=round(arm.evidence.e_against, 4),
        values=arm.values,
        controls=controls,
        code=item.source.fingerprint,
        data=used_data(item.source),
        device=device_kind(runs.device),
        torch=torch_minor(),
        date=max([arm.date] + [other.date for _, other in broken]),
        note="; ".join(filter(None, [arm.note, _why_vacuous(status, controls)])),
    )
    seconds = time.perf_counter() - started
    return Outcome(item, entry, seconds, (arm.problem,) if arm.problem else ())


def _judged(item: Item, control: Mapping[str, Value], runs: Runs, budget: int | None) -> Arm:
    """The arm, or why there is no verdict: something is missing here, or something is broken."""
    nothing = Evidence(item.parsed.failure_share)
    missing = missing_need(item.source, runs.device)
    if missing:
        return Arm("not-run", nothing, note=missing)
    try:
        return judge(item, control, runs, budget)
    except VaeflashError as error:
        problem = error.problems[0]
        return Arm("error", nothing, note=problem.what, problem=problem)


def status_of(verdict: str, flips: Sequence[bool], *, myth: bool) -> Status:
    """The status that a verdict and its controls amount to.

    Args:
        verdict: Of the claim as written.
        flips: For each control, whether it gave the opposite verdict.
        myth: Whether the card states that the claim is refuted.
    """
    if verdict == "error":
        return Status.ERROR
    if verdict == "not-run":
        return Status.NOT_RUN
    if verdict == "inconclusive":
        return Status.OPEN
    if verdict != ("refuted" if myth else "holds"):
        return Status.WRONG
    if not flips or not all(flips):
        return Status.VACUOUS
    return Status.BUSTED if myth else Status.VERIFIED


def _why_vacuous(status: Status, controls: Sequence[ControlEntry]) -> str:
    if status is not Status.VACUOUS:
        return ""
    if not controls:
        return "there is no control, so nothing shows that the check could have failed"
    kept = next(control for control in controls if not control.flipped)
    return f"the control {kept.control} came out {kept.verdict}: it did not flip the claim"


def check(
    items: Iterable[Item],
    runs: Runs,
    report: Callable[[Outcome], None],
    budget: int | None = None,
) -> list[Outcome]:
    """Check the claims in order; `report` sees each as soon as it is judged."""
    outcomes = []
    for item in items:
        outcomes.append(check_claim(item, runs, budget))
        report(outcomes[-1])
    return outcomes


def claim_keys(course: Course) -> list[tuple[str, bool, str]]:
    """The ledger keys of every claim that the course has now."""
    return [
        (card.id or "", claim.myth, claim.text)
        for _, card in course.cards()
        for claim in card.claims
    ]
