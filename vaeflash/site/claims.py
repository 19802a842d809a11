"""What is known of a claim, in words: the sign and the colour only say it again."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from vaeflash.card import Claim, Status
from vaeflash.ledger import OWN, ControlEntry, Entry

_SAID: Final = {
    Status.VERIFIED: "Verified on {counts}",
    Status.BUSTED: "A myth, refuted: true on {counts}",
    Status.VACUOUS: "As stated: true on {counts}, but nothing shows that it could have failed",
    Status.WRONG: "The experiment says the opposite: true on {counts}",
    Status.OPEN: "Undecided: true on {counts}",
    Status.STALE: "Out of date: it was true on {counts}, but what it depends on has changed since",
    Status.ERROR: "The run broke",
    Status.NOT_RUN: "Not run yet",
}


def claim_html(claim: Claim, entry: Entry | None) -> str:
    """One claim: its verdict, the comparison, what breaks it, and its limits.

    Args:
        claim: As the card states it.
        entry: The evidence as it stands today, if there is any.
    """
    status = entry.status if entry else Status.NOT_RUN
    said = verdict(entry)
    if claim.myth and status is not Status.BUSTED:
        said = f"A myth, which should come out refuted. {said}"
    lines = [
        f'<p class="verdict"><span aria-hidden="true">{status.sign}</span> {said}.</p>',
        f'<pre class="code"><code>{escape(claim.text)}</code></pre>',
        *_controls(claim, entry),
        *(_limits(entry) if entry else ()),
    ]
    return f'<div class="claim {status}">\n' + "\n".join(lines) + "\n</div>"


def verdict(entry: Entry | None) -> str:
    """The verdict in words, e.g. "Verified on 10 of 10 seeds"."""
    status = entry.status if entry else Status.NOT_RUN
    return _SAID[status].format(counts=_counts(entry.yes, entry.seeds) if entry else "")


def _controls(claim: Claim, entry: Entry | None) -> Iterator[str]:
    if not claim.controls:
        yield "<p>No control: nothing shows that it could fail.</p>"
    tried = {control.control: control for control in (entry.controls if entry else ())}
    for control in claim.controls:
        yield f"<p>{_control(control.text, tried.get(control.text))}.</p>"


def _control(text: str, tried: ControlEntry | None) -> str:
    code = f"<code>{escape(text)}</code>"
    if tried is None:
        return f"Should flip under {code}, which was not tried"
    flips = "Flips" if tried.flipped else "Does not flip"
    return f"{flips} under {code}: true on {_counts(tried.yes, tried.yes + tried.no)}"


def _limits(entry: Entry) -> Iterator[str]:
    if entry.note:
        yield f'<p class="limits">{escape(entry.note)}</p>'
    if not entry.seeds:
        return
    # The fingerprint after the `#` means nothing to a reader.
    used = [f"{name} ({value.partition(' #')[0]})" for name, value in entry.data.items()]
    data = ", ".join(used) or "what the demo makes itself"
    facts = [entry.device, entry.torch and f"torch {entry.torch}", entry.date[:10]]
    facts += [OWN] if entry.own else []
    yield (
        f'<p class="limits">Says nothing about other data than {escape(data)}, other sizes or '
        f"other devices. Measured on {escape(', '.join(filter(None, facts)))}.</p>"
    )


def _counts(yes: int, runs: int) -> str:
    return f"{yes} of {runs} {'seed' if runs == 1 else 'seeds'}"
