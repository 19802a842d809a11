"""How things look on the terminal: signs, colours, problems, tables, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from vaeflash.card import Status
from vaeflash.cli.colours import theme
from vaeflash.cli.streams import Gate
from vaeflash.errors import Problem
from vaeflash.printable import escaped, printable

JSON_FORMAT = 1
"""Version of the shapes that `--json` prints; docs/json.md describes them."""

COLOURS: Mapping[Status, str] = {
    Status.VERIFIED: "green",
    Status.BUSTED: "green",
    Status.VACUOUS: "yellow",
    Status.WRONG: "red",
    Status.OPEN: "yellow",
    Status.STALE: "yellow",
    Status.ERROR: "red",
    Status.NOT_RUN: "dim",
}


class CleanConsole(Console):
    """A console on which texts are only shown: of control sequences, rich's own alone come through.

    A terminal is told of no link: it could lead elsewhere than its words say.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Whatever is printed, as segments; every way of printing leads through here."""
        if isinstance(renderable, Text):  # before it is laid out, for the sake of its width
            shown = printable(renderable.plain)
            if shown != renderable.plain:
                renderable = renderable.copy()
                renderable.plain = shown
        for segment in super().render(renderable, options):
            yield segment if segment.control else _clean(segment)


def _clean(segment: Segment) -> Segment:
    text, style, _ = segment
    if style and style.link:
        style = style.update_link(None)
    return Segment(printable(text), style)


class Screen:
    """A terminal, a pipe or a file to write on.

    Card text goes through `Text`, never through rich's markup, which would swallow `[posterior]`.
    """

    def __init__(self, console: CleanConsole) -> None:
        self.console = console

    @classmethod
    def output(cls, *, no_color: bool = False) -> Screen:
        """Standard output."""
        return cls(_console(no_color=no_color, stderr=False))

    @classmethod
    def errors(cls, *, no_color: bool = False) -> Screen:
        """Standard error: problems, notes, progress."""
        return cls(_console(no_color=no_color, stderr=True))

    def print(self, *items: Any, **options: Any) -> None:
        """Print renderables; a plain string is text, not markup."""
        self.console.print(*items, markup=False, highlight=False, **options)

    def plain(self, text: str) -> None:
        """Print text as it is, without wrapping."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str, **options: Any) -> None:
        """Print an aside."""
        self.console.print(Text(text, style="dim"), **options)

    def problems(self, problems: Iterable[Problem]) -> None:
        """Print each problem as `where: what` and its advice below."""
        for problem in problems:
            self.print(problem_text(problem), soft_wrap=True)

    def json(self, command: str, content: Mapping[str, Any]) -> None:
        """Print one versioned JSON document."""
        document = {"vaeflash": JSON_FORMAT, "command": command} | dict(content)
        text = json.dumps(document, ensure_ascii=False, indent=2, default=str)
        self.plain(escaped(text))


def _console(*, no_color: bool, stderr: bool) -> CleanConsole:
    stream: Any = sys.stderr if stderr else sys.stdout
    raw: Any = stream.raw if isinstance(stream, Gate) else None
    # No emoji: `:x:` in a text is no name of a picture.
    return themed(CleanConsole(file=raw, stderr=stderr, no_color=no_color or None, emoji=False))


def themed(console: CleanConsole) -> CleanConsole:
    """The console, on which the names of colours mean those that can be read on any ground."""
    console.push_theme(theme(many=console.color_system in ("256", "truecolor")))
    return console


def problem_text(problem: Problem, label: str = "", style: str = "red") -> Text:
    """A problem as text, `where` standing out."""
    text = Text()
    if label:
        text.append(f"{label} ", style=style)
    text.append(problem.where, style=f"bold {style}")
    text.append(f": {problem.what}")
    for line in problem.advice.splitlines():
        text.append(f"\n  {line}", style="dim")
    return text


def status_text(status: Status) -> Text:
    """A status as sign and word."""
    return Text(f"{status.sign} {status}", style=COLOURS[status])
