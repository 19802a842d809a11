"""What a pilot's runs came to: a claim and each of its controls, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vaeflash.claims import Overlay
from vaeflash.claims.evaluation import Measured
from vaeflash.errors import ClaimError, VaeflashError
from vaeflash.judging.cases import Item
from vaeflash.judging.judge import jobs_of
from vaeflash.runs.known import Job, Runs
from vaeflash.runs.run import NO_ERROR, Run

MOST_SEEDS = 100
"""Seeds 0 to 99 are for writing a demo and its claims."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the runs of a claim came to on one seed.

    Attributes:
        failure: Why there is no answer; empty where there is one.
        details: The same with all that is known.
    """

    seed: int
    measured: Measured
    answer: bool | None = None
    failure: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class PilotArm:
    """A claim on development seeds: as written, or under one control.

    Attributes:
        control: As written; empty for the claim itself.
    """

    control: str
    trials: tuple[Trial, ...]

    @property
    def answered(self) -> tuple[Trial, ...]:
        """The trials without a failure."""
        return tuple(trial for trial in self.trials if not trial.failure)

    def count(self, answer: bool) -> int:
        """On how many seeds the claim came out so."""
        return sum(trial.answer is answer for trial in self.trials)


def jobs_to_pilot(item: Item, seeds: Sequence[int], runs: Runs) -> list[Job]:
    """Every run that a claim and its controls need on these seeds, each once.

    Raises:
        VaeflashError: Data that the demo needs is damaged or not here.
    """
    arms = [{}, *(control.params for control in item.controls)]
    jobs = [
        job
        for params in arms
        for seed in seeds
        for job in jobs_of(item, params, seed, runs).values()
    ]
    return list(dict.fromkeys(jobs))


def gather(item: Item, seeds: Sequence[int], runs: Runs) -> list[PilotArm]:
    """The claim and each control on these seeds; runs that are not known yet are made here.

    An exception that the claim does not ask about is that seed's failure, and so is a run that was
    lost.

    Raises:
        VaeflashError: No seed gave a run of the claim as written.
    """
    arms = [("", {}), *((control.text, control.params) for control in item.controls)]
    lost: list[VaeflashError] = []
    gathered: list[PilotArm] = []
    for control, params in arms:
        trials = []
        for seed in seeds:
            try:
                jobs = jobs_of(item, params, seed, runs)
                made = {o: runs.get(j.source, j.params, seed) for o, j in jobs.items()}
                trials.append(_trial(item, seed, made))
            except VaeflashError as error:
                lost.append(error)
                what = error.problems[0].what.removesuffix(".")
                trials.append(Trial(seed, {}, failure=what, details=str(error.problems[0])))
        if len(lost) == len(seeds) and not gathered:
            raise lost[0]
        gathered.append(PilotArm(control, tuple(trials)))
    return gathered


def _trial(item: Item, seed: int, runs: Mapping[Overlay, Run]) -> Trial:
    measured = {overlay: run.metrics for overlay, run in runs.items()}
    for overlay, run in runs.items():
        if run.error not in {NO_ERROR, *item.parsed.expected_errors.get(overlay, ())}:
            failure = f"the demo raised {run.error}"
            return Trial(seed, measured, failure=failure, details=f"{failure}: {run.message}")
    try:
        return Trial(seed, measured, answer=item.parsed.holds(measured))
    except ClaimError as error:
        problem = error.problems[0]
        failure = problem.what.removesuffix(".")
        return Trial(seed, measured, failure=failure, details=f"{problem.where}: {failure}")
