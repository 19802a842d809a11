"""`why`: what a verdict rests on, from the cards and the ledger alone, and what it leaves open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vaeflash.audit import Rejudgement, one_run_decides, rejudge
from vaeflash.card import Card, Claim, Deck, Status
from vaeflash.claims import (
    Overlay,
    ParsedClaim,
    Part,
    format_params,
    metric_label,
    parse_claim,
    parse_params,
    to_overlay,
)
from vaeflash.cli.cards import find_card
from vaeflash.cli.screen import Screen, status_text
from vaeflash.cli.seeds import seed_tables, value_text
from vaeflash.course import Course
from vaeflash.errors import ClaimError, VaeflashError
from vaeflash.evidence import FIRST_SEED, THRESHOLD, Evidence
from vaeflash.ledger import OWN, ControlEntry, Entry
from vaeflash.machine import torch_minor
from vaeflash.printable import command
from vaeflash.source import DemoSource
from vaeflash.standing import Standing, standing_of

REASONS: Mapping[Status, str] = {
    Status.VERIFIED: "the claim holds, and every control flipped it",
    Status.BUSTED: "the myth is refuted, and every control flipped it",
    Status.WRONG: "the verdict is the opposite of what the card states",
    Status.OPEN: "the seeds decide neither way",
}
"""Why a status is what it is, where the entry's note does not say."""
INDENT = 2


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
        told = REASONS.get(self.entry.status, "")
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
    course: Course, standing: Standing, deck: Deck, card: Card, claim: Claim
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
    entry = standing.entry(card, claim)
    stored = standing.stored(card, claim) or entry
    found = rejudge(stored, parsed, deterministic=one_run_decides(course, stored))
    try:
        source = course.demo(claim.demo)
    except VaeflashError:
        source = None
    here = {name: standing.data_here(source, name) if source else "" for name in stored.data}
    return Explanation(card, claim, parsed, entry, stored, found, source, here)


def why(course: Course, name: str, screen: Screen, *, as_json: bool) -> None:
    """Print what the verdicts of a card rest on.

    Raises:
        VaeflashError: No card has this id, or a claim of it cannot be read.
    """
    deck, card = find_card(course, name)
    standing = standing_of(course)
    told = [explain(course, standing, deck, card, claim) for claim in card.claims]
    if as_json:
        head = {"card": card.id, "title": card.title, "path": f"{deck.path}:{card.line}"}
        screen.json("why", head | {"claims": [_json(explanation) for explanation in told]})
        return
    screen.print(Text.assemble((card.title, "bold cyan"), (f"  {deck.path}:{card.line}", "dim")))
    if not told:
        screen.note("This card states no claim, so there is nothing to verify.")
    for explanation in told:
        screen.print()
        _print(explanation, screen)


def _print(told: Explanation, screen: Screen) -> None:
    head = Text.assemble(status_text(told.entry.status), "  ", (told.claim.text, "bold"))
    if told.claim.myth:
        head.append("  (a myth)", style="italic")
    if told.stored.own:
        head.append(f"  ({OWN})", style="dim")
    screen.print(head)
    _indented(
        screen, Text(f"{told.reason}.", style="" if told.entry.status.as_stated else "yellow")
    )
    if told.found.faults:
        faults = (Text(f"{fault}.", style="red") for fault in told.found.faults)
        _section(screen, "Contradictions", faults)
    if told.verdict:
        _section(screen, "Verdict", [])
        _indented(screen, Text(told.verdict), 2 * INDENT)
    if told.stored.values:
        _section(screen, "Measured", [])
        _seeds(screen, told)
    if told.stored.controls:
        texts = (_control_text(control, told.parsed.parts) for control in told.stored.controls)
        _section(screen, "Broken on purpose", texts)
    if told.stored.values:
        _section(screen, "Depends on", _dependency_texts(told))
    if told.limits:
        _section(screen, "Does not establish", map(Text, told.limits))
    _section(screen, "See it yourself", [])
    for shown in told.commands:  # unwrapped, so that it can be copied
        screen.print(Text(" " * 2 * INDENT + shown), soft_wrap=True)


def _indented(screen: Screen, item: Text | Table, by: int = INDENT) -> None:
    screen.print(Padding(item, (0, 0, 0, by), expand=False))


def _section(screen: Screen, title: str, items: Iterable[Text]) -> None:
    """A title, and the items below it; further lines of an item are set in."""
    _indented(screen, Text(title, style="bold"))
    for item in items:
        grid = Table.grid()
        grid.add_row(Text("- "), item)
        _indented(screen, grid, 2 * INDENT)


def _seeds(screen: Screen, told: Explanation) -> None:
    """The table of the seeds, and which part of the claim each of its last columns answers."""
    _indented(screen, _runs_text(told), 2 * INDENT)
    width, height = screen.console.width - 2 * INDENT, screen.console.height
    for item in seed_tables(told.stored, told.columns, told.found.answers, width, height):
        _indented(screen, item, 2 * INDENT)
    if len(told.parsed.parts) > 1:
        for number, part in enumerate(told.parsed.parts, 1):
            _indented(screen, Text(f"({number}) {part.text}", style="dim"), 2 * INDENT)


def _runs_text(told: Explanation) -> Text:
    seeds = list(told.stored.values)
    names = "; ".join(format_params(run) or "defaults" for run in told.runs)
    span = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    many = "" if len(told.runs) == 1 else f" ({len(told.runs) * len(seeds)} runs)"
    return Text(f"{told.stored.demo} with {names}, on {span}{many}")


def _control_text(control: ControlEntry, parts: Sequence[Part]) -> Text:
    outcome = "flips it" if control.flipped else "does not flip it"
    text = Text.assemble(
        (control.control, "" if control.flipped else "yellow"),
        f": {control.verdict}, true on {control.yes} of {control.yes + control.no}; {outcome}",
    )
    if control.parts:
        numbers = [f"({n})" for n, part in enumerate(parts, 1) if part.text in control.parts]
        text.append(f", refuting {' and '.join(numbers)}")
    if control.note:
        text.append(f" ({control.note})", style="yellow")
    return text


def _dependency_texts(told: Explanation) -> Iterator[Text]:
    for name, (then, now) in told.dependencies.items():
        if now == then:
            yield Text(f"{name}: {then}, as now")
        else:
            yield Text(f"{name}: {then}; now {now or 'not here'}", style="yellow")
    yield Text(f"device: {told.stored.device}")
    yield Text(f"date: {told.stored.date.partition('T')[0]}")


def _json(told: Explanation) -> dict[str, Any]:
    answers = {str(answer.seed): answer for answer in told.found.answers}
    stored = told.stored
    return {
        "claim": told.claim.text,
        "myth": told.claim.myth,
        "demo": told.claim.demo,
        "status": told.entry.status,
        "own": stored.own,
        "reason": told.reason,
        "verdict": stored.verdict,
        "yes": stored.yes,
        "no": stored.no,
        "e_for": stored.e_for,
        "e_against": stored.e_against,
        "rate_bounds": told.rate_bounds,
        "parts": [part.text for part in told.parsed.parts],
        "runs": [dict(run) for run in told.runs],
        "seeds": [
            {
                "seed": int(seed) if seed.isdecimal() else seed,
                "values": measured,
                "parts": list(answers[seed].parts) if seed in answers else None,
                "answer": answers[seed].yes if seed in answers else None,
            }
            for seed, measured in stored.values.items()
        ],
        "controls": [asdict(control) for control in stored.controls],
        "depends": {
            name: {"then": then, "now": now} for name, (then, now) in told.dependencies.items()
        },
        "device": stored.device,
        "date": stored.date,
        "limits": told.limits,
        "commands": told.commands,
        "faults": told.found.faults,
    }
