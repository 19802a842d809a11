"""What the README shows is what there is, and its commands work."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from vaeflash.cli import app
from vaeflash.course.consent import trust
from vaeflash.course.course import bundled_root, open_course
from vaeflash.lab.bench import Bench
from vaeflash.parse import parse_deck, read_deck

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ vaeflash (.*)$", README, re.MULTILINE)


def block(language: str) -> str:
    """The first fenced block of a language."""
    found = re.search(rf"^(`{{3,}}){language}\n(.*?)^\1$", README, re.MULTILINE | re.DOTALL)
    assert found
    return found[2]


def test_the_card_shown_is_a_card_of_the_course() -> None:
    reading = read_deck("# Deck\n\n" + block("markdown"))
    decks = [path.read_text(encoding="utf-8") for path in (ROOT / "cards").glob("*.md")]
    cards = [card for deck in decks for card in parse_deck(deck).cards]

    assert (reading.errors, reading.repairs, reading.deck.cards[0] in cards) == ((), (), True)


def test_the_course_shown_is_a_course(tmp_path: Path) -> None:
    (tmp_path / "course.toml").write_text(block("toml"))

    assert open_course(tmp_path).order == ("first",)


def test_the_run_shown_runs() -> None:
    from types import SimpleNamespace
    from typing import Any

    from vaeflash.demo import Lab, Result

    scope: dict[str, Any] = {"torch": torch, "Result": Result, "Lab": Lab, "Params": object}
    exec(block("python"), scope)
    result = scope["run"](SimpleNamespace(n=10_000), Bench(seed=0))

    assert abs(result.metrics["mean"]) < 0.05


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the bundled course, to work in."""
    for name in ("cards", "demos"):
        shutil.copytree(bundled_root() / name, tmp_path / name)
    for name in ("course.toml", "ledger.jsonl"):
        shutil.copy(bundled_root() / name, tmp_path / name)
    trust(open_course(tmp_path), whatever_they_become=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.usefixtures("course")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_tutorial_works(command: str) -> None:
    done = CliRunner().invoke(app, shlex.split(command))

    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.slow
def test_gathering_the_evidence_again_says_the_same(course: Path) -> None:
    """On whatever processor: what its last digits are is no news, so the ledger stays as it is."""
    before = (course / "ledger.jsonl").read_bytes()
    done = CliRunner().invoke(app, ["check", "conv-shapes", "--fresh"])

    assert (done.exit_code, (course / "ledger.jsonl").read_bytes() == before) == (0, True)


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()

    assert all(f"\n{target}:" in makefile for target in re.findall(r"^make (\w+)$", README, re.M))
