"""A spot check of stale evidence: does one of its seeds still measure what it did?

Stale evidence stays stale whatever comes out. But whoever tidied a demo learns from one seed
whether its numbers moved, before gathering everything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vaeflash.card import Status, Value
from vaeflash.claims import metric_label
from vaeflash.errors import VaeflashError
from vaeflash.judging.cases import Item
from vaeflash.judging.judge import jobs_of
from vaeflash.judging.ledger import Entry
from vaeflash.plain import json_value
from vaeflash.runs.known import Job, Runs
from vaeflash.runs.run import NO_ERROR

TOLERANCE = 1e-4
"""Relative difference beyond which a number has moved; rounding stays below."""


@dataclass(frozen=True, slots=True)
class Spot:
    """What one old seed of a changed demo measures today.

    Attributes:
        compared: How many values.
        moved: Metric as written in the claim -> what it was, and what it is or why it is not.
    """

    demo: str
    seed: int
    compared: int
    moved: Mapping[str, tuple[Value, Value]]


def spots(judged: Iterable[tuple[Item, Entry]]) -> dict[str, list[tuple[Item, Entry]]]:
    """The stale claims of each demo that have measured values, all on the same oldest seed."""
    by_demo: dict[str, list[tuple[Item, Entry]]] = {}
    for item, entry in judged:
        if entry.status is Status.STALE and entry.values and entry.demo == item.source.name:
            by_demo.setdefault(entry.demo, []).append((item, entry))
    return by_demo


def jobs_to_compare(judged: Iterable[tuple[Item, Entry]], runs: Runs) -> Iterator[Job]:
    """The runs that a comparison takes."""
    for item, entry in judged:
        yield from jobs_of(item, {}, _seed(entry), runs).values()


def compare(demo: str, judged: list[tuple[Item, Entry]], runs: Runs) -> Spot:
    """Hold what was measured once against what is known now."""
    moved: dict[str, tuple[Value, Value]] = {}
    labels = set()
    for item, entry in judged:
        jobs = jobs_of(item, {}, _seed(entry), runs)
        old = entry.values[str(_seed(entry))]
        for overlay, name in item.parsed.metrics:
            label = metric_label(overlay, name)
            run = runs.known(jobs[overlay])
            labels.add(label)
            if run is None or isinstance(run, VaeflashError):
                moved[label] = (old[label], run.problems[0].what if run else "no run")
            elif name not in run.metrics:
                why = "not measured any more" if run.error == NO_ERROR else f"raised {run.error}"
                moved[label] = (old[label], why)
            elif not _alike(old[label], json_value(run.metrics[name])):
                moved[label] = (old[label], json_value(run.metrics[name]))
    return Spot(demo, _seed(judged[0][1]), len(labels), moved)


def _seed(entry: Entry) -> int:
    return min(map(int, entry.values))


def _alike(old: Value, new: Value) -> bool:
    if isinstance(old, int | float) and isinstance(new, int | float):
        return abs(old - new) <= TOLERANCE * max(abs(old), abs(new))
    return old == new
