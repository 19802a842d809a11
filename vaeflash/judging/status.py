"""The one rule by which a verdict and the controls' verdicts make a status."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vaeflash.card import Status
from vaeflash.judging.ledger import UNFINISHED, ControlEntry

OPPOSITE = {"holds": "refuted", "refuted": "holds"}
UNJUDGED = {"error": Status.ERROR, UNFINISHED: Status.ERROR, "not-run": Status.NOT_RUN}
"""What stands in place of a verdict where there are no values, and the status that it makes."""


def stated_verdict(*, myth: bool) -> str:
    """The verdict that the card states."""
    return "refuted" if myth else "holds"


def parts_to_flip(parts: Sequence[str], *, myth: bool) -> Sequence[str]:
    """The parts of a claim that controls must flip one by one.

    None where there is one part, which is the claim, and none of a myth: a control that makes it
    hold has made every part hold.
    """
    return parts if len(parts) > 1 and not myth else ()


def unflipped_parts(
    parts: Sequence[str], controls: Collection[ControlEntry], *, myth: bool
) -> list[str]:
    """Those of them that no control has flipped, in the claim's order."""
    flipped = {part for control in controls for part in control.parts}
    return [part for part in parts_to_flip(parts, myth=myth) if part not in flipped]


def status_of(
    verdict: str, flips: Sequence[bool], *, myth: bool, every_part: bool = True
) -> Status:
    """The status that a verdict and its controls amount to.

    Args:
        verdict: Of the claim as written, or why there is none.
        flips: For each control, whether it gave the opposite verdict.
        myth: Whether the card states that the claim is refuted.
        every_part: Whether each part that controls must flip was flipped by some control.
    """
    if verdict in UNJUDGED:
        return UNJUDGED[verdict]
    if verdict == "inconclusive":
        return Status.OPEN
    if verdict != stated_verdict(myth=myth):
        return Status.WRONG
    if not flips or not all(flips) or not every_part:
        return Status.VACUOUS
    return Status.BUSTED if myth else Status.VERIFIED
