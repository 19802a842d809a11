"""Judge a claim as far as its known runs go, and say which further runs that takes.

Nothing is run here, and nothing waits: `judge` can be asked again whenever another run is known, in
whatever order they arrive, and comes to the same arm.

known runs -> yes or no per seed -> evidence -> verdict
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from vaeflash.card import Value
from vaeflash.claims import Overlay, metric_label
from vaeflash.errors import ClaimError, DemoError, MachineError, Problem, VaeflashError
from vaeflash.judging.cases import Item
from vaeflash.judging.evidence import FIRST_SEED, Evidence
from vaeflash.judging.ledger import UNFINISHED
from vaeflash.machine import of_this_machine
from vaeflash.plain import json_value
from vaeflash.runs.known import Job, Runs
from vaeflash.runs.run import NO_ERROR, Run

SEED_UNUSED = "no metric changes with the seed: does the demo use it?"
"""Said of a verdict whose seeds all measured the same, which is then one run told many times."""


@dataclass(frozen=True, slots=True)
class JudgedArm:
    """A claim judged under one overlay: as written, or under one control.

    Attributes:
        verdict: "holds", "refuted", "inconclusive", "error", "unfinished", "not-run"; empty while
            it waits.
        answers: Yes or no for each seed so far, from 1000 on.
        parts: What became of each of the claim's parts by itself: "holds", "refuted" or "".
        values: Seed -> metric as written in the claim -> what was measured.
        seconds: That its runs took, whenever and wherever they were made.
        note: Why there is no verdict, in words.
        waits_for: Runs without which there will be none.
    """

    verdict: str
    evidence: Evidence
    answers: tuple[bool, ...] = ()
    parts: tuple[str, ...] = ()
    values: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    date: str = ""
    seconds: float = 0.0
    note: str = ""
    problem: Problem | None = None
    waits_for: tuple[Job, ...] = ()


def arm_of(
    item: Item,
    control: Mapping[str, Value],
    runs: Runs,
    *,
    least: int = 0,
    budget: int | None = None,
    watched: frozenset[int] = frozenset(),
) -> JudgedArm:
    """The arm, or why there is no verdict: something is missing here, or something is broken."""
    nothing = Evidence(item.parsed.failure_share)
    if runs.missing(item.source):
        return JudgedArm("not-run", nothing, note=runs.missing(item.source))
    try:
        return judge(item, control, runs, least=least, budget=budget, watched=watched)
    except VaeflashError as error:
        problem = error.problems[0]
        verdict = UNFINISHED if of_this_machine(error) else "error"
        return JudgedArm(verdict, nothing, note=problem.what, problem=problem)


def judge(
    item: Item,
    control: Mapping[str, Value],
    runs: Runs,
    *,
    least: int = 0,
    budget: int | None = None,
    watched: frozenset[int] = frozenset(),
) -> JudgedArm:
    """Take seed after seed until the evidence decides, `control` laid over every run of the claim.

    The verdict is that of the threshold that was crossed last, so that seeds which are added to a
    verdict can overturn it, but not merely weaken it. A demo that says it is deterministic is run
    once, on the first seed.

    Args:
        watched: Indices of parts that are to be decided too, once they have failed.

    Raises:
        VaeflashError: A run or the claim cannot be evaluated; that is no verdict either way.
    """
    tally = _Tally(item)
    deterministic = item.source.deterministic
    limit = 1 if deterministic else max(budget or tally.evidence.budget, least)
    for seed in count(FIRST_SEED):
        done = len(tally.answers)
        undecided = tally.undecided(watched)
        if done >= limit or (done >= least and not undecided):
            break
        measured = measure(item, control, seed, runs)
        if measured is None:
            # So many seeds are needed whatever they answer: they may run side by side.
            certain = max([least - done, 1, *(e.fewest_more for e in undecided)])
            seeds = range(seed, seed + min(certain, limit - done))
            return JudgedArm(
                "",
                tally.evidence,
                tuple(tally.answers),
                seconds=tally.seconds,
                waits_for=tuple(job for s in seeds for job in missing(item, control, s, runs)),
            )
        tally.add(seed, measured)
    return tally.of_one_run() if deterministic else tally.arm(limit)


class _Tally:
    """What the seeds so far say of a claim and of each of its parts."""

    def __init__(self, item: Item) -> None:
        self.evidence = Evidence(item.parsed.failure_share)
        self.answers: list[bool] = []
        self.seconds = 0.0
        self._item = item
        self._parts = [self.evidence for _ in item.parsed.parts]
        self._reached = ""
        self._reached_by_part = [""] * len(self._parts)
        self._values: dict[str, dict[str, Value]] = {}
        self._date = ""
        self._first: Mapping[Overlay, Mapping[str, Value]] = {}
        self._same = True

    def undecided(self, watched: frozenset[int]) -> list[Evidence]:
        """What still has to come to a verdict: the claim, and what was watched and has failed."""
        touched = [
            self._parts[i] for i in watched if self._parts[i].no and not self._reached_by_part[i]
        ]
        return touched if self._reached else [self.evidence, *touched]

    def add(self, seed: int, measured: Mapping[Overlay, Run]) -> None:
        """Count what the runs of one seed came to.

        Raises:
            ClaimError: The claim cannot be evaluated on them.
        """
        by_part = answer_parts(self._item, measured)
        self.answers.append(all(by_part))
        self.evidence = self.evidence.add(all(by_part))
        self._parts = [part.add(ok) for part, ok in zip(self._parts, by_part, strict=True)]
        self._reached = self.evidence.verdict or self._reached
        self._reached_by_part = [
            part.verdict or before
            for part, before in zip(self._parts, self._reached_by_part, strict=True)
        ]
        metrics = {o: run.metrics for o, run in measured.items() if run.error == NO_ERROR}
        self._first = self._first or metrics
        # A run that raised, as asked, measured nothing.
        self._same = self._same and metrics == self._first and bool(metrics)
        self._date = max(self._date, *(run.date for run in measured.values()))
        self.seconds += sum(run.seconds for run in measured.values())
        self._values[str(seed)] = {
            metric_label(overlay, name): json_value(measured[overlay].metrics[name])
            for overlay, name in self._item.parsed.metrics
        }

    def arm(self, limit: int) -> JudgedArm:
        """What the evidence decided, or that it has not after so many seeds."""
        if not self._reached:
            return self._arm(
                "inconclusive", self._reached_by_part, f"undecided after {limit} seeds"
            )
        return self._arm(self._reached, self._reached_by_part, SEED_UNUSED if self._same else "")

    def of_one_run(self) -> JudgedArm:
        """What the only run says, of a demo that no seed changes."""
        parts = ["holds" if part.yes else "refuted" for part in self._parts]
        return self._arm("holds" if self.answers[0] else "refuted", parts, "")

    def _arm(self, verdict: str, parts: Sequence[str], note: str) -> JudgedArm:
        return JudgedArm(
            verdict,
            self.evidence,
            tuple(self.answers),
            tuple(parts),
            self._values,
            self._date,
            self.seconds,
            note,
        )


def jobs_of(item: Item, control: Mapping[str, Value], seed: int, runs: Runs) -> dict[Overlay, Job]:
    """The runs that a claim needs on one seed, `control` laid over each."""
    return {
        overlay: runs.job(
            item.source, item.source.accept(dict(overlay) | dict(control), item.where), seed
        )
        for overlay in item.parsed.runs
    }


def missing(item: Item, control: Mapping[str, Value], seed: int, runs: Runs) -> list[Job]:
    """Those of them that are not known yet, each once."""
    jobs = jobs_of(item, control, seed, runs).values()
    return [job for job in dict.fromkeys(jobs) if runs.known(job) is None]


def measure(
    item: Item, control: Mapping[str, Value], seed: int, runs: Runs
) -> dict[Overlay, Run] | None:
    """What the runs of a claim came to on one seed; nothing while one of them is missing.

    Raises:
        VaeflashError: No run came of a job, or it raised what the claim does not ask about.
    """
    measured: dict[Overlay, Run] = {}
    complete = True
    for overlay, job in jobs_of(item, control, seed, runs).items():
        run = runs.known(job)
        if isinstance(run, VaeflashError):
            raise run
        if run is None:
            complete = False
            continue
        measured[overlay] = run
        if run.error not in {NO_ERROR, *item.parsed.expected_errors.get(overlay, ())}:
            kind = DemoError if run.lasting else MachineError
            raise kind(
                Problem(
                    item.where,
                    f"the demo raised {run.error} on seed {seed}: {run.message}.",
                    f"See it with: vaeflash --debug demo {item.source.name} --seed {seed}",
                )
            )
    return measured if complete else None


def answer_parts(item: Item, measured: Mapping[Overlay, Run]) -> list[bool]:
    """Whether each part of the claim is true of these runs.

    Raises:
        ClaimError: A part cannot be evaluated on them, e.g. it names an unknown metric.
    """
    metrics = {overlay: run.metrics for overlay, run in measured.items()}
    try:
        return [part.holds(metrics) for part in item.parsed.parts]
    except ClaimError as error:
        raise ClaimError(*(problem.within(item.where) for problem in error.problems)) from error
