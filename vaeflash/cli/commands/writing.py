"""Commands that write files of a course, an Anki package, or pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from vaeflash.cli.app import Json, Trust, app, complete_decks, complete_demos


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
    from vaeflash.cli.id import stamp

    stamp(ctx.obj.course, decks or [], ctx.obj.out)


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
    from vaeflash.cli.import_deck import import_deck

    import_deck(ctx.obj.course, file, output, ctx.obj.out, force=force)


new = typer.Typer(cls=TyperGroup, no_args_is_help=True)
app.add_typer(new, name="new")


@new.callback()
def start_new() -> None:
    """Start a course, a deck or a demo.

    Nothing that exists is overwritten.

    Example: vaeflash new course my-course
    """


@new.command("course")
def new_course(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Its name gives the course its id.")
    ],
    title: Annotated[str, typer.Option(help="Default: the folder's name.")] = "",
) -> None:
    """Write a small course that lints and checks as it stands.

    Example: vaeflash new course my-course --title "What I teach"
    """
    from vaeflash.cli.new import start_course

    start_course(folder, title, ctx.obj.out)


@new.command("deck")
def new_deck(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the file in cards/, kebab-case.")],
    title: Annotated[str, typer.Option(help="Default: the name; `::` makes sub-decks.")] = "",
    demo: Annotated[
        str, typer.Option(help="A demo that the card links.", autocompletion=complete_demos)
    ] = "",
) -> None:
    """Write a deck with one card.

    Example: vaeflash new deck elbo --demo kl-divergence
    """
    from vaeflash.cli.new import start_deck

    start_deck(ctx.obj.course, name, title, demo, ctx.obj.out)


@new.command("demo")
def new_demo(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name as cards write it, kebab-case.")],
    card: Annotated[
        str,
        typer.Option(
            metavar="DECK", help="Append a card to this deck.", autocompletion=complete_decks
        ),
    ] = "",
) -> None:
    """Write a demo that works, and the lines that link it.

    Example: vaeflash new demo beta-tradeoff --card elbo
    """
    from vaeflash.cli.new import start_demo

    start_demo(ctx.obj.course, name, card, ctx.obj.out)


@app.command()
def figures(
    ctx: typer.Context,
    demos: Annotated[
        list[str] | None,
        typer.Argument(help="Demos; all by default.", autocompletion=complete_demos),
    ] = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Draw the pictures that the cards show.

    Each demo runs once, on seed 0; its figures go to figures/ of the course.

    Example: vaeflash figures kl-divergence
    """
    from vaeflash.cli.figures import draw_figures

    draw_figures(ctx.obj, demos or [], trusted=trust, as_json=json)


Decks = Annotated[
    list[str] | None,
    typer.Option(
        "--deck",
        metavar="DECK",
        help="Only this deck, by file or title, and decks below it. Repeatable.",
        autocompletion=complete_decks,
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Only cards with this tag. Repeatable."),
]


@app.command("export-anki")
def export_anki(
    ctx: typer.Context,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Default: the course's id, .apkg.")
    ] = None,
    decks: Decks = None,
    tags: Tags = None,
    restamp: Annotated[
        bool,
        typer.Option(
            "--restamp",
            help="Have Anki update every note, changed or not; for when another machine's "
            "package was imported in between.",
        ),
    ] = False,
    with_scheduling: Annotated[
        bool,
        typer.Option(
            "--with-scheduling",
            help="Take your reviews in the terminal along. Anki takes them for cards that it does "
            "not have yet; those that it has keep its own.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write the course as an Anki package.

    Importing a newer one keeps your reviews. Says what has changed since the last export.

    Example: vaeflash export-anki -o vae.apkg
    """
    from vaeflash.cli.export_anki import write_package

    write_package(
        ctx.obj.course,
        output,
        ctx.obj.out,
        decks=decks or [],
        tags=tags or [],
        restamp=restamp,
        with_scheduling=with_scheduling,
        as_json=json,
    )


@app.command("export-html")
def export_html(
    ctx: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Default: the course's id, -html."),
    ] = None,
    decks: Decks = None,
    tags: Tags = None,
    json: Json = False,
) -> None:
    """Write the course as plain pages, one a deck.

    They work from a disk, offline, on a phone and on paper. A folder that holds an earlier export
    is brought up to date; other files in it are left alone.

    Example: vaeflash export-html -o public
    """
    from vaeflash.cli.export_html import write_pages

    write_pages(
        ctx.obj.course,
        output,
        ctx.obj.out,
        decks=decks or [],
        tags=tags or [],
        as_json=json,
    )
