"""Commands that read: cards, evidence, this machine. Nothing is run, nothing written."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from vaeflash.cli.app import NOT_AS_STATED, CardId, Json, app


@app.command("list")
def list_(ctx: typer.Context, json: Json = False) -> None:
    """List decks, cards, claims and demos.

    A sign before each card says what is known of its claims.

    Example: vaeflash list
    """
    from vaeflash.cli.list import list_course

    list_course(ctx.obj.course, ctx.obj.out, as_json=json)


@app.command()
def show(
    ctx: typer.Context,
    card: CardId,
    json: Json = False,
) -> None:
    """Show a card with its claims and evidence.

    Example: vaeflash show kl-closed-form
    """
    from vaeflash.cli.show import show_card

    show_card(ctx.obj.course, card, ctx.obj.out, as_json=json)


@app.command()
def why(ctx: typer.Context, card: CardId, json: Json = False) -> None:
    """Say what a card's verdicts rest on.

    Every seed, every control, and what they do not establish; nothing is run.

    Example: vaeflash why kl-closed-form
    """
    from vaeflash.cli.why import why

    why(ctx.obj.course, card, ctx.obj.out, as_json=json)


@app.command()
def lint(ctx: typer.Context, json: Json = False) -> None:
    """Report everything that is wrong with a course.

    All problems at once, and nothing is run.

    Errors exit with 1; warnings and repairs are told and pass.

    Example: vaeflash --course my-course lint
    """
    from vaeflash.cli.lint import lint_course

    if not lint_course(ctx.obj.course, ctx.obj.out, as_json=json):
        raise typer.Exit(NOT_AS_STATED)


data = typer.Typer(cls=TyperGroup, invoke_without_command=True)
app.add_typer(data, name="data")


@data.callback()
def list_data(ctx: typer.Context, json: Json = False) -> None:
    """List the data sets, and where they come from.

    Example: vaeflash data
    """
    from vaeflash.cli.data import list_data

    if ctx.invoked_subcommand is None:
        list_data(ctx.obj.out, as_json=json)


@data.command("fetch")
def fetch_data(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A data set, as `vaeflash data` lists them.")],
) -> None:
    """Download a data set; nothing else in vaeflash uses the network.

    Example: vaeflash data fetch digits
    """
    from vaeflash.cli.data import fetch

    fetch(name, ctx.obj.out)


@app.command()
def doctor(
    ctx: typer.Context,
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="FILE:FUNCTION", help="A VAE's loss, (x_hat, x, mu, logvar), to be weighed."
        ),
    ] = None,
    latents: Annotated[int, typer.Option(min=1, help="With --loss: numbers in a code.")] = 20,
    shape: Annotated[
        str, typer.Option(metavar="C,H,W", help="With --loss: one picture's; flat digits if none.")
    ] = "",
    rebuild_reviews: Annotated[
        bool,
        typer.Option("--rebuild-reviews", help="Make the states of cards from the review log."),
    ] = False,
    json: Json = False,
) -> None:
    """Say what this machine can run, and why not more; or what a loss amounts to.

    With --loss a VAE's loss is run on a probe, which tells the weight it gives to the
    reconstruction and to the KL, the beta that this is per picture, and whether the latents
    would collapse. Exit code 1 if they would, or if a term or the batch speaks against it.

    Example: vaeflash doctor --loss my_vae.py:loss_function
    """
    if loss is None:
        from vaeflash.cli.doctor import print_doctor

        if not print_doctor(ctx.obj, as_json=json, rebuild_reviews=rebuild_reviews):
            raise typer.Exit(1)
        return
    from vaeflash.cli.doctor_loss import read_shape, weigh

    sides = read_shape(shape)
    if not weigh(loss, ctx.obj.out, latents=latents, shape=sides, as_json=json):
        raise typer.Exit(1)
