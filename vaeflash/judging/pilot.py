"""Where a claim's threshold belongs, told by development seeds: claim and control side by side.

Item -> runs on seeds 0 to 99 -> a statistic for each relation -> two distributions
     -> how far apart they lie -> the threshold midway -> the claim with it, ready to paste

Evidence seeds are never touched, so what is chosen here is still to be tested there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from vaeflash.claims import (
    ParsedClaim,
    Statistic,
    numbers_near,
    parse_claim,
    relation_statistics,
    rewritten,
)
from vaeflash.errors import ClaimError
from vaeflash.judging.cases import Item
from vaeflash.judging.pilot_runs import PilotArm, Trial
from vaeflash.judging.samples import Sample, distance, is_logarithmic, quarters

APART = 4.0
"""Standard deviations between two means that leave room for a threshold."""


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
class RelationPilot:
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
    arms: tuple[PilotArm, ...]
    findings: tuple[RelationPilot, ...]
    proposed: str | None
    right: tuple[int, ...]
    right_then: tuple[int, ...]


def pilot(item: Item, arms: Sequence[PilotArm]) -> Pilot:
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


def _fitting(candidates: Sequence[Statistic], arms: Sequence[PilotArm]) -> Statistic | None:
    """The first statistic that tells the relation on every seed."""
    measured = [trial.measured for arm in arms for trial in arm.answered]
    for statistic in candidates:
        if all(statistic.means_the_same(values) for values in measured):
            return statistic
    return None


def _finding(
    item: Item,
    arms: Sequence[PilotArm],
    part: str,
    statistic: Statistic | None,
    yes: tuple[int, ...],
) -> RelationPilot:
    if statistic is None:
        contrasts = [
            _counted(item, arms[0], yes[0], arm, count)
            for arm, count in zip(arms[1:], yes[1:], strict=True)
        ]
        return RelationPilot(part, None, False, (), yes, tuple(contrasts))
    below = statistic.asks_for_less is not item.claim.myth
    samples = _samples(arms, statistic, single=item.source.deterministic)
    contrasts = [_contrast(samples[0], sample, below=below) for sample in samples[1:]]
    midway = _midway(statistic, samples, contrasts)
    return RelationPilot(part, statistic, below, samples, yes, tuple(contrasts), midway)


def _samples(arms: Sequence[PilotArm], statistic: Statistic, *, single: bool) -> tuple[Sample, ...]:
    values = [
        tuple(None if t.failure else statistic.value(t.measured) for t in arm.trials)
        for arm in arms
    ]
    known = [v for row in values for v in row if v is not None and math.isfinite(v)]
    log = is_logarithmic(known)
    return tuple(
        Sample(arm.control, row, log, single) for arm, row in zip(arms, values, strict=True)
    )


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


def _counted(item: Item, claim: PilotArm, yes: int, control: PilotArm, count: int) -> Contrast:
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


def _seen_together(finding: RelationPilot, findings: Sequence[RelationPilot]) -> RelationPilot:
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


def _proposed(parsed: ParsedClaim, findings: Sequence[RelationPilot]) -> ParsedClaim | None:
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


def _right(item: Item, parsed: ParsedClaim, arms: Sequence[PilotArm]) -> tuple[int, ...]:
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
