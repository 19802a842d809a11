"""`pytest --vaeflash`: each claim of a course is a test, for an author's continuous integration.

Off unless asked for. A folder's `course.toml` is collected like a test file, and each claim of it
like a test: it passes when the verdict is as stated and every control flipped it, and is skipped
where the device or the data is not here. Runs come from the cache where they are known. The ledger
is not written: a test leaves its tree as it found it.

Passing the flag is consent to run the demos of the courses that are collected. What they and their
cards say is only shown: pytest prints names and failures as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from vaeflash.printable import command, printable


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our flag."""
    group = parser.getgroup("vaeflash")
    group.addoption(
        "--vaeflash",
        action="store_true",
        help="collect the claims of every course.toml below as tests, and run its demos",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A course is collected by its `course.toml`."""
    if file_path.name != "course.toml" or not parent.config.getoption("--vaeflash"):
        return None
    path = str(file_path)
    named: dict[str, Any] = {} if printable(path) == path else {"nodeid": printable(path)}
    return CourseFile.from_parent(parent, path=file_path, **named)


class CourseFile(pytest.File):
    """A course: its claims, and who runs its demos."""

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,  # noqa: ARG002 -- pytest gives none to a collector
    ) -> str:
        """Why no claim could be collected."""
        return printable(str(super().repr_failure(excinfo)))

    def collect(self) -> Iterator[pytest.Item]:
        """An item for each claim, in the course's order."""
        from vaeflash.course.course import open_course
        from vaeflash.judging.cases import choose
        from vaeflash.machine import choose_device
        from vaeflash.runs.known import Runs

        course = open_course(self.path.parent)
        selection = choose(course)
        self.runs = Runs(choose_device())
        self._open = ExitStack()
        self._workers: Any = None
        for item in selection.items:
            yield ClaimItem.from_parent(self, name=_name(item.card.id, item.claim.text), item=item)
        for broken in selection.unreadable:
            name = _name(broken.card.id, broken.claim.text)
            yield ClaimItem.from_parent(self, name=name, broken=broken)

    @property
    def workers(self) -> Any:
        """Child processes, started for the first claim that needs a run."""
        from vaeflash.runs.processes import default_jobs, local_workers

        if self._workers is None:
            jobs = default_jobs(self.runs.device)
            self._workers = self._open.enter_context(local_workers(jobs))
            self.addfinalizer(self._open.close)
        return self._workers


class ClaimItem(pytest.Item):
    """One claim with its controls."""

    def __init__(self, *, item: Any = None, broken: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._item = item
        self._broken = broken

    def runtest(self) -> None:
        """Judge it.

        Raises:
            ClaimFailed: It did not come out as stated.
        """
        from vaeflash.card import Status
        from vaeflash.judging.check import check

        if self._broken:
            raise ClaimFailed("\n".join(map(str, self._broken.problems)))
        course: CourseFile = self.parent  # type: ignore[assignment]
        (outcome,) = check([self._item], course.runs, course.workers, lambda _: None)
        entry = outcome.entry
        if entry is None or entry.status is Status.NOT_RUN:
            pytest.skip(printable(entry.note) if entry else "not judged")
        if not entry.status.as_stated:
            raise ClaimFailed(_explain(self._item.where, entry))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The verdict in words; a traceback only for what is no verdict."""
        failed = isinstance(excinfo.value, ClaimFailed)
        told = excinfo.value if failed else super().repr_failure(excinfo, style)
        return printable(str(told))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the claim is."""
        return Path(printable(str(self.path))), None, self.name


class ClaimFailed(Exception):  # noqa: N818 -- a verdict, not an error
    """A claim did not come out as its card states."""


def _name(card: str | None, claim: str) -> str:
    return printable(f"{card}: {claim}")


def _explain(where: str, entry: Any) -> str:
    lines = [f"{where}: {entry.status}: {entry.claim}"]
    if entry.seeds:
        lines.append(f"  yes on {entry.yes} of {entry.seeds} seeds")
    lines += [
        f"  control {c.control}: {c.verdict}, yes on {c.yes} of {c.yes + c.no}"
        for c in entry.controls
    ]
    if entry.note:
        lines.append(f"  {entry.note}")
    return "\n".join([*lines, f"  See: {command('check', entry.card)}"])
