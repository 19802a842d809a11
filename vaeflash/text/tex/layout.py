"""Atoms, and how they stand together on one line: spaces, scripts, fractions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vaeflash.text.tex.symbols import ACCENTS, FRACTIONS, LINES, SUBSCRIPTS, SUPERSCRIPTS, Kind

_BEFORE_OPERAND = {Kind.OP, Kind.BIN, Kind.REL, Kind.OPEN, Kind.PUNCT, Kind.SIGN}
_AFTER_OPERAND = {Kind.REL, Kind.CLOSE, Kind.PUNCT}
_OPERAND_END = {Kind.ORD, Kind.CLOSE, Kind.INNER}
_OPERAND_START = {Kind.ORD, Kind.OP, Kind.INNER, Kind.OPEN}
_RAISED = {"^", *map(chr, SUPERSCRIPTS.values())}


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece of a formula.

    Attributes:
        spaced: Of a bar: whether the source has spaces around it.
        word: Whether the text is a word, so that it needs no brackets as a script.
        quantity: Whether the word may be one: behind `KL` a plus adds, behind `log` it is a sign.
        scripted: Whether it has scripts already.
        open_ended: Whether it ends in a script written out (`x_θ`), which must not run on.
    """

    text: str
    kind: Kind = Kind.ORD
    spaced: bool = False
    word: bool = False
    quantity: bool = False
    scripted: bool = False
    open_ended: bool = False


def join(atoms: Sequence[Atom], *, tight: bool = False) -> str:
    """The atoms on one line, with spaces as TeX would put them; fewer in a script (`tight`)."""
    line = ""
    before: Atom | None = None
    resolved = _resolved(atoms)
    for atom, after in zip(resolved, _followers(resolved), strict=True):
        if atom.kind is Kind.SPACE:
            line += "" if tight else atom.text
            continue
        if before and _is_slashed(before, atom, after):
            line += bracketed(atom.text)
            before = Atom("", Kind.CLOSE)
            continue
        line += " " * (before is not None and _apart(before, atom, tight)) + atom.text
        before = atom
    line = re.sub(r" {2,}", lambda run: " " if len(run[0]) == 2 else "   ", line)
    return line.strip(" ")


def _resolved(atoms: Sequence[Atom]) -> list[Atom]:
    """The atoms with bars and signs in the role that their neighbours give them."""
    resolved: list[Atom] = []
    before: Kind | None = None
    quantity = False
    for atom, follower in zip(atoms, _followers(atoms), strict=True):
        kind, after = atom.kind, follower.kind if follower else None
        leads = before is None or (before in _BEFORE_OPERAND and not quantity)
        if kind is Kind.BAR:
            kind = Kind.OPEN if leads else _closing_bar(atom, after)
        elif kind is Kind.BIN and (leads or after in _AFTER_OPERAND):
            kind = Kind.SIGN
        resolved.append(replace(atom, kind=kind))
        if kind is not Kind.SPACE:
            before, quantity = kind, atom.quantity
    return resolved


def _is_slashed(function: Atom, argument: Atom, after: Atom | None) -> bool:
    """Whether a fraction follows a function: `log a/b` would be read as `(log a)/b`.

    Not if a sum follows: `log 1/K ∑ x` is the logarithm of all of it, `log(1/K) ∑ x` is not.
    """
    kinds = (function.kind, argument.kind)
    goes_on = after is not None and after.kind is Kind.OP and not after.word
    return (
        function.word
        and kinds == (Kind.OP, Kind.INNER)
        and not _is_product(argument.text)
        and not goes_on
    )


def _followers(atoms: Sequence[Atom]) -> list[Atom | None]:
    """For each atom the next one that is no space."""
    followers: list[Atom | None] = []
    after: Atom | None = None
    for atom in reversed(atoms):
        followers.append(after)
        after = after if atom.kind is Kind.SPACE else atom
    return followers[::-1]


def _closing_bar(bar: Atom, after: Kind | None) -> Kind:
    """A bar behind an operand closes; with spaces around it, and more to follow, it relates."""
    between = after is not None and after not in _AFTER_OPERAND | {Kind.BIN}
    return Kind.REL if bar.spaced and between else Kind.CLOSE


def _apart(left: Atom, right: Atom, tight: bool) -> bool:
    kinds = {left.kind, right.kind}
    if left.kind is Kind.SIGN or "/" in (left.text, right.text):
        return False
    if Kind.REL in kinds or Kind.BIN in kinds:
        return not tight or left.word or right.word
    if left.kind is Kind.PUNCT:
        return not tight and right.kind is not Kind.CLOSE
    if left.kind is Kind.INNER:
        return right.kind in _OPERAND_START
    if right.kind in (Kind.OP, Kind.INNER):
        return left.kind in _OPERAND_END | {Kind.OP}
    return right.kind in (Kind.ORD, Kind.SIGN) and (left.kind is Kind.OP or left.open_ended)


def bracketed(text: str) -> str:
    """The text in round brackets, unless it has them already."""
    return text if _outside_brackets(text) == "()" else f"({text})"


def with_scripts(base: Atom, sub: Sequence[Atom] | None, sup: Sequence[Atom] | None) -> Atom:
    """The atom with its scripts: raised or lowered characters where all exist, `_` or `^` else."""
    if sub is None and sup is None:
        return base
    text = base.text
    if base.scripted or base.kind is Kind.INNER:
        text = bracketed(text)
    low, is_low = _script(sub, "_", SUBSCRIPTS)
    high, is_high = _script(sup, "^", SUPERSCRIPTS)
    if base.kind is Kind.OP and not (is_low and is_high):
        # The bounds of a sum look alike, both raised and lowered or both written out.
        low, high = _written_out(sub, "_"), _written_out(sup, "^")
        is_low, is_high = sub is None, sup is None
    # What is written out goes last: in `σ_θ²` the square would seem to belong to θ.
    first, second = (high, low) if is_high and not is_low else (low, high)
    return replace(
        base,
        text=text + first + second,
        kind=Kind.ORD if base.kind is Kind.INNER else base.kind,
        scripted=True,
        open_ended=not (is_low and is_high),
    )


def _script(atoms: Sequence[Atom] | None, mark: str, table: dict[int, int]) -> tuple[str, bool]:
    """A script, and whether it could be raised or lowered."""
    text = join(atoms or (), tight=True)
    if all(ord(char) in table for char in text):
        return text.translate(table), True
    return _written_out(atoms, mark), False


def _written_out(atoms: Sequence[Atom] | None, mark: str) -> str:
    text = join(atoms or (), tight=True)
    if not text:
        return ""
    is_word = len(atoms or ()) == 1 and (atoms or ())[0].word and text.isalnum()
    if is_one_letter(text) or is_word or (text.isascii() and text.isalpha() and text.isupper()):
        return mark + text
    return mark + bracketed(text)


def is_one_letter(text: str) -> bool:
    """Whether this is one character, its accents aside."""
    return len(text) > 0 and all(unicodedata.combining(char) for char in text[1:])


def fraction(top: Sequence[Atom], bottom: Sequence[Atom]) -> Atom:
    """One above the other as `a/b`, with the brackets that a slash needs."""
    upper, lower = join(top), join(bottom)
    if (upper, lower) in FRACTIONS:
        return Atom(FRACTIONS[upper, lower])
    if not _is_product(upper):
        upper = bracketed(upper)
    if not _is_factor(bottom):
        lower = bracketed(lower)
    return Atom(f"{upper}/{lower}", Kind.INNER)


def root(sign: str, inside: Sequence[Atom]) -> Atom:
    """A root of something; in `√x²` the square would seem to be taken of the root."""
    text = join(inside)
    if _is_factor(inside) and not set(_outside_brackets(text)) & _RAISED:
        return Atom(sign + text, open_ended=True)
    return Atom(sign + bracketed(text))


def accented(command: str, inside: Sequence[Atom]) -> Atom:
    """A letter with an accent; what is longer goes into brackets after the accent's name."""
    text = join(inside)
    if command in LINES:
        # One line a letter, however often: marks are passed over, so that nothing doubles.
        marked = (c if c == " " or unicodedata.combining(c) else c + LINES[command] for c in text)
        return Atom("".join(marked))
    if is_one_letter(text):
        return Atom(unicodedata.normalize("NFC", text + ACCENTS[command]))
    return Atom(command.removeprefix("\\").removeprefix("wide") + bracketed(text))


def _is_product(text: str) -> bool:
    """Whether nothing outside of brackets binds as weakly as a slash."""
    return not set(_outside_brackets(text)) & set(" /")


def _is_factor(atoms: Sequence[Atom]) -> bool:
    """Whether the atoms can stand behind a slash or a root: `2`, `x²`, `dx`, `p(x)`, `(a + b)`."""
    text = join(atoms)
    if not text or not _is_product(text):
        return False
    return (
        len(atoms) == 1
        or (text.isascii() and text.replace(".", "").isdecimal())
        or (len(atoms) == 2 and atoms[0].text in ("d", "∂"))
        or _outside_brackets(text) in ("()", "[]")
        or (_outside_brackets(text) == f"{atoms[0].text}()" and not _holds_sum(text))
    )


def _holds_sum(text: str) -> bool:
    """Whether a sum is inside: `c(1 − c)` is a product rather than a function of something."""
    return " + " in text or " − " in text


def _outside_brackets(text: str) -> str:
    """The text without what stands in brackets; the outermost brackets stay."""
    depth = 0
    outside = ""
    for char in text:
        depth -= char in ")]"
        outside += char if depth <= 0 else ""
        depth += char in "(["
    return outside
