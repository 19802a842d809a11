"""Choose the claims to check, and say everything that is wrong with them before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches

from vaeflash.card import Card, Claim, ClaimKey, Value
from vaeflash.claims import ParsedClaim, parse_claim, parse_params
from vaeflash.course.course import Course
from vaeflash.course.demo_source import DemoSource
from vaeflash.errors import ClaimError, CourseError, DemoError, Problem, VaeflashError
from vaeflash.machine import of_this_machine
from vaeflash.printable import command


@dataclass(frozen=True, slots=True)
class ReadControl:
    """A control line, read: its text and the parameters that it lays over every run."""

    text: str
    params: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Item:
    """A claim ready to be judged: parsed, its demo found, its names checked against the demo.

    Attributes:
        controls: Each with its parameters, in the card's order.
        source: The demo that measures it.
        where: File and line, for messages.
    """

    card: Card
    claim: Claim
    parsed: ParsedClaim
    controls: tuple[ReadControl, ...]
    source: DemoSource
    where: str

    @property
    def key(self) -> ClaimKey:
        """The key of this claim's entry in the ledger."""
        return self.card.key_of(self.claim)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A claim that cannot be judged, and why."""

    card: Card
    claim: Claim
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """The claims that were asked for."""

    items: tuple[Item, ...]
    unreadable: tuple[Unreadable, ...] = ()


def read_claim(course: Course, card: Card, claim: Claim, shown: str) -> Item:
    """Parse a claim and its controls, and check every name that the demo's source tells.

    Raises:
        VaeflashError: With every problem of this claim, each under its own line.
    """
    where = f"{shown}:{claim.line}"
    problems: list[Problem] = []
    source = parsed = None
    controls = []
    with _collecting(problems):
        source = course.demo(claim.demo, where)
    with _collecting(problems, where):
        parsed = parse_claim(claim.text)
    for control in claim.controls:
        line = f"{shown}:{control.line}"
        with _collecting(problems, line):
            controls.append(ReadControl(control.text, parse_params(control.text)))
            if source:
                source.accept(controls[-1].params, line)
    if source and parsed:
        for run in parsed.runs:
            with _collecting(problems):
                source.accept(dict(run), where)
        problems += _unknown_metrics(source, parsed, where)
    if source is None or parsed is None or problems:
        raise VaeflashError(*dict.fromkeys(problems))
    return Item(card, claim, parsed, tuple(controls), source, where)


@contextmanager
def _collecting(problems: list[Problem], where: str = "") -> Iterator[None]:
    """Add what is raised inside to `problems`; columns of a claim are set within `where`."""
    try:
        yield
    except ClaimError as error:
        problems += [problem.within(where) for problem in error.problems]
    except (CourseError, DemoError) as error:
        if of_this_machine(error):
            raise  # the files are well, and cannot be read just now: no reason to judge anything
        problems += error.problems


def _unknown_metrics(source: DemoSource, parsed: ParsedClaim, where: str) -> list[Problem]:
    if source.metrics is None:
        return []
    known = source.metrics | {"error"}
    return [
        Problem(
            where,
            f"the claim names '{name}', which {source.name} does not measure.",
            f"Measured: {', '.join(sorted(source.metrics))}.",
        )
        for name in dict.fromkeys(name for _, name in parsed.metrics)
        if name not in known
    ]


def choose(course: Course, names: Sequence[str] = ()) -> Selection:
    """The claims of the named cards, decks and demos, in the course's order; all if none is named.

    A claim that cannot be read is told apart: it should not keep the others from being judged.

    Raises:
        VaeflashError: A name fits nothing, a card has no id, or a deck cannot be read.
    """
    problems: list[Problem] = []
    items: list[Item] = []
    unreadable: list[Unreadable] = []
    unused = set(names)
    decks = course.decks()
    for deck in decks:
        stem = deck.path.rpartition("/")[2].removesuffix(".md")
        for card in deck.cards:
            for claim in card.claims:
                fits = {card.id, stem, claim.demo} & set(names)
                unused -= fits
                if names and not fits:
                    continue
                if card.id is None:
                    problems.append(_no_id(deck.path, card))
                    continue
                try:
                    items.append(read_claim(course, card, claim, deck.path))
                except VaeflashError as error:
                    if of_this_machine(error):
                        raise
                    unreadable.append(Unreadable(card, claim, error.problems))
    everything = {name for deck in decks for name in _names(deck.path, deck.cards)}
    everything |= set(course.demo_paths)
    problems += [unknown_name(name, everything) for name in names if name in unused - everything]
    if problems:
        raise VaeflashError(*dict.fromkeys(problems))
    return Selection(tuple(items), tuple(unreadable))


def _names(path: str, cards: Iterable[Card]) -> set[str]:
    return {path.rpartition("/")[2].removesuffix(".md")} | {card.id for card in cards if card.id}


def _no_id(path: str, card: Card) -> Problem:
    return Problem(
        f"{path}:{card.line}",
        f"the card '{card.title}' has no id, so its evidence could not be kept.",
        f"Run `{command('id', path)}` to stamp one.",
    )


def unknown_name(name: str, known: Iterable[str]) -> Problem:
    """The problem that nothing is called `name`, with the nearest names there are."""
    near = get_close_matches(name, list(known), n=3, cutoff=0.5)
    advice = f"Did you mean {', '.join(near)}?" if near else "`vaeflash list` shows all names."
    return Problem(f"'{name}'", "no card, deck or demo has this name.", advice)
