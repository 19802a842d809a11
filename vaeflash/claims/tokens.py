"""The words of a claim, each with its position, and errors that point at one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from vaeflash.errors import ClaimError, Problem

MAX_LENGTH = 1000
MAX_DIGITS = 40

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Possessive quantifiers (`++`) keep a hostile run of digits from being read more than once.
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    | (?P<number>(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+(?![A-Za-z0-9_.]))
    | (?P<name>{NAME.pattern})
    | (?P<string>"[^"\n]*")
    | (?P<sign>\+-|±|<=|>=|==|!=|[-+*/<>()\[\],=%])""",
    re.VERBOSE,
)
_SPELLED = {
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "−": "-",
    "–": "-",
    "×": "*",
    "·": "*",
    "÷": "/",
    "^": "products, such as x * x",
    "!": "!=",
    "“": '"',
    "”": '"',
    "'": '"',
    "&": "and",
}


class TokenKind(StrEnum):
    """What a token is, as messages name it."""

    NUMBER = "a number"
    NAME = "a name"
    STRING = "a text"
    SIGN = "a sign"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a claim; `at` counts characters from 0."""

    kind: TokenKind
    text: str
    at: int


def complaint(text: str, at: int, what: str, advice: str) -> ClaimError:
    """An error about the character at `at` of a claim, which the advice shows with a caret."""
    pointed = f"\n{_pointed(text, at)}" if text.strip() else ""
    return ClaimError(Problem(f"column {at + 1}", what, advice + pointed))


def tokenize(text: str) -> list[Token]:
    """Cut a text into tokens; the last one is of kind END.

    Raises:
        ClaimError: The text is too long, or holds something that is no token.
    """
    if len(text) > MAX_LENGTH:
        raise complaint(
            text, MAX_LENGTH, "this is too long.", f"The limit is {MAX_LENGTH} characters."
        )
    tokens = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        kind = match.lastgroup or ""
        if kind != "space":
            word = "+-" if match.group() == "±" else match.group()
            tokens.append(Token(TokenKind[kind.upper()], word, at))
        at = match.end()
    tokens.append(Token(TokenKind.END, "", len(text)))
    return tokens


def number(text: str, token: Token) -> int | float:
    """The value of a NUMBER token; without point and exponent it stays an integer.

    Raises:
        ClaimError: It has too many digits, begins with a needless 0, or is out of range.
    """
    if len(token.text) > MAX_DIGITS:
        advice = f"The limit is {MAX_DIGITS} characters; 1e-9 is a short way to write small ones."
        raise complaint(text, token.at, "this number is too long.", advice)
    if has_leading_zero(token):
        advice = 'Leave the zero out; as a text, write it in double quotes: "01".'
        raise complaint(text, token.at, "a number does not begin with 0.", advice)
    if token.text.isdecimal():
        return int(token.text)
    value = float(token.text)
    mantissa = re.split("[eE]", token.text)[0]
    if value == float("inf") or (value == 0 and mantissa.strip("0.")):
        advice = "Numbers reach from about 1e-308 to 1e308."
        raise complaint(text, token.at, "this number is out of range.", advice)
    return value


def has_leading_zero(token: Token) -> bool:
    """Whether a NUMBER token is written like `01`, which no number is."""
    return token.text[0] == "0" and token.text[1:2].isdecimal()


def _unreadable(text: str, at: int) -> ClaimError:
    sign = text[at]
    if sign == '"':
        return complaint(text, at, "this text has no end.", "Close it with a double quote.")
    if re.match(r"\.?\d", text[at : at + 2]):
        advice = "Numbers look like 28, 0.5 or 1e-4; a text stands in double quotes."
        return complaint(text, at, "this is not a number.", advice)
    shown = f"'{sign}'" if sign.isprintable() else f"the character U+{ord(sign):04X}"
    if sign in _SPELLED:
        advice = f"Write {_SPELLED[sign]} instead."
    else:
        advice = "Expected names, numbers, texts in double quotes, and + - * / < > = ! ( ) [ ] , %."
    return complaint(text, at, f"{shown} has no meaning here.", advice)


def _pointed(text: str, at: int) -> str:
    """The claim and, below it, a caret; long claims show their part around `at`."""
    start, stop = max(0, at - 48), at + 24
    part = "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text[start:stop])
    before = "..." if start else ""
    after = "..." if stop < len(text) else ""
    return f"  {before}{part}{after}\n  {' ' * (len(before) + at - start)}^"
