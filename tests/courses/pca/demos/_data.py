"""Gaussian data whose principal variances are known, because they were put in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def rotation(features: int, generator: torch.Generator) -> Tensor:
    """A random orthogonal matrix, `(features, features)`, in float64."""
    gaussian = torch.randn(features, features, dtype=torch.float64, generator=generator)
    turn: Tensor = torch.linalg.qr(gaussian).Q
    return turn


def draw(
    examples: int, variances: Sequence[float], turn: Tensor, generator: torch.Generator
) -> Tensor:
    """`(examples, D)` points around 0, with the given variances along the columns of `turn`."""
    scale = torch.tensor(variances, dtype=torch.float64).sqrt()
    z = torch.randn(examples, len(scale), dtype=torch.float64, generator=generator)
    return (z * scale) @ turn.mT
