"""People to be drawn: every factor of a portrait, and how to draw lots for them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

SKIN = (
    (255, 224, 196),
    (241, 194, 150),
    (224, 172, 125),
    (198, 134, 66),
    (141, 85, 36),
    (92, 58, 33),
)
HAIR = ((35, 25, 20), (75, 45, 25), (120, 75, 40), (200, 160, 90), (160, 60, 30), (150, 150, 150))
IRIS = ((70, 45, 25), (60, 110, 160), (70, 120, 70), (110, 110, 110))
BACKDROP = ((190, 205, 220), (215, 200, 180), (180, 205, 180), (205, 185, 205), (160, 170, 185))
FRAME = ((25, 25, 28), (110, 60, 35), (60, 70, 120))


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """What N portraits show; each field is `(N,)`.

    Attributes:
        skin: From 0, light, to 1, dark.
        hair: Its colour, an index of `HAIR`.
        iris: Its colour, an index of `IRIS`.
        backdrop: An index of `BACKDROP`.
        length: Of the hair, from 0, ending at the ears, to 1, over the shoulders.
        fringe: Where it parts, from 0 to 1, left to right.
        width: Of the head, over that of the mean head.
        height: Likewise.
        yaw: Where the head turns, from -1 to 1, left to right.
        smile: From -0.4, sad, to 1.
        mouth: How far it is open, 0 to 1.
        eyes: Their size, over that of the mean eyes.
        brows: From -1, raised, to 1, frowning.
        beard: Whether there is one.
        shirt: Its hue, 0 to 1.
        light: Which side is the brighter, from -1 to 1, left to right.
        glasses: Whether they are worn; the two fields below say what they are or would be like.
        round_frame: Whether they are round.
        frame: The colour of the frame, an index of `FRAME`.
    """

    skin: Tensor
    hair: Tensor
    iris: Tensor
    backdrop: Tensor
    length: Tensor
    fringe: Tensor
    width: Tensor
    height: Tensor
    yaw: Tensor
    smile: Tensor
    mouth: Tensor
    eyes: Tensor
    brows: Tensor
    beard: Tensor
    shirt: Tensor
    light: Tensor
    glasses: Tensor
    round_frame: Tensor
    frame: Tensor

    def __len__(self) -> int:
        return len(self.glasses)

    def __getitem__(self, index: slice | Tensor) -> Factors:
        return Factors(*(getattr(self, field.name)[index] for field in fields(self)))

    def wearing(self, *, glasses: bool) -> Factors:
        """The same pictures of the same people, all with glasses or all without."""
        return replace(self, glasses=torch.full_like(self.glasses, glasses))


def sample(n: int, generator: torch.Generator, *, varied: bool = False) -> Factors:
    """Draw n people, about half of them with glasses.

    Args:
        generator: On the CPU, as the factors are then.
        varied: Whether light, pose, backdrop and frame vary in their full range, too. By default
            the light is even, heads turn half as far, backdrops are three and frames dark: so a
            small network has something left for the glasses.
    """

    def between(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    def one_of(count: int) -> Tensor:
        return torch.randint(count, (n,), generator=generator)

    def chance(share: float) -> Tensor:
        return torch.rand(n, generator=generator) < share

    return Factors(
        skin=between(0, 1),
        hair=one_of(len(HAIR)),
        iris=one_of(len(IRIS)),
        backdrop=one_of(len(BACKDROP) if varied else 3),
        length=between(0, 1),
        fringe=between(0, 1),
        width=between(0.88, 1.12),
        height=between(0.92, 1.08),
        yaw=between(-1, 1) if varied else between(-0.5, 0.5),
        smile=between(-0.4, 1),
        mouth=between(-1, 1).clamp(min=0),
        eyes=between(0.8, 1.2),
        brows=between(-1, 1),
        beard=chance(0.25),
        shirt=between(0, 1),
        light=between(-1, 1) if varied else torch.zeros(n),
        glasses=chance(0.5),
        round_frame=chance(0.5),
        frame=one_of(len(FRAME) if varied else 1),
    )
