"""Commands that study: the quiz, and what the user's reviews say."""

from __future__ import annotations

from typing import Annotated

import typer

from vaeflash.cli.app import Json, Trust, app, complete_decks

Decks = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DECK]...",
        help="Decks, by file or title; all by default.",
        autocompletion=complete_decks,
    ),
]


@app.command()
def quiz(
    ctx: typer.Context,
    decks: Decks = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="Only cards with this tag. Repeatable."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="Reviews a day at most, new cards among them.")
    ] = 200,
    new: Annotated[int, typer.Option(min=0, help="New cards a day at most.")] = 20,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Ask no further card after so long.")
    ] = None,
    cram: Annotated[
        bool, typer.Option("--cram", help="Ask every card, and leave the schedule alone.")
    ] = False,
    unsuspend: Annotated[
        bool, typer.Option("--unsuspend", help="Ask suspended cards again from now on.")
    ] = False,
    trust: Trust = False,
) -> None:
    """Study in the terminal.

    Asks what is due, when Anki would ask it. `?` lists the keys; `d` runs a card's demo.

    Example: vaeflash quiz kl-divergence --minutes 10
    """
    from vaeflash.cli.quiz import run_quiz
    from vaeflash.study.due import Limits

    run_quiz(
        ctx.obj,
        decks or [],
        tags or [],
        limits=Limits(new, limit),
        minutes=minutes,
        cram=cram,
        unsuspend=unsuspend,
        trusted=trust,
    )


@app.command()
def due(
    ctx: typer.Context,
    decks: Decks = None,
    number: Annotated[
        bool, typer.Option("-n", "--number", help="Print only how many, for a shell prompt.")
    ] = False,
    json: Json = False,
) -> None:
    """Say in one line what a quiz would ask now.

    Example: vaeflash due --number
    """
    from vaeflash.cli.due import print_due

    print_due(ctx.obj.course, ctx.obj.out, decks or [], number_only=number, as_json=json)


@app.command()
def stats(ctx: typer.Context, decks: Decks = None, json: Json = False) -> None:
    """Say how well you keep what you learned.

    Retention, what comes back in the next two weeks, the past half year, each deck.

    Example: vaeflash stats
    """
    from vaeflash.cli.stats import print_stats

    print_stats(ctx.obj.course, ctx.obj.out, decks or [], as_json=json)


@app.command()
def orphans(ctx: typer.Context, json: Json = False) -> None:
    """List studied cards that the course no longer has.

    Their reviews are kept, and go on where a card with the same id comes back.

    Example: vaeflash orphans
    """
    from vaeflash.cli.reviews import print_orphans

    print_orphans(ctx.obj.course, ctx.obj.out, as_json=json)


@app.command("export-reviews")
def export_reviews(ctx: typer.Context, json: Json = False) -> None:
    """Print the review log of the course.

    Everything that happened, in order; answers that were taken back too.

    Example: vaeflash export-reviews --json
    """
    from vaeflash.cli.reviews import print_reviews

    print_reviews(ctx.obj.course, ctx.obj.out, as_json=json)
