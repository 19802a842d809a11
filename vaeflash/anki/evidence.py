"""What is known of a claim, as the back of a card shows it: never by colour alone."""

from __future__ import annotations

from typing import Final

from vaeflash.card import Claim, Status
from vaeflash.html import escape
from vaeflash.ledger import OWN, ControlEntry, Entry

_MEANINGS: Final = {
    Status.VERIFIED: "holds, and could have failed",
    Status.BUSTED: "refuted, and could have held",
    Status.VACUOUS: "came out as stated, but nothing shows that it could have failed",
    Status.WRONG: "the experiment says the opposite",
    Status.OPEN: "the runs did not decide it",
    Status.STALE: "something it depends on has changed since",
    Status.ERROR: "the run broke",
    Status.NOT_RUN: "no run yet",
}


def claim_html(claim: Claim, status: Status, entry: Entry | None) -> str:
    """One claim: its status, the comparison, the counts, what breaks it, and its limits.

    Args:
        claim: As the card states it.
        status: What it is worth today; may differ from the entry's own.
        entry: The evidence, if there is any.
    """
    myth = "<p>A myth, which should come out refuted:</p>\n" if claim.myth else ""
    lines = [
        f'<p><span class="status"><span class="sign">{status.sign}</span> {status}</span>: '
        f"{_MEANINGS[status]}</p>",
        f'{myth}<pre class="code"><code>{escape(claim.text)}</code></pre>',
    ]
    if entry is not None and entry.seeds:
        lines.append(f"<p>True on {_counts(entry.yes, entry.seeds)}.</p>")
    lines += _controls(claim, entry)
    if entry is not None:
        lines += _circumstances(entry)
    body = "\n".join(lines)
    return f'<div class="claim {status}">\n{body}\n</div>'


def _controls(claim: Claim, entry: Entry | None) -> list[str]:
    if not claim.controls:
        return ["<p>No control: nothing shows that it could fail.</p>"]
    tried = {control.control: control for control in (entry.controls if entry else ())}
    return [_control(control.text, tried.get(control.text)) for control in claim.controls]


def _control(text: str, tried: ControlEntry | None) -> str:
    code = f"<code>{escape(text)}</code>"
    if tried is None:
        return f"<p>Should flip under {code}; not tried.</p>"
    counts = f"{escape(tried.verdict)}, true on {_counts(tried.yes, tried.yes + tried.no)}"
    if tried.flipped:
        return f"<p>Flips under {code}: {counts}.</p>"
    return f"<p>Does not flip under {code}: {counts}.</p>"


def _circumstances(entry: Entry) -> list[str]:
    lines = []
    if entry.note:
        lines.append(f'<p class="limits">{escape(entry.note)}</p>')
    if entry.seeds:
        # The fingerprint after the `#` means nothing to a reader.
        used = [f"{name} ({value.partition(' #')[0]})" for name, value in entry.data.items()]
        data = ", ".join(used) or "what the demo makes itself"
        lines.append(
            f'<p class="limits">Says nothing about other data than {escape(data)}, '
            "other sizes or other devices.</p>"
        )
    facts = [entry.device, entry.torch and f"torch {entry.torch}", entry.date[:10]]
    facts += [OWN] if entry.own else []
    shown = " · ".join(escape(fact) for fact in facts if fact)
    if shown:
        lines.append(f'<p class="run">{shown}</p>')
    return lines


def _counts(yes: int, runs: int) -> str:
    return f"{yes} of {runs} {'seed' if runs == 1 else 'seeds'}"
