"""`data`: which data sets are here, where from, and how to get more."""

from __future__ import annotations

import contextlib
import importlib
import io
from typing import Any

from rich.text import Text

from vaeflash.cli.screen import Screen, problem_text
from vaeflash.data import DataSet, available


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
