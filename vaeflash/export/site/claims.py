"""What is known of a claim, in words: the sign and the colour only say it again."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from vaeflash.card import Claim, Status
from vaeflash.judging.ledger import ControlEntry, Entry
from vaeflash.judging.words import (
    NO_CONTROL,
    counts_in_words,
    limits_in_words,
    measured_on,
    status_of,
    verdict_in_words,
)


def claim_html(claim: Claim, entry: Entry | None) -> str:
    """One claim: its verdict, the comparison, what breaks it, and its limits.

    Args:
        claim: As the card states it.
        entry: The evidence as it stands today, if there is any.
    """
    status = status_of(entry)
    said = verdict_in_words(entry)
    if claim.myth and status is not Status.BUSTED:
        said = f"A myth, which should come out refuted. {said}"
    lines = [
        f'<p class="verdict"><span aria-hidden="true">{status.sign}</span> {said}.</p>',
        f'<pre class="code"><code>{escape(claim.text)}</code></pre>',
        *_controls(claim, entry),
        *(_limits(entry) if entry else ()),
    ]
    return f'<div class="claim {status}">\n' + "\n".join(lines) + "\n</div>"


def _controls(claim: Claim, entry: Entry | None) -> Iterator[str]:
    if not claim.controls:
        yield f"<p>{NO_CONTROL}</p>"
    tried = {control.control: control for control in (entry.controls if entry else ())}
    for control in claim.controls:
        yield f"<p>{_control(control.text, tried.get(control.text))}.</p>"


def _control(text: str, tried: ControlEntry | None) -> str:
    code = f"<code>{escape(text)}</code>"
    if tried is None:
        return f"Should flip under {code}, which was not tried"
    flips = "Flips" if tried.flipped else "Does not flip"
    return f"{flips} under {code}: true on {counts_in_words(tried.yes, tried.yes + tried.no)}"


def _limits(entry: Entry) -> Iterator[str]:
    if entry.note:
        yield f'<p class="limits">{escape(entry.note)}</p>'
    if not entry.seeds:
        return
    told = f"{limits_in_words(entry)} Measured on {', '.join(measured_on(entry))}."
    yield f'<p class="limits">{escape(told)}</p>'
