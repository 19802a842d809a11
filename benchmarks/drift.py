"""How far another processor, BLAS or number of threads moves what a demo measures.

    python benchmarks/drift.py [DEMO ...]      fifteen and more training demos by default

Each demo runs once per setting, with its defaults, on one development seed, in a process of its
own that is told to be another machine: MKL, oneDNN and ATen each have a switch for the instructions
that they may use, and OpenMP for its threads. Printed is the difference of each metric from the
first setting, relative to the larger of the two. It is why a ledger keeps its evidence where the
answers are the same (`vaeflash.judging.recording`), and what the tests' tolerances rest on
(`tests/tolerance.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping

from vaeflash.course.course import bundled_root, open_course
from vaeflash.runs.in_process import run_demo

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "as it is": {},
    "two threads": {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"},
    "AVX2": {
        "MKL_CBWR": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
    },
    "SSE": {
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
    },
}
DEMOS = [
    "ae-vs-vae-sampling",
    "beta-tradeoff",
    "collapse-threshold",
    "conv-ae",
    "denoising",
    "dense-ae",
    "eval-mode",
    "kl-training",
    "latent-2d",
    "latent-geometry",
    "latent-size",
    "mse-vs-bce",
    "posterior-collapse",
    "random-labels",
    "scroll-vae",
    "step-direction",
    "train-step",
    "vae-2d",
    "vae-loss-scale",
    "vae-reconstruction",
]


def measure(demo: str, seed: int, threads: int | None) -> dict[str, float]:
    """The numbers among a demo's metrics, with its defaults."""
    source = open_course(bundled_root()).demo(demo)
    metrics = run_demo(source, {}, seed, threads=threads).metrics
    numbers = {n: v for n, v in metrics.items() if isinstance(v, int | float)}
    return {name: float(value) for name, value in numbers.items()}


def measured_under(setting: Mapping[str, str], demo: str, seed: int) -> dict[str, float]:
    """The same, in a process that is told to be another machine."""
    command = [sys.executable, __file__, "--alone", "--seed", str(seed), demo]
    done = subprocess.run(
        command, env=os.environ | setting, stdout=subprocess.PIPE, text=True, check=True
    )
    numbers: dict[str, float] = json.loads(done.stdout)
    return numbers


def drift(one: float, other: float) -> float:
    """Their difference, relative to the larger."""
    return abs(one - other) / max(abs(one), abs(other)) if one != other else 0.0


def rows(demos: list[str], seed: int) -> Iterator[tuple[str, str, float, list[float]]]:
    """Demo, metric, its value as it is, and its drift under each other setting."""
    names = list(SETTINGS)
    for demo in demos:
        found = [measured_under(SETTINGS[name], demo, seed) for name in names]
        for metric, value in found[0].items():
            yield demo, metric, value, [drift(value, other[metric]) for other in found[1:]]


def main() -> None:
    """Print the table, row by row, and what is largest in it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("demos", nargs="*", default=DEMOS, metavar="DEMO")
    parser.add_argument("--seed", type=int, default=0, help="a development seed, 0 to 99")
    parser.add_argument("--alone", action="store_true", help="measure in this process; print JSON")
    chosen = parser.parse_args()
    if chosen.alone:
        threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        print(json.dumps(measure(chosen.demos[0], chosen.seed, threads)))
        return
    others = list(SETTINGS)[1:]
    print(f"{'demo and metric':<52}{'as it is':>12}" + "".join(f"{n:>13}" for n in others))
    found = []
    for demo, metric, value, drifts in rows(chosen.demos, chosen.seed):
        print(f"{demo + ' ' + metric:<52}{value:>12.6g}" + "".join(f"{d:>13.1e}" for d in drifts))
        found.append(drifts)
    for name, drifts in zip(others, zip(*found, strict=True), strict=True):
        moved = sum(d > 0 for d in drifts)
        print(
            f"{name}: {moved} of {len(drifts)} metrics of {len(chosen.demos)} demos moved; "
            f"median {statistics.median(drifts):.1e}, largest {max(drifts):.1e}"
        )


if __name__ == "__main__":
    main()
