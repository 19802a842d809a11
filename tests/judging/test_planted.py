"""Ten defective claims in one deck, and each gets the status that it should."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from conftest import COIN, SUM, card, deck

from vaeflash.course.course import Course

CRASHING = COIN.replace(
    "    heads =",
    f"    import os\n    if params.rate < 1:\n        os.kill(os.getpid(), {signal.SIGSEGV:d})\n"
    "    heads =",
)
NAN = COIN.replace("params.scale * heads", 'float("nan")')
ENDLESS = COIN.replace("    heads =", "    while params.rate:\n        pass\n    heads =")
GPU = 'NEEDS = ("cuda",)\n' + SUM
CIRCLE = '''
"""A circle of radius 3 has the area 9 pi."""

import math
import random
from dataclasses import dataclass

from vaeflash.demo import Lab, Result


@dataclass(frozen=True, slots=True)
class Params:
    """The formula."""

    formula: str = "circumference"


def run(params: Params, lab: Lab) -> Result:
    """The formula that was remembered, and the area by points thrown into the square around it."""
    # At radius 2 the two formulas agree, so a circle of radius 3 has to tell them apart.
    formula = {"circumference": 2 * math.pi * 3, "area": math.pi * 3**2}[params.formula]
    toss = random.Random(lab.seed).uniform
    inside = sum(math.hypot(toss(-3, 3), toss(-3, 3)) < 3 for _ in range(2000))
    return Result(metrics={"formula": formula, "area": 36 * inside / 2000})
'''
DEMOS = {
    "coin": COIN,
    "crashing": CRASHING,
    "nan": NAN,
    "endless": ENDLESS,
    "gpu": GPU,
    "circle": CIRCLE,
    "two_and_two": SUM,
}
METAS = {
    "never-fails": ":demo coin\n:claim heads >= 0\n:control rate=0",
    "never-holds": ":demo coin\n:claim heads[rate=0] == 1\n:control scale=2",
    "not-a-number": ":demo nan\n:claim value < 1\n:control rate=0",
    "crash-as-control": ":demo crashing\n:claim heads == 1\n:control rate=0",
    "unknown-metric": ":demo coin\n:claim tails == 1\n:control rate=0",
    "coin-flip": ":demo coin\n:claim heads[rate=0.5] == 1\n:control rate=0",
    "changed-since": ":demo two-and-two\n:claim total == 4\n:control a=3",
    "missing-device": ":demo gpu\n:claim total == 4\n:control a=3",
    "too-slow": ":demo endless\n:claim heads == 1\n:control rate=0",
    "wrong-formula": ":demo circle\n:claim formula == area +- 3\n:control formula=area",
}


def coin_flip() -> str:
    """What becomes of the fair coin, by the rule written out: 5 yes hold, 2 no refute, ..."""
    e_for = e_against = 1.0
    for seed in range(1000, 1020):
        heads = random.Random(seed).random() < 0.5
        e_for *= 0.95 / 0.5 if heads else 0.05 / 0.5
        e_against *= 0.5 / 0.9 if heads else 0.5 / 0.1
        if e_for >= 20:
            return "verified"
        if e_against >= 20:
            return "wrong"
    return "open"


EXPECTED = {
    "never-fails": "vacuous",
    "never-holds": "wrong",
    "not-a-number": "wrong",
    "crash-as-control": "error",  # a process that died says nothing of the claim
    "unknown-metric": "error",
    "coin-flip": coin_flip(),
    "changed-since": "stale",
    "missing-device": "not-run",
    "too-slow": "error",
    "wrong-formula": "wrong",
}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, Run]:
    """The deck, checked by the real command line, with a demo edited afterwards."""
    from vaeflash.course.course import open_course

    root = tmp_path_factory.mktemp("planted")
    (root / "course.toml").write_text('id = "planted"\ntitle = "Planted"\n')
    for folder in ("cards", "demos"):
        (root / folder).mkdir()
    cards = (card(name, meta) for name, meta in METAS.items())
    (root / "cards" / "deck.md").write_text(deck(*cards))
    for name, text in DEMOS.items():
        (root / "demos" / f"{name}.py").write_text(text)
    home = tmp_path_factory.mktemp("home")
    own = {"VAEFLASH_CACHE": str(home / "cache"), "XDG_DATA_HOME": str(home / "data")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vaeflash", "--course", str(root), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | own,
        )

    done = run("check", "--trust", "--timeout", "8", "-j2")
    assert done.returncode == 2, done.stderr
    changed = root / "demos" / "two_and_two.py"
    changed.write_text(changed.read_text().replace("params.a + params.b}", "params.b + params.a}"))
    changed.write_text(changed.read_text().replace("b: int = 2", "b: int = 1 + 1"))
    return open_course(root), run


def claims_of(run: Run) -> dict[str, dict[str, str]]:
    document = json.loads(run("list", "--json").stdout)
    (listed,) = document["decks"]
    return {found["id"]: found["claims"][0] for found in listed["cards"]}


@pytest.mark.slow
def test_each_defective_claim_gets_its_status(planted: tuple[Course, Run]) -> None:
    statuses = {name: claim["status"] for name, claim in claims_of(planted[1]).items()}

    assert statuses == EXPECTED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("never-fails", "the control rate=0 came out holds: it did not flip the claim"),
        (
            "crash-as-control",
            "under the control rate=0: the run on seed 1000 crashed",
        ),
        ("unknown-metric", "the claim names 'tails', which coin does not measure."),
        ("changed-since", "the demo's code changed since"),
        ("too-slow", "the run on seed 1000 was stopped after 8 s."),
    ],
)
def test_it_says_why(planted: tuple[Course, Run], name: str, told: str) -> None:
    assert told in claims_of(planted[1])[name]["note"]


@pytest.mark.slow
def test_a_crash_under_control_keeps_its_cause(planted: tuple[Course, Run]) -> None:
    document = json.loads(planted[1]("why", "crash-as-control", "--json").stdout)

    assert "segmentation fault" in json.dumps(document)
