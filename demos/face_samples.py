r"""Without `eval()` a sampled face depends on the seventeen that are sampled beside it.

**Sampling.** After each epoch the source decodes 18 draws of the prior and looks at them:

    z = torch.randn(18, 100)
    pictures = decoder(z)                         (18, 3, 256, 256)
    grid = make_grid(pictures, 6, 3)

Two things happen here that do not show in the code.

**Batch norm.** The decoder has two batch norms. In training mode each divides by the deviation of
*this batch*, so a picture is a function of all 18 codes; `eval()` puts running averages in their
place, and a picture is a function of its own code again. To see it, decode one z twice, each time
with 17 others beside it, and compare.

**make_grid** takes the pictures, how many stand in a *row*, and how many blank pixels lie between
them: `make_grid(tensor, nrow=8, padding=2, ...)`. So `(pictures, 6, 3)` is rows of six, framed by
three pixels. That there are three rows is due to 18 / 6.

The decoder is the source's, with its first random weights: no training is needed to see on what a
picture depends.

Source: notes on digits and faces, the card on sampling; Ioffe and Szegedy (2015), Batch
normalization, algorithm 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vaeflash.demo import Bars, Figure, Images, Lab, Result
from vaeflash.lab.face_networks import FULL_LATENT, full_face_vae
from vaeflash.lab.people import sample
from vaeflash.lab.portraits import draw
from vaeflash.lab.vision import torchvision


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    mode: Literal["train", "eval"] = "train"  # of the decoder
    others: int = 17  # codes beside the one that is looked at
    samples: int = 18  # pictures in the grid
    second: int = 6  # arguments of make_grid
    third: int = 3


@torch.no_grad()
def decoded(decoder: nn.Module, z: Tensor, others: Tensor, mode: str) -> Tensor:
    """What becomes of one code `(1, D)` beside others `(M, D)`: `(3, H, W)`."""
    decoder.train(mode == "train")
    pictures: Tensor = decoder(torch.cat([z, others]))
    return pictures[0]


def relative(a: Tensor, b: Tensor) -> float:
    """How far two pictures are apart: rms difference, over the rms contrast of the first."""
    contrast = (a - a.mean()).square().mean().sqrt()
    return float((a - b).square().mean().sqrt() / contrast)


def grid_of(pictures: Tensor, second: int, third: int) -> Tensor:
    """What `make_grid` makes of `(N, 3, S, S)`, with white between: `(3, H, W)`."""
    grid: Tensor = torchvision().utils.make_grid(pictures, second, third, pad_value=1)
    return grid


def layout(samples: int, second: int, third: int) -> tuple[int, int, int]:
    """Rows, columns, and blank pixels before the first picture: read off a grid of black ones."""
    black = grid_of(torch.zeros(samples, 3, 8, 8), second, third)[0] == 0
    rows, columns = black.any(1), black.any(0)
    return _runs(rows), _runs(columns), int(rows.int().argmax())


def _runs(line: Tensor) -> int:
    """How many stretches of True a bool tensor `(N,)` has."""
    return int((line.int().diff(prepend=torch.zeros(1, dtype=torch.int32)) == 1).sum())


def run(params: Params, lab: Lab) -> Result:
    """Decode one code in two companies, and lay out grids."""
    decoder = full_face_vae().decoder.to(lab.device)
    g = lab.generator("codes")
    z = torch.randn(1, FULL_LATENT, generator=g).to(lab.device)
    company = [torch.randn(params.others, FULL_LATENT, generator=g).to(lab.device) for _ in "ab"]
    gaps = {
        mode: relative(*(decoded(decoder, z, others, mode) for others in company))
        for mode in ("train", "eval")
    }
    rows, columns, padding = layout(params.samples, params.second, params.third)
    people = draw(sample(params.samples, lab.generator("people")))
    figures: dict[str, Figure] = {
        "grid": Images(
            "make_grid(portraits, 6, 3) of 18 portraits: six in a row, three pixels between them.",
            grid_of(people, params.second, params.third).movedim(0, -1)[None, None],
        ),
        "gap": Bars(
            "How far one code's picture moves when the 17 codes beside it are others, as a share "
            "of its contrast.",
            {"without eval()": gaps["train"], "with eval()": gaps["eval"]},
            y_label="rms difference / rms contrast",
        ),
    }
    return Result(
        metrics={
            "gap": gaps[params.mode],
            "rows": rows,
            "columns": columns,
            "padding_pixels": padding,
        },
        figures=figures,
    )
