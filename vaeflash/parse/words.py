"""The `:word` lines of a card -> its kind, claims, demos, sources and tags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from vaeflash.card import Claim, Control, Kind
from vaeflash.parse.lines import FLAGS, Line
from vaeflash.parse.notes import Notes

_NEEDS = {
    "demo": "Write the name of a module in demos/, e.g. `:demo kl-divergence`.",
    "claim": "Write a comparison of metrics, e.g. `:claim kl_error < 1e-4`.",
    "myth": "Write a comparison that should come out refuted, e.g. `:myth kl_error < 1e-4`.",
    "control": "Write parameters that break the claim, e.g. `:control form=swapped`.",
    "figure": "Name a figure of the card's demo, e.g. `:figure loss`, or `none`.",
    "source": "Name rows of the ledger of statements, or one citation a line.",
    "tags": "Write tags with commas between them, e.g. `:tags vae, loss`.",
}


@dataclass(slots=True)
class Words:
    """What the `:word` lines of one card say."""

    kind: Kind = Kind.BASIC
    claims: list[Claim] = field(default_factory=list)
    demos: list[str] = field(default_factory=list)
    figure: str = ""
    sources: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


def read_words(lines: Iterable[Line], notes: Notes) -> Words:
    """Read the `:word` lines of one card; `:demo` and `:claim` hold for the lines below them."""
    words = Words()
    demo: str | None = None
    claimed = False
    target: int | None = None  # a claim that was itself wrong takes no controls
    for line in lines:
        if line.word in FLAGS:
            _read_flag(words, line, notes)
            continue
        if not line.value:
            notes.error(line.number, f"this ':{line.word}' line says nothing.", _NEEDS[line.word])
        match line.word:
            case "demo":
                demo = _read_demo(words, line, notes)
                claimed, target = False, None
            case "claim" | "myth":
                target = _read_claim(words, line, demo, notes)
                claimed = True
            case "control" if not claimed:
                notes.error(
                    line.number,
                    "this ':control' has no claim above it.",
                    "Put it under the `:claim` or `:myth` that it should break.",
                )
            case "control" if target is not None and line.value:
                words.claims[target] = _with_control(words.claims[target], line, notes)
            case "figure":
                _read_figure(words, line, notes)
            case "source":
                words.sources += _split_sources(line.value)
            case "tags":
                words.tags += split_commas(line.value)
    used = {claim.demo for claim in words.claims}
    words.demos = [name for name in dict.fromkeys(words.demos) if name not in used]
    words.sources = list(dict.fromkeys(words.sources))
    words.tags = list(dict.fromkeys(words.tags))
    return words


def split_commas(text: str) -> list[str]:
    """The parts between commas, without the blanks around them and without empty ones."""
    return [part for part in (piece.strip(" \t") for piece in text.split(",")) if part]


def is_citation(source: str) -> bool:
    """Whether a source is a citation in words, not the name of a row."""
    return bool(re.search(r"[ \t,]", source))


def _split_sources(text: str) -> list[str]:
    """Names of rows, or one citation, which may itself hold commas."""
    parts = split_commas(text)
    return [text] if any(map(is_citation, parts)) else parts


def _read_flag(words: Words, line: Line, notes: Notes) -> None:
    if line.value:
        notes.error(
            line.number,
            f"':{line.word}' stands alone on its line.",
            f"Remove {line.value!r}, or move it to a line of its own.",
        )
    kind = Kind(line.word)
    if words.kind not in (Kind.BASIC, kind):
        notes.error(
            line.number,
            "a card cannot be both reversed and cloze.",
            "Keep one of `:reversed` and `:cloze`.",
        )
        return
    words.kind = kind


def _read_demo(words: Words, line: Line, notes: Notes) -> str:
    if re.search(r"[ \t,]", line.value):
        notes.error(line.number, "a ':demo' line names one demo.", "Write one `:demo` line each.")
    if line.value:
        words.demos.append(line.value)
    return line.value


def _read_figure(words: Words, line: Line, notes: Notes) -> None:
    if words.figure or re.search(r"[ \t,]", line.value):
        notes.error(line.number, "a card shows one figure.", "Name one, in one ':figure' line.")
        return
    words.figure = line.value


def _read_claim(words: Words, line: Line, demo: str | None, notes: Notes) -> int | None:
    """Add a claim; return its index, or none if it lacks its text or its demo."""
    if demo is None:
        notes.error(
            line.number,
            f"this ':{line.word}' has no ':demo' above it.",
            "Name the demo that measures it: put a `:demo NAME` line above.",
        )
    if not line.value or not demo:
        return None
    claim = Claim(line.value, demo, myth=line.word == "myth", line=line.number)
    if any((other.text, other.myth) == (claim.text, claim.myth) for other in words.claims):
        notes.error(
            line.number,
            f"this card states {claim.text!r} twice.",
            "Remove one of the two lines; the ledger knows a claim by its card and its text.",
        )
    words.claims.append(claim)
    return len(words.claims) - 1


def _with_control(claim: Claim, line: Line, notes: Notes) -> Claim:
    control = Control(line.value, line.number)
    if control in claim.controls:
        notes.error(
            line.number,
            f"this claim has the control {control.text!r} twice.",
            "Remove one of the two lines.",
        )
    return replace(claim, controls=(*claim.controls, control))
