"""CPU time of commands that only read cards, against `python -c "import typer, rich"`.

Each pair runs in turn, several times; the ratio of the medians is what to quote. Goal: under 2.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence

BASE = [sys.executable, "-c", "import typer, rich"]
COMMANDS = [["--help"], ["list"], ["lint"], ["show", "kl-closed-form"]]
ROUNDS = 15


def cpu_seconds(command: Sequence[str]) -> float:
    """User and system time of one run of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print one line a command."""
    for arguments in COMMANDS:
        command = [sys.executable, "-m", "vaeflash", *arguments]
        pairs = [(cpu_seconds(BASE), cpu_seconds(command)) for _ in range(ROUNDS)]
        base, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
        name = " ".join(arguments)
        print(f"vaeflash {name:22s} {ours:.3f} s CPU, {ours / base:.2f} x import typer, rich")


if __name__ == "__main__":
    main()
