"""`data` and `doctor`: what this machine has and can run."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from vaeflash import __version__
from vaeflash.cli.screen import Screen, problem_text
from vaeflash.consent import is_trusted
from vaeflash.data import DataSet, available
from vaeflash.errors import Problem, VaeflashError
from vaeflash.files import cache_folder
from vaeflash.machine import choose_device, cuda_devices, torch_version
from vaeflash.needs import missing_need
from vaeflash.store import StoreError, open_store, reviews_exist, reviews_path

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings


def list_data(screen: Screen, *, as_json: bool) -> None:
    """Print every known data set, where it comes from and how to get more of it."""
    sets = available()
    if as_json:
        screen.json("data", {"data": [_data_json(known) for known in sets]})
        return
    for known in sets:
        sign = ("✔", "green") if known.source else ("–", "yellow")
        told = known.source.origin if known.source else "not here"
        screen.print(Text.assemble(sign, " ", (known.name, "bold"), f"  {told}"))
        if known.source:
            for file in known.source.files:
                screen.print(Text.assemble(("    file     ", "dim"), str(file)), soft_wrap=True)
            screen.print(Text.assemble(("    content  ", "dim"), f"#{known.source.fingerprint}"))
        if known.problem:
            screen.print(problem_text(known.problem, "   ", "yellow"), soft_wrap=True)
        for choice in known.choices:
            screen.print(Text.assemble(("    from     ", "dim"), choice))
        screen.print(Text.assemble(("    licence  ", "dim"), known.licence))


def _data_json(known: DataSet) -> dict[str, Any]:
    source = known.source
    return {
        "name": known.name,
        "here": source is not None,
        "origin": source.origin if source else None,
        "files": [str(file) for file in source.files] if source else [],
        "fingerprint": source.fingerprint if source else None,
        "problem": str(known.problem) if known.problem else None,
        "choices": known.choices,
        "licence": known.licence,
    }


def fetch(name: str, screen: Screen) -> None:
    """Download a data set into the user's data folder: the only use of the network.

    Raises:
        DataError: The name is unknown, or the download failed; nothing half-done stays.
    """
    # Late, since torchvision brings torch.
    vision = importlib.import_module("vaeflash.lab.vision")
    # Torchvision's own progress writes over its line, one new number a chunk.
    with (
        screen.console.status(Text(f"Downloading {name}")),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        source = vision.fetch(name)
    screen.print(f"{name}: {source.origin}, in {source.files[0].parent}.", soft_wrap=True)


def doctor(settings: Settings, *, as_json: bool, rebuild_reviews: bool = False) -> bool:
    """Print what is installed, what each demo can run on, and whether the reviews are sound.

    Args:
        settings: The course, and the screens.
        as_json: One document instead.
        rebuild_reviews: First make the states of all cards from the log, which stays as it is.

    Returns:
        Whether nothing is wrong; a demo that cannot run here is not.

    Raises:
        StoreError: The reviews were to be made anew, and cannot be read or written.
    """
    if rebuild_reviews and reviews_exist(reviews_path()):
        with open_store() as store:
            store.rebuild()
    device = choose_device()
    facts: dict[str, Any] = {
        "vaeflash": __version__,
        "python": platform.python_version(),
        "torch": torch_version() or "missing: pip install torch",
        "cuda devices": cuda_devices(),
        "runs go to": device,
        "processors": os.cpu_count(),
        "cache": str(cache_folder()),
        "reviews": str(reviews_path()),
    }
    answers, problems = _reviews()
    course = settings.course
    trusted = is_trusted(course)
    demos: dict[str, str] = {}
    for name in course.demo_paths:
        try:
            demos[name] = missing_need(course.demo(name), device, anywhere=trusted)
        except VaeflashError as error:
            demos[name] = str(error.problems[0])
    screen: Screen = settings.out
    if as_json:
        reviews = {"answers": answers, "problems": [str(problem) for problem in problems]}
        screen.json("doctor", {"facts": facts, "demos": demos, "reviews": reviews})
        return not problems
    for label, fact in facts.items():
        screen.print(Text.assemble((f"{label:14s}", "dim"), str(fact)), soft_wrap=True)
    if answers is not None:
        told = f"{answers} answer{'' if answers == 1 else 's'}"
        sound = "" if problems else ", log and states agree"
        screen.print(Text(f"{'':14s}{told}{sound}"))
    settings.err.problems(problems)
    for name, missing in demos.items():
        sign = ("✔", "green") if not missing else ("–", "yellow")
        screen.print(Text.assemble(sign, " ", (name, "bold"), f"  {missing or 'can run'}"))
    if not cuda_devices():
        build = "CPU build of torch" if "+cpu" in torch_version() else "no NVIDIA driver found"
        screen.note(f"No GPU: {build}. Demos that need one are reported as not-run.")
    return not problems


def _reviews() -> tuple[int | None, Sequence[Problem]]:
    """How many answers are stored, none if they cannot be read, and what is wrong with them.

    No file is made where there is none.
    """
    try:
        if not reviews_exist(reviews_path()):
            return 0, ()
        with open_store() as store:
            return store.answers(), store.check()
    except StoreError as error:
        return None, error.problems
