"""`pilot`: a claim and its controls on development seeds, drawn, with the threshold midway."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vaeflash.card import Card
from vaeflash.claims import short_number
from vaeflash.cli.check import Where
from vaeflash.cli.consent import ask_to_run
from vaeflash.cli.dot_plot import Axis, axis_line, dots, seeds_per_dot
from vaeflash.cli.progress import Progressing
from vaeflash.cli.screen import Screen
from vaeflash.cli.show import find_card
from vaeflash.course.course import Course
from vaeflash.errors import CourseError, DataError, Problem
from vaeflash.judging.cases import Item, read_claim
from vaeflash.judging.check import make
from vaeflash.judging.pilot import APART, Contrast, Pilot, RelationPilot, Relative, pilot
from vaeflash.judging.pilot_runs import PilotArm, gather, jobs_to_pilot
from vaeflash.judging.samples import Sample
from vaeflash.plain import json_value
from vaeflash.printable import command
from vaeflash.runs.known import Runs
from vaeflash.runs.needs import missing_need

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings

WIDEST = 120
WRITTEN, PROPOSED, BOTH = "▲", "△", "◆"
AS_WRITTEN = "as written"


def run_pilot(
    settings: Settings, name: str, where: Where, *, seeds: int, trusted: bool, as_json: bool
) -> None:
    """Run each claim of a card, and its controls, on seeds 0, 1, ...; show where thresholds belong.

    Raises:
        VaeflashError: No such card or device, a claim that cannot be read, a demo that cannot run.
    """
    course: Course = settings.course
    items = _items(course, name)
    ask_to_run(settings, trusted=trusted)
    runs = Runs(where.chosen_device())
    for item in items:
        _refuse_missing(item, runs.device)
    numbers = {item.key: range(1 if item.source.deterministic else seeds) for item in items}
    jobs = [job for item in items for job in jobs_to_pilot(item, numbers[item.key], runs)]
    with where.workers() as workers, Progressing(settings.out, settings.err) as progress:
        steps = iter(progress.track(range(len(jobs)), "pilot runs", len(jobs)))
        make(jobs, runs, workers, lambda _: next(steps, None))
    pilots = [pilot(item, gather(item, numbers[item.key], runs)) for item in items]
    screen: Screen = settings.out
    if as_json:
        content = {
            "card": name,
            "seeds": seeds,
            "device": runs.device,
            "claims": [_pilot_json(each) for each in pilots],
            "runs": {"made": runs.made, "recalled": runs.recalled},
        }
        screen.json("pilot", content)
        return
    for each in pilots:
        for renderable in report(each, screen.console.width):
            screen.print(renderable)
        if each.proposed and each.proposed != each.item.claim.text:
            word = "myth" if each.item.claim.myth else "claim"
            screen.plain(f":{word:8}{each.proposed}")
        screen.print()
    screen.note(
        f"Development seeds only: what they suggest is still to be tested. "
        f"`{command('check', name)}` gathers the evidence."
    )


def _items(course: Course, name: str) -> list[Item]:
    deck, card = find_card(course, name)
    if not card.claims:
        raise CourseError(_no_claim(f"{deck.path}:{card.line}", card))
    return [read_claim(course, card, claim, deck.path) for claim in card.claims]


def _no_claim(where: str, card: Card) -> Problem:
    advice = "Write a :demo line, a :claim line below it, and its :control."
    return Problem(where, f"the card '{card.id}' has no claim to try out.", advice)


def _refuse_missing(item: Item, device: str) -> None:
    missing = missing_need(item.source, device)
    if missing:
        raise DataError(Problem(item.where, f"{missing}.", "`vaeflash doctor` says what is here."))


def report(found: Pilot, width: int) -> Iterator[RenderableType]:
    """All that there is to say of one claim, from its text to the counts of the proposal."""
    item = found.item
    title = Text(item.claim.text, style="bold")
    if item.claim.myth:
        title.append("  (a myth)", style="italic not bold")
    trials = len(found.arms[0].trials)
    told = f"seeds 0 to {trials - 1}" if trials > 1 else "seed 0"
    if item.source.deterministic:
        told = "deterministic: one run each, and a distribution needs no seeds"
    yield title.append(f"\n{item.source.name}, {told}", style="not bold dim")
    for arm in found.arms:
        yield from _failures(arm)
    for finding in found.findings:
        yield Text()
        yield _finding(found, finding, min(width, WIDEST))
    if not item.controls:
        yield Text(
            "\nThere is no control, so nothing says where the threshold belongs: "
            "add a :control line, a plausible mistake that should flip the claim.",
            style="yellow",
        )
    yield Text()
    yield _counts(found)
    yield from _proposal(found)


def _proposal(found: Pilot) -> Iterator[Text]:
    """What to do about the thresholds, before the line to paste."""
    misplaced = [f for f in found.findings if f.midway and not f.midway.needless]
    if not misplaced:
        if found.proposed:
            yield Text("The threshold stands well: within the middle half of the gap.")
    elif found.proposed and found.proposed != found.item.claim.text:
        yield Text("Midway, to paste:")
    else:
        yield Text("The claim has no one place for this number: state the comparison by itself.")


def _failures(arm: PilotArm) -> Iterator[Text]:
    """Seeds without an answer, each reason once with its first seed."""
    seeds: dict[str, list[int]] = {}
    details: dict[str, str] = {}
    for trial in arm.trials:
        if trial.failure:
            seeds.setdefault(trial.failure, []).append(trial.seed)
            details.setdefault(trial.failure, trial.details)
    for failure, failed in seeds.items():
        count = f"no answer on {len(failed)} of {len(arm.trials)}"
        yield Text.assemble(
            (f"{arm.control or AS_WRITTEN}: {count}: {failure}", "yellow"),
            (f"\n  seed {failed[0]}: {details[failure]}", "dim"),
        )


def _finding(found: Pilot, finding: RelationPilot, width: int) -> RenderableType:
    statistic = finding.statistic
    if statistic is None:
        return Group(Text(finding.part, style="bold"), *_tally(found, finding))
    written = f"{statistic.text} {statistic.sign} {number(statistic.threshold)}"
    head = Text(f"{written}{'%' if statistic.percent else ''}", style="bold")
    lines = [head, *_strips(finding, width)]
    return Group(*lines, *(_verdict(contrast) for contrast in finding.contrasts))


def _tally(found: Pilot, finding: RelationPilot) -> Iterator[Text]:
    yield Text("  an exact comparison has no threshold: yes and no is all there is", style="dim")
    for arm, yes, contrast in zip(found.arms, finding.yes, (None, *finding.contrasts), strict=True):
        line = Text(f"  {arm.control or AS_WRITTEN}: yes on {yes} of {len(arm.trials)}")
        if contrast and contrast.relative is Relative.APART:
            line.append("; flips it", style="green")
        yield line


def _strips(finding: RelationPilot, width: int) -> Iterator[Text]:
    """The samples as dots above their axis, and what its signs mean."""
    statistic = finding.statistic
    if statistic is None:
        return
    proposal = finding.midway.threshold if finding.midway else None
    values = [value for sample in finding.samples for value in sample.finite]
    log = finding.samples[0].log
    marks = [mark for mark in (proposal, statistic.threshold) if mark is not None]
    axis = Axis.around(values, marks, width, log=log)
    ends = f"{number(axis.low)} ", f" {number(axis.high)}"
    axis = Axis(axis.low, axis.high, width - len(ends[0]) - len(ends[1]) - 2, log)
    margin = Text(" " * (len(ends[0]) + 2))
    per_dot = seeds_per_dot([sample.finite for sample in finding.samples], axis)
    for place, sample in enumerate(finding.samples):
        style = "magenta" if place else "green"
        yield _caption(sample, style)
        for row in dots(sample.finite, axis, per_dot=per_dot, style=style):
            line = margin + row
            line.rstrip()
            yield line
    signs, legend = _marks(axis, statistic.threshold, proposal)
    yield Text("  ") + Text(ends[0], style="dim") + axis_line(axis, signs) + Text(ends[1], "dim")
    if log:
        legend.append("; a log axis, and distances of logarithms", style="dim")
    if per_dot > 1:
        legend.append(f"; a dot stands for {per_dot} seeds", style="dim")
    yield legend


def _caption(sample: Sample, style: str) -> Text:
    line = Text.assemble("  ", (sample.control or AS_WRITTEN, f"bold {style}"))
    if not sample.finite:
        return line.append(f"  no finite value on any of {len(sample.values)}", style="yellow")
    line.append(f"  {number(sample.mean)}")
    if len(sample.finite) > 1:
        line.append(f" ± {number(sample.deviation)}")
    left_out = len(sample.values) - len(sample.finite)
    if left_out:
        odd = sum(value is not None for value in sample.values) - len(sample.finite)
        told = [f"{odd} NaN or infinite"] if odd else []
        told += [f"{left_out - odd} without an answer"] if left_out > odd else []
        line.append(f"  ({len(sample.finite)} of {len(sample.values)} seeds: {', '.join(told)})")
    return line


def _marks(axis: Axis, written: float, proposal: float | None) -> tuple[Mapping[str, float], Text]:
    """The signs on the axis, and the line that explains them."""
    beyond = "" if 0 <= axis.position(written) <= 1 else ", beyond this axis"
    first = f"{number(written)} as written{beyond}"
    if proposal is None:
        return {WRITTEN: written}, Text(f"  {WRITTEN} {first}")
    if not beyond and axis.column(written) == axis.column(proposal):
        return {BOTH: proposal}, Text(f"  {BOTH} {first}, {number(proposal)} midway")
    told = Text(f"  {WRITTEN} {first}   {PROPOSED} {number(proposal)} midway")
    return {WRITTEN: written, PROPOSED: proposal}, told


def _verdict(contrast: Contrast) -> Text:
    """How one control lies, and what to do if it does not lie apart."""
    line = Text.assemble("  ", (contrast.control, "bold"), ": ")
    far = f"{contrast.distance:.1f} standard deviations"
    if math.isinf(contrast.distance):
        far = "both are without spread"
    match contrast.relative:
        case Relative.APART:
            return line.append(f"apart: {far}", style="green")
        case Relative.UNKNOWN:
            told = "too few values to tell a distance by"
            advice = "try more seeds"
        case Relative.WRONG_WAY:
            told = f"the wrong way round: {far}, on the side that the claim asks for"
            advice = "turn the sign, or look for a control that breaks the claim"
        case Relative.TOO_CLOSE:
            told = f"too close: {far}; fewer than {APART:g} leave no room for a threshold"
            advice = "train longer, make the contrast larger, or measure something else"
    if contrast.elsewhere:
        return line.append(f"{told}. Another part of the claim sets it apart.", style="dim")
    return line.append(f"{told}: {advice}", style="yellow")


def _counts(found: Pilot) -> Table:
    """On how many pilot seeds each arm comes out as it should."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(Text("right on pilot seeds"))
    table.add_column(Text(AS_WRITTEN), justify="right")
    moved = found.proposed not in (None, found.item.claim.text)
    if moved:
        table.add_column(Text("midway"), justify="right")
    for place, arm in enumerate(found.arms):
        wanted = "no" if bool(place) is not found.item.claim.myth else "yes"
        cells = [found.right[place], *([found.right_then[place]] if moved else [])]
        seeds = len(arm.trials)
        table.add_row(
            Text(f"{arm.control or 'the claim'} ({wanted})"),
            *(Text(f"{n}/{seeds}", style="" if n == seeds else "yellow") for n in cells),
        )
    return table


def number(value: float) -> str:
    """Four significant digits at most."""
    return short_number(value, 4)


def _pilot_json(found: Pilot) -> dict[str, Any]:
    item = found.item
    return {
        "claim": item.claim.text,
        "myth": item.claim.myth,
        "demo": item.source.name,
        "deterministic": item.source.deterministic,
        "arms": [_arm_json(found, place) for place in range(len(found.arms))],
        "relations": [_finding_json(finding) for finding in found.findings],
        "proposed": found.proposed,
    }


def _arm_json(found: Pilot, place: int) -> dict[str, Any]:
    arm = found.arms[place]
    return {
        "control": arm.control,
        "yes": arm.count(True),
        "no": arm.count(False),
        "right": found.right[place],
        "right_then": found.right_then[place] if found.right_then else None,
        "failures": {str(trial.seed): trial.details for trial in arm.trials if trial.failure},
    }


def _finding_json(finding: RelationPilot) -> dict[str, Any]:
    statistic = finding.statistic
    return {
        "part": finding.part,
        "yes": list(finding.yes),
        "statistic": statistic.text if statistic else None,
        "sign": statistic.sign if statistic else None,
        "threshold": statistic.threshold if statistic else None,
        "percent": bool(statistic and statistic.percent),
        "log": any(sample.log for sample in finding.samples),
        "samples": [_sample_json(sample) for sample in finding.samples],
        "controls": [
            {
                "control": contrast.control,
                "relative": contrast.relative,
                "distance": json_value(contrast.distance),
                "elsewhere": contrast.elsewhere,
            }
            for contrast in finding.contrasts
        ],
        "midway": finding.midway.threshold if finding.midway else None,
        "needless": bool(finding.midway and finding.midway.needless),
    }


def _sample_json(sample: Sample) -> dict[str, Any]:
    return {
        "control": sample.control,
        "values": [None if value is None else json_value(value) for value in sample.values],
        "mean": json_value(sample.mean),
        "deviation": json_value(sample.deviation),
    }
