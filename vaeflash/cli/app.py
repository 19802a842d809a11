"""The Typer application: what every command shares, from exit codes to completion."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from vaeflash import __version__
from vaeflash.cli.streams import OutputError, guard_streams
from vaeflash.errors import VaeflashError
from vaeflash.interrupts import Stops, stoppable

if TYPE_CHECKING:
    from vaeflash.cli.screen import Screen

NOT_AS_STATED, BAD_INPUT = 1, 2
STOPPED = 128
"""What shells add to the number of the signal that stopped a command: 130 after a Ctrl-C."""
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Means itself to every shell."""


class Commands(TyperGroup):
    """Turns a user's mistake into `where: what` and exit code 2, a Ctrl-C or `kill` into 128 + n.

    However a command is stopped, it keeps what it has finished.
    """

    def main(self, *args: Any, **options: Any) -> Any:
        """Do what the arguments say; nothing is printed but through a gate."""
        guard_streams()
        try:
            return super().main(*args, **options)
        except OutputError as error:
            with contextlib.suppress(OutputError):
                _errors().problems(error.problems)
            sys.exit(BAD_INPUT)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; no name of a file or a card holds NUL."""
        if any("\0" in arg for arg in args):
            raise typer.BadParameter("an argument holds the character NUL.")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; `--debug` lets a traceback through."""
        with stoppable() as stops:
            done = self._run(ctx, stops)
        if stops.number:
            raise typer.Exit(STOPPED + stops.number)
        return done

    def _run(self, ctx: Any, stops: Stops) -> Any:
        try:
            return super().invoke(ctx)
        except VaeflashError as error:
            if ctx.params.get("debug"):
                raise
            _errors(ctx).problems(error.problems)
            raise typer.Exit(BAD_INPUT) from error
        except OSError as error:
            if stops.number:
                return None  # the terminal went away, and cannot be written to any more
            # Such as a path that no file can have.
            if ctx.params.get("debug") or error.filename is None:
                raise
            from vaeflash.files import unusable

            _errors(ctx).problems(unusable(str(error.filename), "use", error).problems)
            raise typer.Exit(BAD_INPUT) from error
        except KeyboardInterrupt as error:
            with suppress(OSError):  # a terminal that went away
                _errors(ctx).note(
                    "\nStopped. Finished runs are kept; the one in progress is not recorded."
                )
            raise typer.Exit(STOPPED + (stops.number or signal.SIGINT)) from error


def _errors(ctx: Any = None) -> Screen:
    from vaeflash.cli.screen import Screen

    return Screen.errors(no_color=ctx is not None and ctx.params.get("no_color", False))


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # help in panels takes twice as long to start
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def complete_cards(incomplete: str) -> list[str]:
    """Ids of cards that begin so."""
    return _completions(incomplete, "cards")


def complete_demos(incomplete: str) -> list[str]:
    """Names of demos that begin so."""
    return _completions(incomplete, "demos")


def complete_decks(incomplete: str) -> list[str]:
    """Names of decks that begin so."""
    return _completions(incomplete, "decks")


def complete_anything(incomplete: str) -> list[str]:
    """Names of demos, decks and cards that begin so."""
    return _completions(incomplete, "demos", "decks", "cards")


def _completions(incomplete: str, *kinds: str) -> list[str]:
    """Names of the course that begin with what was typed; a broken course completes nothing.

    Nor does a name that a shell would read as more than a name: it is put on the command line as
    it is, and the next key runs it.
    """
    from vaeflash.course.course import find_course

    try:
        course = find_course()
        known = {
            "demos": lambda: list(course.demo_paths),
            "decks": lambda: [path.stem for path in course.deck_paths],
            "cards": lambda: [card.id for _, card in course.cards() if card.id],
        }
        names = [name for kind in kinds for name in known[kind]()]
    except VaeflashError:
        return []
    plain = (name for name in dict.fromkeys(names) if _PLAIN_NAME.fullmatch(name))
    return [name for name in plain if name.startswith(incomplete)]


Names = Annotated[
    list[str] | None,
    typer.Argument(help="Cards, decks or demos; all by default.", autocompletion=complete_anything),
]
CardId = Annotated[str, typer.Argument(help="A card's id.", autocompletion=complete_cards)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="The demos of this course may run; asked once for each version."),
]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"vaeflash {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    ctx: typer.Context,
    course: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The course to work on. Default: the nearest folder above with a course.toml, "
            "else the bundled course.",
        ),
    ] = None,
    no_color: Annotated[bool, typer.Option("--no-color", help="Print without colour.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[  # noqa: ARG001 -- handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Flashcards on autoencoders that prove themselves.

    Every claim on a card links an experiment; `check` runs it and breaks it.

    Example: vaeflash demo kl-divergence
    """
    ctx.obj = Settings(course, no_color=no_color, debug=debug)


class Settings:
    """What the global options say, for every command."""

    def __init__(self, course: Path | None, *, no_color: bool, debug: bool) -> None:
        from vaeflash.cli.screen import Screen

        self._course = course
        self.debug = debug
        self.out = Screen.output(no_color=no_color)
        self.err = Screen.errors(no_color=no_color)

    @property
    def course(self) -> Any:
        """The course to work on, found when first asked for."""
        from vaeflash.course.course import find_course

        return find_course(self._course)
