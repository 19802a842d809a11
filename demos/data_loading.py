r"""What arrives in the network is not what lies in the file: range, shape and size all depend.

**Range.** `ToTensor` turns a picture of 8-bit numbers, `(H, W)` or `(H, W, C)` in 0..255, into a
float tensor `(C, H, W)` in 0..1. The division by 255 belongs to the 8 bits: an array of floats, or
a 16-bit picture, comes through with its values as they are. `Resize` divides nothing.

**Shape.** The channel comes first, and is there for grey pictures, too: `(1, 28, 28)`. Matplotlib
wants it last, or not at all.

**Size.** `Resize(256)` makes the *shorter* side 256 and keeps the proportions:

    (H, W) -> (256, floor(256 W / H))      if H <= W

`Resize((256, 256))` makes a square of everything, proportions or not. An encoder that ends in a
linear layer was built for one size. Three convolutions with stride 2 take a side through

    out = floor((in + 2p - 3) / 2) + 1,    p = 1, 1, 0:    256 -> 128 -> 64 -> 31

so the linear layer expects 32 * 31 * 31 = 30,752 numbers. A photograph of 300 x 366 becomes
256 x 312 and gives 32 * 31 * 38 = 37,696 of them. And pictures of two sizes cannot even be put
into one batch.

**Memory.** A DataLoader asks its data set for one batch after the other. That saves memory if the
data set makes its pictures when asked. If it made them all at the start, nothing is left to save.

Everything here is measured on pictures of random numbers: the point is what the libraries do.

Source: notes on digits and faces, the cards on the digits' data, on looking at them, and on the
DataLoader of the faces; notes of a lecture on a convolutional autoencoder.
"""

from __future__ import annotations

import inspect
import struct
import tempfile
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.utils.data
from matplotlib.figure import Figure as Canvas
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab.vision import torchvision

DETERMINISTIC = True
SIDE = 28
HIGH = 300  # of the photographs
TYPES = {"uint8": np.uint8, "uint16": np.uint16, "float32": np.float32}


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    # One picture with values up to 255 (16 bits: up to 65,535), and what is done to it.
    dtype: Literal["uint8", "uint16", "float32"] = "uint8"
    transform: Literal["to_tensor", "pil_to_tensor"] = "to_tensor"
    chain: Literal["resize_to_tensor", "resize"] = "resize_to_tensor"  # of another, 8-bit picture
    channel: Literal["squeezed", "first", "last"] = "squeezed"  # how imshow gets it
    files: Literal["present", "missing"] = "present"  # of MNIST, where they are looked for
    name: Literal["DataLoader", "default_collate"] = "DataLoader"  # of torch.utils.data

    # Two photographs of 300 x `width`, what Resize gets, and whether the second one is square.
    width: int = 300
    resize: Literal["side", "pair"] = "side"  # Resize(256) or Resize((256, 256))
    neighbour: Literal["alike", "square"] = "alike"
    network: Literal["whole", "convolutions"] = "whole"  # what their batch goes through

    # 64 pictures that are read in batches; 0 is all at once.
    batch: int = 4
    made: Literal["when_asked", "at_the_start"] = "when_asked"


# Range and shape


def random_picture(dtype: str, height: int, width: int, generator: torch.Generator) -> Any:
    """A grey `(H, W)` array that has the darkest and the brightest value of its kind in it."""
    top = 65_535 if dtype == "uint16" else 255
    picture = torch.randint(top + 1, (height, width), generator=generator)
    picture[0, :2] = torch.tensor([0, top])
    return picture.numpy().astype(TYPES[dtype])


def as_tensor(picture: Any, transform: str) -> Tensor:
    """The picture after `ToTensor`, or after `PILToTensor`, which only rearranges."""
    transforms = torchvision().transforms
    if transform == "to_tensor":
        tensor: Tensor = transforms.ToTensor()(picture)
    else:
        tensor = transforms.PILToTensor()(transforms.ToPILImage()(picture))
    return tensor


def chained(chain: str) -> float:
    """The brightest value of an 8-bit picture, half black, half white, after some transforms."""
    transforms = torchvision().transforms
    halves = np.repeat(np.array([0, 255], np.uint8), SIDE // 2)[None].repeat(SIDE, axis=0)
    change = [transforms.Resize(2 * SIDE)]
    if chain == "resize_to_tensor":
        change.append(transforms.ToTensor())
    changed = transforms.Compose(change)(transforms.ToPILImage()(halves))
    return float(np.asarray(changed).max())


def shown(picture: Tensor, channel: str) -> None:
    """Hand a `(1, H, W)` picture to Matplotlib, with its channel somewhere.

    Raises:
        TypeError: By Matplotlib, if it finds no picture in this shape.
    """
    match channel:
        case "squeezed":
            picture = picture.squeeze(0)
        case "last":
            picture = picture.permute(1, 2, 0)
    Canvas().subplots().imshow(picture.numpy(), cmap="gray")


# Files


def write_mnist(folder: Path, images: Any, labels: Any) -> None:
    """Four IDX files where torchvision looks for MNIST: magic number, lengths, bytes."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        header = struct.pack(">4I", 0x803, *images.shape)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">2I", 0x801, len(labels))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())


def mnist_item(images: Any, files: str) -> tuple[Tensor, int]:
    """The first digit and label of torchvision's MNIST, read from a folder of our own.

    Raises:
        RuntimeError: By torchvision, if there are no files and it may not download any.
    """
    labels = np.arange(len(images), dtype=np.uint8) % 10
    with tempfile.TemporaryDirectory() as name:
        if files == "present":
            write_mnist(Path(name), images, labels)
        vision = torchvision()
        digits = vision.datasets.MNIST(name, download=False, transform=vision.transforms.ToTensor())
        item: tuple[Tensor, int] = digits[0]
    return item


# Size


def face_encoder() -> nn.Sequential:
    """The face VAE's encoder up to its first linear layer; weights without numbers."""
    with torch.device("meta"):
        return nn.Sequential(
            *(nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1), nn.Conv2d(16, 32, 3, 2, 0)),
            nn.Flatten(),
            nn.Linear(32 * 31 * 31, 1024),
        )


def sized(pictures: Iterable[Tensor], resize: str) -> list[Tensor]:
    """Each picture `(3, H, W)` after Resize."""
    change = torchvision().transforms.Resize(256 if resize == "side" else (256, 256))
    return [change(picture) for picture in pictures]


# Memory


class Made(Dataset[Tensor]):
    """Pictures that are made when asked for, or all at the start; counts the living."""

    def __init__(self, count: int, made: str, generator: torch.Generator) -> None:
        self.count = count
        self.generator = generator
        self.living = 0
        self.history: list[int] = []
        """Pictures alive after each making, those in batches counted as well."""
        self.kept = [self.make() for _ in range(count)] if made == "at_the_start" else []

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        return self.kept[index] if self.kept else self.make()

    def make(self) -> Tensor:
        """A picture `(1, 28, 28)`."""
        return self.counted(torch.rand(1, SIDE, SIDE, generator=self.generator), 1)

    def stack(self, pictures: list[Tensor]) -> Tensor:
        """A batch: a copy of its pictures in one tensor."""
        return self.counted(torch.stack(pictures), len(pictures))

    def counted(self, tensor: Tensor, pictures: int) -> Tensor:
        """The tensor, counted until nobody holds it any more."""
        self.living += pictures
        self.history.append(self.living)
        weakref.finalize(tensor, self.forget, pictures)
        return tensor

    def forget(self, pictures: int) -> None:
        """Some pictures are gone."""
        self.living -= pictures


def one_pass(made: Made, batch: int) -> list[int]:
    """Go through the data once; how many pictures were alive at each making."""
    for pictures in DataLoader(made, batch_size=batch or len(made), collate_fn=made.stack):
        pictures.mean()
    return made.history


def living_curves(generator: torch.Generator) -> Curves:
    """How many pictures are alive during one pass over 64."""
    ways = {
        "batches of 4, made when asked": (4, "when_asked"),
        "batches of 4, made at the start": (4, "at_the_start"),
        "all at once": (0, "when_asked"),
    }
    lines = {name: one_pass(Made(64, how, generator), size) for name, (size, how) in ways.items()}
    shortest = min(map(len, lines.values()))
    return Curves(
        "Pictures in memory while 64 of them are read, copies in batches included. The loader "
        "saves memory only if the data set makes a picture when it is asked for it.",
        x=range(1, shortest + 1),
        lines={name: line[:shortest] for name, line in lines.items()},
        x_label="pictures and batches made so far",
        y_label="pictures in memory",
    )


def resized_pictures() -> Images:
    """A disc in a wide photograph, as the encoder gets it from either way to resize."""
    transforms = torchvision().transforms
    y, x = torch.meshgrid(torch.arange(300.0), torch.arange(366.0), indexing="ij")
    disc = ((y - 150) ** 2 + (x - 183) ** 2 < 120**2).float()[None]
    frame = torch.full((2, 256, 312), 0.5)
    for row, size in enumerate((256, (256, 256))):
        picture = transforms.Resize(size)(disc)[0]
        frame[row, :, : picture.shape[1]] = picture
    return Images(
        "A disc in a photograph of 300 x 366. Resize(256) keeps its shape and makes 256 x 312; "
        "Resize((256, 256)) makes a square of the photograph and an egg of the disc.",
        frame[None],
        columns=["Resize(256): 256 x 312", "Resize((256, 256))"],
    )


def run(params: Params, lab: Lab) -> Result:
    """Send pictures through everything that stands between a file and a network."""
    g = lab.generator("pictures")
    picture = random_picture(params.dtype, SIDE, SIDE, g)
    tensor = as_tensor(picture, params.transform)
    small = random_picture("uint8", SIDE, SIDE, g)
    shown(as_tensor(small, "to_tensor"), params.channel)
    digit, _ = mnist_item(small[None], params.files)

    widths = (params.width, HIGH if params.neighbour == "square" else params.width)
    taken = [torch.rand(3, HIGH, width, generator=g) for width in widths]
    photographs = sized(taken, params.resize)
    batch = torch.utils.data.default_collate(photographs)
    encoder = face_encoder()
    flat = encoder[:-1](batch.to("meta"))
    if params.network == "whole":
        encoder[-1](flat)

    thing: Callable[..., Any] = getattr(torch.utils.data, params.name)
    made = Made(64, params.made, g)
    living = one_pass(made, params.batch)
    figures: dict[str, Figure] = {
        "living": living_curves(g),
        "resized": resized_pictures(),
    }
    return Result(
        metrics={
            "lowest": tensor.double().min().item(),
            "highest": tensor.double().max().item(),
            "shape": tuple(tensor.shape),
            "highest_of_chain": chained(params.chain),
            "mnist_shape": tuple(digit.shape),
            "mnist_highest": digit.max().item(),
            "photograph": tuple(photographs[0].shape),
            "flat": flat.shape[1],
            "is_class": inspect.isclass(thing),
            "is_function": inspect.isfunction(thing),
            "most_living": max(living),
        },
        figures=figures,
    )
