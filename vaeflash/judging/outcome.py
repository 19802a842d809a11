"""What is known of a claim and of its controls, and the line of the ledger that this amounts to.

arm of the claim, arm of each control -> status -> entry
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from vaeflash.card import Status
from vaeflash.course.course import Course
from vaeflash.errors import Problem, VaeflashError
from vaeflash.judging.cases import Item, ReadControl, Unreadable
from vaeflash.judging.judge import JudgedArm, arm_of
from vaeflash.judging.ledger import UNFINISHED, ControlEntry, Entry
from vaeflash.judging.status import (
    OPPOSITE,
    parts_to_flip,
    stated_verdict,
    status_of,
    unflipped_parts,
)
from vaeflash.machine import device_kind, torch_minor
from vaeflash.runs.known import Job, Runs
from vaeflash.runs.needs import claim_data


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of a claim and its controls.

    Attributes:
        controls: The arm of each control; none while the claim did not come out as stated.
        entry: For the ledger, once nothing is waited for.
    """

    item: Item
    arm: JudgedArm
    controls: tuple[tuple[ReadControl, JudgedArm], ...] = ()
    entry: Entry | None = None

    @property
    def waits_for(self) -> tuple[Job, ...]:
        """Runs that are missing, those of the claim before those of its controls."""
        arms = (self.arm, *(arm for _, arm in self.controls))
        return tuple(job for arm in arms for job in arm.waits_for)

    @property
    def seconds(self) -> float:
        """That the runs took, each control's included."""
        return self.arm.seconds + sum(arm.seconds for _, arm in self.controls)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the claim or its demo, so that it could not be judged."""
        return (self.arm.problem,) if self.arm.problem and not self.unfinished else ()

    @property
    def unfinished(self) -> tuple[Problem, ...]:
        """What this machine could not finish, of the claim or of a control."""
        arms = (self.arm, *(arm for _, arm in self.controls))
        return tuple(arm.problem for arm in arms if arm.problem and arm.verdict == UNFINISHED)


def examine(item: Item, runs: Runs, *, least: int = 0, budget: int | None = None) -> Outcome:
    """Judge a claim as far as the known runs go, then each of its controls.

    Controls are looked at only when the claim came out as stated: they show that it could have
    failed. Where `and` joins several parts, a control also goes on until it is plain what becomes
    of each part that it touches and no control before it flipped.

    Args:
        least: Seeds to look at even if fewer decide: those that earlier evidence has, or more.
        budget: Seeds to look at when none decides; by default what the evidence rule says.
    """
    stated = stated_verdict(myth=item.claim.myth)
    arm = arm_of(item, {}, runs, least=least, budget=budget)
    if arm.verdict != stated:
        entry = None if arm.waits_for else _entry(item, arm, (), runs.device)
        return Outcome(item, arm, entry=entry)
    arms: list[tuple[ReadControl, JudgedArm]] = []
    unflipped = _parts_to_flip(item)
    settled = True  # whether every control so far has its verdict
    for control in item.controls:
        watched = unflipped if settled else frozenset()
        other = arm_of(item, control.params, runs, budget=budget, watched=watched)
        arms.append((control, other))
        settled = settled and not other.waits_for
        unflipped -= _flipped_parts(other)
    entry = _entry(item, _weakest(arm, arms), arms, runs.device) if settled else None
    return Outcome(item, arm, tuple(arms), entry)


def _weakest(arm: JudgedArm, controls: Sequence[tuple[ReadControl, JudgedArm]]) -> JudgedArm:
    """The arm of the claim, or in its place the first of a control that could not be finished.

    Claim and controls are judged jointly: without one of them there is no verdict.
    """
    for control, other in controls:
        if other.verdict == UNFINISHED:
            return replace(other, note=f"under the control {control.text}: {other.note}")
    return arm


def _parts_to_flip(item: Item) -> frozenset[int]:
    """Indices of the parts that controls must flip one by one."""
    texts = parts_to_flip([part.text for part in item.parsed.parts], myth=item.claim.myth)
    return frozenset(range(len(texts)))


def _flipped_parts(arm: JudgedArm) -> frozenset[int]:
    return frozenset(i for i, verdict in enumerate(arm.parts) if verdict == "refuted")


def unreadable_entry(course: Course, broken: Unreadable) -> Entry:
    """The ledger's line for a claim that cannot be read: an error, until it is mended."""
    claim = broken.claim
    code = ""
    with suppress(VaeflashError):
        code = course.demo(claim.demo).fingerprint
    return Entry(
        card=broken.card.id or "",
        claim=claim.text,
        myth=claim.myth,
        demo=claim.demo,
        status=Status.ERROR,
        verdict="error",
        code=code,
        torch=torch_minor(),
        note=broken.problems[0].what,
    )


def _entry(
    item: Item, arm: JudgedArm, controls: Sequence[tuple[ReadControl, JudgedArm]], device: str
) -> Entry:
    """The ledger's line for a claim whose arms are all decided."""
    myth = item.claim.myth
    parts = [part.text for part in item.parsed.parts]
    flipping = OPPOSITE[stated_verdict(myth=myth)]
    lines = [
        ControlEntry(
            control=control.text,
            verdict=other.verdict,
            yes=other.evidence.yes,
            no=other.evidence.no,
            flipped=other.verdict == flipping,
            note=other.note,
            parts=tuple(parts[i] for i in sorted(_flipped_parts(other) & _parts_to_flip(item))),
        )
        for control, other in controls
    ]
    kept = unflipped_parts(parts, lines, myth=myth)
    flips = [line.flipped for line in lines]
    status = status_of(arm.verdict, flips, myth=myth, every_part=not kept)
    return Entry(
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
        controls=tuple(lines),
        code=item.source.fingerprint,
        data=claim_data(item.source, map(dict, item.parsed.runs)),
        device=device_kind(device),
        torch=torch_minor(),
        date=max([arm.date] + [other.date for _, other in controls]),
        note="; ".join(filter(None, [arm.note, _why_vacuous(status, lines, kept)])),
    )


def _why_vacuous(status: Status, controls: Sequence[ControlEntry], kept: Sequence[str]) -> str:
    if status is not Status.VACUOUS:
        return ""
    if not controls:
        return "there is no control, so nothing shows that the check could have failed"
    for control in controls:
        if not control.flipped:
            kept_up = f"the control {control.control} came out {control.verdict}"
            return f"{kept_up}: it did not flip the claim"
    return "no control flipped the part " + ", nor ".join(f"`{part}`" for part in kept)
