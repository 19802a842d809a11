"""The ledger: what is known of each claim, one JSON line each, committed with the course.

Lines are sorted by card, then by claim, and equal evidence gives equal bytes, so that a change
in a version control system's diff is a change of evidence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vaeflash.card import ClaimKey, Status, Value, value_of
from vaeflash.errors import CourseError, Problem, as_utf8
from vaeflash.files import read_text, write_atomically
from vaeflash.plain import amount, count, each, each_in, flag, parse_json, record, text

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
    def key(self) -> ClaimKey:
        """Which claim of which card this is about."""
        return ClaimKey(self.card, self.myth, self.claim)

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

    def get(self, key: ClaimKey) -> Entry | None:
        """The entry of this very claim, or none."""
        return self._entries.get(key)

    def updated(self, entries: Iterable[Entry], keep: Iterable[ClaimKey]) -> Ledger:
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
            json.dumps(as_utf8({"v": FORMAT} | _row(entry)), ensure_ascii=False, sort_keys=True)
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
    content = read_text(path, inside=path.parent.resolve())
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            entries.append(_read_entry(line, f"{path}:{number}"))
    return Ledger(entries)


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Replace the file as a whole; a link that leads out of the course is refused."""
    write_atomically(path, ledger.to_text(), within=path.parent)


def _seed(name: str) -> str:
    if not re.fullmatch("[0-9]{1,18}", name):
        raise ValueError(f"'{name}' is no seed")
    return name


# What a line must hold to be taken at its word: somebody may have edited it.
_CONTROL = record(
    {
        **dict.fromkeys(("control", "verdict", "note"), text),
        **dict.fromkeys(("yes", "no"), count),
        "flipped": flag,
        "parts": each(text),
    },
    needed=("control", "verdict", "yes", "no", "flipped"),
)
_ENTRY = record(
    {
        **dict.fromkeys(("card", "claim", "demo", "verdict"), text),
        **dict.fromkeys(("code", "device", "torch", "date", "note"), text),
        **dict.fromkeys(("v", "yes", "no"), count),
        **dict.fromkeys(("e_for", "e_against"), amount),
        "myth": flag,
        "status": Status,
        "values": each_in(each_in(value_of), _seed),
        "controls": each(lambda row: ControlEntry(**_CONTROL(row))),
        "data": each_in(text),
    },
    needed=("v", "card", "claim", "myth", "demo", "status", "verdict", "values", "controls"),
)


def _read_entry(line: str, where: str) -> Entry:
    try:
        row = as_utf8(parse_json(line))
        if isinstance(row, dict) and count(row.get("v")) > FORMAT:
            raise CourseError(
                Problem(where, "this line is in a newer format.", "Update vaeflash to read it.")
            )
        entry = _ENTRY(row)
    except ValueError as error:
        raise CourseError(
            Problem(
                where,
                f"this line of the ledger cannot be read: {error}.",
                "Restore the file from version control, or delete it and run `vaeflash check`.",
            )
        ) from error
    del entry["v"]
    return Entry(**entry)
