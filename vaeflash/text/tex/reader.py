"""From TeX to atoms, by recursive descent over its tokens."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import replace

from vaeflash.text.tex.bounds import beyond
from vaeflash.text.tex.environments import environment, listed
from vaeflash.text.tex.layout import Atom, accented, bracketed, fraction, join, root, with_scripts
from vaeflash.text.tex.symbols import (
    ACCENTS,
    ALPHABETS,
    BINOMIALS,
    BRACES,
    FRACTION_COMMANDS,
    FUNCTIONS,
    LAYOUT,
    LINES,
    ROOTS,
    SPACES,
    SYMBOLS,
    TEXT,
    UPRIGHT,
    Kind,
    styled,
)
from vaeflash.text.tex.tokens import END, Tokens, UnreadableError, printable

NEW_ROW = "\\\\"

_SIZE = re.compile(r"\\[bB]igg?([lrm]?)")
_LENGTH = re.compile(r"\[\s*-?[0-9.]+\s*(?:pt|em|ex|mm|cm)\s*\]")
_BY_SIGN = {text: (text, kind) for text, kind in SYMBOLS.values()}
_DELIMITING = {r"\left": Kind.OPEN, r"\right": Kind.CLOSE, r"\middle": Kind.REL}


class FormulaReader:
    """Reads one formula.

    Raises:
        UnreadableError: By every method, where the formula cannot be translated.
    """

    def __init__(self, tex: str) -> None:
        if beyond(tex):
            raise UnreadableError
        self._tokens = Tokens(tex)

    def formula(self) -> str:
        """The whole formula on one line."""
        return join(listed(self._rows([NEW_ROW, END])))

    # Lists of atoms

    def _atoms(self, stops: Collection[str]) -> list[Atom]:
        """Everything up to one of the stops, which is left to the caller."""
        tokens = self._tokens
        atoms: list[Atom] = []
        unclosed = 0
        tokens.skip_spaces()
        while tokens.token not in stops:
            unclosed += (tokens.token == r"\left") - (tokens.token == r"\right")
            if unclosed < 0:
                raise UnreadableError
            atom = self._scripted(self._atom())
            if atom.text or atom.kind is not Kind.ORD:
                atoms.append(atom)
            tokens.skip_spaces()
        if unclosed:
            raise UnreadableError
        return atoms

    def _group(self, closer: str = "}") -> list[Atom]:
        atoms = self._atoms([closer])
        self._tokens.expect(closer)
        return atoms

    def _script(self) -> list[Atom]:
        """A group, or the one atom that comes next."""
        self._tokens.skip_spaces()
        if self._tokens.skip("{"):
            return self._group()
        return [self._atom()]

    def _argument(self) -> list[Atom]:
        """The same, and there must be something in it."""
        atoms = self._script()
        if not join(atoms):
            raise UnreadableError
        return atoms

    def _rows(self, stops: Collection[str]) -> list[list[list[Atom]]]:
        """Rows of cells, up to a stop that parts neither."""
        rows: list[list[list[Atom]]] = [[]]
        while True:
            rows[-1].append(self._atoms(stops))
            if self._tokens.skip(NEW_ROW):
                self._tokens.skip_matching(_LENGTH)
                rows.append([])
            elif not self._tokens.skip("&"):
                return rows if any(rows[-1]) else rows[:-1]

    # Atoms

    def _scripted(self, base: Atom) -> Atom:
        """The atom with the primes and scripts that follow it."""
        tokens = self._tokens
        sub: list[Atom] | None = None
        sup: list[Atom] | None = None
        while True:
            start = tokens.position
            tokens.skip_spaces()
            if tokens.skip("'"):
                base = replace(base, text=base.text + "′")
            elif tokens.token in LAYOUT and base.kind is Kind.OP:
                tokens.take()
            elif sub is None and tokens.skip("_"):
                sub = self._script()
            elif sup is None and tokens.skip("^"):
                sup = self._script()
            elif tokens.token in ("_", "^"):
                raise UnreadableError
            else:
                tokens.position = start
                return with_scripts(base, sub, sup)

    def _atom(self) -> Atom:
        if self._tokens.token in ("^", "_", "'"):
            return Atom("")
        token = self._tokens.take()
        if token == "{":
            return _grouped(self._group())
        if token in SYMBOLS:
            return self._symbol(token)
        if token in SPACES:
            return Atom(SPACES[token], Kind.SPACE)
        if token in LAYOUT:
            return Atom("")
        if token in FUNCTIONS:
            return Atom(token.removeprefix("\\"), Kind.OP, word=True)
        if token[0] == "\\":
            return self._command(token)
        if token in "}&#%$":
            raise UnreadableError
        text, kind = _BY_SIGN.get(token, (token, Kind.ORD))
        return Atom(printable(text), kind)

    def _symbol(self, token: str) -> Atom:
        text, kind = SYMBOLS[token]
        if token == "|" and self._tokens.skip("|"):
            return Atom("‖", kind, spaced=self._tokens.spaced(2))
        return Atom(text, kind, spaced=self._tokens.spaced())

    def _command(self, command: str) -> Atom:
        if command in FRACTION_COMMANDS:
            return fraction(self._argument(), self._argument())
        if command in BINOMIALS:
            return Atom(f"C({join(self._argument())}, {join(self._argument())})")
        if command in ACCENTS or command in LINES:
            return accented(command, self._argument())
        if command in ALPHABETS:
            return self._styled(ALPHABETS[command])
        if command in UPRIGHT:
            return _word(join(self._argument()))
        if command in TEXT:
            return _word(self._tokens.words())
        if command == r"\operatorname":
            self._tokens.skip("*")
            return Atom(join(self._argument()), Kind.OP, word=True)
        if command == r"\sqrt":
            return self._root()
        if command == r"\not":
            return self._negated()
        if command in BRACES:
            return Atom(bracketed(join(self._argument())))
        if command in _DELIMITING:
            return Atom(self._delimiter().text, _DELIMITING[command])
        if size := _SIZE.fullmatch(command):
            delimiter = self._delimiter()
            kinds = {
                "l": Kind.OPEN,
                "r": Kind.CLOSE,
                "m": Kind.REL,
                "": delimiter.kind,
            }
            return Atom(delimiter.text, kinds[size[1]])
        if command == r"\begin":
            return self._environment()
        raise UnreadableError

    def _styled(self, alphabet: str) -> Atom:
        text = ""
        for char in join(self._argument()):
            letter = styled(char, alphabet)
            if letter is None:
                raise UnreadableError
            text += letter
        return Atom(text)

    def _root(self) -> Atom:
        self._tokens.skip_spaces()
        degree = join(self._group("]"), tight=True) if self._tokens.skip("[") else ""
        if degree in ROOTS:
            return root(ROOTS[degree], self._argument())
        raised = with_scripts(Atom(""), None, [Atom(degree)])
        if raised.open_ended:
            raise UnreadableError
        return replace(root(raised.text + "√", self._argument()), kind=Kind.INNER)

    def _negated(self) -> Atom:
        self._tokens.skip_spaces()
        atom = self._atom()
        if atom.kind is not Kind.REL or len(atom.text) != 1:
            raise UnreadableError
        return Atom(unicodedata.normalize("NFC", atom.text + "\u0338"), Kind.REL)

    def _delimiter(self) -> Atom:
        self._tokens.skip_spaces()
        token = self._tokens.take()
        if token == ".":
            return Atom("", Kind.OPEN)
        if token in ("<", ">"):
            token = r"\langle" if token == "<" else r"\rangle"
        text, kind = SYMBOLS.get(token, ("", Kind.ORD))
        if kind not in (Kind.OPEN, Kind.CLOSE, Kind.BAR) and token != "/":
            raise UnreadableError
        return Atom(text, kind)

    def _environment(self) -> Atom:
        name = self._tokens.words()
        if name == "array":
            self._tokens.words()
        rows = self._rows(["&", NEW_ROW, r"\end"])
        self._tokens.expect(r"\end")
        if self._tokens.words() != name:
            raise UnreadableError
        return environment(name, rows)


def _grouped(atoms: list[Atom]) -> Atom:
    """A group as one atom, which further scripts must not split."""
    if len(atoms) != 1:
        return Atom(join(atoms), scripted=bool(atoms))
    (atom,) = atoms
    return atom if atom.kind in (Kind.OP, Kind.INNER) else replace(atom, kind=Kind.ORD)


def _word(text: str) -> Atom:
    """Upright letters: a word stands apart from its neighbours, a single letter does not."""
    is_word = len(text) > 1 and text[0].isalpha() and text[-1].isalnum()
    kind = Kind.OP if is_word else Kind.ORD
    return Atom(text, kind, word=bool(text.strip()), quantity=is_word)
