"""Cubes a CPU second from a volume: ours and the usual ways, side by side.

Random cubes of side 32 in batches of 256, out of 384^3 voxels of 8 bits that lie in memory, then
out of the same volume as compressed Zarr. Each way runs in a process of its own, on one thread, the
ways in turn, several rounds; what is told is the median, and our rate as a multiple of theirs from
the same round. Cubes of 8 bits stay so where a way does not convert them: that is in its favour,
ours are told both ways.

    python benchmarks/loading.py [--rounds N] [--way NAME ...]

torchio and MONAI are measured where they can be imported: pip install torchio monai. On a GPU the
network of the source is trained too, once on one fixed batch and once on fresh cubes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import vaeflash.lab  # noqa: F401 -- first of all: it sets the thread count that torch reads once

SIDE, BATCH, EDGE = 32, 256, 384
LAYERS, ACROSS = 32, 1024
FEW, CHUNK = 64, 64


@dataclass(frozen=True)
class Way:
    """One way to cubes."""

    name: str
    about: str
    take: Callable[[Any], Any]
    """A context that gives a function, which gives a batch."""
    batches: int
    size: int = BATCH
    against: str = ""
    goal: float = 0.0
    needs: str = ""


# The ways


def generator(seed: int = 0) -> Any:
    """Torch's, seeded."""
    import torch

    return torch.Generator().manual_seed(seed)


def voxels(folder: Path) -> Any:
    """The volume in memory, `(EDGE, EDGE, EDGE)`, uint8."""
    import numpy as np
    import torch

    return torch.from_numpy(np.load(folder / "volume.npy"))


def corners(shape: tuple[int, ...], n: int = BATCH) -> Any:
    """Where a rival cuts, `(n, 3)`."""
    import numpy as np

    return np.random.randint(0, np.subtract(shape, SIDE) + 1, (n, 3))


@contextmanager
def ours(folder: Path) -> Iterator[Callable[[], Any]]:
    """Batches as a network takes them."""
    from vaeflash.lab.volumes.cubes import Cubes
    from vaeflash.lab.volumes.places import Uniform
    from vaeflash.lab.volumes.volume import whole

    volume = voxels(folder)
    place = Uniform(whole(volume.shape), (SIDE,) * 3)
    yield Cubes(volume, place, BATCH, generator()).next


@contextmanager
def ours_as_bytes(folder: Path) -> Iterator[Callable[[], Any]]:
    """The same windows before they are converted."""
    from vaeflash.lab.volumes.cubes import Cubes
    from vaeflash.lab.volumes.places import Uniform
    from vaeflash.lab.volumes.volume import whole
    from vaeflash.lab.volumes.windows import Windows

    volume = voxels(folder)
    place = Uniform(whole(volume.shape), (SIDE,) * 3)
    cubes, windows = Cubes(volume, place, BATCH, generator()), Windows(volume, place.window)

    def take() -> Any:
        cubes.done += 1
        return windows.pick(cubes.corners(cubes.done))

    yield take


@contextmanager
def slicing(folder: Path) -> Iterator[Callable[[], Any]]:
    """A loop over the batch, into memory that is used again."""
    import numpy as np

    volume = voxels(folder).numpy()
    out = np.empty((BATCH, SIDE, SIDE, SIDE), np.uint8)

    def take() -> Any:
        for i, (z, y, x) in enumerate(corners(volume.shape)):
            out[i] = volume[z : z + SIDE, y : y + SIDE, x : x + SIDE]
        return out

    yield take


class Items:
    """A data set as a DataLoader wants it, with as many cubes as are asked for."""

    def __init__(self, volume: Any, length: int) -> None:
        self.volume, self.length = volume, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        z, y, x = (random.randrange(side - SIDE + 1) for side in self.volume.shape)
        return self.volume[z : z + SIDE, y : y + SIDE, x : x + SIDE]


def loader(workers: int) -> Callable[[Path], Any]:
    """A DataLoader over single cubes."""

    @contextmanager
    def take(folder: Path) -> Iterator[Callable[[], Any]]:
        from torch.utils.data import DataLoader

        length = (WAYS[f"loader-{workers}"].batches + 1) * BATCH
        items: Any = Items(voxels(folder), length)
        batches = iter(DataLoader(items, BATCH, num_workers=workers))
        yield lambda: next(batches)
        for _ in batches:  # there is none left: now its workers end
            pass

    return take


@contextmanager
def torchio_queue(folder: Path) -> Iterator[Callable[[], Any]]:
    """Patches of a subject, shuffled in a queue."""
    import torchio

    subject = torchio.Subject(v=torchio.ScalarImage(tensor=voxels(folder)[None]))
    queue = torchio.Queue(
        torchio.SubjectsDataset([subject] * 100),
        max_length=1024,
        samples_per_volume=BATCH,
        sampler=torchio.data.UniformSampler(SIDE),
        num_workers=0,
        shuffle_subjects=False,
    )
    batches = iter(torchio.SubjectsLoader(queue, batch_size=BATCH, num_workers=0))
    yield lambda: next(batches)["v"][torchio.DATA]


@contextmanager
def monai_crops(folder: Path) -> Iterator[Callable[[], Any]]:
    """Many random crops of one volume, stacked."""
    import torch
    from monai.transforms import RandSpatialCropSamples

    volume = voxels(folder)[None]
    crops = RandSpatialCropSamples(SIDE, num_samples=BATCH, random_size=False)
    yield lambda: torch.stack([torch.as_tensor(crop) for crop in crops(volume)])


def layers(*, kept: bool) -> Callable[[Path], Any]:
    """The source's loop: for every batch all layers, for every layer all windows."""

    @contextmanager
    def take(folder: Path) -> Iterator[Callable[[], Any]]:
        import numpy as np
        import torch
        from PIL import Image

        def layer(number: int) -> Any:
            with Image.open(folder / f"{number:02d}.tif") as image:
                return torch.from_numpy(np.array(image).astype(np.float32))

        held = [layer(number) for number in range(LAYERS)] if kept else []

        def batch() -> Any:
            at = corners((SIDE, ACROSS, ACROSS))[:, 1:].tolist()
            out = torch.zeros(BATCH, LAYERS, SIDE, SIDE)
            for number in range(LAYERS):
                plane = held[number] if kept else layer(number)
                for i, (v, u) in enumerate(at):
                    out[i, number] = plane[v : v + SIDE, u : u + SIDE]
            return out

        yield batch

    return take


@contextmanager
def our_boxes(folder: Path) -> Iterator[Callable[[], Any]]:
    """From Zarr, through boxes read ahead, as a network takes them."""
    from vaeflash.lab.volumes.boxes import Boxes
    from vaeflash.lab.volumes.formats import open_volume
    from vaeflash.lab.volumes.places import Uniform
    from vaeflash.lab.volumes.volume import whole

    volume = open_volume(folder / "volume.zarr", memory=0)  # no chunk is kept: all are read again
    place = Uniform(whole(volume.shape), (SIDE,) * 3)
    with Boxes(volume, place, BATCH, generator()) as boxes:
        yield boxes.next


@contextmanager
def zarr_cubes(folder: Path) -> Iterator[Callable[[], Any]]:
    """From Zarr, each cube alone."""
    import numpy as np
    import zarr

    array: Any = zarr.open_array(folder / "volume.zarr", mode="r")
    yield lambda: np.stack(
        [
            array[z : z + SIDE, y : y + SIDE, x : x + SIDE]
            for z, y, x in corners(array.shape, FEW).tolist()
        ]
    )


BYTES, BOXES = "bytes", "boxes"
WAYS = {
    way.name: way
    for way in (
        Way(BYTES, "vaeflash, cubes of 8 bits", ours_as_bytes, 60),
        Way("ours", "vaeflash, float32 in [0, 1]", ours, 40, against=BYTES),
        Way("slicing", "numpy, a loop of slices", slicing, 40, against=BYTES),
        Way("loader-0", "DataLoader, no workers", loader(0), 50, against=BYTES),
        Way("loader-2", "DataLoader, 2 workers", loader(2), 50, against=BYTES),
        Way("torchio", "torchio.Queue", torchio_queue, 12, BATCH, BYTES, 8, "torchio"),
        Way("monai", "MONAI RandSpatialCropSamples", monai_crops, 6, BATCH, BYTES, 8, "monai"),
        Way("layers", "the source's loop, layers kept", layers(kept=True), 4, against=BYTES),
        Way("opened", "the source's loop, as it is", layers(kept=False), 3, against=BYTES),
        Way(BOXES, "vaeflash, Zarr through boxes", our_boxes, 64),
        Way("zarr", "Zarr, each cube alone", zarr_cubes, 3, FEW, BOXES, 20),
    )
}
LEAST = 80_000
"""Cubes a CPU second that are wanted of an undisturbed processor."""


# One way, in a process of its own


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def measure(way: Way, folder: Path) -> None:
    """Print cubes a CPU second; workers are waited for, so that their time counts."""
    import torch

    torch.set_num_threads(1)
    with way.take(folder) as batch:
        batch()  # imports and first touches of memory are not what a loader is about
        before = cpu_seconds()
        for _ in range(way.batches):
            batch()
    print(json.dumps(way.batches * way.size / (cpu_seconds() - before)))


# The parent


def prepare(folder: Path) -> None:
    """A phantom scroll as an array, as Zarr and as layers."""
    import numpy as np
    import zarr
    from PIL import Image

    from vaeflash.lab.volumes.phantom import Phantom
    from vaeflash.lab.volumes.volume import whole

    phantom = Phantom((EDGE // 3, EDGE, EDGE), seed=0)
    volume = np.tile(phantom.read(whole(phantom.shape)), (3, 1, 1))
    np.save(folder / "volume.npy", volume)
    array: Any = zarr.create_array(
        folder / "volume.zarr", shape=volume.shape, chunks=(CHUNK,) * 3, dtype=volume.dtype
    )
    array[:] = volume
    sheet = np.tile(volume[:LAYERS], (1, 3, 3))[:, :ACROSS, :ACROSS].astype(np.uint16) * 257
    for number, layer in enumerate(sheet):
        Image.fromarray(layer).save(folder / f"{number:02d}.tif")


def rate(way: Way, folder: Path) -> float:
    """Cubes a CPU second of one run."""
    words = [sys.executable, "-W", "ignore", __file__, "--measure", way.name, str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way.about}:\n{done.stderr}")
    return float(done.stdout.splitlines()[-1])


def tell(rates: dict[str, list[float]]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"cubes of {SIDE}^3 a CPU second, one thread", title_justify="left")
    for name in ("way", "cubes/s", "spread", "ours is", "goal"):
        table.add_column(name, justify="left" if name == "way" else "right")
    for name, found in rates.items():
        way = WAYS[name]
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        base = rates.get(way.against, [])
        times = [a / b for a, b in zip(base, found, strict=bool(base))]
        ours_is = f"{statistics.median(times):.1f} x" if times else ""
        goal = f"{way.goal:g} x" if way.goal else f"{LEAST:,}" if name == BYTES else ""
        table.add_row(way.about, f"{statistics.median(found):,.0f}", spread, ours_is, goal)
    Console(width=100).print(table)


# A GPU


def train_rate(batch: Callable[[], Any], steps: int = 200) -> float:
    """Cubes a second at which the source's network is trained, in bfloat16, compiled."""
    import torch
    from torch.nn import functional as F  # noqa: N812 -- its usual name

    from vaeflash.lab.elbo import kl_to_prior
    from vaeflash.lab.networks import reparameterize
    from vaeflash.lab.volumes.networks import source_vae

    last = torch.channels_last_3d
    network: Any = source_vae().cuda().to(memory_format=last)
    adam = torch.optim.Adam(network.parameters(), 1e-4, fused=True)

    def loss(x: Any) -> Any:
        mu, logvar = network.encode(x)
        x_hat = network.decode(reparameterize(mu, logvar))
        return F.mse_loss(x_hat, x, reduction="sum") / len(x) + kl_to_prior(mu, logvar).mean()

    compiled = torch.compile(loss)

    def step() -> None:
        adam.zero_grad()
        with torch.autocast("cuda", torch.bfloat16):
            value = compiled(batch().contiguous(memory_format=last))
        value.backward()
        adam.step()

    for _ in range(20):
        step()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return steps * BATCH / (time.perf_counter() - start)


def on_a_gpu(folder: Path, rounds: int) -> None:
    """Print which share of the rate on one fixed batch is reached on fresh cubes."""
    import torch

    from vaeflash.lab.volumes.cubes import Cubes
    from vaeflash.lab.volumes.places import Uniform
    from vaeflash.lab.volumes.volume import whole

    if not torch.cuda.is_available():
        print("no GPU here: training on fresh cubes against one fixed batch is not measured")
        return
    volume = voxels(folder)
    cubes = Cubes(volume.cuda(), Uniform(whole(volume.shape), (SIDE,) * 3), BATCH, generator())
    fixed = cubes.next()
    pairs = [(train_rate(lambda: fixed), train_rate(cubes.next)) for _ in range(rounds)]
    still, fresh = (statistics.median(column) for column in zip(*pairs, strict=True))
    share = statistics.median(b / a for a, b in pairs)
    print(
        f"{torch.cuda.get_device_name()}: {still:,.0f} cubes/s on one fixed batch, "
        f"{fresh:,.0f} on fresh ones: {share:.0%} (goal 90%)"
    )


def main() -> None:
    """Measure what is asked for."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--way", action="append", choices=[*WAYS], metavar="NAME")
    words.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    asked = words.parse_args()
    if asked.measure:
        return measure(WAYS[asked.measure[0]], Path(asked.measure[1]))
    ways = [WAYS[name] for name in WAYS if name in (asked.way or WAYS)]
    missing = [way for way in ways if way.needs and not importlib.util.find_spec(way.needs)]
    for way in missing:
        print(f"{way.about} is not measured: pip install {way.needs}")
    rates: dict[str, list[float]] = {way.name: [] for way in ways if way not in missing}
    with TemporaryDirectory() as name:
        prepare(Path(name))
        for _ in range(asked.rounds):
            for way in rates:
                rates[way].append(rate(WAYS[way], Path(name)))
        load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
        print(f"{load}, median of {asked.rounds} rounds")
        tell(rates)
        on_a_gpu(Path(name), asked.rounds)
    return None


if __name__ == "__main__":
    main()
