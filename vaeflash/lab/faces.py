"""The data set `faces`: pictures of people with and without glasses, at any side.

    faces = lab.data("faces").take(side=64)
    faces.train                              (8000, 3, 64, 64)
    faces.train_glasses                      (8000,)
    faces.redraw_test(glasses=True)          the unseen people, all with glasses

Portraits are drawn; photographs come from files, and there are as many as there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaeflash.data import DataSource
from vaeflash.errors import DataError, Problem
from vaeflash.lab.image_folder import read_squares
from vaeflash.lab.people import Factors, sample
from vaeflash.lab.portraits import draw

UNSEEN = 0.2
"""At most this share of the photographs is kept unseen."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceData:
    """Faces, split into a part to train on and a part kept unseen.

    Attributes:
        train: `(N, 3, S, S)`, float32 in [0, 1].
        train_glasses: `(N,)`, bool.
        test: `(M, 3, S, S)`, float32 in [0, 1].
        test_glasses: `(M,)`, bool.
        source: What they were drawn by or read from.
        train_people: What drawn portraits show; none for photographs.
        test_people: Likewise.
    """

    train: Tensor
    train_glasses: Tensor
    test: Tensor
    test_glasses: Tensor
    source: DataSource
    train_people: Factors | None = None
    test_people: Factors | None = None

    def redraw_test(self, *, glasses: bool) -> Tensor:
        """The same unseen people, all with glasses or all without: `(M, 3, S, S)`.

        Raises:
            DataError: These are photographs.
        """
        if self.test_people is None:
            what = "nobody can tell what photographs would show with other glasses."
            advice = "Only drawn portraits can be drawn again: --set faces=portraits"
            raise DataError(Problem(self.source.origin, what, advice))
        people = self.test_people.wearing(glasses=glasses)
        return draw(people, self.test.shape[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Where faces come from; `take` gives them.

    Attributes:
        source: What draws them, or their files.
        generator: Draws people, or the split of photographs.
    """

    source: DataSource
    generator: torch.Generator

    def take(
        self, side: int = 64, train: int = 8_000, test: int = 500, *, varied: bool = False
    ) -> FaceData:
        """Faces at this side, always the same ones for equal arguments.

        Args:
            side: Pixels in height and width.
            train: How many to train on; of photographs at most as many.
            test: How many to keep unseen; of photographs at most a fifth of each kind.
            varied: Whether portraits vary in light, pose, backdrop and frame, too.

        Raises:
            DataError: A picture is damaged or too small.
        """
        generator = self.generator.clone_state()
        if self.source.kind == "drawn":
            return self._draw(generator, side, train, test, varied=varied)
        return self._read(generator, side, train, test)

    def _draw(
        self, generator: torch.Generator, side: int, train: int, test: int, *, varied: bool
    ) -> FaceData:
        # First those for the test: they stay the same, however many there are to train on.
        unseen = sample(test, generator, varied=varied)
        people = sample(train, generator, varied=varied)
        return FaceData(
            draw(people, side),
            people.glasses,
            draw(unseen, side),
            unseen.glasses,
            self.source,
            people,
            unseen,
        )

    def _read(self, generator: torch.Generator, side: int, train: int, test: int) -> FaceData:
        images = read_squares(self.source.files, side)
        glasses = torch.tensor(self.source.labels, dtype=torch.bool)
        share = min(UNSEEN, test / len(images))
        kinds = [(glasses == kind).nonzero()[:, 0] for kind in (False, True)]
        mixed = [kind[torch.randperm(len(kind), generator=generator)] for kind in kinds]
        # At least one of each kind.
        cuts = [max(1, int(share * len(kind))) for kind in kinds]
        parts = []
        for chosen in (
            [kind[cut:] for kind, cut in zip(mixed, cuts, strict=True)],
            [kind[:cut] for kind, cut in zip(mixed, cuts, strict=True)],
        ):
            index = torch.cat(chosen)
            parts.append(index[torch.randperm(len(index), generator=generator)])
        seen, unseen = parts[0][:train], parts[1]
        return FaceData(
            images[seen].float().div_(255),
            glasses[seen],
            images[unseen].float().div_(255),
            glasses[unseen],
            self.source,
        )


def load(source: DataSource, generator: torch.Generator) -> Faces:
    """What `lab.data("faces")` gives."""
    return Faces(source, generator)
