"""A plane to touch for the tests: a network of torch with lively pictures, and codes by class."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from vaeflash.demo import Decoder, Plane
from vaeflash.lab.quantised import quantise

CAPTION = "A plane of the “tests”, a < b."
PATH = ((-1.5, 0.5), (2.0, -1.0))
REACH = 3.5


def network(seed: int = 0, widths: Sequence[int] = (2, 32, 32, 32, 784)) -> nn.Sequential:
    """A decoder of the size that a card has, whose pictures use all greys."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for k, n in itertools.pairwise(widths):
            layers += [nn.Linear(k, n), nn.SiLU()]
        with torch.no_grad():
            for layer in layers[::2]:
                layer.weight.mul_(3)
    return nn.Sequential(*layers[:-1])


def decoder(model: nn.Sequential, seed: int = 0, codes: int = 200) -> Decoder:
    """With codes of ten classes around the middle."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(10, (codes,), generator=generator)
    angles = classes * (torch.pi / 5)
    middles = 1.5 * torch.stack([angles.cos(), angles.sin()], dim=1)
    points = middles + 0.5 * torch.randn(codes, 2, generator=generator)
    return Decoder(quantise(model), points, classes, PATH)


def plane(models: Sequence[nn.Sequential] = ()) -> Plane:
    """Of one network, or of several between which to switch."""
    made = list(models) or [network()]
    named = {f"β {number}": decoder(model, number) for number, model in enumerate(made)}
    return Plane(CAPTION, named, ("1", "8"))
