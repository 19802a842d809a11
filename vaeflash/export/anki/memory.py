"""What earlier exports of a course held, so that only what changed gets a newer stamp.

Anki updates a note only from a stamp that is newer than its own, which is also that of the user's
last edit. So a note that did not change keeps its stamp, and with it what the user made of it; one
that did gets a stamp later than any before. Kept in the user's data folder, one file a course. If
it is lost or damaged, everything counts as new and is stamped with the present second.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import platformdirs

from vaeflash.files import changing, write_atomically
from vaeflash.plain import count, each_in, flag, parse_json, record, text

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Remembered:
    """A note or note type as it was last exported.

    Attributes:
        content: Hash of what Anki shows of it.
        stamp: Seconds since 1970, as given to it.
        deck: Name of its deck in Anki.
        kind: Name of its note type.
        here: Whether its card is still in the course.
    """

    content: str
    stamp: int
    deck: str = ""
    kind: str = ""
    here: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """A card that is in another deck than before."""

    card: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Rename:
    """A deck all of whose cards are now in one that was not there before."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different from the last export, by ids of cards.

    Attributes:
        first: No earlier export is remembered here.
        returned: Cards that had left the course.
        moved: Cards in another deck, unless their whole deck was renamed.
        retyped: Cards that became a cloze or ceased to be one, which Anki does not take.
    """

    first: bool
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    moved: tuple[Move, ...] = ()
    renamed: tuple[Rename, ...] = ()
    retyped: tuple[str, ...] = ()


class ExportMemory:
    """What was exported of one course, by ids of cards and names of note types.

    Args:
        path: Where it is kept; without one it is empty and stays with this process.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._last, self._notes, self._types = _read(path) if path else (0, {}, {})

    @classmethod
    def of(cls, course_id: str) -> ExportMemory:
        """That of a course, in the user's data folder."""
        readable = re.sub(r"\W+", "-", course_id)[:40]
        name = f"{readable}-{hashlib.sha256(course_id.encode()).hexdigest()[:8]}.json"
        return cls(platformdirs.user_data_path("vaeflash") / "anki-exports" / name)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Take up what another export has left since, and keep others out until ours is kept."""
        if self._path is None:
            yield
            return
        with changing(self._path):
            self._last, self._notes, self._types = _read(self._path)
            yield

    def update(
        self,
        notes: Mapping[str, Remembered],
        types: Mapping[str, Remembered],
        ids: Sequence[str],
        now: int,
        *,
        restamp: bool = False,
    ) -> Changes:
        """Take in what is exported now, giving a stamp to each note and note type.

        A card that comes back unchanged keeps its stamp, too: Anki still has it as it was.

        Args:
            notes: Those that are exported; their stamps are ignored.
            types: Likewise.
            ids: All cards of the course, exported or not.
            now: Seconds since 1970. A clock that was set back does not set stamps back.
            restamp: Give all of them a new stamp, changed or not.
        """
        fresh = max(now, self._last + 1)
        before = self._notes
        stamped = _stamped(notes, {} if restamp else before, fresh)
        self._types |= _stamped(types, {} if restamp else self._types, fresh)
        known = set(ids)
        self._notes = {
            name: replace(note, here=name in known) for name, note in (before | stamped).items()
        }
        given = (*self._notes.values(), *self._types.values())
        self._last = max([self._last, *(one.stamp for one in given)])
        return _changes(before, self._notes, list(notes))

    def stamp(self, card: str) -> int:
        """The stamp of a note that was exported."""
        return self._notes[card].stamp

    def type_stamp(self, name: str) -> int:
        """The stamp of a note type that was exported."""
        return self._types[name].stamp

    def save(self) -> None:
        """Keep it for the next export.

        Raises:
            CourseError: The user's data folder cannot be written.
        """
        if self._path is None:
            return
        content = {
            "format": FORMAT,
            "last": self._last,
            "notes": {name: asdict(note) for name, note in self._notes.items()},
            "types": {name: asdict(kind) for name, kind in self._types.items()},
        }
        write_atomically(self._path, json.dumps(content, sort_keys=True) + "\n")


def content_hash(parts: Sequence[str]) -> str:
    """A hash of texts, in their order."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:20]


def _stamped(
    now: Mapping[str, Remembered], before: Mapping[str, Remembered], fresh: int
) -> dict[str, Remembered]:
    """Each with its old stamp if it is as it was, else with the fresh one."""
    stamped = {}
    for name, one in now.items():
        old = before.get(name)
        same = old is not None and one == replace(old, stamp=one.stamp, here=one.here)
        stamped[name] = replace(one, stamp=old.stamp if old and same else fresh)
    return stamped


def _changes(
    before: Mapping[str, Remembered], after: Mapping[str, Remembered], exported: Sequence[str]
) -> Changes:
    was = {name for name, note in before.items() if note.here}
    both = [name for name in exported if name in before]
    moved = [
        Move(name, before[name].deck, after[name].deck)
        for name in both
        if before[name].deck != after[name].deck
    ]
    renamed = _renamed(before, after, moved)
    return Changes(
        first=not before,
        new=tuple(name for name in exported if name not in before),
        changed=tuple(n for n in both if before[n].content != after[n].content),
        gone=tuple(sorted(name for name in was if not after[name].here)),
        returned=tuple(name for name in both if name not in was),
        moved=tuple(move for move in moved if Rename(move.old, move.new) not in renamed),
        renamed=renamed,
        retyped=tuple(n for n in both if before[n].kind != after[n].kind),
    )


def _renamed(
    before: Mapping[str, Remembered], after: Mapping[str, Remembered], moved: Sequence[Move]
) -> tuple[Rename, ...]:
    """Decks that are no more, all of whose remaining cards went to the same new deck."""
    old_decks = {note.deck for note in before.values() if note.here}
    decks = {note.deck for note in after.values() if note.here}
    targets: dict[str, set[str]] = {}
    for move in moved:
        targets.setdefault(move.old, set()).add(move.new)
    return tuple(
        Rename(old, new)
        for old, (new, *others) in ((old, sorted(new)) for old, new in targets.items())
        if not others and old not in decks and new not in old_decks
    )


def _read(path: Path) -> tuple[int, dict[str, Remembered], dict[str, Remembered]]:
    """The last stamp, notes and note types; empty if the file is not there or not sound."""
    try:
        content = _CONTENT(parse_json(path.read_bytes()))
    except (OSError, ValueError):
        return 0, {}, {}
    if content["format"] != FORMAT:
        return 0, {}, {}
    return content["last"], content["notes"], content["types"]


_REMEMBERED = record(
    {**dict.fromkeys(("content", "deck", "kind"), text), "stamp": count, "here": flag}
)
_ALL = each_in(lambda row: Remembered(**_REMEMBERED(row)))
_CONTENT = record({"format": count, "last": count, "notes": _ALL, "types": _ALL})
