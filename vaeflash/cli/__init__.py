"""The command line: the only place that prints, and that chooses exit codes.

Commands are declared here with their help. Each imports its work late, the screen too, so that
`--help` starts without rich, and `list` without markdown, numpy or torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from vaeflash import __version__
from vaeflash.errors import VaeflashError

if TYPE_CHECKING:
    from vaeflash.cli.screen import Screen

NOT_AS_STATED, BAD_INPUT, INTERRUPTED = 1, 2, 130


class Commands(TyperGroup):
    """Turns a user's mistake into `where: what` and exit code 2, a Ctrl-C into 130."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; `--debug` lets a traceback through."""
        try:
            return super().invoke(ctx)
        except VaeflashError as error:
            if ctx.params.get("debug"):
                raise
            _errors(ctx).problems(error.problems)
            raise typer.Exit(BAD_INPUT) from error
        except KeyboardInterrupt as error:
            _errors(ctx).note(
                "\nStopped. Finished runs are kept; the one in progress is not recorded."
            )
            raise typer.Exit(INTERRUPTED) from error


def _errors(ctx: Any) -> Screen:
    from vaeflash.cli.screen import Screen

    return Screen.errors(no_color=ctx.params.get("no_color", False))


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # help in panels takes twice as long to start
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _cards(incomplete: str) -> list[str]:
    return _completions(incomplete, "cards")


def _demos(incomplete: str) -> list[str]:
    return _completions(incomplete, "demos")


def _anything(incomplete: str) -> list[str]:
    return _completions(incomplete, "demos", "decks", "cards")


def _completions(incomplete: str, *kinds: str) -> list[str]:
    """Names of the course that begin with what was typed; a broken course completes nothing."""
    from vaeflash.course import find_course

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
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


Names = Annotated[
    list[str] | None,
    typer.Argument(help="Cards, decks or demos; all by default.", autocompletion=_anything),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


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
        from vaeflash.course import find_course

        return find_course(self._course)


@app.command("list")
def list_(ctx: typer.Context, json: Json = False) -> None:
    """List decks, cards, claims and demos.

    A sign before each card says what is known of its claims.

    Example: vaeflash list
    """
    from vaeflash.cli import cards

    cards.list_course(ctx.obj.course, ctx.obj.out, as_json=json)


@app.command()
def show(
    ctx: typer.Context,
    card: Annotated[str, typer.Argument(help="A card's id.", autocompletion=_cards)],
    json: Json = False,
) -> None:
    """Show a card with its claims and evidence.

    Example: vaeflash show kl-closed-form
    """
    from vaeflash.cli import cards

    cards.show_card(ctx.obj.course, card, ctx.obj.out, as_json=json)


@app.command()
def lint(ctx: typer.Context, json: Json = False) -> None:
    """Report everything that is wrong with a course.

    All problems at once, and nothing is run.

    Errors exit with 1; warnings and repairs are told and pass.

    Example: vaeflash --course my-course lint
    """
    from vaeflash.cli import cards

    if not cards.lint_course(ctx.obj.course, ctx.obj.out, as_json=json):
        raise typer.Exit(NOT_AS_STATED)


@app.command("id")
def id_(
    ctx: typer.Context,
    decks: Annotated[
        list[Path] | None, typer.Argument(help="Deck files; every deck of the course by default.")
    ] = None,
) -> None:
    """Stamp an id on every card that has none.

    Nothing else in the files changes.

    Example: vaeflash id cards/my-deck.md
    """
    from vaeflash.cli import authoring

    authoring.stamp(ctx.obj.course, decks or [], ctx.obj.out)


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A Markdown deck, as found in the wild.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the canonical deck goes.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Rewrite a deck in the canonical form.

    With ids; what was repaired is printed.

    Example: vaeflash import notes.md -o cards/notes.md
    """
    from vaeflash.cli import authoring

    authoring.import_deck(ctx.obj.course, file, output, ctx.obj.out, force=force)


@app.command()
def demo(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A demo's name.", autocompletion=_demos)],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Drives everything random; 0-99 are for trying out.")
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the figures. Default: out/NAME.")
    ] = None,
    json: Json = False,
) -> None:
    """Run an experiment and see its claims.

    The lesson, what it measures, figures, then each claim that cites it, on this seed.

    Example: vaeflash demo kl-divergence --set form=mixed
    """
    from vaeflash.cli import run_demo

    run_demo.run_one(ctx.obj, name, settings or [], seed=seed, device=device, out=out, as_json=json)


@app.command()
def check(
    ctx: typer.Context,
    names: Names = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Seeds at most a claim. Default: 20, or 40.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Make every run anew.")] = False,
    locked: Annotated[
        bool, typer.Option("--locked", help="Run and write nothing; fail on anything stale.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on not-run, too.")] = False,
    json: Json = False,
) -> None:
    """Judge claims on fresh seeds, and break them.

    The evidence goes to the ledger.

    Exits with 0 if all came out as stated, 1 if something is wrong, vacuous, open or stale,
    2 if a demo raised or a card names what does not exist.

    Example: vaeflash check kl-divergence
    """
    from vaeflash.cli import run_check

    if locked:
        good = run_check.check_locked(ctx.obj, names or [], strict=strict, as_json=json)
    else:
        good = run_check.check_all(
            ctx.obj,
            names or [],
            budget=budget,
            device=device,
            fresh=fresh,
            strict=strict,
            as_json=json,
        )
    if not good:
        raise typer.Exit(NOT_AS_STATED)


@app.command("export-anki")
def export_anki(
    ctx: typer.Context,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Default: the course's id, .apkg.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the course as an Anki package.

    Importing a newer one keeps your reviews.

    Example: vaeflash export-anki -o vae.apkg
    """
    from vaeflash.cli import authoring

    authoring.export(ctx.obj.course, output, ctx.obj.out, as_json=json)


data = typer.Typer(cls=TyperGroup, invoke_without_command=True)
app.add_typer(data, name="data")


@data.callback()
def list_data(ctx: typer.Context, json: Json = False) -> None:
    """List the data sets, and where they come from.

    Example: vaeflash data
    """
    from vaeflash.cli import machine

    if ctx.invoked_subcommand is None:
        machine.list_data(ctx.obj.out, as_json=json)


@data.command("fetch")
def fetch_data(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A data set, as `vaeflash data` lists them.")],
) -> None:
    """Download a data set; nothing else in vaeflash uses the network.

    Example: vaeflash data fetch digits
    """
    from vaeflash.cli import machine

    machine.fetch(name, ctx.obj.out)


@app.command()
def doctor(ctx: typer.Context, json: Json = False) -> None:
    """Say what this machine can run, and why not more.

    Example: vaeflash doctor
    """
    from vaeflash.cli import machine

    machine.doctor(ctx.obj, as_json=json)


def main() -> None:
    """Entry point of the `vaeflash` command."""
    app()
