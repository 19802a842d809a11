"""What is known of a claim in words: the same in Anki, on pages and in the terminal."""

from __future__ import annotations

from typing import Final

from vaeflash.card import Status, Value
from vaeflash.judging.ledger import OWN, Entry

MEANINGS: Final = {
    Status.VERIFIED: "holds, and could have failed",
    Status.BUSTED: "refuted, and could have held",
    Status.VACUOUS: "came out as stated, but nothing shows that it could have failed",
    Status.WRONG: "the experiment says the opposite",
    Status.OPEN: "the runs did not decide it",
    Status.STALE: "something it depends on has changed since",
    Status.ERROR: "the run broke",
    Status.NOT_RUN: "no run yet",
}
"""What a status says of a claim or myth."""
_SENTENCES: Final = {
    Status.VERIFIED: "Verified on {counts}",
    Status.BUSTED: "A myth, refuted: true on {counts}",
    Status.VACUOUS: "As stated: true on {counts}, but nothing shows that it could have failed",
    Status.WRONG: "The experiment says the opposite: true on {counts}",
    Status.OPEN: "Undecided: true on {counts}",
    Status.STALE: "Out of date: it was true on {counts}, but what it depends on has changed since",
    Status.ERROR: "The run broke",
    Status.NOT_RUN: "Not run yet",
}
NO_CONTROL: Final = "No control: nothing shows that it could fail."


def status_of(entry: Entry | None) -> Status:
    """What a claim is worth by its evidence, of which there may be none."""
    return entry.status if entry else Status.NOT_RUN


def verdict_in_words(entry: Entry | None) -> str:
    """E.g. "Verified on 10 of 10 seeds"."""
    counts = counts_in_words(entry.yes, entry.seeds) if entry else ""
    return _SENTENCES[status_of(entry)].format(counts=counts)


def counts_in_words(yes: int, seeds: int) -> str:
    """E.g. "1 of 1 seed"."""
    return f"{yes} of {seeds} {'seed' if seeds == 1 else 'seeds'}"


def limits_in_words(entry: Entry) -> str:
    """What the evidence says nothing about."""
    data = ", ".join(data_in_words(entry)) or "what the demo makes itself"
    return f"Says nothing about other data than {data}, other sizes or other devices."


def data_in_words(entry: Entry) -> list[str]:
    """Each data set and which one of it, without a fingerprint: that means nothing to a reader."""
    return [f"{name} ({value.partition(' #')[0]})" for name, value in entry.data.items()]


def measured_on(entry: Entry) -> list[str]:
    """Device, torch and day of the evidence, and whether it is the user's own."""
    facts = [entry.device, entry.torch and f"torch {entry.torch}", entry.date[:10]]
    facts += [OWN] if entry.own else []
    return [fact for fact in facts if fact]


def value_text(value: Value | None) -> str:
    """A value in at most six significant digits; whole numbers, texts and shapes in full."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.6g}"
        case str():
            return value or '""'
    return str(value)
