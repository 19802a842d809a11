"""What the ledger's evidence is worth today: current, stale, or not there at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from vaeflash.card import Card, Claim, Status
from vaeflash.course.consent import may_look_at_paths
from vaeflash.course.course import Course
from vaeflash.course.demo_source import DemoSource
from vaeflash.errors import VaeflashError
from vaeflash.judging.ledger import Entry, Ledger, read_ledger
from vaeflash.judging.ledgers import read_own
from vaeflash.judging.status import stated_verdict
from vaeflash.machine import torch_minor
from vaeflash.runs.needs import data_here


@dataclass(frozen=True)
class CurrentEvidence:
    """The evidence on a course, read against its cards, demos, data and torch as they are now.

    Attributes:
        ledger: The course's own.
        own: What the user gathered where the course's ledger is not theirs to write.
    """

    course: Course
    ledger: Ledger
    own: Ledger = field(default_factory=Ledger)
    _used: dict[tuple[str, str], str] = field(default_factory=dict, repr=False, compare=False)
    """What each data set of a demo is here, looked up once."""

    def stored(self, card: Card, claim: Claim) -> Entry | None:
        """The evidence as it was recorded: what is current before what is stale, then the later."""
        found = [ledger.get(card.key_of(claim)) for ledger in self._ledgers]
        entries = [entry for entry in found if entry]
        if len(entries) < 2:
            return entries[0] if entries else None
        return max(entries, key=lambda entry: (not self._is_stale(entry, claim), entry.date))

    @property
    def _ledgers(self) -> tuple[Ledger, Ledger]:
        return self.own, self.ledger

    def _is_stale(self, entry: Entry, claim: Claim) -> bool:
        return any(self._changes(entry, claim))

    def entry(self, card: Card, claim: Claim) -> Entry:
        """The evidence for a claim, marked stale where something it depends on has changed."""
        entry = self.stored(card, claim)
        if entry is None:
            note = "never checked" if card.id else "the card has no id yet"
            return Entry(
                card=card.id or "",
                claim=claim.text,
                myth=claim.myth,
                demo=claim.demo,
                status=Status.NOT_RUN,
                verdict="not-run",
                note=note,
            )
        changes = ", ".join(self._changes(entry, claim))
        return entry.marked(Status.STALE, f"{changes} changed since") if changes else entry

    def seeds(self, card: Card, claim: Claim, device: str) -> int:
        """On how many seeds the evidence stands that a run on this kind of device would go on with.

        None where there is no such evidence, or where it is stale.
        """
        entry = self.entry(card, claim)
        counts = entry.status is not Status.STALE and entry.device == device
        return entry.seeds if counts else 0

    def entries(self, card: Card) -> tuple[Entry, ...]:
        """The evidence for each claim of a card, in the card's order."""
        return tuple(self.entry(card, claim) for claim in card.claims)

    def as_ledger(self) -> Ledger:
        """The evidence as it stands today: one entry for each claim that was ever checked."""
        return Ledger(
            self.entry(card, claim)
            for _, card in self.course.cards()
            for claim in card.claims
            if self.stored(card, claim)
        )

    def data_here(self, source: DemoSource, kept: str) -> str:
        """What a data set of an entry is on this machine; empty if it is not here.

        A path that the course names is looked at where its demos may run, and not before.

        Args:
            kept: What the entry calls it.
        """
        if (source.name, kept) not in self._used:
            self._used[source.name, kept] = data_here(source, kept, anywhere=self._anywhere)
        return self._used[source.name, kept]

    @cached_property
    def _anywhere(self) -> bool:
        return may_look_at_paths(self.course)

    def _changes(self, entry: Entry, claim: Claim) -> Iterator[str]:
        """What changed since the evidence was gathered.

        Something that is not here (torch, a data set) is no change: evidence from another
        machine stays what it is.
        """
        try:
            source = self.course.demo(entry.demo)
        except VaeflashError:
            yield "the demo"
            return
        if entry.demo != claim.demo or entry.code != source.fingerprint:
            yield "the demo's code"
        # Controls are run only under a verdict as stated; any other says nothing about them.
        stated = stated_verdict(myth=entry.myth)
        run, written = [c.control for c in entry.controls], [c.text for c in claim.controls]
        if entry.verdict == stated and run != written:
            yield "the controls"
        for name, used in entry.data.items():
            here = self.data_here(source, name) or used
            if here.rpartition("#")[2] != used.rpartition("#")[2]:
                yield f"the data set {name}"
        if torch_minor() and entry.torch != torch_minor():
            yield f"torch {entry.torch}"


def current_evidence(course: Course) -> CurrentEvidence:
    """What is known of a course here: its ledger, and the user's own evidence laid over it.

    Raises:
        CourseError: A ledger is damaged.
    """
    return CurrentEvidence(course, read_ledger(course.ledger_path), read_own(course))


def committed_evidence(course: Course) -> CurrentEvidence:
    """What the course itself says: its ledger alone.

    Raises:
        CourseError: The ledger is damaged.
    """
    return CurrentEvidence(course, read_ledger(course.ledger_path))
