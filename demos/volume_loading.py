r"""Cubes cut alone read a volume many times over; boxes, kept layers and a thread avoid it.

**A batch** of windows of a flattened sheet is N x 1 x D x h x w voxels, and its labels N x h x w:
ink is on the sheet, so the label has no depth.

**Layers.** A sheet is stored as one file for each layer. A loop that opens every layer for every
batch opens D files a batch, and reads each of them whole for a window that needs a corner of it.
Kept open, or in memory, D files are opened once for all batches.

**Chunks.** A large volume is stored in chunks, here of 32^3 voxels, and a chunk is read whole or
not at all. A cube of side s at a random place touches, along each axis, 1 + (s - 1) / c chunks of
side c on average, so that a cube of 16^3 reads

    (1 + 15 / 32)^3 * 32^3 / 16^3  =  3.17 * 8  =  25 bytes for each byte that it uses,

a little less in a small region, whose edges are edges of chunks that no cube crosses.
Reading a box of many chunks once and cutting hundreds of cubes from it turns that round: a byte
that was read is used several times.

**The safe middle.** Around a scroll there is air, and the holder. Cubes from there teach nothing,
so the windows are drawn from an inner region.

**A thread** that reads the next batch while a step is computed hides the reading, if that takes
less time than the step; whatever exceeds the step is waited for.

How long anything takes depends on the machine. What is opened, read and waited for is counted.

Source: notes on the scroll, on loading.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from vaeflash.demo import Bars, Figure, Images, Lab, Result
from vaeflash.lab.volumes.boxes import Boxes, Pool
from vaeflash.lab.volumes.cubes import Cubes
from vaeflash.lab.volumes.places import Uniform
from vaeflash.lab.volumes.volume import ArrayVolume, Box, Triple, Voxels, inner, whole

NEEDS = ("scroll",)
SHEET = (64, 96, 128)
CHUNK = 32
SIDE = 16
SCROLL, AIR = (96, 96, 96), 32
"""A scroll, and how many voxels of air are around it on each side."""
DARK = 75
"""A voxel above this grey level is papyrus."""
POOL = Pool(boxes=8, cuts=256, cell=2 * CHUNK)
THIN = 4
"""Every so many-th voxel is shown, along both axes of a slice."""
STEP_MS = 20.0
BATCHES = 12


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"

    # Windows of a sheet with their labels, two in a batch.
    depth: int = 64
    side: int = 64
    layers: Literal["opened_each_time", "kept"] = "opened_each_time"

    # Cubes of a volume in chunks, and where they are cut.
    batch: int = 64
    cut: Literal["each_alone", "from_boxes"] = "each_alone"
    margin: float = 0.2  # of the volume's length, at both ends of each axis

    # A disk that takes this long for a batch, and whether a thread reads ahead.
    io_ms: float = 4.0
    ahead: bool = True


class Layers:
    """A folder of layers as the source reads it; files that are opened are counted."""

    def __init__(self, folder: Path, voxels: Voxels, *, keep: bool) -> None:
        self.paths = [folder / f"{z:02}.npy" for z in range(len(voxels))]
        for path, layer in zip(self.paths, voxels, strict=True):
            np.save(path, layer)
        self.keep = keep
        self.kept: dict[Path, NDArray[Any]] = {}
        self.opened = 0

    def read(self, box: Box) -> Voxels:
        """The voxels in a box, layer by layer."""
        z, y, x = box.slices
        return np.stack([self._layer(path)[y, x] for path in self.paths[z]])

    def _layer(self, path: Path) -> NDArray[Any]:
        if path in self.kept:
            return self.kept[path]
        self.opened += 1
        layer: NDArray[Any] = np.load(path)
        if self.keep:
            self.kept[path] = layer
        return layer


@dataclass(slots=True)
class Chunked:
    """A volume in chunks that are read whole; it counts the bytes of those that a box touches."""

    volume: ArrayVolume
    bytes_read: list[int] = field(default_factory=list)

    @property
    def shape(self) -> Triple:
        """Voxels along z, y and x."""
        return self.volume.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the voxels."""
        return self.volume.dtype

    @property
    def chunks(self) -> Triple:
        """What is read as one piece."""
        return (CHUNK, CHUNK, CHUNK)

    def read(self, box: Box) -> Voxels:
        """A copy of the voxels in a box."""
        touched = 1
        for start, stop in zip(box.start, box.stop, strict=True):
            touched *= (stop - 1) // CHUNK - start // CHUNK + 1
        self.bytes_read.append(touched * CHUNK**3 * self.dtype.itemsize)
        return self.volume.read(box)


def read_per_byte(scan: Voxels, places: Uniform, cut: str, batch: int, lab: Lab) -> float:
    """Bytes read from a chunked volume for each byte that is in some batch."""
    volume = Chunked(ArrayVolume(scan))
    if cut == "each_alone":
        for corner in places.draw(batch * BATCHES, lab.generator("cubes")).tolist():
            z, y, x = corner
            volume.read(Box.at((z, y, x), places.window))
    else:
        with Boxes(volume, places, batch, lab.generator("boxes"), pool=POOL) as boxes:
            for _ in range(BATCHES):
                boxes.next()
    return sum(volume.bytes_read) / (batch * BATCHES * SIDE**3)


def in_air(voxels: Voxels, generator: torch.Generator) -> Voxels:
    """A scroll in a larger scan: air all around, dark and noisy."""
    shape = [side + 2 * AIR for side in voxels.shape]
    scan = (38 + 11 * torch.randn(shape, generator=generator)).clamp(0, 255).byte().numpy()
    z, y, x = voxels.shape
    scan[AIR : AIR + z, AIR : AIR + y, AIR : AIR + x] = voxels
    return scan


def empty_share(scan: Voxels, places: Uniform, lab: Lab) -> float:
    """Share of cubes of which less than a twentieth is papyrus."""
    cubes = Cubes(torch.from_numpy(scan), places, 512, lab.generator("empty")).next()
    assert isinstance(cubes, torch.Tensor)
    papyrus = (cubes > DARK / 255).float().mean((1, 2, 3, 4))
    return (papyrus < 0.05).float().mean().item()


def read_ahead(read: Callable[[], Any]) -> Iterator[bool]:
    """One batch after the other; whether it had been read when it was asked for.

    A thread reads the next one from the moment at which this one is handed over.
    """
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(read)
        while True:
            ready = coming.done()
            coming.result()
            coming = thread.submit(read)
            yield ready


def read_when_asked(read: Callable[[], Any]) -> Iterator[bool]:
    """The same without a thread: a batch has never been read when it is asked for."""
    while True:
        read()
        yield False


def waits(io_ms: float, *, ahead: bool) -> int:
    """For how many of the batches the steps had to wait."""
    way = read_ahead if ahead else read_when_asked
    source = way(lambda: time.sleep(io_ms / 1e3))
    count = 0
    for _ in range(BATCHES):
        count += not next(source)
        time.sleep(STEP_MS / 1e3)  # the step
    return count


def slices(scan: Voxels, region: Box) -> Images:
    """The middle slice of the scan, and the same with all outside the region left black."""
    middle = len(scan) // 2
    shown = np.zeros_like(scan[middle])
    _, y, x = region.slices
    shown[y, x] = scan[middle][y, x]
    return Images(
        "A slice of a scan with air around the scroll, and the inner region that windows are "
        "drawn from.",
        np.stack([scan[middle], shown])[None, :, ::THIN, ::THIN] / 255,
        columns=("the scan", "the inner region"),
    )


def run(params: Params, lab: Lab) -> Result:
    """Cut windows of a sheet and cubes of a scroll; count what that takes."""
    scroll = lab.data("scroll")
    sheet = scroll.surface("train", SHEET)
    window = (params.depth, params.side, params.side)
    places = Uniform(whole(sheet.voxels.shape), window)
    labelled = Cubes(
        torch.from_numpy(sheet.voxels),
        places,
        2,
        lab.generator("windows"),
        labels=torch.from_numpy(sheet.ink),
    )
    windows, labels = labelled.next()
    with tempfile.TemporaryDirectory() as folder:
        layers = Layers(Path(folder), sheet.voxels, keep=params.layers == "kept")
        for corner in places.draw(BATCHES, lab.generator("layers")).tolist():
            z, y, w = corner
            layers.read(Box.at((z, y, w), window))

    volume = scroll.volume("train", SCROLL)
    scan = in_air(volume.read(whole(volume.shape)), lab.generator("air"))
    z, y, x = scan.shape
    region = inner((z, y, x), params.margin)
    safe = Uniform(region, (SIDE, SIDE, SIDE))
    read = {
        cut: read_per_byte(scan, safe, cut, params.batch, lab)
        for cut in ("each_alone", "from_boxes")
    }
    figures: dict[str, Figure] = {
        "bytes": Bars(
            f"Bytes read for each byte used, from chunks of {CHUNK} x {CHUNK} x {CHUNK}: cubes "
            "cut alone, and from boxes that are read once.",
            {name.replace("_", " "): value for name, value in read.items()},
            "bytes read per byte used",
        ),
        "scan": slices(scan, region),
    }
    return Result(
        metrics={
            "volume_shape": tuple(windows.shape),
            "label_shape": tuple(labels.shape),
            "opened": layers.opened,
            "layers": len(sheet.voxels),
            "read_per_byte": read[params.cut],
            "empty_share": empty_share(scan, safe, lab),
            "waits": waits(params.io_ms, ahead=params.ahead),
        },
        figures=figures,
    )
