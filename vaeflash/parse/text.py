"""A text as its lines. LF, CRLF and CR end a line, nothing else does."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import overload


class Lines(Sequence[str]):
    """The lines of a text, each cut out when it is asked for.

    As strings of their own, those of a large deck would take several times its memory.
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n").replace("\r", "\n")
        # Line n is what stands between the ends n and n + 1.
        self._ends = array("q", [-1])
        self._ends.extend(end.start() for end in re.finditer("\n", self._text))
        self._ends.append(len(self._text))
        self._mended: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if index < 0:
            index = range(len(self))[index]
        if index in self._mended:
            return self._mended[index]
        return self._text[self._ends[index] + 1 : self._ends[index + 1]]

    def having(self, pattern: re.Pattern[str], start: int) -> Iterator[int]:
        """Indices of the lines, from `start` on, in which a pattern without line ends matches."""
        position = self._ends[start] + 1 if start < len(self) else len(self._text)
        while match := pattern.search(self._text, position):
            index = bisect_left(self._ends, match.start()) - 1
            position = self._ends[index + 1]
            yield index

    def mend(self, index: int, line: str) -> None:
        """Put another line in the place of one."""
        self._mended[index] = line
