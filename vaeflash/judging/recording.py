"""Lay what a check found over a ledger, without stirring what stays as it was.

Processors, BLAS and thread counts move the last digits of what is measured (`benchmarks/drift.py`
says how far). So evidence that says the same is left as it stands: where every seed gave the same
answer and every control the same verdict, other digits are no news.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from vaeflash.card import Status
from vaeflash.claims import parse_claim
from vaeflash.course.course import Course
from vaeflash.errors import ClaimError
from vaeflash.files import changing
from vaeflash.interrupts import uninterrupted
from vaeflash.judging.audit import answers_of
from vaeflash.judging.check import claim_keys
from vaeflash.judging.ledger import UNFINISHED, Entry, read_ledger, write_ledger


def record(
    course: Course, path: Path, entries: Iterable[Entry], *, new_values: bool = False
) -> None:
    """Lay the entries over the ledger as it is on disk now.

    A claim that could not run here keeps the evidence that it has from elsewhere.

    Args:
        new_values: Whether to write what was measured even where it says the same.

    Raises:
        CourseError: The ledger cannot be read or written.
    """
    own = path != course.ledger_path
    with uninterrupted(), changing(path):
        ledger = read_ledger(path)

        def is_news(entry: Entry) -> bool:
            # One's own evidence is laid over the course's: what is none must not hide that.
            if entry.status is Status.NOT_RUN or (own and entry.verdict == UNFINISHED):
                return False
            known = ledger.get(entry.key)
            return new_values or known is None or not says_the_same(entry, known)

        updated = ledger.updated(filter(is_news, entries), claim_keys(course))
        if updated.to_text() != ledger.to_text():
            write_ledger(path, updated)


def says_the_same(one: Entry, other: Entry) -> bool:
    """Whether two entries differ at most in dates and in what was measured, but in no answer."""

    def unmeasured(entry: Entry) -> Entry:
        # The e-values follow from the answers.
        return replace(entry, values={}, date="", e_for=0.0, e_against=0.0, own=False)

    if unmeasured(one) != unmeasured(other):
        return False
    try:
        parsed = parse_claim(one.claim)
        return answers_of(one, parsed) == answers_of(other, parsed)
    except ClaimError:  # a claim that cannot be read has no answers
        return one.values == other.values
