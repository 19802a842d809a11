"""`doctor`: what this machine has and can run."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from vaeflash import __version__
from vaeflash.cli.screen import Screen
from vaeflash.course.consent import may_look_at_paths
from vaeflash.errors import Problem, VaeflashError
from vaeflash.files import cache_folder
from vaeflash.machine import choose_device, cuda_devices, torch_version
from vaeflash.runs.needs import missing_need
from vaeflash.study.reviews import StoreError, open_store, reviews_exist, reviews_path

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings


def print_doctor(settings: Settings, *, as_json: bool, rebuild_reviews: bool = False) -> bool:
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
    anywhere = may_look_at_paths(course)
    demos: dict[str, str] = {}
    for name in course.demo_paths:
        try:
            demos[name] = missing_need(course.demo(name), device, anywhere=anywhere)
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
