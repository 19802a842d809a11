"""Parameters of runs: `kernel=1,stride=(1, 2),form=swapped`, read and written.

    params = NAME "=" value { "," NAME "=" value }
    value  = ["-"] NUM | NAME | STRING | SHAPE
    SHAPE  = "(" [ INT "," { INT "," } [ INT ] ] ")"

A NAME as a value is a text, except `true` and `false`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from vaeflash.card import Value
from vaeflash.claims.cursor import Cursor
from vaeflash.claims.tokens import NAME, TokenKind, has_leading_zero
from vaeflash.claims.tree import Overlay
from vaeflash.errors import ClaimError, Problem

TRUTH = {"true": True, "false": False}


class ParamsReader(Cursor):
    """One method for each rule; each consumes the tokens of its rule."""

    def params(self) -> dict[str, Value]:
        """Names with their values, in the order written."""
        params: dict[str, Value] = {}
        while True:
            name = self.take_kind(TokenKind.NAME, "of a parameter, as in latent=32")
            if name.text in params:
                raise self.error(name.at, f"'{name.text}' is set twice.", "Set it once.")
            self.expect("=", "and a value, as in latent=32")
            params[name.text] = self.value()
            if not self.skip(","):
                return params

    def value(self) -> Value:
        """A signed number, a word, a text or a shape."""
        token = self.token
        if token.kind is TokenKind.NAME:
            return TRUTH.get(token.text, self.take().text)
        if token.kind is TokenKind.STRING:
            return self.take().text[1:-1]
        if self.have("("):
            return self.shape()
        if token.kind is TokenKind.NUMBER and has_leading_zero(token):
            # As in `range=01`: no number is written so, and reading it as 1 would lose the 0.
            return self.take().text
        return self._signed()

    def shape_ahead(self) -> bool:
        """Whether the bracket here opens a shape: `()`, or an integer and a comma."""
        skip = 2 if self.ahead(1).text == "-" else 1
        first, then = self.ahead(skip), self.ahead(skip + 1)
        return first.text == ")" or (first.kind is TokenKind.NUMBER and then.text == ",")

    def shape(self) -> tuple[int, ...]:
        """A bracket of integers with at least one comma, or an empty one."""
        self.take()
        sizes: list[int] = []
        while not self.have(")"):
            at = self.token.at
            size = self._signed()
            if not isinstance(size, int):
                raise self.error(at, "a shape holds whole numbers.", "Expected e.g. (1, 28, 28).")
            sizes.append(size)
            if not self.skip(","):
                break
        if len(sizes) == 1 and self.behind.text != ",":
            raise self.unexpected("A shape of one number is written with a comma: (3,).")
        self.expect(")", "to close the shape")
        return tuple(sizes)

    def _signed(self) -> int | float:
        minus = self.skip("-")
        value = self.take_number("or a word; any other text stands in double quotes")
        return -value if minus else value


def parse_params(text: str) -> dict[str, Value]:
    """Read a `:control` line such as `kernel=1,stride=1`.

    Raises:
        ClaimError: It is no such list, or sets a name twice; `where` is the column.
    """
    reader = ParamsReader(text)
    params = reader.params()
    reader.expect_end("Expected a comma or nothing more; other texts stand in double quotes.")
    return params


def parse_settings(text: str) -> dict[str, Value]:
    """Read what `--set` takes: such a list, or one name and any text as its value.

    A shell eats quotes, so `faces=~/portraits` must do without them here.

    Raises:
        ClaimError: It is neither; `where` is the column.
    """
    try:
        return parse_params(text)
    except ClaimError:
        name, _, value = (part.strip() for part in text.partition("="))
        if NAME.fullmatch(name) and value:
            return {name: value}
        raise


def to_overlay(params: Mapping[str, Value]) -> Overlay:
    """The parameters sorted by name, as a key for the run that they describe."""
    return tuple(sorted(params.items()))


def format_params(overlay: Overlay) -> str:
    """Write parameters so that `parse_params` reads them back.

    Raises:
        ClaimError: A value cannot be written: NaN, infinity, a text with a double quote in it.
    """
    return ", ".join(f"{name}={_written(name, value)}" for name, value in overlay)


def metric_label(overlay: Overlay, name: str) -> str:
    """A metric as claims write it, e.g. `mse[latent=32]`."""
    return f"{name}[{format_params(overlay)}]" if overlay else name


def _written(name: str, value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() if NAME.fullmatch(value) and value not in TRUTH:
            return value
        case str() if not set(value) & {'"', "\n"}:
            return f'"{value}"'
        case int() | tuple():
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
    what = f"the value {value!r} cannot be written in a claim."
    raise ClaimError(Problem(name, what, "Expected a finite number, a shape or a plain text."))
