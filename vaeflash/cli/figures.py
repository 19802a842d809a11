"""`figures`: draw the pictures that a course ships with its cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from vaeflash.cli.consent import ask_to_run
from vaeflash.cli.progress import Progressing
from vaeflash.cli.screen import Screen
from vaeflash.course.course import Course
from vaeflash.errors import DemoError, Problem
from vaeflash.files import check_writable
from vaeflash.gallery import FOLDER, INDEX, draw
from vaeflash.machine import choose_device
from vaeflash.printable import command
from vaeflash.runs.in_process import run_demo
from vaeflash.runs.needs import missing_need
from vaeflash.runs.run import NO_ERROR

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings

SEED = 0
"""Pictures are examples, not evidence; the same seed draws the same picture."""


def draw_figures(settings: Settings, demos: Sequence[str], *, trusted: bool, as_json: bool) -> None:
    """Run each demo once, as it stands, and keep its figures in the course.

    On the CPU unless the demo needs more, so that the same machine draws the same bytes again.

    Raises:
        VaeflashError: No such demo, or a demo raised.
    """
    course: Course = settings.course
    screen: Screen = settings.out
    sources = [course.demo(name) for name in demos or course.demo_paths]
    ask_to_run(settings, trusted=trusted)
    for source in sources:
        check_writable(course.root / FOLDER / source.name / INDEX, within=course.root)
    drawn: dict[str, dict[str, int]] = {}
    passed: dict[str, str] = {}
    for source in sources:
        device = choose_device("auto" if "cuda" in source.needs else "cpu")
        missing = missing_need(source, device)
        if missing:
            passed[source.name] = missing
            continue
        with Progressing(settings.out, settings.err) as progress:
            run = run_demo(source, {}, SEED, device, progress.track)
        if run.error != NO_ERROR:
            where, _, message = run.message.partition(": ")
            advice = f"`{command('demo', source.name)}` runs it alone."
            raise DemoError(Problem(where, f"the demo raised {run.error}: {message}.", advice))
        if not run.figures:
            passed[source.name] = "it has no figure"
            continue
        sizes = draw(course.root, source.name, source.fingerprint, run.figures)
        drawn[source.name] = sizes
        told = ", ".join(f"{name} {size / 1000:.1f} kB" for name, size in sizes.items())
        if not as_json:
            screen.print(Text.assemble((f"{FOLDER}/{source.name}", "bold"), f": {told}."))
    if as_json:
        screen.json("figures", {"drawn": drawn, "passed": passed})
        return
    for name, reason in passed.items():
        screen.print(Text.assemble((name, "bold"), f": {reason}; not drawn."))
