"""Progress of a run, gone when the run is."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from vaeflash.cli.screen import Screen


class Progressing:
    """A transient progress display, drawn only on a terminal.

    On the terminal that results are printed on, so that they come out above it; on standard error
    where results go to a file.
    """

    def __init__(self, out: Screen, err: Screen) -> None:
        screen = out if out.console.is_terminal else err
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            console=screen.console,
            transient=True,
            disable=not screen.console.is_terminal,
        )

    def __enter__(self) -> Progressing:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def track(self, steps: Iterable[Any], description: str, total: int | None) -> Iterable[Any]:
        """The same items, with a bar that goes when they are used up."""
        if total is None and isinstance(steps, Sized):
            total = len(steps)
        task = self._progress.add_task(description or "running", total=total)
        try:
            for step in steps:
                yield step
                self._progress.advance(task)
        finally:
            self._progress.remove_task(task)
