"""Names of modules and what is in them, as docs, docstrings and tests write them, are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = ("*.md", "docs/**/*.md", "vaeflash/**/*.py", "demos/*.py", "benchmarks/*.py")
WRITTEN = [
    path
    for pattern in PLACES
    for path in sorted(ROOT.glob(pattern))
    if path.name != "CHANGELOG.md"  # of what there was
]
NAME = re.compile(r"(?<![\w./@-])vaeflash((?:\.[A-Za-z_]\w*)+)")
PATH = re.compile(r"(?<![\w./-])(?:vaeflash|tests|benchmarks|docs)/[\w/.-]*\w")
ELSEWHERE = {"vaeflash.apkg"}
"""A file that a command writes."""


def is_there(name: str) -> bool:
    """Whether a dotted name leads to a module, or to something that a module's text names."""
    place = ROOT / "vaeflash"
    parts = name.split(".")[1:]
    while parts and ((place / parts[0]).is_dir() or (place / f"{parts[0]}.py").is_file()):
        place /= parts.pop(0)
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return not parts or re.search(rf"\b{parts[0]}\b", file.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("vaeflash.judging.evidence", True),
        ("vaeflash.judging.evidence.Evidence", True),
        ("vaeflash.cli.app", True),
        ("vaeflash.judging.evidenced", False),
        ("vaeflash.judging.evidence.Nothing", False),
    ],
)
def test_a_name_is_looked_for(name: str, there: bool) -> None:
    assert is_there(name) is there


def test_every_name_that_is_written_is_there() -> None:
    missing = {
        (path.relative_to(ROOT).as_posix(), found[0])
        for path in WRITTEN
        for found in NAME.finditer(path.read_text(encoding="utf-8"))
        if found[0] not in ELSEWHERE and not is_there(found[0])
    }

    assert missing == set()


def test_every_path_that_is_written_is_there() -> None:
    missing = {
        (path.relative_to(ROOT).as_posix(), found[0])
        for path in WRITTEN
        for found in PATH.finditer(path.read_text(encoding="utf-8"))
        if not (ROOT / found[0]).exists()
    }

    assert missing == set()
