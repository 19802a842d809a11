"""A million documents that are nearly valid, through every reader: does anything but ours escape?

    python benchmarks/fuzz.py                             a million, about 12 minutes of one core
    python benchmarks/fuzz.py --inputs 20000
    python benchmarks/fuzz.py --reader ledger --seed 4711 --inputs 1      one of them again

A reader may take a document or raise VaeflashError; all else is listed with the first seed that
led to it, and the exit code is 1. `tests/fuzz` has the readers and their documents.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "fuzz"))

from readers import READERS, apart

from vaeflash.errors import VaeflashError

COSTLY = {
    **{"code cache": 0.1, "catalogue": 0.3, "markdown": 0.5},
    **{"reviews": 0.05, "volumes": 0.1, "checkpoints": 0.05},
}
"""How many inputs some readers get for each of the others, since each takes long."""


def main() -> int:
    """Run them all; whether anything but ours escaped."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--inputs", type=int, default=10**6, help="of all readers together")
    options.add_argument("--seed", type=int, default=0, help="of the first input of each reader")
    options.add_argument("--seconds", type=float, help="of each reader, at most")
    options.add_argument("--reader", choices=READERS, action="append", help="these alone")
    chosen = options.parse_args()
    names = chosen.reader or list(READERS)
    shares = {name: COSTLY.get(name, 1.0) for name in names}
    print(f"{'reader':15}{'inputs':>9}{'ours':>9}{'accepted':>10}{'others':>8}{'seconds':>9}")
    others = 0
    for name in names:
        inputs = max(1, round(chosen.inputs * shares[name] / sum(shares.values())))
        others += run(name, range(chosen.seed, chosen.seed + inputs), chosen.seconds)
    return int(others > 0)


def run(name: str, seeds: range, seconds: float | None) -> int:
    """Feed a reader; print what came of it; how many exceptions were not ours."""
    counts: Counter[str] = Counter()
    first: dict[str, tuple[int, str]] = {}
    began, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, apart(Path(folder)):
        place = Path(folder, "reader")
        place.mkdir()
        reader = READERS[name](place)
        for seed in seeds:
            if seconds and time.monotonic() - began > seconds:
                break
            counts["inputs"] += 1
            try:
                reader.read(reader.make(Random(seed)))
                counts["accepted"] += 1
            except VaeflashError:
                counts["ours"] += 1
            except Exception as error:
                counts["others"] += 1
                where = traceback.extract_tb(error.__traceback__)[-1]
                kind = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"
                first.setdefault(kind, (seed, str(error)[:200]))
    numbers = f"{counts['inputs']:9,}{counts['ours']:9,}{counts['accepted']:10,}"
    print(f"{name:15}{numbers}{counts['others']:8,}{time.process_time() - cpu:9.1f}", flush=True)
    for kind, (seed, told) in itertools.islice(first.items(), 8):
        print(f"    seed {seed}: {kind}: {told!r}")
    return counts["others"]


if __name__ == "__main__":
    sys.exit(main())
