r"""A transposed convolution gives the shape back, 28 included, but not the values.

**Sizes.** Per axis, with kernel k, stride s and padding p, a convolution places its kernel at

    out = floor((n + 2p - k) / s) + 1                    (convolution)

positions. A transposed convolution runs the same arrows backwards: every input number adds a copy
of the kernel to the output, copies s apart, and p rows are cut off at both ends,

    out = (n - 1) s + k - 2p + output_padding            (transposed)

The floor is why the way back is not unique. With k = 3, s = 2, p = 1, sides 27 and 28 both become
14; from 14 the formula gives 27. `output_padding=1` says: it was 28. It does not append zeros, it
cuts one row less, as long as there is a row to spare.

**The lecture's decoder** never uses it. From 7 it goes through kernels of 3 with strides 1, 2, 2, 1
and paddings 1, 1, 0, 0: sides 7, 13, 27, 29, and a row and a column are trimmed. Whatever the four
paddings are, (n - 1) 2 + 3 - 2p is odd: 28 is out of reach for padding, and one keyword away.

**Values.** Write the convolution as a matrix, y = A x. The transposed convolution with the same
weights is A^T: the *adjoint*, <A x, y> = <x, A^T y> for all x and y. That makes it the backward
pass of the convolution (hence "transposed"), and not its inverse. With one output channel there can
be no inverse: A turns n^2 numbers into n^2 / 4. Of random values the best linear guess misses about
sqrt(3/4) = 87%. With eight channels nothing is lost: least squares inverts A, and A^T does not.

**Vectors.** Between the convolutions and a code of 20 numbers stands a linear layer, on either
side: 64 maps of 7 x 7 are 3136 numbers, four times as many as the picture has pixels.

Source: notes of a lecture on a convolutional autoencoder, and notes on digits and faces; Dumoulin
and Visin (2016), A guide to convolution arithmetic for deep learning; Odena et al. (2016),
Deconvolution and checkerboard artifacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result

MAPS = (64, 7, 7)  # what the decoder's convolutions start from
FLAT = 64 * 7 * 7
LECTURE_PADDINGS = (1, 1, 0, 0)
SMALL = 14  # side of the random pictures whose convolution is written out as a matrix


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    # The strided layers, down and up. Layers of stride 1 keep kernel 3.
    kernel: int = 3
    stride: int = 2
    padding: int = 1
    output_padding: int = 0
    side: int = 28  # of the picture that goes through one strided layer

    last_padding: int = 0  # of the lecture's last layer; the others have 1, 1, 0
    trim: int = 1  # rows and columns cut off the lecture's output
    volume_kernel: int = 2  # of the scroll decoder's strided layers, which are 3-D
    formula: Literal["exact", "folklore"] = "exact"  # folklore: stride 2 halves and doubles

    # Between maps and code.
    latent: int = 20
    encoder_ends: Literal["linear", "flatten"] = "linear"
    decoder_starts: Literal["linear", "view"] = "linear"
    order: Literal["chw", "hwc", "permuted"] = "chw"  # in which a vector is read as maps

    # One convolution and the transposed one.
    channels: int = 1
    weights: Literal["tied", "fresh"] = "tied"  # the transposed layer's


# Sizes


def conv_side(n: int, k: int, s: int, p: int, formula: str = "exact") -> int:
    """Side after a convolution."""
    return (n + 2 * p - k) // s + 1 if formula == "exact" else n // s


def up_side(n: int, k: int, s: int, p: int, op: int, formula: str = "exact") -> int:
    """Side after a transposed convolution."""
    return (n - 1) * s + k - 2 * p + op if formula == "exact" else n * s


def through(layers: Sequence[nn.Module], x: Tensor) -> tuple[int, ...]:
    """The side at the start and after each layer."""
    sides = [x.shape[-1]]
    for layer in layers:
        x = layer(x)
        sides.append(x.shape[-1])
    return tuple(sides)


def mismatches(formula: str) -> int:
    """In how many of all small layers PyTorch's side differs from the formula's."""
    wrong = 0
    for n, k, s, p in product((7, 8, 13, 14), (1, 2, 3, 4, 5), (1, 2, 3), (0, 1, 2)):
        x = torch.zeros(1, 1, n, n)
        down = F.conv2d(x, torch.zeros(1, 1, k, k), stride=s, padding=p)
        wrong += down.shape[-1] != conv_side(n, k, s, p, formula)
        for op in range(s):  # PyTorch wants output_padding < stride
            up = F.conv_transpose2d(x, torch.zeros(1, 1, k, k), None, s, p, op)
            wrong += up.shape[-1] != up_side(n, k, s, p, op, formula)
    return wrong


def lecture_layers(paddings: Sequence[int], kernel: int, output_padding: int) -> list[nn.Module]:
    """Strides 1, 2, 2, 1 back up from 7 x 7; one channel, as only the sides are looked at."""
    return [
        nn.ConvTranspose2d(1, 1, 3, 1, paddings[0]),
        nn.ConvTranspose2d(1, 1, kernel, 2, paddings[1], output_padding),
        nn.ConvTranspose2d(1, 1, kernel, 2, paddings[2], output_padding),
        nn.ConvTranspose2d(1, 1, 3, 1, paddings[3]),
    ]


# Vectors


def flattened(params: Params) -> Tensor:
    """A picture after the lecture's four convolutions, as one vector `(1, F)`."""
    k, s, p = params.kernel, params.stride, params.padding
    layers = nn.Sequential(
        nn.Conv2d(1, 32, 3, 1, 1),
        nn.LeakyReLU(),
        nn.Conv2d(32, 64, k, s, p),
        nn.LeakyReLU(),
        nn.Conv2d(64, 64, k, s, p),
        nn.LeakyReLU(),
        nn.Conv2d(64, 64, 3, 1, 1),
        nn.Flatten(),
    )
    vector: Tensor = layers(torch.zeros(1, 1, 28, 28))
    return vector


def encoded(params: Params) -> Tensor:
    """What the encoder returns: the code, unless it forgets its last layer; `(1, L)`."""
    vector = flattened(params)
    if params.encoder_ends == "flatten":
        return vector
    code: Tensor = nn.Linear(vector.shape[1], params.latent)(vector)
    return code


def maps_from_code(params: Params) -> Tensor:
    """What the decoder's first convolution gets: `(1, C, 7, 7)`.

    Raises:
        RuntimeError: By `view`, if the code is not exactly one map of 49 numbers.
    """
    code = torch.zeros(1, params.latent)
    if params.decoder_starts == "view":
        return code.view(1, 1, 7, 7)
    return as_maps(nn.Linear(params.latent, FLAT)(code), params.order)


def as_maps(vector: Tensor, order: str) -> Tensor:
    """Read `(N, 3136)` as maps; flatten wrote them channel by channel, so `chw` is its inverse."""
    channels, height, width = MAPS
    if order == "chw":
        return vector.view(-1, channels, height, width)
    maps = vector.view(-1, height, width, channels)
    return maps if order == "hwc" else maps.permute(0, 3, 1, 2)


# Values


def there_and_back(x: Tensor, down: Tensor, up: Tensor, s: int, p: int) -> tuple[Tensor, Tensor]:
    """Two guesses at `x` from y = A x: c A^T y with the best factor c, and pinv(A) y.

    No linear decoder is better than the pseudo-inverse on pictures of random numbers.

    Args:
        x: `(1, 1, n, n)`.
        down: Weights `(C, 1, k, k)` of the convolution A.
        up: Weights of the transposed one.
    """
    y = F.conv2d(x, down, stride=s, padding=p)
    op = x.shape[-1] - up_side(y.shape[-1], down.shape[-1], s, p, 0)
    transposed = F.conv_transpose2d(y, up, None, s, p, op)
    factor = (transposed * x).sum() / transposed.square().sum()
    pixels = torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape[1:])
    matrix = F.conv2d(pixels, down, stride=s, padding=p).flatten(1).T  # A, a column for each pixel
    return factor * transposed, (torch.linalg.pinv(matrix) @ y.flatten()).view_as(x)


def adjoint_gap(x: Tensor, down: Tensor, up: Tensor, s: int, p: int, g: torch.Generator) -> float:
    """By how much <A x, y> and <x, A^T y> differ, as a part of |A x| |y|, for a random y."""
    conv_x = F.conv2d(x, down, stride=s, padding=p)
    y = torch.randn(conv_x.shape, dtype=x.dtype, generator=g)
    op = x.shape[-1] - up_side(y.shape[-1], down.shape[-1], s, p, 0)
    gap = (conv_x * y).sum() - (x * F.conv_transpose2d(y, up, None, s, p, op)).sum()
    return float(gap.abs() / (conv_x.norm() * y.norm()))


def relative(x_hat: Tensor, x: Tensor) -> float:
    """|x_hat - x| / |x|."""
    return float((x_hat - x).norm() / x.norm())


def copies(k: int, s: int, p: int, op: int) -> Tensor:
    """How many copies of the kernel land on each output pixel, from 7 x 7 inputs."""
    return F.conv_transpose2d(torch.ones(1, 1, 7, 7), torch.ones(1, 1, k, k), None, s, p, op)[0, 0]


# Figures


def ring() -> Tensor:
    """A picture to recognise, `(1, 1, 14, 14)`."""
    axis = torch.linspace(-1, 1, SMALL, dtype=torch.float64)
    radius = (axis[:, None] ** 2 + axis**2).sqrt()
    return torch.exp(-(((radius - 0.6) / 0.2) ** 2))[None, None]


def rings(g: torch.Generator) -> Images:
    """The ring after a convolution of 1 and of 8 channels, and each way back."""
    x = ring()
    rows = [
        x,
        *there_and_back(x, w := torch.randn(1, 1, 3, 3, dtype=x.dtype, generator=g), w, 2, 1),
    ]
    more = [
        x,
        *there_and_back(x, w := torch.randn(8, 1, 3, 3, dtype=x.dtype, generator=g), w, 2, 1),
    ]
    return Images(
        "From one channel of 7 x 7 neither way rebuilds the ring: three quarters of the numbers "
        "are gone. From eight channels least squares does; the transposed convolution does not.",
        torch.stack([torch.cat(rows)[:, 0], torch.cat(more)[:, 0]], dim=1).clamp(0, 1),
        rows=["picture", "transposed, same weights", "least squares"],
        columns=["1 channel", "8 channels"],
    )


def size_curves() -> Curves:
    """Two decoders from 7 upwards."""
    x = torch.zeros(1, 1, 7, 7)
    return Curves(
        "Strides 1, 2, 2, 1. The lecture's paddings miss 28 and trim 29; one more row in each "
        "strided layer, or an even kernel, hits it.",
        x=range(5),
        lines={
            "lecture": through(lecture_layers(LECTURE_PADDINGS, 3, 0), x),
            "output_padding=1": through(lecture_layers((1, 1, 1, 1), 3, 1), x),
        },
        x_label="layer",
        y_label="side",
    )


def run(params: Params, lab: Lab) -> Result:
    """Send shapes, then values, through convolutions and back."""
    k, s, p, op = params.kernel, params.stride, params.padding, params.output_padding
    seven = torch.zeros(1, 1, 7, 7)
    lecture = through(lecture_layers((*LECTURE_PADDINGS[:3], params.last_padding), 3, 0), seven)
    trimmed = torch.zeros(lecture[-1], lecture[-1])[params.trim :, params.trim :]
    reachable = {
        through(lecture_layers(paddings, k, op), seven)[-1]
        for paddings in product((0, 1), repeat=4)
    }
    two_up = through([nn.ConvTranspose2d(1, 1, k, s, p, op) for _ in range(2)], seven)
    down = nn.Conv2d(1, 1, k, s, p)(torch.zeros(1, 1, params.side, params.side))
    back = nn.ConvTranspose2d(1, 1, k, s, p, op)(down)
    volumes = [nn.ConvTranspose3d(1, 1, params.volume_kernel, 2) for _ in range(4)]

    vector = encoded(params)
    start = maps_from_code(params)
    maps = torch.randn(1, *MAPS, generator=lab.generator("maps"))

    g = lab.generator("values")
    x = torch.randn(1, 1, SMALL, SMALL, dtype=torch.float64, generator=g)
    tied, fresh = torch.randn(2, params.channels, 1, k, k, dtype=torch.float64, generator=g)
    up = tied if params.weights == "tied" else fresh
    transposed, least_squares = there_and_back(x, tied, up, s, p)
    landed = copies(k, s, p, op)
    inner = landed[2:-2, 2:-2]  # away from the border, where copies are missing

    patterns = torch.stack([copies(3, 2, 1, 1), copies(4, 2, 1, 0)]) / 4
    figures: dict[str, Figure] = {
        "sides": size_curves(),
        "ring": rings(lab.generator("ring")),
        "copies": Images(
            "How many copies of the kernel overlap, white is four. Stride 2 with kernel 3 favours "
            "every other pixel, hence checkerboards; with kernel 4 only the border differs.",
            patterns[None],
            columns=["kernel 3", "kernel 4"],
        ),
    }
    return Result(
        metrics={
            "mismatches": mismatches(params.formula),
            "down": down.shape[-1],
            "back": back.shape[-1],
            "side": two_up[-1],
            "sides": two_up,
            "lecture_sides": lecture,
            "trimmed": trimmed.shape[-1],
            "reachable": tuple(sorted(reachable)),
            "even_sides": sum(side % 2 == 0 for side in reachable),
            "volume_sides": through(volumes, torch.zeros(1, 1, 2, 2, 2)),
            "flat": flattened(params).shape[1],
            "vector": vector.shape[1],
            "start": tuple(start.shape[1:]),
            "misread": int(
                (as_maps(maps.flatten(1), params.order).flatten() != maps.flatten()).sum()
            ),
            "adjoint_gap": adjoint_gap(x, tied, up, s, p, g),
            "transposed_error": relative(transposed, x),
            "least_squares_error": relative(least_squares, x),
            "last_row_copies": int(landed[-1].min()),
            "fewest_copies": int(inner.min()),
            "most_copies": int(inner.max()),
        },
        figures=figures,
    )
