"""The ledger: what is known of each claim, one JSON line each, committed with the course.

Lines are sorted by card, then by claim, and equal evidence gives equal bytes, so that a change
in a version control system's diff is a change of evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vaeflash.card import Status, Value
from vaeflash.errors import CourseError, Problem, printable
from vaeflash.files import read_text, write_atomically

FORMAT = 1
OWN = "yours, on this machine"
"""What evidence is called that the user gathered for themselves."""
UNFINISHED = "unfinished"
"""In place of a verdict: this machine could not make a run that it takes."""
SOLID = 12
"""Clean seeds after which evidence is called solid: they would bear out `in 95% of seeds`, too."""


@dataclass(frozen=True, slots=True)
class ControlEntry:
    """What a control did: the parameters as written, the verdict under them, and the counts.

    Attributes:
        parts: Where `and` joins several conditions, those that this control refuted.
    """

    control: str
    verdict: str
    yes: int
    no: int
    flipped: bool
    note: str = ""
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """The evidence for one claim.

    Attributes:
        card: The card's id.
        claim: The claim's text; with `myth` it identifies the line of the card.
        verdict: "holds", "refuted", "inconclusive", or why there is none: "error", "unfinished",
            "not-run".
        values: Seed -> metric as written in the claim -> what was measured.
        code: Fingerprint of the demo and of the course and lab modules it imports.
        data: Name of each data set -> which one was used, with its fingerprint.
        date: When the last of its runs was made, ISO, UTC.
        note: What an error, a missing device or a vacuous control was, in words.
        own: Whether the user gathered it for themselves, on this machine; no ledger says that.
    """

    card: str
    claim: str
    myth: bool
    demo: str
    status: Status
    verdict: str
    yes: int = 0
    no: int = 0
    e_for: float = 1.0
    e_against: float = 1.0
    values: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    controls: tuple[ControlEntry, ...] = ()
    code: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    torch: str = ""
    date: str = ""
    note: str = ""
    own: bool = False

    @property
    def key(self) -> tuple[str, bool, str]:
        """Which claim of which card this is about."""
        return (self.card, self.myth, self.claim)

    @property
    def seeds(self) -> int:
        """On how many seeds the claim was judged."""
        return self.yes + self.no

    @property
    def solid(self) -> bool:
        """Whether it came out as stated on at least `SOLID` seeds, and on none otherwise."""
        contrary = self.yes if self.myth else self.no
        return self.status.as_stated and self.seeds >= SOLID and not contrary

    def marked(self, status: Status, note: str = "") -> Entry:
        """The same evidence under another status."""
        return replace(self, status=status, note=note or self.note)


class Ledger:
    """All entries of a course, by card and claim."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = {entry.key: entry for entry in entries}

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._entries.values(), key=lambda entry: entry.key))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, card: str | None, claim: str, *, myth: bool) -> Entry | None:
        """The entry of this very claim, or none."""
        return self._entries.get((card or "", myth, claim))

    def updated(self, entries: Iterable[Entry], keep: Iterable[tuple[str, bool, str]]) -> Ledger:
        """This ledger with new entries laid over it, without claims that left the course.

        What could not be finished tells nothing of the demo, and takes no evidence away.
        """
        merged = dict(self._entries)
        for entry in entries:
            known = merged.get(entry.key)
            if not (known and known.values and entry.verdict == UNFINISHED):
                merged[entry.key] = entry
        wanted = set(keep)
        return Ledger(entry for key, entry in merged.items() if key in wanted)

    def to_text(self) -> str:
        """The file's content: one line an entry, stable bytes for equal evidence."""
        lines = [
            json.dumps(printable({"v": FORMAT} | _row(entry)), ensure_ascii=False, sort_keys=True)
            for entry in self
        ]
        return "".join(line + "\n" for line in lines)


def _row(entry: Entry) -> dict[str, Any]:
    row = asdict(entry)
    del row["own"]  # whose it is follows from whose file it is in
    return row


def read_ledger(path: Path) -> Ledger:
    """The ledger in a file; an empty one if there is no such file.

    Raises:
        CourseError: A line is damaged; the message names it.
    """
    if not path.exists():
        return Ledger()
    entries = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            entries.append(_read_entry(line, f"{path}:{number}"))
    return Ledger(entries)


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Replace the file as a whole; a link that leads out of the course is refused."""
    write_atomically(path, ledger.to_text(), within=path.parent)


_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("card", "claim", "demo", "verdict", "date", "note"), (str,)),
    **dict.fromkeys(("code", "device", "torch"), (str,)),
    **dict.fromkeys(("yes", "no"), (int,)),
    **dict.fromkeys(("e_for", "e_against"), (int, float)),
    "myth": (bool,),
    "data": (dict,),
}
"""What a line must hold to be taken at its word: somebody may have edited it."""


def _read_entry(line: str, where: str) -> Entry:
    try:
        row = printable(json.loads(line))
        if row.pop("v") != FORMAT:
            raise CourseError(
                Problem(where, "this line is in a newer format.", "Update vaeflash to read it.")
            )
        row["status"] = Status(row["status"])
        row["controls"] = tuple(_read_control(control) for control in row["controls"])
        row["values"] = {
            seed: {name: _value(value) for name, value in measured.items()}
            for seed, measured in row["values"].items()
        }
        return _typed(Entry(**row))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(
            Problem(
                where,
                "this line of the ledger cannot be read.",
                "Restore the file from version control, or delete it and run `vaeflash check`.",
            )
        ) from error


def _typed(entry: Entry) -> Entry:
    """The entry, if its fields hold what they should.

    Raises:
        TypeError: One does not.
    """
    for name, kinds in _KINDS.items():
        if type(getattr(entry, name)) not in kinds:
            raise TypeError(name)
    return entry


def _read_control(row: dict[str, Any]) -> ControlEntry:
    return ControlEntry(**row | {"parts": tuple(row.get("parts", ()))})


def _value(value: Value | list[int]) -> Value:
    return tuple(value) if isinstance(value, list) else value
