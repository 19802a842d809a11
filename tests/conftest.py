"""Shared fixtures: a run cache and data folder of the tests' own, and courses made to measure."""

from __future__ import annotations

import os
import signal
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM
from hypothesis import HealthCheck, settings

import vaeflash.lab  # noqa: F401 -- first of all: it sets the thread count that torch reads once
from vaeflash.course.course import Course, open_course

# Nothing is timed: a slow machine is not a wrong answer. And CI tries the same examples each time,
# so that a red run is about the change; at home the search goes on.
settings.register_profile(
    "tests",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("quick", settings.get_profile("tests"), max_examples=25)
settings.load_profile("tests")

# In the background of a shell without job control Ctrl-C is ignored, and so by every child, some of
# which are sent one here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["pytester"]

NO_BROWSER = "there is no Chromium here"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add a flag for continuous integration, where a skipped test would go unnoticed."""
    parser.addoption("--need-browser", action="store_true", help="fail if there is no Chromium")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs a browser where there is none."""
    if CHROMIUM:
        return
    if config.getoption("--need-browser"):
        raise pytest.UsageError(f"--need-browser: {NO_BROWSER}")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say last what was not seen: how cards and pages look."""
    skipped = terminalreporter.stats.get("skipped", [])
    unseen = sum(NO_BROWSER in str(report.longrepr) for report in skipped)
    if unseen:
        terminalreporter.write_line(
            f"{unseen} tests of how cards and pages look were skipped: {NO_BROWSER}. "
            "Debian has it: apt-get install chromium",
            yellow=True,
        )


MakeCourse = Callable[..., Course]


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own cache or data."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("VAEFLASH_CACHE", str(home / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.delenv("VAEFLASH_DATA", raising=False)
    monkeypatch.delenv("VAEFLASH_REVIEWS", raising=False)


@pytest.fixture
def make_course(tmp_path: Path) -> MakeCourse:
    """Writes a course with the given decks and demos and opens it."""

    def make(
        cards: Mapping[str, str] | None = None,
        demos: Mapping[str, str] | None = None,
        name: str = "course",
    ) -> Course:
        root = tmp_path / name
        for folder in ("cards", "demos"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "course.toml").write_text(f'id = "{name}"\ntitle = "A course of the tests"\n')
        for stem, text in (cards or {}).items():
            (root / "cards" / f"{stem}.md").write_text(textwrap.dedent(text), encoding="utf-8")
        for stem, text in (demos or {}).items():
            (root / "demos" / f"{stem}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        return open_course(root)

    return make


def card(identity: str, meta: str) -> str:
    """One question-and-answer card with the given meta lines."""
    return (
        f"#### About {identity} {{#{identity}}}\n\n:p What is it?\n??x\nIt.\nx??\n\n"
        f"{textwrap.dedent(meta).strip()}\n\n"
    )


def deck(*cards: str, title: str = "Deck") -> str:
    """A deck of such cards."""
    return f"# {title}\n\n" + "".join(cards)


COIN = '''
"""A coin with a known bias lands heads at its rate."""

import random
from dataclasses import dataclass

from vaeflash.demo import Lab, Result


@dataclass(frozen=True, slots=True)
class Params:
    """The coin."""

    rate: float = 1.0
    scale: float = 1.0


def run(params: Params, lab: Lab) -> Result:
    """One toss."""
    heads = random.Random(lab.seed).random() < params.rate
    return Result(metrics={"heads": int(heads), "value": params.scale * heads})
'''
"""A seeded demo whose claims hold at a known rate: `heads` is 1 with probability `rate`."""

SUM = '''
"""Two and two make four."""

from dataclasses import dataclass

from vaeflash.demo import Lab, Result

DETERMINISTIC = True


@dataclass(frozen=True, slots=True)
class Params:
    """The summands."""

    a: int = 2
    b: int = 2
    fail: str = ""


def run(params: Params, lab: Lab) -> Result:
    """Add them, or raise what is asked for."""
    if params.fail:
        raise {"ValueError": ValueError, "RuntimeError": RuntimeError}[params.fail]("as asked")
    return Result(metrics={"total": params.a + params.b, "half": (params.a + params.b) / 2})
'''
"""A deterministic demo."""
