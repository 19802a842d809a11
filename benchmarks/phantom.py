"""Voxels a CPU second of what is computed: the scroll, its ink, a surface, density maps.

On one thread, the best of some rounds: what disturbs a machine makes it slower and never faster.

    python benchmarks/phantom.py [--rounds N]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

import vaeflash.lab  # noqa: F401 -- sets the thread count
from vaeflash.lab.molecules import draw
from vaeflash.lab.volumes.phantom import Papyrus, Phantom
from vaeflash.lab.volumes.volume import Box, whole


@dataclass(frozen=True)
class Row:
    """Something to compute, how many there are of it, and how many a CPU second are wanted."""

    name: str
    compute: Callable[[], object]
    count: float
    unit: str
    goal: float | None = None


def rows() -> list[Row]:
    """All that is measured."""
    phantom = Phantom((128, 256, 256), 1000)
    box = whole(phantom.shape)
    cubes = list(Box((32, 32, 32), (96, 224, 224)).blocks((32, 32, 32)))
    columns = 768
    side = Papyrus().side_for(columns, 32)
    scroll = Phantom((128, side, side), 1000)
    first = scroll.columns(32).start
    along = range(first, first + columns)
    millions = 1e-6
    return [
        Row("a volume", lambda: phantom.read(box), phantom_size(phantom) * millions, "M", 15),
        Row(
            "the same in cubes of 32",
            lambda: [phantom.read(cube) for cube in cubes],
            len(cubes) * 32**3 * millions,
            "M",
        ),
        Row("its ink", lambda: phantom.read_ink(box), phantom_size(phantom) * millions, "M"),
        Row(
            "a surface of 32 layers, its volume included",
            lambda: scroll.surface(range(128), along, 32),
            32 * 128 * columns * millions,
            "M",
            8,
        ),
        Row("density maps, 35^3", lambda: draw(128, torch.Generator().manual_seed(0)), 128, "maps"),
    ]


def phantom_size(phantom: Phantom) -> int:
    """Voxels of a volume."""
    z, y, x = phantom.shape
    return z * y * x


def main() -> None:
    """Print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    table = Table("computed", "a CPU second", "goal", "reached")
    for row in rows():
        seconds = []
        for _ in range(rounds):
            begin = time.process_time()
            row.compute()
            seconds.append(time.process_time() - begin)
        rate = row.count / min(seconds)
        goal, reached = ("", "") if row.goal is None else (f"{row.goal:g}", str(rate >= row.goal))
        table.add_row(row.name, f"{rate:.1f} {row.unit}", goal, reached)
    Console().print(table)


if __name__ == "__main__":
    main()
