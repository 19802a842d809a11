"""TeX's tokens: commands, signs, white space."""

from __future__ import annotations

import re

END = ""
"""What stands behind the last token."""

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)
_ESCAPED = re.compile(r"\\[ %&#_$]")


class UnreadableError(Exception):
    """The formula holds something unknown or unfinished, or is beyond the bounds."""


def split(tex: str) -> list[str]:
    """The tokens of a formula: commands, runs of blanks, and single characters."""
    return _TOKEN.findall(tex)


class Tokens:
    """A position among the tokens of a formula."""

    def __init__(self, tex: str) -> None:
        self._tokens = split(tex)
        self.position = 0

    @property
    def token(self) -> str:
        """The next token, or END."""
        return self._tokens[self.position] if self.position < len(self._tokens) else END

    def spaced(self, length: int = 1) -> bool:
        """Whether the `length` tokens taken last stand between spaces."""
        start = self.position - length
        return start > 0 and self._tokens[start - 1].isspace() and self.token.isspace()

    def take(self) -> str:
        """The next token, consumed; there must be one."""
        if self.token == END:
            raise UnreadableError
        self.position += 1
        return self._tokens[self.position - 1]

    def skip(self, token: str) -> bool:
        """Take the next token if it is this one."""
        found = self.token == token
        self.position += found
        return found

    def skip_spaces(self) -> None:
        """Take white space, which says nothing in a formula."""
        while self.token.isspace():
            self.position += 1

    def expect(self, token: str) -> None:
        """Take this token, after any white space."""
        self.skip_spaces()
        if not self.skip(token):
            raise UnreadableError

    def skip_matching(self, pattern: re.Pattern[str]) -> None:
        """Take the tokens that begin a match of the pattern, if there is one."""
        found = pattern.match("".join(self._tokens[self.position : self.position + 12]))
        length = len(found[0]) if found else 0
        while length > 0:
            length -= len(self.take())

    def words(self) -> str:
        r"""A group of words, as `\text` takes it; of TeX, only a few escaped signs may occur."""
        self.expect("{")
        text = ""
        while not self.skip("}"):
            token = self.take()
            if token in ("{", "$") or (token[0] == "\\" and not _ESCAPED.fullmatch(token)):
                raise UnreadableError
            text += " " if token.isspace() or token == "~" else token.removeprefix("\\")
        return printable(text)


def printable(text: str) -> str:
    """The text, refused if a terminal could take some of it for a command."""
    if not text.isprintable():
        raise UnreadableError
    return text
