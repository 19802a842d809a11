"""A course: a folder with `course.toml`, `cards/` and `demos/`. Found, listed and read here."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vaeflash.card import Card, Deck
from vaeflash.course.demo_source import DemoSource, read_demo
from vaeflash.errors import CardError, CourseError, Problem, VaeflashError
from vaeflash.files import read_text, unusable
from vaeflash.parse import NAME_LENGTH, Reading, is_name, read_deck, short_slug
from vaeflash.plain import parsed

FORMAT = 1
DECK_LIMIT = 8 << 20
"""Bytes of a deck; some 20,000 cards."""
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Course:
    """A course on disk.

    Attributes:
        root: Its folder, with symlinks resolved.
        id: Part of every card's identity in Anki and in the review log; never changes.
        order: Stems of the decks that `course.toml` lists; others follow by name.
    """

    root: Path
    id: str
    title: str
    order: tuple[str, ...] = ()

    @property
    def ledger_path(self) -> Path:
        """Where the evidence of this course is kept."""
        return self.root / "ledger.jsonl"

    @cached_property
    def deck_paths(self) -> tuple[Path, ...]:
        """The deck files, in the course's order."""
        rank = {stem: number for number, stem in enumerate(self.order)}
        found = (self.root / "cards").glob("*.md")
        return tuple(sorted(found, key=lambda path: (rank.get(path.stem, len(rank)), path.stem)))

    @cached_property
    def demo_paths(self) -> dict[str, Path]:
        """Demo name -> its module; modules that begin with an underscore are helpers."""
        found = sorted((self.root / "demos").glob("*.py"))
        # With a dot in its name, Python would import another file.
        demos = [path for path in found if path.stem[0] != "_" and "." not in path.stem]
        return {path.stem.replace("_", "-"): path for path in demos}

    @cached_property
    def _sources(self) -> dict[str, DemoSource]:
        return {}

    def demo(self, name: str, where: str = "") -> DemoSource:
        """What the source of a demo says of itself.

        Raises:
            CourseError: There is no such demo; `where` is who asked for it.
            DemoError: Its source cannot be read.
        """
        if name not in self.demo_paths:
            known = ", ".join(self.demo_paths) or "none"
            raise CourseError(
                Problem(
                    where or f"demo '{name}'",
                    f"this course has no demo '{name}'.",
                    f"Its demos: {known}.",
                )
            )
        if name not in self._sources:
            path = self.demo_paths[name]
            self._sources[name] = read_demo(name, path, self.shown(path))
        return self._sources[name]

    def shown(self, path: Path) -> str:
        """A path as messages show it: from the course's root where it lies inside."""
        return path.relative_to(self.root).as_posix() if self.root in path.parents else str(path)

    def text_of(self, deck: Path) -> str:
        """The text of one of its deck files.

        Raises:
            CourseError: It is no file of the course, too large, or not text.
        """
        return read_text(deck, self.shown(deck), inside=self.root, limit=DECK_LIMIT)

    @cached_property
    def readings(self) -> tuple[tuple[str, Reading], ...]:
        """Every deck file with what was read from it; an unreadable file is an error of its own."""
        read = []
        for path in self.deck_paths:
            shown = self.shown(path)
            try:
                read.append((shown, read_deck(self.text_of(path), shown)))
            except VaeflashError as error:
                empty = Deck(path.stem, path=shown)
                read.append((shown, Reading(empty, errors=error.problems, repairs=())))
        return tuple(read)

    def problems(self) -> list[Problem]:
        """Every error in the decks: of each file, and ids used twice across files."""
        found = [problem for _, reading in self.readings for problem in reading.errors]
        first: dict[str, str] = {}
        for shown, reading in self.readings:
            for card in reading.deck.cards:
                here = f"{shown}:{card.line}"
                if card.id and first.setdefault(card.id, shown) != shown:
                    found.append(
                        Problem(
                            here,
                            f"the id '{card.id}' is taken by a card of {first[card.id]}.",
                            "An id is unique in the course: choose another for the newer card.",
                        )
                    )
        return found

    def decks(self) -> tuple[Deck, ...]:
        """All decks, in order.

        Raises:
            CardError: With every error of every deck.
        """
        problems = self.problems()
        if problems:
            raise CardError(*problems)
        return tuple(replace(reading.deck, path=shown) for shown, reading in self.readings)

    def cards(self) -> tuple[tuple[Deck, Card], ...]:
        """Every card with its deck, in order."""
        return tuple((deck, card) for deck in self.decks() for card in deck.cards)


def bundled_root() -> Path:
    """The course that comes with vaeflash: inside the wheel, or the checkout's root."""
    inside = _PACKAGE / "_course"
    return inside if inside.is_dir() else _PACKAGE.parent


def find_course(explicit: Path | None = None, start: Path | None = None) -> Course:
    """The course to work on: the given folder, else the nearest one above `start`, else ours.

    Raises:
        CourseError: The folder is no course, or its `course.toml` is damaged.
    """
    if explicit is not None:
        return open_course(explicit)
    start = (start or _here()).resolve()
    for folder in (start, *start.parents):
        if (folder / "course.toml").is_file():
            return open_course(folder)
    return open_course(bundled_root())


def _here() -> Path:
    """The working directory.

    Raises:
        CourseError: It was removed.
    """
    try:
        return Path.cwd()
    except OSError as error:
        raise unusable("the working directory", "read", error) from error


def open_course(root: Path) -> Course:
    """The course in a folder.

    Raises:
        CourseError: The folder is no course, or its `course.toml` is damaged.
    """
    path = root / "course.toml"
    if not path.is_file():
        raise CourseError(
            Problem(
                str(root),
                "this is not a course: it has no course.toml.",
                "Name a folder that holds course.toml, cards/ and demos/.",
            )
        )
    content = read_text(path, inside=root.resolve())
    try:
        table = parsed(tomllib.loads, content)
    except ValueError as error:
        raise CourseError(
            Problem(str(path), f"this is not TOML: {error}.", "Mend the line it names.")
        ) from error
    _check_table(table, path)
    return Course(root.resolve(), table["id"], table["title"], tuple(table.get("decks", ())))


def _check_table(table: dict[str, Any], path: Path) -> None:
    problems = [
        Problem(str(path), f"'{name}' is missing or not a text.", f'Add a line: {name} = "..."')
        for name in ("id", "title")
        if not isinstance(table.get(name), str) or not table[name].strip()
    ]
    identity = table.get("id")
    if isinstance(identity, str) and identity.strip() and not is_name(identity):
        problems.append(
            Problem(
                str(path),
                f"the id {identity!r} is not kebab-case, or longer than {NAME_LENGTH} characters.",
                f'Use a-z, 0-9 and single hyphens: id = "{short_slug(identity)}". Under a new id '
                "reviews and notes in Anki begin anew; from then on never change it.",
            )
        )
    decks = table.get("decks", [])
    if not isinstance(decks, list) or not all(isinstance(deck, str) for deck in decks):
        problems.append(
            Problem(str(path), "'decks' is not a list of texts.", 'Write: decks = ["first-deck"]')
        )
    if table.get("format", FORMAT) != FORMAT:
        problems.append(
            Problem(
                str(path),
                f"format {table['format']} is not known.",
                f"This vaeflash reads format {FORMAT}; a newer one may read more.",
            )
        )
    if problems:
        raise CourseError(*problems)
