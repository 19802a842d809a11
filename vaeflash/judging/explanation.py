"""All that is known of one claim: what it rests on, and what the ledger's values amount to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from vaeflash.card import Card, Claim, Deck, Status
from vaeflash.claims import (
    Overlay,
    ParsedClaim,
    format_params,
    metric_label,
    parse_claim,
    parse_params,
    to_overlay,
)
from vaeflash.course.course import Course
from vaeflash.course.demo_source import DemoSource
from vaeflash.errors import ClaimError, VaeflashError
from vaeflash.judging.audit import Rejudgement, one_run_decides, rejudge
from vaeflash.judging.evidence import FIRST_SEED, THRESHOLD, Evidence
from vaeflash.judging.ledger import Entry
from vaeflash.judging.staleness import CurrentEvidence
from vaeflash.judging.words import MEANINGS, value_text
from vaeflash.machine import torch_minor
from vaeflash.printable import command

NOTED = {Status.VACUOUS, Status.ERROR, Status.NOT_RUN}
"""Statuses of which the entry's note says the reason."""


@dataclass(frozen=True)
class Explanation:
    """All that is known of one claim.

    Attributes:
        entry: The evidence as it stands today.
        stored: The evidence as the ledger has it.
        found: What the stored values amount to, judged again.
        source: The demo as it is now; none if it is gone.
        here: What each data set of the evidence is on this machine; empty if it is not here.
    """

    card: Card
    claim: Claim
    parsed: ParsedClaim
    entry: Entry
    stored: Entry
    found: Rejudgement
    source: DemoSource | None
    here: Mapping[str, str]

    @property
    def reason(self) -> str:
        """Why the status is what it is."""
        if self.found.faults:
            return "the ledger says so, but its line does not follow from its own values"
        told = "" if self.entry.status in NOTED else MEANINGS[self.entry.status]
        if self.entry.status is Status.STALE:
            told = f"it was {self.stored.status}"
        return "; ".join(filter(None, [told, self.entry.note])).rstrip(".?")

    @property
    def one_run(self) -> bool:
        """Whether the verdict is that of one exact run."""
        return len(self.stored.values) == 1 and self.found.verdict in ("holds", "refuted")

    @property
    def verdict(self) -> str:
        """The verdict in one sentence; empty if there is none."""
        judged = self.found.evidence
        if judged is None:
            return ""
        if self.one_run:
            answer = "true" if judged.yes else "false"
            return f"{self.found.verdict}: {answer} in one run, of a demo that no seed changes."
        told = (
            f"{self.found.verdict}: true on {judged.yes} of {judged.yes + judged.no} fresh seeds; "
            f"e-value for {judged.e_for:.3g}, against {judged.e_against:.3g}; "
            f"{THRESHOLD:.0f} decides."
        )
        if judged.verdict is None and self.found.verdict != "inconclusive":
            decided = max(n for n, evidence in enumerate(self.found.path, 1) if evidence.verdict)
            told += f" It was reached after {decided} seeds, and a verdict stays one."
        return told

    @cached_property
    def runs(self) -> tuple[Overlay, ...]:
        """The parameters of each distinct run on a seed, without those that repeat a default."""
        if self.source is None or self.source.fingerprint != self.stored.code:
            return self.parsed.runs  # the defaults of then are not known
        return tuple(dict.fromkeys(_shortest(run, self.source) for run in self.parsed.runs))

    @property
    def columns(self) -> tuple[str, ...]:
        """The metrics as the claim writes them, in its order."""
        return tuple(metric_label(run, name) for run, name in self.parsed.metrics)

    @property
    def dependencies(self) -> dict[str, tuple[str, str]]:
        """What the evidence depends on -> what it was then, what it is now (empty: not here)."""
        now = self.source.fingerprint if self.source else ""
        data = {f"data {name}": (used, self.here[name]) for name, used in self.stored.data.items()}
        return {
            "code": (self.stored.code, now),
            **data,
            "torch": (self.stored.torch, torch_minor()),
        }

    @property
    def rate_bounds(self) -> tuple[float, float] | None:
        """95% lower and upper bound on the rate, each by itself; none where chance has no part."""
        if self.one_run or self.found.evidence is None:
            return None
        return self.found.least_rate, self.found.greatest_rate

    @property
    def limits(self) -> tuple[str, ...]:
        """What the verdict does not establish, each a sentence."""
        if self.found.evidence is None:
            return ()
        return tuple(self._limits(self.found.evidence))

    def _limits(self, judged: Evidence) -> Iterator[str]:
        if self.one_run:
            yield "Anything about chance: this is one exact run."
        else:
            yield self._rates(judged)
            rows = list(self.stored.values.values())
            if all(row == rows[0] for row in rows):
                yield (
                    "More than one run, if the seed changes nothing that these metrics see: "
                    f"all {len(rows)} seeds measured the same."
                )
        origins = [used.rpartition(" #")[0] or used for used in self.stored.data.values()]
        if origins:
            yield f"Other data than {', '.join(origins)}."
        else:
            yield "Real data: this demo reads no data set."
        yield f"Other devices than {self.stored.device}, other torch than {self.stored.torch}."
        yield self._parameters()

    def _rates(self, judged: Evidence) -> str:
        seeds = judged.yes + judged.no
        stated, ruled_out = (f"{100 * r:.3g}%" for r in (judged.high_rate, judged.low_rate))
        above = f"{math.floor(100 * self.found.least_rate)}%"
        below = f"{math.ceil(100 * self.found.greatest_rate)}%"
        match self.found.verdict:
            case "holds":
                more = self.found.least_rate >= judged.high_rate
                said = "always true" if more else f"true on {stated} of seeds, as the claim says"
                return (
                    f"That it is {said}. With error at most 5%, `holds` rules out rates up to "
                    f"{ruled_out}, and its e-process makes {above} the 95% lower bound from these "
                    f"{seeds} seeds."
                )
            case "refuted":
                return (
                    f"That it is never true. With error at most 5%, `refuted` rules out rates from "
                    f"{stated} up, and its e-process makes {below} the 95% upper bound from these "
                    f"{seeds} seeds."
                )
        return (
            f"A verdict. The e-processes make {above} the 95% lower bound and {below} the 95% "
            f"upper bound from these {seeds} seeds."
        )

    def _parameters(self) -> str:
        if self.source is None:
            return "Anything about the demo as it is now: it is gone."
        if not self.source.parameters:
            return "Other sizes: the demo has no parameters."
        defaults = ", ".join(
            f"{name}={value_text(parameter.default)}"
            for name, parameter in self.source.parameters.items()
            if parameter.default is not None
        )
        now = "" if self.source.fingerprint == self.stored.code else " now"
        return f"Other parameters than those of its runs; the defaults are{now} {defaults}."

    @property
    def commands(self) -> tuple[str, ...]:
        """How to see it oneself: the runs on the first seed, then broken, then all of it."""
        demo = ("demo", self.claim.demo, "--seed", str(FIRST_SEED))
        shown = [command(*demo, *_options(run)) for run in self.runs]
        for control in self.claim.controls:
            try:
                shown.append(command(*demo, *_options(to_overlay(parse_params(control.text)))))
            except ClaimError:
                continue  # lint tells of it
        return tuple(dict.fromkeys([*shown, command("check", self.card.id or "", "--fresh")]))


def _shortest(run: Overlay, source: DemoSource) -> Overlay:
    """The parameters as written, less those that repeat a default."""
    try:
        differing = source.accept(dict(run), source.shown)
    except VaeflashError:
        return run  # the line is no older than the demo, and yet it does not fit: an edited claim
    return tuple((name, value) for name, value in run if name in differing)


def _options(run: Overlay) -> list[str]:
    """The `--set` options that make a run."""
    return [word for pair in run for word in ("--set", format_params((pair,)))]


def explain(
    course: Course, current: CurrentEvidence, deck: Deck, card: Card, claim: Claim
) -> Explanation:
    """Gather what is known of a claim; nothing is run.

    Raises:
        ClaimError: The claim cannot be read.
    """
    try:
        parsed = parse_claim(claim.text)
    except ClaimError as error:
        where = f"{deck.path}:{claim.line}"
        raise ClaimError(*(problem.within(where) for problem in error.problems)) from error
    entry = current.entry(card, claim)
    stored = current.stored(card, claim) or entry
    found = rejudge(stored, parsed, deterministic=one_run_decides(course, stored))
    try:
        source = course.demo(claim.demo)
    except VaeflashError:
        source = None
    here = {name: current.data_here(source, name) if source else "" for name in stored.data}
    return Explanation(card, claim, parsed, entry, stored, found, source, here)
