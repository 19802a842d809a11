"""The ledger judged again from its own values: no run is made, and nothing it says is believed.

    stored values -> yes or no per seed -> evidence after each seed -> verdict -> status

A line that somebody edited by hand, or that lost a seed, does not follow from its values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vaeflash.card import Value
from vaeflash.claims import Overlay, ParsedClaim, metric_label, parse_claim
from vaeflash.course.course import Course
from vaeflash.errors import ClaimError, Problem, VaeflashError
from vaeflash.judging.evidence import FIRST_SEED, THRESHOLD, Evidence
from vaeflash.judging.ledger import ControlEntry, Entry, Ledger
from vaeflash.judging.status import (
    OPPOSITE,
    UNJUDGED,
    stated_verdict,
    status_of,
    unflipped_parts,
)
from vaeflash.plain import measured_value
from vaeflash.printable import command

# Half a unit of the ledger's fourth decimal place, and a little for another machine's logarithm.
_ROUNDING = 6e-5


@dataclass(frozen=True, slots=True)
class Answer:
    """What the stored values of one seed say to each part of the claim."""

    seed: int
    parts: tuple[bool, ...]

    @property
    def yes(self) -> bool:
        """Whether the claim was true on this seed."""
        return all(self.parts)


@dataclass(frozen=True, slots=True)
class Rejudgement:
    """What the stored values of a claim amount to.

    Attributes:
        answers: One for each seed, in the order of the seeds.
        path: The evidence after each seed.
        verdict: "holds", "refuted" or "inconclusive"; what the line says where there are no values.
        faults: What the line says and its values do not, each a clause; empty if all is well.
    """

    answers: tuple[Answer, ...]
    path: tuple[Evidence, ...]
    verdict: str
    faults: tuple[str, ...]

    @property
    def evidence(self) -> Evidence | None:
        """The evidence after all seeds; none if there is no seed."""
        return self.path[-1] if self.path else None

    @property
    def least_rate(self) -> float:
        """Lower 95% bound on the share of seeds on which the claim is true.

        The bet of `e_for`, made against every rate at once: those against which it ever reached 20
        are ruled out. Ville's inequality keeps the error at most 5%, whenever one stopped. The
        exact binomial bound would say a little more, and be wrong: it needs a number of seeds
        that was fixed in advance.
        """
        return max((_bound(e.yes, e.no, 1 - e.failure_share / 2) for e in self.path), default=0.0)

    @property
    def greatest_rate(self) -> float:
        """Upper 95% bound, by the bet of `e_against`; together the two may err 10% of the time."""
        return 1 - max((_bound(e.no, e.yes, 5 * e.failure_share) for e in self.path), default=0.0)


def _bound(hits: int, misses: int, alternative: float) -> float:
    """The greatest rate of hits against which a bet on the rate `alternative` reaches 20."""
    if not hits:
        return 0.0
    # Up to here the bet's worth falls as the null's rate rises, from infinity to 1 at most.
    low, high = 0.0, min(alternative, hits / (hits + misses))
    for _ in range(60):
        null = (low + high) / 2
        worth = hits * math.log(alternative / null)
        worth += misses * math.log((1 - alternative) / (1 - null))
        low, high = (null, high) if worth >= math.log(THRESHOLD) else (low, null)
    return low


def rejudge(entry: Entry, parsed: ParsedClaim, *, deterministic: bool = False) -> Rejudgement:
    """Judge a claim by the values that its line of the ledger keeps, and compare.

    There may be more seeds than a verdict took: the threshold that was reached last names it.

    Args:
        entry: As stored, not as `CurrentEvidence` marks it.
        parsed: The entry's claim.
        deterministic: Whether one run is the verdict.
    """
    if entry.verdict in UNJUDGED:
        wrong = entry.status is not UNJUDGED[entry.verdict]
        faults = [f"it says {entry.status} and has no verdict"] if wrong else []
        return Rejudgement((), (), entry.verdict, tuple(faults))
    answers, faults = _answers(entry.values, parsed)
    if not answers and not faults:
        faults = [f"it says {entry.verdict} and keeps no values"]
    if faults:
        return Rejudgement(answers, (), entry.verdict, tuple(faults))
    path = tuple(_path(answers, parsed.failure_share))
    one_run = deterministic and len(answers) == 1
    if one_run:
        verdict = "holds" if answers[0].yes else "refuted"
    else:
        verdict = next((e.verdict for e in reversed(path) if e.verdict), "inconclusive")
    faults += _sequence_faults(answers)
    faults += _count_faults(entry, path[-1])
    faults += _verdict_faults(entry, verdict, parsed)
    for control in entry.controls:
        faults += _control_faults(control, entry, parsed.failure_share, one_run=one_run)
    return Rejudgement(answers, path, verdict, tuple(faults))


def answers_of(entry: Entry, parsed: ParsedClaim) -> tuple[Answer, ...]:
    """Yes or no for each seed that an entry keeps values of, part by part."""
    return _answers(entry.values, parsed)[0]


def _answers(
    values: Mapping[str, Mapping[str, Value]], parsed: ParsedClaim
) -> tuple[tuple[Answer, ...], list[str]]:
    """Yes or no for each seed, and why there is none for some."""
    answers, faults = [], []
    for name, measured in values.items():
        try:
            answers.append(Answer(int(name), answer_parts(measured, parsed)))
        except ClaimError as error:
            faults.append(f"seed {name} cannot be judged: {error.problems[0].what.rstrip('.')}")
        except ValueError:
            faults.append(f"'{name}' is no seed")
    return tuple(sorted(answers, key=lambda answer: answer.seed)), faults


def answer_parts(measured: Mapping[str, Value], parsed: ParsedClaim) -> tuple[bool, ...]:
    """Whether each part of a claim is true of what the ledger keeps of one seed.

    Raises:
        ClaimError: A metric is missing, or is not of the kind that the claim compares.
    """
    as_texts: dict[Overlay, dict[str, Value]] = {run: {} for run in parsed.runs}
    as_numbers: dict[Overlay, dict[str, Value]] = {run: {} for run in parsed.runs}
    for run, name in parsed.metrics:
        label = metric_label(run, name)
        if label in measured:
            as_texts[run][name] = measured[label]
            as_numbers[run][name] = measured_value(measured[label])
    answers = []
    for part in parsed.parts:
        try:
            answers.append(part.holds(as_numbers))
        except ClaimError:  # it may compare texts, one of which reads "nan"
            answers.append(part.holds(as_texts))
    return tuple(answers)


def _path(answers: tuple[Answer, ...], failure_share: float) -> Iterator[Evidence]:
    evidence = Evidence(failure_share)
    for answer in answers:
        evidence = evidence.add(answer.yes)
        yield evidence


def _sequence_faults(answers: tuple[Answer, ...]) -> Iterator[str]:
    seeds = {answer.seed for answer in answers}
    due = range(FIRST_SEED, FIRST_SEED + len(answers))
    if missing := [seed for seed in due if seed not in seeds]:
        yield f"seed {missing[0]} is missing, and none may be left out"


def _count_faults(entry: Entry, evidence: Evidence) -> Iterator[str]:
    if (entry.yes, entry.no) != (evidence.yes, evidence.no):
        yield (
            f"it says {entry.yes} yes and {entry.no} no, "
            f"its values {evidence.yes} and {evidence.no}"
        )
    for name, stored, actual in (
        ("e_for", entry.e_for, evidence.e_for),
        ("e_against", entry.e_against, evidence.e_against),
    ):
        if not math.isclose(stored, actual, rel_tol=1e-9, abs_tol=_ROUNDING):
            yield f"it says {name} {stored:.6g}, its values {actual:.6g}"


def _verdict_faults(entry: Entry, verdict: str, parsed: ParsedClaim) -> Iterator[str]:
    if entry.verdict != verdict:
        yield f"it says {entry.verdict}, its values {verdict}"
    kept = unflipped_parts([p.text for p in parsed.parts], entry.controls, myth=entry.myth)
    flips = [control.flipped for control in entry.controls]
    status = status_of(verdict, flips, myth=entry.myth, every_part=not kept)
    if entry.status is not status:
        yield f"it says {entry.status}, its verdict and controls make it {status}"


def _control_faults(
    control: ControlEntry, entry: Entry, failure_share: float, *, one_run: bool
) -> Iterator[str]:
    """Of a control only the counts are kept: could its verdict have come from them?"""
    if control.flipped != (control.verdict == OPPOSITE[stated_verdict(myth=entry.myth)]):
        yield f"control {control.control} came out {control.verdict}, which its flip contradicts"
    answers = {"holds": control.yes, "refuted": control.no}.get(control.verdict)
    if answers is None:
        return
    # The order of the answers is not kept: at best, all that the verdict needs came first.
    if answers < (1 if one_run else _fewest(failure_share, yes=control.verdict == "holds")):
        seeds = control.yes + control.no
        yield f"control {control.control} cannot be {control.verdict} by {control.yes} of {seeds}"


def _fewest(failure_share: float, *, yes: bool) -> int:
    """How many equal answers make a verdict."""
    evidence = Evidence(failure_share)
    while evidence.verdict is None:
        evidence = evidence.add(yes)
    return evidence.yes + evidence.no


def one_run_decides(course: Course, entry: Entry) -> bool:
    """Whether one run is a verdict of this entry's demo: it says that it is deterministic.

    Where the demo has changed since, or is gone, nothing is known of what it said then; such
    evidence is stale anyway, and it gets the benefit of the doubt.
    """
    try:
        source = course.demo(entry.demo)
    except VaeflashError:
        return True
    return source.deterministic or source.fingerprint != entry.code


def audit(course: Course, ledger: Ledger) -> list[Problem]:
    """What the ledger says of this course's claims and its own values do not.

    A claim that cannot be read is skipped: choosing it, or `lint`, tells of that.
    """
    problems = []
    for _, card in course.cards():
        for claim in card.claims:
            entry = ledger.get(card.key_of(claim))
            if entry is None:
                continue
            try:
                parsed = parse_claim(claim.text)
            except ClaimError:
                continue
            found = rejudge(entry, parsed, deterministic=one_run_decides(course, entry))
            if found.faults:
                problems.append(_problem(course, entry, found))
    return problems


def _problem(course: Course, entry: Entry, found: Rejudgement) -> Problem:
    return Problem(
        f"{course.shown(course.ledger_path)}, {entry.card}",
        f"the line of '{entry.claim}' does not follow from its own values: "
        f"{'; '.join(found.faults)}.",
        "Restore it from version control, or gather the evidence anew: "
        + command("check", entry.card, "--fresh"),
    )
