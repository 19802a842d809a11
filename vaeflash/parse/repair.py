"""Undoes text damage: UTF-8 that was once read as Mac Roman or as cp1252.

Repaired is a whole run of non-ASCII characters or nothing, and only when the run decodes to
characters that a deck is likely to have meant. So `√ó` becomes `×` while `l’été` stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from vaeflash.parse.notes import Notes

SUSPECT = re.compile(r"[^\t\n\r -~]")
"""What no sound ASCII line has; a line without it needs no cleaning."""
_RUN = re.compile(r"[^\x00-\x7f]+")
# What the damaged text may have said. Sound text decodes to other characters by chance: `’é` is
# an Armenian letter, and `é»` with the French space between its signs a Chinese one.
_EXPECTED = (
    (0x00A0, 0x017F),  # Latin
    (0x0370, 0x03FF),  # Greek
    (0x2000, 0x27FF),  # punctuation, indices, arrows, mathematics, shapes
    (0x2900, 0x2BFF),  # more arrows and mathematics
    (0xFB00, 0xFB06),  # ligatures such as fi
    (0xFEFF, 0xFEFF),  # byte order mark
    (0x1D400, 0x1D7FF),  # mathematical letters
    (0x1F300, 0x1FAFF),  # emoji
)
# A deck is text: an escape sequence in it would drive the reader's terminal.
_UNUSABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# Correct mathematics that would decode too: a root or an "about" sign before its operand.
_MATHEMATICS = re.compile("[√≈][πΩµ∞∑∏∫±]+")
# A mathematical letter (F0 9D xx xx) whose first byte got lost: Mac Roman has a private,
# mostly invisible character there.
_HEADLESS = re.compile(rb"(?<!\xf0)\x9d(?=[\x90-\x9f][\x80-\xbf])")


def _byte_of(encoding: str) -> Mapping[str, int]:
    """Character -> byte; bytes that the encoding leaves open stand for themselves."""
    return {
        bytes([byte]).decode(encoding, "ignore") or chr(byte): byte for byte in range(0x80, 0x100)
    }


_TABLES = (_byte_of("mac_roman"), _byte_of("cp1252"))


def clean(text: str) -> str:
    """The text with damage repaired, control characters and lone surrogates made U+FFFD."""
    return _RUN.sub(lambda match: _repair_run(match[0]), _UNUSABLE.sub("\ufffd", text))


def clean_noted(text: str, number: int, notes: Notes) -> str:
    """Clean a text that stands in line `number`, and note what was repaired."""
    if not SUSPECT.search(text):
        return text
    usable = _UNUSABLE.sub("\ufffd", text)
    if usable != text:
        notes.repair(number, "a control character was replaced by U+FFFD.")
    runs = dict.fromkeys(run for run in _RUN.findall(usable) if _repair_run(run) != run)
    if runs:
        repaired = ", ".join(f"{run!r} to {_repair_run(run)!r}" for run in runs)
        notes.repair(
            number,
            f"damaged text was repaired: {repaired}.",
            "This is UTF-8 that some program read as Mac Roman or cp1252.",
        )
    return clean(usable)


def _repair_run(run: str) -> str:
    # Text can be damaged twice. Each repair shortens the run, so this ends.
    while (repaired := _decoded(run)) is not None:
        run = repaired
    return run


def _decoded(run: str) -> str | None:
    if _MATHEMATICS.fullmatch(run):
        return None
    for table in _TABLES:
        try:
            data = bytes([table[character] for character in run])
        except KeyError:
            continue
        for attempt in (data, _HEADLESS.sub(b"\xf0\x9d", data)):
            try:
                text = attempt.decode()
            except UnicodeDecodeError:
                continue
            if all(map(_plausible, text)):
                return text
    return None


def _plausible(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _EXPECTED)
