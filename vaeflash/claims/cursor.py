"""A position among the tokens of a text: look, take, or complain."""

from __future__ import annotations

from vaeflash.claims.tokens import Token, TokenKind, complaint, number, tokenize
from vaeflash.errors import ClaimError


class Cursor:
    """What the rules of a grammar are built from."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokenize(text)
        self._next = 0

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self.ahead(0)

    def ahead(self, count: int) -> Token:
        """The token `count` places after the next one; beyond the end, the end."""
        return self._tokens[min(self._next + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        """The next token, consumed."""
        token = self.token
        self._next += 1
        return token

    @property
    def behind(self) -> Token:
        """The token that was taken last."""
        return self._tokens[min(self._next, len(self._tokens)) - 1]

    def have(self, *words: str) -> bool:
        """Whether the next token is one of these signs or names."""
        return self.token.kind in (TokenKind.SIGN, TokenKind.NAME) and self.token.text in words

    def skip(self, word: str) -> bool:
        """Take the next token if it is this sign or name."""
        found = self.have(word)
        if found:
            self.take()
        return found

    def expect(self, word: str, why: str) -> None:
        """Take this sign or name, or complain."""
        if not self.skip(word):
            raise self.unexpected(f"Expected '{word}' {why}.")

    def take_kind(self, kind: TokenKind, why: str) -> Token:
        """Take a token of this kind, or complain."""
        if self.token.kind is not kind:
            raise self.unexpected(f"Expected {kind} {why}.")
        return self.take()

    def take_number(self, why: str) -> int | float:
        """Take a number, or complain."""
        return number(self.text, self.take_kind(TokenKind.NUMBER, why))

    def expect_end(self, advice: str) -> None:
        """Complain about anything that is left over."""
        if self.token.kind is not TokenKind.END:
            raise self.unexpected(advice)

    def unexpected(self, advice: str) -> ClaimError:
        """The error that the next token does not fit."""
        token = self.token
        if token.kind is TokenKind.END:
            return self.error(token.at, "this ends too early.", advice)
        return self.error(token.at, f"'{token.text}' does not fit here.", advice)

    def error(self, at: int, what: str, advice: str) -> ClaimError:
        """An error about the character at `at`, counted from 0."""
        return complaint(self.text, at, what, advice)
