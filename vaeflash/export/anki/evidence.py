"""What is known of a claim, as the back of a card shows it: never by colour alone."""

from __future__ import annotations

from vaeflash.card import Claim
from vaeflash.judging.ledger import ControlEntry, Entry
from vaeflash.judging.words import (
    MEANINGS,
    NO_CONTROL,
    counts_in_words,
    limits_in_words,
    measured_on,
    status_of,
)
from vaeflash.text.html import escape


def claim_html(claim: Claim, entry: Entry | None) -> str:
    """One claim: its status, the comparison, the counts, what breaks it, and its limits.

    Args:
        claim: As the card states it.
        entry: The evidence as it stands today, if there is any.
    """
    status = status_of(entry)
    myth = "<p>A myth, which should come out refuted:</p>\n" if claim.myth else ""
    lines = [
        f'<p><span class="status"><span class="sign">{status.sign}</span> {status}</span>: '
        f"{MEANINGS[status]}</p>",
        f'{myth}<pre class="code"><code>{escape(claim.text)}</code></pre>',
    ]
    if entry is not None and entry.seeds:
        lines.append(f"<p>True on {counts_in_words(entry.yes, entry.seeds)}.</p>")
    lines += _controls(claim, entry)
    if entry is not None:
        lines += _circumstances(entry)
    body = "\n".join(lines)
    return f'<div class="claim {status}">\n{body}\n</div>'


def _controls(claim: Claim, entry: Entry | None) -> list[str]:
    if not claim.controls:
        return [f"<p>{NO_CONTROL}</p>"]
    tried = {control.control: control for control in (entry.controls if entry else ())}
    return [_control(control.text, tried.get(control.text)) for control in claim.controls]


def _control(text: str, tried: ControlEntry | None) -> str:
    code = f"<code>{escape(text)}</code>"
    if tried is None:
        return f"<p>Should flip under {code}; not tried.</p>"
    counts = f"{escape(tried.verdict)}, true on {counts_in_words(tried.yes, tried.yes + tried.no)}"
    if tried.flipped:
        return f"<p>Flips under {code}: {counts}.</p>"
    return f"<p>Does not flip under {code}: {counts}.</p>"


def _circumstances(entry: Entry) -> list[str]:
    lines = []
    if entry.note:
        lines.append(f'<p class="limits">{escape(entry.note)}</p>')
    if entry.seeds:
        lines.append(f'<p class="limits">{escape(limits_in_words(entry))}</p>')
    shown = escape(" · ".join(measured_on(entry)))
    if shown:
        lines.append(f'<p class="run">{shown}</p>')
    return lines
