"""A claim on one seed, now: what a demo's run or a look from a quiz says; it is no evidence."""

from __future__ import annotations

from collections.abc import Mapping

from vaeflash.card import Value
from vaeflash.judging.cases import Item
from vaeflash.judging.judge import answer_parts, measure, missing
from vaeflash.runs.known import Runs


def answer_now(item: Item, control: Mapping[str, Value], seed: int, runs: Runs) -> bool:
    """Yes or no on one seed, with the runs that are missing made here, in this process.

    Raises:
        VaeflashError: A run or the claim cannot be evaluated.
    """
    for job in missing(item, control, seed, runs):
        runs.get(job.source, job.params, job.seed)
    measured = measure(item, control, seed, runs)
    return measured is not None and all(answer_parts(item, measured))
