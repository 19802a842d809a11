"""Where a claim's threshold belongs, told by development seeds: claim and control side by side.

Item -> runs on seeds 0 to 99 -> a statistic for each relation -> two distributions
     -> how far apart they lie -> the threshold midway -> the claim with it, ready to paste

Evidence seeds are never touched, so what is chosen here is still to be tested there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from vaeflash.claims import (
    Overlay,
    ParsedClaim,
    Statistic,
    numbers_near,
    parse_claim,
    relation_statistics,
    rewritten,
)
from vaeflash.claims.evaluation import Measured
from vaeflash.errors import ClaimError, VaeflashError
from vaeflash.jobs import Job, Runs
from vaeflash.judge import jobs_of
from vaeflash.runs import NO_ERROR, Run
from vaeflash.selection import Item

MOST_SEEDS = 100
"""Seeds 0 to 99 are for writing a demo and its claims."""
APART = 4.0
"""Standard deviations between two means that leave room for a threshold."""
LOG_SPREAD = 30.0
"""Positive values that differ by more than this factor are told on a logarithmic scale."""


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
class Arm:
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


def gather(item: Item, seeds: Sequence[int], runs: Runs) -> list[Arm]:
    """The claim and each control on these seeds; runs that are not known yet are made here.

    An exception that the claim does not ask about is that seed's failure, and so is a run that was
    lost.

    Raises:
        VaeflashError: No seed gave a run of the claim as written.
    """
    arms = [("", {}), *((control.text, control.params) for control in item.controls)]
    lost: list[VaeflashError] = []
    gathered: list[Arm] = []
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
        gathered.append(Arm(control, tuple(trials)))
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


@dataclass(frozen=True)
class Sample:
    """The values of a statistic in one arm.

    Attributes:
        values: One a seed, in order; `None` where there is none.
        log: Whether they are compared by their logarithms.
        single: Whether one value is all there is to know, as of a deterministic demo.
    """

    control: str
    values: tuple[float | None, ...]
    log: bool = False
    single: bool = False

    @property
    def finite(self) -> tuple[float, ...]:
        """The values that have a place on an axis."""
        return tuple(v for v in self.values if v is not None and math.isfinite(v))

    @cached_property
    def mean(self) -> float:
        """Of the finite values; NaN if there are none."""
        return mean_and_deviation(self.finite)[0]

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of the finite values, with n - 1; NaN below two of them."""
        return 0.0 if self.single else mean_and_deviation(self.finite)[1]

    @cached_property
    def place(self) -> tuple[float, float]:
        """Mean and standard deviation on the scale of comparison: of logarithms, if `log`."""
        if not self.log:
            return self.mean, self.deviation
        mean, deviation = mean_and_deviation([math.log(value) for value in self.finite])
        return mean, 0.0 if self.single else deviation


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1) of finite values, NaN where there are too few.

    In units of the largest value, so that no sum or square leaves the range of floats.
    """
    if not values:
        return math.nan, math.nan
    unit = max(map(abs, values)) or 1.0
    scaled = [value / unit for value in values]
    mean = math.fsum(scaled) / len(scaled)
    if len(values) == 1:
        return mean * unit, math.nan
    if min(values) == max(values):  # rounding must not give equal values a spread
        return values[0], 0.0
    squares = math.fsum((value - mean) ** 2 for value in scaled)
    return mean * unit, unit * math.sqrt(squares / (len(scaled) - 1))


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Between two means, in standard deviations: the root of the mean of both variances.

    Args:
        one: Mean and standard deviation.
        other: Likewise.
    """
    gap = abs(one[0] / 2 - other[0] / 2)  # halves, for a gap beyond the range of floats
    spread = math.hypot(one[1] / 2, other[1] / 2) / math.sqrt(2)
    if spread == 0:
        return math.inf if gap else 0.0
    return gap / spread


class Relative(StrEnum):
    """How a control's values lie to the claim's."""

    APART = "apart"
    TOO_CLOSE = "too close"
    WRONG_WAY = "the wrong way round"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Contrast:
    """One control held against the claim by one statistic.

    Attributes:
        distance: In standard deviations; NaN where either has too few values.
        elsewhere: Whether another relation of the claim sets this control apart.
    """

    control: str
    relative: Relative
    distance: float
    elsewhere: bool = False


class Midway(NamedTuple):
    """A threshold in the middle of a gap.

    Attributes:
        threshold: The middle, in the fewest digits that keep it within the middle half.
        number: The same as the claim writes it.
        needless: Whether the threshold as written lies within the middle half, too.
    """

    threshold: float
    number: str
    needless: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One relation of a claim on development seeds.

    Attributes:
        part: The condition that the relation belongs to, as written.
        statistic: `None` for exact equality, of which yes and no is all there is to tell.
        below: Whether the claim's values should lie below the threshold, as the card states it.
        samples: The claim's values, then those under each control.
        yes: On how many seeds the part is true: the claim, then each control.
        contrasts: One for each control.
        midway: The threshold between the claim and the nearest control that lies apart; `None` if
            none does.
    """

    part: str
    statistic: Statistic | None
    below: bool
    samples: tuple[Sample, ...]
    yes: tuple[int, ...]
    contrasts: tuple[Contrast, ...]
    midway: Midway | None = None


@dataclass(frozen=True, slots=True)
class Pilot:
    """What development seeds say of one claim.

    Attributes:
        arms: The claim, then each control.
        proposed: The claim with the thresholds that should move midway, which may be none of them;
            `None` where no control lies apart, or the text takes no other number.
        right: On how many seeds each arm came out as the card wants it, as written.
        right_then: The same for the proposed claim.
    """

    item: Item
    arms: tuple[Arm, ...]
    findings: tuple[Finding, ...]
    proposed: str | None
    right: tuple[int, ...]
    right_then: tuple[int, ...]


def pilot(item: Item, arms: Sequence[Arm]) -> Pilot:
    """Hold a claim against its controls, relation by relation, and propose thresholds.

    Raises:
        ClaimError: A threshold of the claim is no number.
    """
    try:
        relations = relation_statistics(item.parsed)
    except ClaimError as error:
        raise ClaimError(*(problem.within(item.where) for problem in error.problems)) from error
    findings = []
    for part, candidates in relations:
        yes = tuple(sum(part.holds(t.measured) for t in arm.answered) for arm in arms)
        finding = _finding(item, arms, part.text, _fitting(candidates, arms), yes)
        findings.append(finding)
    findings = [_seen_together(finding, findings) for finding in findings]
    proposed = _proposed(item.parsed, findings)
    return Pilot(
        item=item,
        arms=tuple(arms),
        findings=tuple(findings),
        proposed=proposed.text if proposed else None,
        right=_right(item, item.parsed, arms),
        right_then=_right(item, proposed, arms) if proposed else (),
    )


def _fitting(candidates: Sequence[Statistic], arms: Sequence[Arm]) -> Statistic | None:
    """The first statistic that tells the relation on every seed."""
    measured = [trial.measured for arm in arms for trial in arm.answered]
    for statistic in candidates:
        if all(statistic.means_the_same(values) for values in measured):
            return statistic
    return None


def _finding(
    item: Item, arms: Sequence[Arm], part: str, statistic: Statistic | None, yes: tuple[int, ...]
) -> Finding:
    if statistic is None:
        contrasts = [
            _counted(item, arms[0], yes[0], arm, count)
            for arm, count in zip(arms[1:], yes[1:], strict=True)
        ]
        return Finding(part, None, False, (), yes, tuple(contrasts))
    below = statistic.asks_for_less is not item.claim.myth
    samples = _samples(arms, statistic, single=item.source.deterministic)
    contrasts = [_contrast(samples[0], sample, below=below) for sample in samples[1:]]
    midway = _midway(statistic, samples, contrasts)
    return Finding(part, statistic, below, samples, yes, tuple(contrasts), midway)


def _samples(arms: Sequence[Arm], statistic: Statistic, *, single: bool) -> tuple[Sample, ...]:
    values = [
        tuple(None if t.failure else statistic.value(t.measured) for t in arm.trials)
        for arm in arms
    ]
    known = [v for row in values for v in row if v is not None and math.isfinite(v)]
    log = is_logarithmic(known)
    return tuple(
        Sample(arm.control, row, log, single) for arm, row in zip(arms, values, strict=True)
    )


def is_logarithmic(values: Sequence[float]) -> bool:
    """Whether values are all positive and differ by more than a factor of 30."""
    return bool(values) and min(values) > 0 and max(values) / LOG_SPREAD > min(values)


def _contrast(claim: Sample, control: Sample, *, below: bool) -> Contrast:
    far = distance(claim.place, control.place)
    if math.isnan(far):
        relative = Relative.UNKNOWN
    elif far < APART:
        relative = Relative.TOO_CLOSE
    elif (claim.place[0] < control.place[0]) is below:
        relative = Relative.APART
    else:
        relative = Relative.WRONG_WAY
    return Contrast(control.control, relative, far)


def _counted(item: Item, claim: Arm, yes: int, control: Arm, count: int) -> Contrast:
    """The contrast of a part that has no threshold: apart where every seed says so."""
    known, other = len(claim.answered), len(control.answered)
    wanted, flipped = (0, other) if item.claim.myth else (known, 0)
    flips = bool(known and other) and (yes, count) == (wanted, flipped)
    return Contrast(control.control, Relative.APART if flips else Relative.TOO_CLOSE, math.nan)


def _midway(
    statistic: Statistic, samples: Sequence[Sample], contrasts: Sequence[Contrast]
) -> Midway | None:
    """The threshold midway to the nearest control that lies apart."""
    claim = samples[0]
    others = [
        sample
        for sample, contrast in zip(samples[1:], contrasts, strict=True)
        if contrast.relative is Relative.APART
    ]
    if not others:
        return None
    other = min(others, key=lambda sample: abs(sample.place[0] - claim.place[0]))
    least, middle, most = quarters(claim.place[0], other.place[0])
    if claim.log:
        least, middle, most = math.exp(least), math.exp(middle), math.exp(most)
    # On a logarithmic scale the middle of the values themselves is as good a place: whether 1e-9
    # or half of the larger mean says what the card means, no sample can tell.
    low, _, high = quarters(claim.mean, other.mean)
    written = statistic.threshold
    needless = least <= written <= most or low <= written <= high
    for number, threshold in numbers_near(middle, statistic.edit):
        if least <= threshold <= most:
            return Midway(threshold, number, needless)
    return None


def quarters(one: float, other: float) -> tuple[float, float, float]:
    """The three points that cut the gap between two means in four, in ascending order."""
    first, middle, last = sorted(one * (1 - share) + other * share for share in (0.25, 0.5, 0.75))
    return first, middle, last


def _seen_together(finding: Finding, findings: Sequence[Finding]) -> Finding:
    """The finding, knowing which controls another relation of the claim sets apart."""
    others = [other for other in findings if other is not finding]
    contrasts = tuple(
        replace(
            contrast,
            elsewhere=any(o.contrasts[place].relative is Relative.APART for o in others),
        )
        for place, contrast in enumerate(finding.contrasts)
    )
    return replace(finding, contrasts=contrasts)


def _proposed(parsed: ParsedClaim, findings: Sequence[Finding]) -> ParsedClaim | None:
    """The claim with each threshold midway that needs it; `None` if none can be told or written."""
    apart = [finding for finding in findings if finding.statistic and finding.midway]
    if not apart:
        return None
    changes = [
        (finding.statistic.edit, finding.midway.number)
        for finding in apart
        if finding.statistic and finding.midway  # for the type checker, which forgets
        if finding.statistic.edit and not finding.midway.needless
    ]
    try:
        return parse_claim(rewritten(parsed.text, changes))
    except ClaimError:  # too long, or its brackets too deep, with what was put in
        return None


def _right(item: Item, parsed: ParsedClaim, arms: Sequence[Arm]) -> tuple[int, ...]:
    """On how many seeds the claim comes out as the card states, and flipped under each control."""
    wanted = [bool(place) is item.claim.myth for place in range(len(arms))]
    return tuple(
        sum(_holds(parsed, trial) is want for trial in arm.answered)
        for arm, want in zip(arms, wanted, strict=True)
    )


def _holds(parsed: ParsedClaim, trial: Trial) -> bool | None:
    try:
        return parsed.holds(trial.measured)
    except ClaimError:  # with another threshold only: a tolerance that comes out negative
        return None
