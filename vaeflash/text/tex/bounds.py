r"""What a formula may ask of whoever reads it, found out before anybody does.

A reader of TeX takes some of its stack for everything that nests, and one written in Rust does not
raise when there is none left: the process is gone. It also reads what stands behind a bracket
twice when nothing closes that bracket, and behind k of them 2^k times. So whatever is handed a
formula asks here first, and shows the TeX of one that is beyond the bounds.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from vaeflash.text.tex.symbols import (
    ACCENTS,
    ALPHABETS,
    BINOMIALS,
    BRACES,
    FRACTION_COMMANDS,
    FUNCTIONS,
    LINES,
    SPACES,
    SYMBOLS,
    TEXT,
    UPRIGHT,
    Kind,
)
from vaeflash.text.tex.tokens import split

MAX_LENGTH: Final = 4000
MAX_NESTING: Final = 64
MAX_UNCLOSED: Final = 8

_ONE: Final = {*ACCENTS, *LINES, *ALPHABETS, *UPRIGHT, *TEXT, *BRACES, r"\operatorname", "^", "_"}
_ARGUMENTS: Final = dict.fromkeys(_ONE, 1) | dict.fromkeys(FRACTION_COMMANDS | BINOMIALS, 2)
_UNKNOWN: Final = MAX_LENGTH
"""Arguments of a command that is in no table: whatever follows in its group."""
_NO_ARGUMENT: Final = {*SPACES, r"\!", "*"}
_CLOSERS: Final = {text for text, (_, kind) in SYMBOLS.items() if kind is Kind.CLOSE} - {"!"}
_OPENERS: Final = {text for text, (_, kind) in SYMBOLS.items() if kind is Kind.OPEN} | {
    *(r"\lAngle", r"\lBrace", r"\lang", r"\lgroup", r"\llangle", r"\llbracket", r"\llcorner"),
    *(r"\llparenthesis", r"\lmoustache", r"\lparen", r"\ulcorner", "⌜", "⌞", "⎰"),
}
"""All that math-core takes for one; with the characters that Unicode says open something."""
_LEFT_SIZES: Final = frozenset([r"\bigl", r"\Bigl", r"\biggl", r"\Biggl"])
_RIGHT_SIZES: Final = frozenset([r"\bigr", r"\Bigr", r"\biggr", r"\Biggr"])
_BEFORE_DELIMITER: Final = _LEFT_SIZES | _RIGHT_SIZES | {r"\left", r"\right"}
_OPENER_OF: Final = {"}": "{", r"\end": r"\begin", r"\right": r"\left"}
_CELL_ENDS: Final = frozenset(["&", "\\\\"])
_BRACKET: Final = "("


def beyond(tex: str) -> str:
    """What about a formula is beyond the bounds, in words; empty if nothing is."""
    if len(tex) > MAX_LENGTH:
        return f"it is longer than {MAX_LENGTH:,} characters"
    nesting, unclosed = measure(tex)
    if nesting > MAX_NESTING:
        return f"it nests more than {MAX_NESTING} levels deep"
    if unclosed > MAX_UNCLOSED:
        return f"more than {MAX_UNCLOSED} of its brackets are never closed"
    return ""


def measure(tex: str) -> tuple[int, int]:
    r"""How deep a formula nests, and how many of its brackets nothing closes; never too few.

    Groups, environments, brackets and arguments are levels, `\hat\hat x` as much as
    `\hat{\hat{x}}`. Counting ends at the first level that is one too many.
    """
    tokens = split(tex)
    if "%" not in tokens:
        return _measured(tokens)
    # Not every reader knows comments.
    with_comments, without = _measured(tokens), _measured(_uncommented(tokens))
    return max(with_comments[0], without[0]), max(with_comments[1], without[1])


def _uncommented(tokens: Iterable[str]) -> Iterator[str]:
    """The tokens without those between a `%` and the end of its line."""
    in_comment = False
    for token in tokens:
        in_comment = token == "%" or (in_comment and "\n" not in token)
        if not in_comment:
            yield token


def _measured(tokens: Iterable[str]) -> tuple[int, int]:
    nest = _Nest()
    is_delimiter = False
    for token in tokens:
        if token.isspace():
            continue
        if not is_delimiter:
            nest.read(token)
        is_delimiter = not is_delimiter and token in _BEFORE_DELIMITER
        if nest.deepest > MAX_NESTING:
            break
    return nest.deepest, nest.unclosed


class _Nest:
    """What is open at a place of a formula.

    Attributes:
        deepest: Most levels so far.
        unclosed: Brackets whose group has ended without a bracket that closes them, or not yet.
    """

    def __init__(self) -> None:
        self.deepest = 0
        self.unclosed = 0
        # Groups and their like by what opens them, commands by how many arguments are to come.
        self._levels: list[str | int] = []

    def read(self, token: str) -> None:
        r"""Go on by a token that is neither blank nor a delimiter of `\left` and its like."""
        if token in ("{", r"\begin", r"\left"):
            self._open(token)
        elif token in _OPENER_OF:
            self._close(_OPENER_OF[token])
        elif token in _LEFT_SIZES or _opens(token):
            self._open(_BRACKET)
            self.unclosed += 1
        elif token in _RIGHT_SIZES or token in _CLOSERS:
            self._close_bracket()
        elif token in _ARGUMENTS:
            self._open(_ARGUMENTS[token])
        elif token in _CELL_ENDS:
            self._end_cell()
        elif token in _NO_ARGUMENT:
            return
        elif token[0] == "\\" and token not in SYMBOLS and token not in FUNCTIONS:
            self._open(_UNKNOWN)
        else:
            self._complete()

    def _open(self, level: str | int) -> None:
        self._levels.append(level)
        self.deepest = max(self.deepest, len(self._levels))

    def _close(self, opener: str) -> None:
        """The innermost group ends, if it is one of this kind."""
        place = self._innermost_group()
        if place >= 0 and self._levels[place] == opener:
            del self._levels[place:]
            if opener != r"\begin":  # what follows `\end` is a group, its name
                self._complete()

    def _close_bracket(self) -> None:
        """The innermost bracket of this group ends, if there is one."""
        place = len(self._levels) - 1
        while place >= 0 and isinstance(self._levels[place], int):
            place -= 1
        if place >= 0 and self._levels[place] == _BRACKET:
            del self._levels[place:]
            self.unclosed -= 1
        self._complete()

    def _end_cell(self) -> None:
        """Neither a bracket nor an argument reaches from a cell into the next one."""
        place = self._innermost_group()
        if place >= 0 and self._levels[place] == r"\begin":
            del self._levels[place + 1 :]

    def _innermost_group(self) -> int:
        place = len(self._levels) - 1
        while place >= 0 and (
            isinstance(self._levels[place], int) or self._levels[place] == _BRACKET
        ):
            place -= 1
        return place

    def _complete(self) -> None:
        """Something whole has been read: an argument, if a command waits for one."""
        while self._levels and isinstance(arguments := self._levels[-1], int):
            if arguments > 1:
                self._levels[-1] = arguments - 1
                return
            self._levels.pop()


def _opens(token: str) -> bool:
    return token in _OPENERS or (len(token) == 1 and unicodedata.category(token) == "Ps")
