"""Rows and cells on one line: alignments, distinctions of cases, matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from vaeflash.text.tex.layout import Atom, join
from vaeflash.text.tex.symbols import LISTS, MATRICES, Kind
from vaeflash.text.tex.tokens import UnreadableError

Rows: TypeAlias = "Sequence[Sequence[Sequence[Atom]]]"


def environment(name: str, rows: Rows) -> Atom:
    """An environment as one atom, its rows parted by semicolons.

    Raises:
        UnreadableError: There is no such environment.
    """
    if name in LISTS:
        return Atom(join(listed(rows)), Kind.INNER)
    if name == "cases":
        return Atom("{" + "; ".join(map(_case, rows)) + "}", Kind.INNER)
    if name in MATRICES:
        left, right = MATRICES[name]
        return Atom(left + "; ".join(", ".join(map(join, row)) for row in rows) + right)
    raise UnreadableError


def listed(rows: Rows) -> list[Atom]:
    """Rows after one another; one that goes on with `= ...` or `+ ...` needs no mark before it."""
    atoms: list[Atom] = []
    for row in rows:
        line = [atom for cell in row for atom in cell]
        first = next((atom.kind for atom in line if atom.kind is not Kind.SPACE), Kind.REL)
        if atoms and first not in (Kind.REL, Kind.BIN) and atoms[-1].kind is not Kind.PUNCT:
            atoms.append(Atom(";", Kind.PUNCT))
        atoms += line
    return atoms


def _case(row: Sequence[Sequence[Atom]]) -> str:
    """One row of a distinction of cases: `0 otherwise`, or `0, x < 0`."""
    value = join(row[0]).rstrip(",")
    condition = [atom for cell in row[1:] for atom in cell]
    if not condition:
        return value
    return value + (" " if condition[0].word else ", ") + join(condition)
