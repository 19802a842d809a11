r"""On a GPU, a covariance in TF32 is more than ten times as far off as one in float32.

**The format.** A float32 has 23 bits behind the point. The tensor cores of NVIDIA's GPUs, from
compute capability 8.0 on, offer a faster matrix product that rounds its factors to 10 bits (TF32)
and still adds up in float32. PyTorch computes matrix products in float32 unless it is told that

    torch.set_float32_matmul_precision("high")

will do. The factors' rounding error then grows from 2^-24 to 2^-11 of their size, 8192-fold.

**What it does to PCA.** The covariance X^T X / N is a matrix product. Its error is relative to its
largest entries, so the large eigenvalues hardly suffer and the small ones drown.

The threshold of ten was not measured. It is far below what the two formats lead one to expect, and
asks for one fact only: that TF32 was in use.

Source: NVIDIA (2020), A100 tensor core GPU architecture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from vaeflash.demo import Lab, Result

from ._data import draw, rotation

NEEDS = ("cuda",)
EXAMPLES, FEATURES = 2_000, 64


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn."""

    precision: Literal["ieee", "tf32"] = "ieee"  # of the matrix product on the GPU


def run(params: Params, lab: Lab) -> Result:
    """Compute a covariance on the GPU, and compare with float64 on the same numbers."""
    turn = rotation(FEATURES, lab.generator("turn"))
    variances = [1 / (1 + i) for i in range(FEATURES)]
    x = draw(EXAMPLES, variances, turn, lab.generator("examples")).float()
    exact = x.double().mT @ x.double() / EXAMPLES

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if params.precision == "tf32" else "highest")
    try:
        on_gpu = x.to(lab.device)
        covariance = (on_gpu.mT @ on_gpu / EXAMPLES).cpu().double()
    finally:
        torch.set_float32_matmul_precision(before)  # it holds for the whole process
    return Result(metrics={"covariance_error": ((covariance - exact).norm() / exact.norm()).item()})
