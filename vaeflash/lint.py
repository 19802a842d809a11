"""Read a whole course and report everything wrong with it, without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        advice = f"Run `{command('id', shown)}`: an id keeps its history through every edit."
        yield _error(here, f"the card '{card.title}' has no id.", advice)
    yield from _claims(course, card, shown)
    for name in card.demos:
        try:
            course.demo(name, here)
        except VaeflashError as error:
            yield from _errors(error)
    yield from _texts(card, here)
    for image in (image for text in _sides(card) for image in images(text)):
        try:
            MediaFiles(course.root).add(image, shown, here)
        except CardError as error:
            yield from _errors(error)


def _claims(course: Course, card: Card, shown: str) -> Iterator[Finding]:
    for claim in card.claims:
        try:
            read_claim(course, card, claim, shown)
        except VaeflashError as error:
            yield from _errors(error)
        if not claim.controls:
            yield _warning(
                f"{shown}:{claim.line}",
                "the claim has no control, so it cannot become verified.",
                "Add a line `:control name=value` under which it comes out the other way.",
            )


def _texts(card: Card, here: str) -> Iterator[Finding]:
    """What Anki, the terminal or pages could not show as it was meant."""
    for text in (card.title, *_sides(card), *card.sources):
        for tex in formulas(text):
            if reason := beyond(tex):
                yield _error(here, f"a formula stays TeX: {reason}.", "Write it another way.")
            elif not _balanced(tex):
                what = "the braces of a formula do not match."
                yield _error(here, what, f"Mend it: {tex.strip()}")
    if any(map(loses_text, _sides(card))):
        what = "quotes or lists stand in one another so deep that their text is not shown."
        yield _error(here, what, "Use fewer levels.")
    if card.kind is Kind.CLOZE and is_too_deep(card.question):
        yield _error(
            here,
            f"clozes stand in one another more than {MAX_DEPTH} deep; the inner ones are text.",
            "Close each with }}, or hide fewer words within others.",
        )


def _sides(card: Card) -> tuple[str, str, str]:
    return card.context, card.question, card.answer


def _whole(course: Course) -> Iterator[Finding]:
    stems = {path.stem for path in course.deck_paths}
    for stem in course.order:
        if stem not in stems:
            what = f"'decks' names '{stem}', but there is no cards/{stem}.md."
            yield _error("course.toml", what, f"Decks here: {', '.join(sorted(stems)) or 'none'}.")
    cards = [card for _, reading in course.readings for card in reading.deck.cards]
    yield from _figures(course)
    yield from _demos(course, cards)
    yield from _evidence(course, cards)


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
                yield _warning(
                    f"{shown}:{card.line}",
                    f"no figure '{card.figure}' of its demos was drawn.",
                    f"Drawn: {', '.join(drawn)}. If it is new, run `vaeflash figures`.",
                )


def _demos(course: Course, cards: Sequence[Card]) -> Iterator[Finding]:
    linked = {name for card in cards for name in card.all_demos}
    for name, path in course.demo_paths.items():
        try:
            source = course.demo(name)
        except VaeflashError as error:
            yield from _errors(error)
            continue
        if not source.headline:
            what = "the demo has no docstring."
            yield _warning(course.shown(path), what, "State its claim there.")
        if name not in linked:
            yield _warning(course.shown(path), "no card links this demo.", f"Add `:demo {name}`.")


def _evidence(course: Course, cards: Sequence[Card]) -> Iterator[Finding]:
    try:
        ledger = read_ledger(course.ledger_path)
    except CourseError as error:
        yield from _errors(error)
        return
    known = {card.key_of(claim) for card in cards for claim in card.claims}
    for entry in ledger:
        if entry.key not in known:
            yield _warning(
                "ledger.jsonl",
                f"evidence for a claim that no card makes: {entry.card}: {entry.claim}",
                "The next `vaeflash check` of the whole course drops it.",
            )


def _error(where: str, what: str, advice: str) -> Finding:
    return Finding(Level.ERROR, Problem(where, what, advice))


def _warning(where: str, what: str, advice: str) -> Finding:
    return Finding(Level.WARNING, Problem(where, what, advice))


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
