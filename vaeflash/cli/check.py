"""`check`: judge the claims, print each verdict as it falls, update the ledger."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from vaeflash.card import ClaimKey, Status
from vaeflash.cli.check_live import Watch
from vaeflash.cli.consent import ask_to_run
from vaeflash.cli.screen import Screen, status_text
from vaeflash.course.consent import is_trusted
from vaeflash.course.course import Course
from vaeflash.errors import Problem, VaeflashError
from vaeflash.judging.cases import Item, Selection, choose
from vaeflash.judging.check import check, make
from vaeflash.judging.ledger import Entry
from vaeflash.judging.ledgers import path_to_record
from vaeflash.judging.outcome import Outcome, unreadable_entry
from vaeflash.judging.recording import record
from vaeflash.judging.spot_check import Spot, compare, jobs_to_compare, spots
from vaeflash.judging.staleness import CurrentEvidence, committed_evidence, current_evidence
from vaeflash.machine import choose_device, device_kind
from vaeflash.runs.known import Runs
from vaeflash.runs.needs import missing_need
from vaeflash.runs.processes import InProcess, Workers, default_jobs, local_workers

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings


@dataclass(frozen=True, slots=True)
class Where:
    """Where the runs of a check are made.

    Attributes:
        device: "auto", "cpu", "cuda" or "cuda:N".
        jobs: Runs at a time; 0 makes them in this process, none leaves the number to us.
        executor: Address of a cluster, or nothing.
        timeout: Seconds that a run may take; 0 for no limit.
    """

    device: str = "auto"
    jobs: int | None = None
    executor: str = ""
    timeout: float = 600

    def chosen_device(self) -> str:
        """The device of the machines that run; a cluster is taken at its word.

        Raises:
            VaeflashError: There is no such device here.
        """
        if self.executor:
            return "cpu" if self.device == "auto" else self.device
        return choose_device(self.device)

    def workers(self) -> AbstractContextManager[Workers]:
        """Whoever makes the runs, until the block ends.

        Raises:
            VaeflashError: The cluster cannot be used.
        """
        limit = self.timeout or None
        if self.executor:
            from vaeflash.runs.dask import cluster_workers

            return cluster_workers(self.executor, limit)
        jobs = default_jobs(self.chosen_device()) if self.jobs is None else self.jobs
        return local_workers(jobs, limit) if jobs else nullcontext(InProcess())


def check_all(
    settings: Settings,
    names: Sequence[str],
    where: Where,
    *,
    budget: int | None,
    add_seeds: int,
    fresh: bool,
    new_values: bool,
    strict: bool,
    trusted: bool,
    as_json: bool,
) -> bool:
    """Check the chosen claims and record the evidence; whether all came out as stated.

    However it ends, what was judged until then is recorded, and told.

    Raises:
        VaeflashError: A claim cannot be read, a demo raised, or the evidence could not be recorded;
            after everything else is done. Or nothing can be recorded here, before anything is run.
    """
    course: Course = settings.course
    selection = choose(course, names)
    path = path_to_record(course)
    if selection.items:
        ask_to_run(settings, trusted=trusted)
    screen: Screen = settings.out
    runs = Runs(where.chosen_device(), fresh=fresh)
    entries = [unreadable_entry(course, broken) for broken in selection.unreadable]
    problems = [problem for broken in selection.unreadable for problem in broken.problems]
    if not as_json:
        settings.err.problems(problems)  # before an hour of runs, not after
        if selection.items:
            screen.print(_row("status", "yes", "claim", "what breaks it", "s", style="bold"))
    unfinished: list[Problem] = []
    started = time.perf_counter()
    least = _seeds_to_look_at(current_evidence(course), selection, runs, add_seeds)
    watch = Watch(settings.out if settings.out.console.is_terminal else settings.err, selection)

    def report(outcome: Outcome) -> None:
        watch.see(outcome)
        if outcome.entry:
            entries.append(outcome.entry)
            problems.extend(outcome.problems)
            unfinished.extend(outcome.unfinished)
            if not as_json:
                screen.print(_outcome_row(outcome, outcome.entry))

    try:
        with where.workers() as workers, watch:
            check(selection.items, runs, workers, report, budget=budget, least=least)
    finally:
        try:
            record(course, path, entries, new_values=new_values)
        except VaeflashError as error:
            problems += error.problems
        if as_json:
            screen.json("check", _json(entries, runs, [*problems, *unfinished]))
        else:
            _summary(entries, runs, time.perf_counter() - started, screen)
            _tell_unfinished(unfinished, settings.err)
            if path != course.ledger_path:
                screen.note(f"Recorded as yours, on this machine: {path}", soft_wrap=True)
    if problems:
        raise VaeflashError(*dict.fromkeys(problems))
    return _all_good(entries, strict=strict)


def _json(entries: Sequence[Entry], runs: Runs, problems: Sequence[Problem]) -> dict[str, object]:
    return {
        "claims": [_entry_json(entry) for entry in sorted(entries, key=lambda entry: entry.key)],
        "runs": {"made": runs.made, "recalled": runs.recalled},
        "problems": [asdict(problem) for problem in problems],
    }


def _summary(entries: Sequence[Entry], runs: Runs, seconds: float, screen: Screen) -> None:
    screen.print()
    _counts(entries, screen)
    screen.note(
        f"{runs.made} runs made, {runs.recalled} recalled, {seconds:.0f} s on {runs.device}."
    )


def _seeds_to_look_at(
    current: CurrentEvidence, selection: Selection, runs: Runs, add: int
) -> dict[ClaimKey, int]:
    """As many seeds for each claim as its evidence has, so that it never shrinks; `add` more."""
    device = device_kind(runs.device)
    return {
        item.key: current.seeds(item.card, item.claim, device) + add for item in selection.items
    }


def _tell_unfinished(problems: Sequence[Problem], screen: Screen) -> None:
    """What this machine could not finish, each reason once."""
    if problems:
        screen.problems(dict.fromkeys(problems))
        screen.note("This machine could not finish these; what the ledger knows of them stays.")


def _entry_json(entry: Entry) -> dict[str, object]:
    return asdict(entry) | {"solid": entry.solid}


def _all_good(entries: Sequence[Entry], *, strict: bool) -> bool:
    passing = {Status.VERIFIED, Status.BUSTED} | (set() if strict else {Status.NOT_RUN})
    return all(entry.status in passing for entry in entries)


def check_locked(
    settings: Settings,
    names: Sequence[str],
    where: Where,
    *,
    strict: bool,
    trusted: bool,
    as_json: bool,
) -> bool:
    """Read the ledger against the course as it is; whether every chosen claim stands.

    One old seed of each demo with stale evidence is run, to tell whether its numbers moved.

    Raises:
        VaeflashError: A claim cannot be read, or the ledger does not follow from its own values.
    """
    from vaeflash.judging.audit import audit  # late, since a check that judges does not need it

    course: Course = settings.course
    screen: Screen = settings.out
    current = committed_evidence(course)
    selection = choose(course, names)
    device = where.chosen_device()
    judged = [(item, _current_entry(current, item, device)) for item in selection.items]
    entries = [entry for _, entry in judged]
    entries += [unreadable_entry(course, broken) for broken in selection.unreadable]
    if trusted:
        ask_to_run(settings, trusted=True)
    changes = list(_spot_checks(judged, where)) if is_trusted(course) else []
    problems = [problem for broken in selection.unreadable for problem in broken.problems]
    problems += audit(course, current.ledger)
    if as_json:
        content = {
            "claims": [_entry_json(entry) for entry in entries],
            "locked": True,
            "spot_checks": [asdict(spot) for spot in changes],
            "problems": [asdict(problem) for problem in problems],
        }
        screen.json("check", content)
    else:
        for entry in entries:
            if not entry.status.as_stated:
                told = Text.assemble(status_text(entry.status), f"  {entry.card}: {entry.claim}")
                screen.print(told)
                screen.note(f"  {entry.note}")
        for spot in changes:
            screen.print(_spot_text(spot))
        _counts(entries, screen)
    if problems:
        raise VaeflashError(*dict.fromkeys(problems))
    unchecked = any(e.status is Status.NOT_RUN and e.note == "never checked" for e in entries)
    return _all_good(entries, strict=strict) and not unchecked


def _current_entry(current: CurrentEvidence, item: Item, device: str) -> Entry:
    """The evidence, or why there is none: that it was never gathered, or could not be, here."""
    entry = current.entry(item.card, item.claim)
    missing = missing_need(item.source, device) if entry.status is Status.NOT_RUN else ""
    return entry.marked(Status.NOT_RUN, missing) if missing else entry


def _spot_checks(judged: Sequence[tuple[Item, Entry]], where: Where) -> Iterator[Spot]:
    changed = spots(judged)
    if not changed:
        return
    runs = Runs(where.chosen_device())
    jobs = [job for claims in changed.values() for job in jobs_to_compare(claims, runs)]
    with where.workers() as workers:
        make(jobs, runs, workers, lambda job: None)  # noqa: ARG005 -- nobody watches
    for demo, claims in changed.items():
        yield compare(demo, claims, runs)


def _spot_text(spot: Spot) -> Text:
    head = Text.assemble((spot.demo, "bold"), f", spot check on seed {spot.seed}: ")
    if not spot.moved:
        return head.append(f"all {spot.compared} values as they were", style="green")
    head.append(f"{len(spot.moved)} of {spot.compared} values moved", style="red")
    for label, (old, new) in spot.moved.items():
        head.append(f"\n  {label}: {old} is now {new}", style="dim")
    return head


def _row(*cells: str | Text, style: str = "") -> Table:
    """One line of the table; printed row by row, so that each verdict shows when it falls."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=10)
    grid.add_column(width=5, justify="right")
    grid.add_column(ratio=3)
    grid.add_column(ratio=2)
    grid.add_column(width=5, justify="right")
    grid.add_row(*(Text(c, style=style) if isinstance(c, str) else c for c in cells))
    return grid


def _outcome_row(outcome: Outcome, entry: Entry) -> Table:
    claim = Text(entry.claim)
    if entry.myth:
        claim.append(" (a myth)", style="italic")
    claim.append(f"\n{entry.card}", style="dim")
    breaks = Text("\n").join(
        Text(
            f"{control.control}: {control.yes}/{control.yes + control.no}",
            style="" if control.flipped else "yellow",
        )
        for control in entry.controls
    )
    if entry.note:
        breaks.append(f"{chr(10) if breaks else ''}{entry.note}", style="yellow")
    yes = Text(f"{entry.yes}/{entry.seeds}" if entry.seeds else "")
    if entry.solid:
        yes.append("\nsolid", style="green")
    return _row(status_text(entry.status), yes, claim, breaks, f"{outcome.seconds:.1f}")


def _counts(entries: Sequence[Entry], screen: Screen) -> None:
    counts = Counter(entry.status for entry in entries)
    parts = [Text.assemble(f"{n} ", status_text(status)) for status, n in sorted(counts.items())]
    claims = f"{len(entries)} claim{'' if len(entries) == 1 else 's'}: "
    text = Text.assemble((claims, "bold"), Text(", ").join(parts))
    if solid := sum(entry.solid for entry in entries):
        text.append(f"; {solid} solid")
    screen.print(text)
