"""Start a course, a deck or a demo: the text of a template, written where nothing stood before.

The templates are files that stand for themselves: `templates/course` is a course, the decks are
decks, the demos run. All that is filled in is names and titles.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import count
from pathlib import Path

from vaeflash.card import Card, Deck
from vaeflash.course.course import Course
from vaeflash.course.demo_source import DemoSource, Parameter
from vaeflash.errors import CardError, CourseError, Problem
from vaeflash.files import changing, check_writable, write_atomically
from vaeflash.parse import is_name, parse_deck, read_deck, short_slug, slug, write_deck
from vaeflash.plain import parsed
from vaeflash.printable import command

COURSE = (
    ".gitignore",
    "README.md",
    "cards/estimates.md",
    "demos/error_of_a_mean.py",
    "course.toml",  # last: until it is there, the folder is no course
)
_UNNAMED = slug("")  # what `slug` makes of a name that has nothing to make it of


@dataclass(frozen=True, slots=True)
class Created:
    """What was written.

    Attributes:
        files: New files, as messages show them.
        edited: Files that were added to.
        advice: What the author may want to do next, in words; may be empty.
        lines: What to paste into a card; may be empty.
    """

    files: tuple[str, ...]
    edited: tuple[str, ...] = ()
    advice: str = ""
    lines: str = ""


def demos_of_new_course() -> dict[str, str]:
    """The demos that `new_course` writes: the text of each file in `demos/`."""
    paths = (path for path in COURSE if path.startswith("demos/"))
    return {path.removeprefix("demos/"): _template(f"course/{path}") for path in paths}


def new_course(folder: Path, title: str = "") -> Created:
    """Write a small course that lints and checks; the folder's name gives its id.

    Args:
        folder: May exist, and hold other files.
        title: Made of the folder's name if empty.

    Raises:
        CourseError: A file of the course exists already, or the names cannot be used; nothing is
            written then.
    """
    name = folder.resolve().name
    identity = short_slug(name)
    if identity == _UNNAMED and _UNNAMED not in name.casefold():
        advice = "Name the folder with some Latin letters or digits, e.g. my-course."
        raise CourseError(Problem(str(folder), f"no id can be made of '{name}'.", advice))
    title = _title(title or _in_words(name), str(folder))
    texts = {path: _template(f"course/{path.removeprefix('.')}") for path in COURSE}
    settings = texts["course.toml"].replace('"my-course"', json.dumps(identity))
    # JSON's strings are TOML's, as long as everything in them can be printed.
    quoted = json.dumps(title, ensure_ascii=False)
    texts["course.toml"] = settings.replace('"My course"', quoted)
    texts["README.md"] = texts["README.md"].replace("# My course", f"# {title}")
    _write({folder / path: text for path, text in texts.items()}, str)
    return Created(tuple(str(folder / path) for path in COURSE))


def new_deck(course: Course, name: str, title: str = "", demo: str = "") -> Created:
    """Write a deck with one card, and list it in `course.toml` where that lists decks.

    With a demo, the card links it and states no claim: which value a metric has to stay below is
    in no source file, and a claim that nobody measured would be a guess. The advice says how to
    get there.

    Raises:
        CourseError: The deck exists, the demo does not, or a name cannot be used; nothing is
            written then.
        DemoError: The demo's source cannot be read.
    """
    _check_name(name, "deck")
    source = course.demo(demo) if demo else None
    deck = parse_deck(_template("deck.md"))
    card = replace(deck.cards[0], id=_free_id(course, name))
    deck = replace(deck, title=_title(title or _in_words(name), "--title"), cards=(card,))
    if not _reads_back(deck):
        advice = "Choose plain words; `::` between them makes sub-decks in Anki."
        raise CourseError(Problem("--title", f"'{title}' cannot be a deck's title.", advice))
    if source:
        deck = replace(deck, cards=(_about(source, card),))
    path = course.root / "cards" / f"{name}.md"
    with changing(course.root):
        settings, advice = _listing(course, name)
        _write({path: write_deck(deck)}, course.shown, settings)
    return Created(
        files=(course.shown(path),),
        edited=tuple(map(course.shown, settings)),
        advice="\n".join(filter(None, [advice, _how_to_claim(source) if source else ""])),
    )


def new_demo(course: Course, name: str, deck: str = "") -> Created:
    """Write a demo that works.

    Args:
        deck: The stem of a deck that a card for the demo is appended to; none if empty.

    Raises:
        CourseError: The demo exists, the deck does not, or the name cannot be used; nothing is
            written then.
        CardError: The deck is broken in a way that a card at its end would suffer from; likewise.
    """
    _check_name(name, "demo")
    path = course.demo_paths.get(name, course.root / "demos" / f"{name.replace('-', '_')}.py")
    (card,) = parse_deck(_template("demo.md")).cards
    claims = tuple(replace(claim, demo=name) for claim in card.claims)
    card = replace(card, id=_free_id(course, name), claims=claims)
    with changing(course.root):
        edits = _appended(course, deck, card) if deck else {}
        _write({path: _template("demo.py")}, course.shown, edits)
    return Created(
        files=(course.shown(path),),
        edited=tuple(map(course.shown, edits)),
        lines="" if deck else _text(card).partition("\nx??\n\n")[2],
    )


# Names and titles


def _check_name(name: str, what: str) -> None:
    if not is_name(name):
        near = short_slug(name)
        advice = "Use small letters, digits and single hyphens between them"
        advice += "." if near == _UNNAMED else f", e.g. {near}."
        raise CourseError(Problem(f"'{name}'", f"this is no name for a {what}.", advice))


def _title(title: str, where: str) -> str:
    """The title without blanks around it, if it fits on a line."""
    if not title.strip() or not title.isprintable():
        raise CourseError(
            Problem(where, "a title is one line of text.", "Write e.g. --title 'Denoising'.")
        )
    return title.strip()


def _in_words(name: str) -> str:
    """A name as a title: `kl-divergence` becomes `Kl divergence`."""
    words = " ".join(re.split("[-_ ]+", name)).strip()
    return words[:1].upper() + words[1:]


def _free_id(course: Course, name: str) -> str:
    """An id for the first card of something new; not the name itself, which `check` takes too."""
    taken = {card.id for _, reading in course.readings for card in reading.deck.cards}
    candidates = (f"{name}-first" if n == 1 else f"{name}-first-{n}" for n in count(1))
    return next(candidate for candidate in candidates if candidate not in taken)


# What is written


def _template(path: str) -> str:
    """The text of a file in `templates/`."""
    return files("vaeflash").joinpath("templates", *path.split("/")).read_text(encoding="utf-8")


def _reads_back(deck: Deck) -> bool:
    """Whether the deck is what its own text says, without errors or repairs."""
    reading = read_deck(write_deck(deck))
    return reading.deck == deck and not reading.errors and not reading.repairs


def _text(card: Card) -> str:
    """A card on its own, as it stands in a deck."""
    return write_deck(Deck("Deck", (card,))).removeprefix("# Deck\n\n")


def _about(source: DemoSource, card: Card) -> Card:
    """The card, rewritten to ask what a demo shows; its lesson's first line is the answer.

    The answer stays as it was where that line would be read as anything but text.
    """
    about = replace(
        card,
        title=f"What {source.name} shows",
        question=f"What does the demo `{source.name}` show?",
        demos=(source.name,),
    )
    answered = replace(about, answer=source.headline)
    # Half a formula, or a picture that is not there, would read back as well.
    plain = source.headline and not set("\\$!") & set(source.headline)
    return answered if plain and _reads_back(Deck("Deck", (answered,))) else about


def _how_to_claim(source: DemoSource) -> str:
    """How an author gets from the demo to a claim, with the names that its source tells."""
    metrics = sorted(source.metrics or ())
    measured = f"It measures {', '.join(metrics)}.\n" if metrics else ""
    broken = next(_settings(source), "")
    if not broken:
        return (
            f"The card states no claim yet. {measured}"
            f"{source.name} has no parameters, so nothing can show that a claim about it could "
            "fail: give its Params one that makes a plausible mistake."
        )
    return (
        f"The card states no claim yet, because only runs can tell which is true. {measured}"
        "Find a metric that a mistake changes, on some seeds from 0 to 99:\n"
        f"  {command('demo', source.name, '--seed', '7')}\n"
        f"  {command('demo', source.name, '--seed', '7', '--set', broken)}\n"
        "Then put a threshold between the two sides, below the card's `:demo`:\n"
        "  :claim   METRIC < THRESHOLD\n"
        f"  :control {broken}\n"
        "`vaeflash pilot CARD` draws both sides and proposes the threshold midway."
    )


def _settings(source: DemoSource) -> Iterator[str]:
    """Parameters with another value than their default: choices first, which are named mistakes."""
    parameters = sorted(source.parameters.values(), key=lambda parameter: not parameter.choices)
    return (f"{parameter.name}={_other(parameter)}" for parameter in parameters)


def _other(parameter: Parameter) -> str:
    others = [choice for choice in parameter.choices if choice != parameter.default]
    if others:
        return str(others[0])
    if isinstance(parameter.default, bool):
        return str(not parameter.default).lower()
    return "VALUE"


def _listing(course: Course, name: str) -> tuple[dict[Path, bytes], str]:
    """How `course.toml` changes if it lists its decks, or what to tell the author instead."""
    if not course.order or name in course.order:
        return {}, ""
    path = course.root / "course.toml"
    listed = list_deck(path.read_bytes().decode(), name)
    if listed is None:
        return {}, f"course.toml: add '{name}' to `decks`, or the deck follows the others by name."
    return {path: listed.encode()}, ""


def list_deck(settings: str, name: str) -> str | None:
    """A `course.toml` with one more deck at the end of `decks`, everything else as it was.

    Returns:
        `None` if the list is written in a way that one insertion does not extend.
    """
    found = re.search(r"""^decks[ \t]*=[ \t]*\[[^\]#]*["']""", settings, re.MULTILINE)
    if found is None:
        return None
    own_line = re.search(r"""(\r?\n[ \t]*)["'][^\n]*\Z""", found[0])
    comma = f",{own_line[1]}" if own_line else ", "
    longer = f'{settings[: found.end()]}{comma}"{name}"{settings[found.end() :]}'
    before = _toml(settings)
    return longer if _toml(longer) == {**before, "decks": [*before["decks"], name]} else None


def _toml(text: str) -> dict[str, list[str]]:
    """The table; empty if this is not TOML."""
    try:
        return parsed(tomllib.loads, text.removeprefix("\ufeff"))
    except ValueError:
        return {}


def _appended(course: Course, stem: str, card: Card) -> dict[Path, bytes]:
    """The deck's file with the card below its last line, every byte above as it was.

    Raises:
        CourseError: There is no such deck, or it cannot be read.
        CardError: What stands above keeps the card from being read as it is.
    """
    stems = {path.stem: path for path in course.deck_paths}
    if stem not in stems:
        known = f"Its decks: {', '.join(stems) or 'none'}."
        raise CourseError(Problem(f"deck '{stem}'", f"this course has no deck '{stem}'.", known))
    path = stems[stem]
    shown = course.shown(path)
    text = course.text_of(path)
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = "\n" if text.endswith(("\n", "\r")) else "\n\n"
    addition = (gap + _text(card)).replace("\n", newline)
    before, after = read_deck(text, shown), read_deck(text + addition, shown)
    if after.deck.cards != (*before.deck.cards, card) or len(after.errors) > len(before.errors):
        raise CardError(
            *after.errors,
            Problem(
                shown,
                "what stands here leaves no room for another card.",
                "Nothing was written. Mend the deck first; `vaeflash lint` names its lines.",
            ),
        )
    return {path: path.read_bytes() + addition.encode()}


def _write(
    new: Mapping[Path, str], shown: Callable[[Path], str], edits: Mapping[Path, bytes] | None = None
) -> None:
    """Write new files, then replace others: all of them, or none where that can be had.

    Raises:
        CourseError: A new file exists already, or one cannot be written.
    """
    for path in (*new, *(edits or ())):
        check_writable(path)
    taken = [path for path in new if os.path.lexists(path)]
    if taken:
        advice = "Nothing was written. Choose another name, or move this away."
        raise CourseError(*(Problem(shown(path), "this exists already.", advice) for path in taken))
    made = {folder for path in new for folder in path.parents if not folder.exists()}
    try:
        for path, text in new.items():
            write_atomically(path, text)
        for path, data in (edits or {}).items():
            write_atomically(path, data)
    except BaseException:
        for path in new:
            with contextlib.suppress(OSError):
                path.unlink()
        for folder in sorted(made, reverse=True):  # inner ones first
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
