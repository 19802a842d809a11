"""Read a whole course and report everything wrong with it, without running anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from vaeflash.card import NO_FIGURE, Card, Kind
from vaeflash.course.course import Course
from vaeflash.course.media import MediaFiles
from vaeflash.errors import CardError, CourseError, Problem, VaeflashError
from vaeflash.gallery import read_gallery
from vaeflash.judging.cases import read_claim
from vaeflash.judging.ledger import read_ledger
from vaeflash.printable import command
from vaeflash.text.cloze import MAX_DEPTH, is_too_deep
from vaeflash.text.markdown import formulas, images, loses_text
from vaeflash.text.tex import beyond


class Level(StrEnum):
    """How bad a finding is: only errors fail."""

    ERROR = "error"
    WARNING = "warning"
    REPAIR = "repair"


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem, and how bad it is."""

    level: Level
    problem: Problem


def lint(course: Course) -> list[Finding]:
    """Everything wrong with a course, in the order of its files."""
    findings = [Finding(Level.ERROR, problem) for problem in course.problems()]
    for shown, reading in course.readings:
        findings += [Finding(Level.REPAIR, problem) for problem in reading.repairs]
        for card in reading.deck.cards:
            findings += _card(course, card, shown)
    findings += _whole(course)
    return list(dict.fromkeys(findings))


def _card(course: Course, card: Card, shown: str) -> Iterator[Finding]:
    here = f"{shown}:{card.line}"
    if card.id is None:
        yield Finding(
            Level.ERROR,
            Problem(
                here,
                f"the card '{card.title}' has no id.",
                f"Run `{command('id', shown)}`: an id keeps its history through every edit.",
            ),
        )
    for claim in card.claims:
        try:
            read_claim(course, card, claim, shown)
        except VaeflashError as error:
            yield from _errors(error)
        if not claim.controls:
            yield Finding(
                Level.WARNING,
                Problem(
                    f"{shown}:{claim.line}",
                    "the claim has no control, so it cannot become verified.",
                    "Add a line `:control name=value` under which it comes out the other way.",
                ),
            )
    for name in card.demos:
        try:
            course.demo(name, here)
        except VaeflashError as error:
            yield from _errors(error)
    texts = (card.context, card.question, card.answer)
    for tex in (tex for text in (card.title, *texts, *card.sources) for tex in formulas(text)):
        if reason := beyond(tex):
            yield Finding(
                Level.ERROR,
                Problem(here, f"a formula stays TeX: {reason}.", "Write it another way."),
            )
            continue
        if not _balanced(tex):
            yield Finding(
                Level.ERROR,
                Problem(here, "the braces of a formula do not match.", f"Mend it: {tex.strip()}"),
            )
    if any(map(loses_text, texts)):
        yield Finding(
            Level.ERROR,
            Problem(
                here,
                "quotes or lists stand in one another so deep that their text is not shown.",
                "Use fewer levels.",
            ),
        )
    if card.kind is Kind.CLOZE and is_too_deep(card.question):
        yield Finding(
            Level.ERROR,
            Problem(
                here,
                f"clozes stand in one another more than {MAX_DEPTH} deep; the inner ones are text.",
                "Close each with }}, or hide fewer words within others.",
            ),
        )
    for image in (image for text in texts for image in images(text)):
        try:
            MediaFiles(course.root).add(image, shown, here)
        except CardError as error:
            yield from _errors(error)


def _whole(course: Course) -> Iterator[Finding]:
    stems = {path.stem for path in course.deck_paths}
    for stem in course.order:
        if stem not in stems:
            yield Finding(
                Level.ERROR,
                Problem(
                    "course.toml",
                    f"'decks' names '{stem}', but there is no cards/{stem}.md.",
                    f"Decks here: {', '.join(sorted(stems)) or 'none'}.",
                ),
            )
    cards = [card for _, reading in course.readings for card in reading.deck.cards]
    yield from _figures(course)
    linked = {name for card in cards for name in card.all_demos}
    for name, path in course.demo_paths.items():
        try:
            source = course.demo(name)
        except VaeflashError as error:
            yield from _errors(error)
            continue
        if not source.headline:
            yield Finding(
                Level.WARNING,
                Problem(course.shown(path), "the demo has no docstring.", "State its claim there."),
            )
        if name not in linked:
            yield Finding(
                Level.WARNING,
                Problem(course.shown(path), "no card links this demo.", f"Add `:demo {name}`."),
            )
    try:
        ledger = read_ledger(course.ledger_path)
    except CourseError as error:
        yield from _errors(error)
        return
    known = {card.key_of(claim) for card in cards for claim in card.claims}
    for entry in ledger:
        if entry.key not in known:
            yield Finding(
                Level.WARNING,
                Problem(
                    "ledger.jsonl",
                    f"evidence for a claim that no card makes: {entry.card}: {entry.claim}",
                    "The next `vaeflash check` of the whole course drops it.",
                ),
            )


def _figures(course: Course) -> Iterator[Finding]:
    """Figures that cards name and that their demos, when drawn, did not measure."""
    try:
        gallery = read_gallery(course.root)
    except CourseError as error:
        yield from _errors(error)
        return
    for shown, reading in course.readings:
        for card in reading.deck.cards:
            drawn = [p.name for demo in card.all_demos for p in gallery.pictures.get(demo, ())]
            if drawn and card.figure not in ("", NO_FIGURE, *drawn):
                yield Finding(
                    Level.WARNING,
                    Problem(
                        f"{shown}:{card.line}",
                        f"no figure '{card.figure}' of its demos was drawn.",
                        f"Drawn: {', '.join(drawn)}. If it is new, run `vaeflash figures`.",
                    ),
                )


def _errors(error: VaeflashError) -> Iterator[Finding]:
    return (Finding(Level.ERROR, problem) for problem in error.problems)


def _balanced(tex: str) -> bool:
    depth = 0
    plain = tex.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
    for char in plain:
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0
