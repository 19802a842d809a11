"""Commands that run demos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaeflash.cli.app import NOT_AS_STATED, CardId, Device, Json, Names, Trust, app, complete_demos


@app.command()
def demo(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A demo's name.", autocompletion=complete_demos)],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Drives everything random; 0-99 are for trying out.")
    ] = 0,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the figures. Default: out/NAME.")
    ] = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Run an experiment and see its claims.

    The lesson, what it measures, figures, then each claim that cites it, on this seed.

    Example: vaeflash demo kl-divergence --set form=mixed
    """
    from vaeflash.cli.demo import run_one

    run_one(
        ctx.obj,
        name,
        settings or [],
        seed=seed,
        device=device,
        out=out,
        trusted=trust,
        as_json=json,
    )


@app.command()
def check(
    ctx: typer.Context,
    names: Names = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "-j",
            "--jobs",
            min=0,
            help="Runs at a time, each in a process of its own. Default: one a processor, at most "
            "8, or one on a GPU. 0 makes them in this process, for a debugger.",
        ),
    ] = None,
    executor: Annotated[
        str,
        typer.Option(
            metavar="dask://HOST:PORT", help="Make the runs on a Dask cluster (extra: cluster)."
        ),
    ] = "",
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Longest run; 0 for no limit.")
    ] = 600,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Seeds at most a claim. Default: 20, or 40.")
    ] = None,
    add_seeds: Annotated[
        int,
        typer.Option("--add-seeds", min=0, metavar="N", help="Grow the evidence by N seeds."),
    ] = 0,
    device: Device = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Make every run anew.")] = False,
    new_values: Annotated[
        bool,
        typer.Option(
            "--new-values",
            help="Write what was measured into the ledger even where every answer is the same.",
        ),
    ] = False,
    locked: Annotated[
        bool,
        typer.Option(
            "--locked",
            help="Judge nothing and write nothing; fail on anything stale, missing or not as "
            "stated, and run one old seed of each changed demo to see whether numbers moved.",
        ),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on not-run, too.")] = False,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Judge claims on fresh seeds, and break them.

    The evidence goes to the course's ledger, or, where the course was installed or cannot be
    written, into your data folder: yours, on this machine.

    Exits with 0 if all came out as stated, 1 if something is wrong, vacuous, open or stale,
    2 if a demo raised or a card names what does not exist.

    Example: vaeflash check kl-divergence
    """
    from vaeflash.cli.check import Where, check_all, check_locked

    where = Where(device, jobs, executor, timeout)
    if locked:
        good = check_locked(ctx.obj, names or [], where, strict=strict, trusted=trust, as_json=json)
    else:
        good = check_all(
            ctx.obj,
            names or [],
            where,
            budget=budget,
            add_seeds=add_seeds,
            fresh=fresh,
            new_values=new_values,
            strict=strict,
            trusted=trust,
            as_json=json,
        )
    if not good:
        raise typer.Exit(NOT_AS_STATED)


@app.command()
def pilot(
    ctx: typer.Context,
    card: CardId,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="Development seeds: 0 to N-1.")
    ] = 20,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", min=0, help="Runs at a time, as in `check`.")
    ] = None,
    device: Device = "auto",
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Find where a claim's threshold belongs.

    The claim and its controls on development seeds, drawn side by side; how far apart they lie,
    and the claim with its threshold midway. Evidence seeds are not touched.

    Example: vaeflash pilot kl-minimum --seeds 10
    """
    from vaeflash.cli.check import Where
    from vaeflash.cli.pilot import run_pilot

    where = Where(device, jobs)
    run_pilot(ctx.obj, card, where, seeds=seeds, trusted=trust, as_json=json)
