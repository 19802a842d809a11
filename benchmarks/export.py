"""Decks to packages, beside other tools that make packages of Markdown: CPU, memory, size.

Every tool gets the same cards in its own syntax and works in a process of its own, all of them in
turn; the ratio is to vaeflash with the same treatment of code. Tools are looked for on the PATH and
in `build/peers/NAME/bin`, where this puts one, so that nothing here depends on it:

    python -m venv build/peers/ankdown && build/peers/ankdown/bin/pip install ankdown

Likewise md2anki, which needs Python 3.12, and ankcompiler. Goals, on a machine on which ankdown
takes 0.21 s for 1,000 cards: 1.1 s with code highlighted, 0.35 s without; 10 s, 75 MB and a file of
1.6 MB for 10,000; again after one edit in at most a quarter.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from decks import CARD

from vaeflash.card import Card
from vaeflash.parse import read_deck

PEERS = Path(__file__).parent.parent / "build" / "peers"
ROUNDS = 3
SMALL, LARGE = 1_000, 10_000
LAUNCHER = """import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=sys.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"""
"""Calls a program from a small process, for a child's peak memory counts that of its parent too."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that makes a package.

    Attributes:
        program: What to call; nothing is measured where it is not installed.
        write: Cards -> the deck's text.
        arguments: Deck's folder, package -> what follows the program.
        highlights: Whether it colours code.
        quick: Whether it is run several times, and with 10,000 cards too.
    """

    name: str
    program: str
    write: Callable[[int], str]
    arguments: Callable[[Path, Path], list[str]]
    highlights: bool
    quick: bool = True


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took.

    Attributes:
        cpu: User and system time in seconds.
        memory: Peak resident memory in MB.
    """

    cpu: float
    memory: float


def ours(number: int, language: str = "python", edited: int = -1) -> str:
    """A deck in the format of vaeflash, one of its cards edited."""
    cards = (
        CARD.format(n=n, language=language, edit=" Edited." if n == edited else "")
        for n in range(number)
    )
    return "# Many\n\n" + "".join(cards)


def cards(number: int) -> tuple[Card, ...]:
    """The same cards as their parts."""
    return read_deck(ours(number)).deck.cards


def for_ankdown(number: int) -> str:
    """Question, `%`, answer, with `---` in between."""
    return "---\n".join(
        f"{card.title}\n\n{card.context}\n\n{card.question}\n\n%\n\n{card.answer}\n\n"
        for card in cards(number)
    )


def for_md2anki(number: int) -> str:
    """A heading with a UUID, question, `---`, answer."""
    return "# Many (1000)\n\n" + "".join(
        f"## {card.title} ({uuid.UUID(int=n)})\n\n"
        f"{dollars(card.context)}\n\n{dollars(card.question)}\n\n---\n\n{dollars(card.answer)}\n\n"
        for n, card in enumerate(cards(number))
    )


def for_ankc(number: int) -> str:
    """Blocks between `---`, question `:::` answer, with a footnote for the id."""
    return "---\ndeck: Many\n---\n\n" + "".join(
        f"---\n\n{card.title}\n\n{dollars(card.context)}\n\n{dollars(card.question)}\n\n:::\n\n"
        f"{dollars(card.answer)}\n\n---\n[^uid]: {n:010d}\n\n"
        for n, card in enumerate(cards(number))
    )


def dollars(text: str) -> str:
    """Formulas between dollars, those on a line of their own between two."""
    display = re.sub(r"\\\[\s*(.*?)\s*\\\]", r"\n$$\1$$\n", text)
    return re.sub(r"\\\(\s*(.*?)\s*\\\)", r"$\1$", display)


def vaeflash_arguments(folder: Path, out: Path) -> list[str]:
    """An export of the course around a deck."""
    return ["-m", "vaeflash", "--course", str(folder.parent), "export-anki", "-o", str(out)]


TOOLS = (
    Tool("vaeflash, code highlighted", sys.executable, ours, vaeflash_arguments, highlights=True),
    Tool(
        "vaeflash, code plain",
        sys.executable,
        lambda number: ours(number, ""),
        vaeflash_arguments,
        highlights=False,
    ),
    Tool(
        "ankdown, code highlighted",
        "ankdown",
        for_ankdown,
        lambda folder, out: ["--highlight", "-r", str(folder), "-p", str(out)],
        highlights=True,
    ),
    Tool(
        "ankdown, code plain",
        "ankdown",
        for_ankdown,
        lambda folder, out: ["-r", str(folder), "-p", str(out)],
        highlights=False,
    ),
    Tool(
        "md2anki, code highlighted",
        "md2anki",
        for_md2anki,
        lambda folder, out: [str(folder / "many.md"), "-o-anki", str(out)],
        highlights=True,
        quick=False,
    ),
    Tool(
        "ankcompiler, code plain",
        "ankc",
        for_ankc,
        lambda folder, out: ["build", "--all", "--path", str(folder), "--output", str(out.parent)],
        highlights=False,
        quick=False,
    ),
)


def found(program: str) -> str | None:
    """Where a program is."""
    folders = [str(folder) for folder in sorted(PEERS.glob("*/bin"))]
    return shutil.which(program, path=os.pathsep.join([*folders, os.environ.get("PATH", "")]))


def cost(command: Sequence[str], home: Path) -> Cost:
    """What a command takes, with a cache and a home of its own."""
    own = {"VAEFLASH_CACHE": str(home / "cache"), "XDG_DATA_HOME": str(home / "data")}
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER, *command],
        cwd=home,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=True,
    )
    code, cpu, memory = done.stdout.split()
    if code != "0":
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[-500:]}")
    return Cost(float(cpu), float(memory))


def notes_in(package: Path) -> int:
    """How many notes a package holds."""
    with zipfile.ZipFile(package) as archive, tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(archive.extract("collection.anki2", folder))
        ((number,),) = database.execute("select count(*) from notes")
        database.close()
    return int(number)


class Bench:
    """A tool with its deck written down.

    Args:
        tool: Which.
        program: Where it is.
        number: How many cards.
        scratch: A folder for all of them.
    """

    def __init__(self, tool: Tool, program: str, number: int, scratch: Path) -> None:
        self.tool = tool
        self._number = number
        self._home = scratch / re.sub(r"\W+", "-", f"{tool.name} {number}")
        self.deck = self._home / "cards" / "many.md"
        self.deck.parent.mkdir(parents=True)
        self.deck.write_text(tool.write(number), encoding="utf-8")
        (self._home / "demos").mkdir()
        (self._home / "course.toml").write_text('format = 1\nid = "bench"\ntitle = "Bench"\n')
        self._package = self._home / "many.apkg"
        self._command = [program, *tool.arguments(self.deck.parent, self._package)]
        self._costs: list[Cost] = []

    def run(self, *, remembered: bool = False) -> None:
        """Make the package once more, by default as if for the first time."""
        if not remembered:
            for name in ("cache", "data"):
                shutil.rmtree(self._home / name, ignore_errors=True)
        self._costs.append(cost(self._command, self._home))
        if (made := notes_in(self._package)) != self._number:
            raise SystemExit(f"{self.tool.name} made {made} notes of {self._number} cards.")

    def forget(self) -> None:
        """Count no run that was made until now."""
        self._costs.clear()

    @property
    def cpu(self) -> float:
        """Median CPU seconds."""
        return statistics.median(cost.cpu for cost in self._costs)

    def line(self, name: str, base: float) -> str:
        """What its runs took, as a ratio to `base` too."""
        memory = max(cost.memory for cost in self._costs)
        size = self._package.stat().st_size / 1e6
        return (
            f"{name:30s} {self.cpu:7.2f} s CPU {self.cpu / base:7.2f} x"
            f" {memory:6.0f} MB {size:6.2f} MB the file"
        )


def side_by_side(number: int, scratch: Path) -> Iterator[str]:
    """One line a tool that is here."""
    tools = [(tool, found(tool.program)) for tool in TOOLS if tool.quick or number <= SMALL]
    benches = [Bench(tool, path, number, scratch) for tool, path in tools if path]
    for turn in range(ROUNDS):
        for bench in benches:
            if bench.tool.quick or turn == 0:
                bench.run()
    base = {bench.tool.highlights: bench.cpu for bench in reversed(benches)}
    for bench in benches:
        yield bench.line(bench.tool.name, base[bench.tool.highlights])
    for name in dict.fromkeys(tool.name.partition(",")[0] for tool, path in tools if not path):
        yield f"{name:30s} is not installed"
    for edited in benches[:2]:
        edited.forget()
        for n in range(ROUNDS):
            language = "python" if edited.tool.highlights else ""
            edited.deck.write_text(ours(number, language, edited=n), encoding="utf-8")
            edited.run(remembered=True)
        first = base[edited.tool.highlights]
        yield edited.line(f"{edited.tool.name.replace('code', 'again')}", first)


def main() -> None:
    """Print a table for each size."""
    with tempfile.TemporaryDirectory() as scratch:
        for number in (SMALL, LARGE):
            print(f"{number:,} cards")
            for line in side_by_side(number, Path(scratch)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
