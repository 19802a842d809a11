"""`demo`: run one experiment, show what it measured, answer the claims that cite it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from vaeflash.card import Value
from vaeflash.claims import format_params, parse_settings, to_overlay
from vaeflash.cli.consent import ask_to_run
from vaeflash.cli.progress import Progressing
from vaeflash.cli.screen import Screen
from vaeflash.course.course import Course
from vaeflash.course.demo_source import DemoSource
from vaeflash.errors import ClaimError, DemoError, Problem, VaeflashError
from vaeflash.files import check_writable
from vaeflash.judging.cases import Item, read_claim
from vaeflash.judging.one_seed import answer_now
from vaeflash.machine import choose_device, device_kind, follows, is_joined
from vaeflash.plain import json_value
from vaeflash.printable import command
from vaeflash.runs.in_process import run_demo
from vaeflash.runs.known import Runs
from vaeflash.runs.needs import missing_equipment, used_data
from vaeflash.runs.run import NO_ERROR, Run

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings


def run_one(
    settings: Settings,
    name: str,
    assignments: Sequence[str],
    *,
    seed: int,
    device: str,
    out: Path | None,
    trusted: bool,
    as_json: bool,
) -> None:
    """Run a demo once and show everything about it, then answer the claims that cite it.

    Raises:
        VaeflashError: No such demo, parameter or device, or the demo raised.
    """
    course: Course = settings.course
    source = course.demo(name)
    chosen = source.accept(_settings_of(assignments), "--set")
    ask_to_run(settings, trusted=trusted)
    if out:
        check_writable(out / "figure.png")
    runs = Runs(choose_device(device))
    if follows():
        _stop_if_it_cannot_run(source, runs.device)
        run = run_demo(source, chosen, seed, runs.device)
        _stop_if_failed(run, source, chosen, debug=settings.debug)
        return
    screen: Screen = settings.out
    if not as_json:
        _lesson(source, screen)
    _stop_if_it_cannot_run(source, runs.device)
    with Progressing(settings.out, settings.err) as progress:
        run = run_demo(source, chosen, seed, runs.device, progress.track)
        _stop_if_failed(run, source, chosen, debug=settings.debug)
        runs.add(runs.job(source, chosen, seed), run)
        folder = out or Path("out") / name
        paths = _draw(run, folder)
        if not as_json:
            _header(source, chosen, seed, runs.device, run, screen)
            _metrics(run, screen)
            _figures(run, paths, screen)
        # A claim may need other runs, which the first of joined processes would make all alone.
        claims = [] if is_joined() else _citing(course, name)
        answers = [
            (item, _answer(item, chosen, seed, runs))
            for item in progress.track(claims, "claims", None)
        ]
    if as_json:
        screen.json("demo", _demo_json(source, chosen, seed, runs.device, run, paths, answers))
    else:
        _answers(answers, source, screen)


def _settings_of(assignments: Sequence[str]) -> dict[str, Value]:
    """The parameters of all `--set` options together."""
    params: dict[str, Value] = {}
    for text in assignments:
        try:
            params |= parse_settings(text)
        except ClaimError as error:
            raise ClaimError(*(p.within(f"--set {text}") for p in error.problems)) from error
    return params


def _stop_if_it_cannot_run(source: DemoSource, device: str) -> None:
    # Missing data are told by the run, which knows where they could come from.
    if missing := missing_equipment(source, device):
        advice = "Run it where that is there; `vaeflash doctor` tells what is here."
        raise DemoError(Problem(f"demo '{source.name}'", f"{missing}.", advice))


def _stop_if_failed(
    run: Run, source: DemoSource, chosen: Mapping[str, Value], *, debug: bool
) -> None:
    if run.error == NO_ERROR:
        return
    where, _, message = run.message.partition(": ")
    advice = run.traceback if debug else "`vaeflash --debug demo ...` shows the traceback."
    # Which values make sense only the demo knows; that a chosen one does not is the likely cause.
    changed = {k: v for k, v in chosen.items() if v != source.parameters[k].default}
    if changed:
        advice = f"It ran with {format_params(to_overlay(changed))}. {advice}"
    raise DemoError(Problem(where, f"the demo raised {run.error}: {message}.", advice))


def _citing(course: Course, demo: str) -> list[Item]:
    """The claims that cite a demo, in the course's order."""
    return [
        read_claim(course, card, claim, deck.path)
        for deck, card in course.cards()
        for claim in card.claims
        if claim.demo == demo
    ]


def _answer(item: Item, chosen: Mapping[str, Value], seed: int, runs: Runs) -> bool | str:
    """Yes or no on this seed with the chosen parameters laid over, or why there is none."""
    try:
        return answer_now(item, chosen, seed, runs)
    except VaeflashError as error:
        return error.problems[0].what


def _lesson(source: DemoSource, screen: Screen) -> None:
    from vaeflash.cli.text import CardMarkdown

    screen.print(Text(source.headline, style="bold cyan"), end="\n\n")
    screen.print(CardMarkdown(source.lesson.partition("\n")[2].strip()))


def _header(
    source: DemoSource,
    chosen: Mapping[str, Value],
    seed: int,
    device: str,
    run: Run,
    screen: Screen,
) -> None:
    values = {name: chosen.get(name, p.default) for name, p in source.parameters.items()}
    told = ", ".join(f"{name}={value}" for name, value in values.items()) or "no parameters"
    data = "".join(f", {used}" for used in used_data(source, chosen).values())
    screen.print(
        Text.assemble(
            ("\nMeasured", "bold"),
            (f"  seed {seed}, {device}, {run.seconds:.1f} s{data}\n{told}", "dim"),
        )
    )


def _metrics(run: Run, screen: Screen) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, value in run.metrics.items():
        if name != "error":
            table.add_row(Text(name), Text(number(value)))
    screen.print(table)


def number(value: Value) -> str:
    """A measured value in at most six significant digits; whole numbers in full."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _draw(run: Run, folder: Path) -> dict[str, Path]:
    if not run.figures:
        return {}
    from vaeflash.figures import save_png

    paths = {}
    for name, figure in run.figures.items():
        paths[name] = folder / f"{name}.png"
        save_png(figure, paths[name])
    return paths


def _figures(run: Run, paths: Mapping[str, Path], screen: Screen) -> None:
    if not run.figures:
        return
    from vaeflash.cli.preview import preview

    colour = screen.console.color_system is not None and not screen.console.no_color
    for name, figure in run.figures.items():
        screen.print(Text.assemble("\n", (figure.caption, "bold"), (f"  {paths[name]}", "dim")))
        screen.print(preview(figure, screen.console.width, colour=colour))


def _answers(
    answers: Sequence[tuple[Item, bool | str]], source: DemoSource, screen: Screen
) -> None:
    if not answers:
        screen.note("\nNo card cites this demo yet.")
        return
    screen.print(Text("\nClaims that cite this demo, on this seed", style="bold"))
    grid = Table.grid(padding=(0, 1))
    for item, yes in answers:
        as_stated = isinstance(yes, bool) and yes != item.claim.myth
        word = ("yes" if yes else "no") if isinstance(yes, bool) else "–"
        grid.add_row(Text(f"  {word}", "green" if as_stated else "red"), _answer_text(item, yes))
    screen.print(grid)
    screen.note(f"One seed is an example. `{command('check', source.name)}` gathers the evidence.")


def _answer_text(item: Item, yes: bool | str) -> Text:
    text = Text(item.claim.text)
    if item.claim.myth:
        text.append("  (a myth)", style="italic")
    text.append(f"  {item.card.id or item.card.title}", style="dim")
    if isinstance(yes, str):
        text.append(f"\n{yes}", style="red")
    return text


def _demo_json(
    source: DemoSource,
    chosen: Mapping[str, Value],
    seed: int,
    device: str,
    run: Run,
    paths: Mapping[str, Path],
    answers: Sequence[tuple[Item, bool | str]],
) -> dict[str, Any]:
    return {
        "demo": source.name,
        "headline": source.headline,
        "seed": seed,
        "device": device_kind(device),
        "data": used_data(source, chosen),
        "seconds": round(run.seconds, 3),
        "params": {n: chosen.get(n, p.default) for n, p in source.parameters.items()},
        "metrics": {n: json_value(value) for n, value in run.metrics.items() if n != "error"},
        "figures": {
            name: {"path": str(path), "caption": run.figures[name].caption}
            for name, path in paths.items()
        },
        "claims": [
            {
                "card": item.card.id,
                "claim": item.claim.text,
                "myth": item.claim.myth,
                "answer": yes,
                "as_stated": isinstance(yes, bool) and yes != item.claim.myth,
            }
            for item, yes in answers
        ],
    }
