"""Drawn portraits whose every factor is known: faces for which the right answer exists.

A portrait is a pure function of its `Factors`. So the same person can be drawn with and without
glasses, which no collection of photographs offers, and what an edit should come to is known:

    people = sample(8_000, generator)
    images = draw(people)                              (8000, 3, 64, 64)
    answer = draw(people.wearing(glasses=True))        the same people, all with glasses
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaeflash.lab.painting import Box, Canvas, box, common, ellipse, line, union
from vaeflash.lab.people import BACKDROP, FRAME, HAIR, IRIS, SKIN, Factors

CLOSE: Box = (0.15, 0.11, 0.85, 0.81)
"""The face alone: in the whole picture at 64 x 64 a frame is thinner than a pixel."""
PIXELS_AT_ONCE = 2**18
"""Planes of this size stay in a processor's cache."""


def draw(people: Factors, side: int = 64, window: Box = CLOSE) -> Tensor:
    """Portraits `(N, 3, side, side)`, float32 in [0, 1], on the factors' device.

    Args:
        window: The square of the plane that is shown.
    """
    images = people.width.new_empty(len(people), 3, side, side)
    at_once = max(1, PIXELS_AT_ONCE // side**2)
    for start in range(0, len(people), at_once):
        part = slice(start, start + at_once)
        images[part] = _Painter(people[part], side, window).paint()
    return images


class _Painter:
    """Paints one feature a method, from back to front."""

    def __init__(self, people: Factors, side: int, window: Box) -> None:
        self.f = people
        self.canvas = Canvas(_pick(BACKDROP, people.backdrop), side, window)
        self.skin = _between(SKIN, people.skin)
        self.shade = self.skin.lerp(_rgb(self.skin, (60, 25, 15)), 0.28)
        self.hair = _pick(HAIR, people.hair)
        self.head_w, self.head_h = 0.235 * _column(people.width), 0.30 * _column(people.height)
        self.turn = 0.045 * _column(people.yaw)
        self.middle = 0.5 + self.turn  # of the face; that of the head stays where it is
        self.eye_x, self.eye_y = 0.098 * _column(people.width), 0.495

    def paint(self) -> Tensor:
        self._hair_behind()
        self._body()
        self._head()
        self._beard()
        self._hair_before()
        self._eyes()
        self._brows()
        self._nose()
        self._mouth()
        self._glasses()
        slope = (2 * self.canvas.x - 1) * 0.06 * _column(self.f.light)
        return self.canvas.pixels.add_(slope[:, None]).clamp_(0, 1)

    def _across(self, x: Tensor) -> Tensor:
        """Distance from the middle of the face, so that one shape paints its both halves."""
        away = x - self.middle
        # Of a turned head the near half is the wider.
        return away.abs() * (1 - 0.12 * _column(self.f.yaw) * away.sign())

    def _whole_head(self, x: Tensor, y: Tensor) -> Tensor:
        return ellipse(x - 0.5, y - 0.5, self.head_w, self.head_h)

    def _hair_behind(self) -> None:
        top, ends = 0.16, 0.5 + 0.42 * _column(self.f.length)

        def shape(x: Tensor, y: Tensor) -> Tensor:
            return box(x - 0.5, y - (top + ends) / 2, self.head_w + 0.05, (ends - top) / 2, 0.17)

        self.canvas.paint(0.7 * self.hair, shape)

    def _body(self) -> None:
        def shirt(x: Tensor, y: Tensor) -> Tensor:
            return box(x - 0.5, y - 1.08, 0.38, 0.22, 0.16)

        def neck(x: Tensor, y: Tensor) -> Tensor:
            collar = ellipse(x - 0.5, y - 0.885, 0.1, 0.035)
            return union(box(x - 0.5, y - 0.81, 0.085, 0.11, 0.05), collar)

        self.canvas.paint(_hue(self.f.shirt), shirt, (0.0, 0.85, 1.0, 1.0))
        self.canvas.paint(self.shade, neck, (0.38, 0.68, 0.62, 0.94))

    def _head(self) -> None:
        def ears(x: Tensor, y: Tensor) -> Tensor:
            return ellipse((x - 0.5 + 0.3 * self.turn).abs() - self.head_w, y - 0.52, 0.035, 0.06)

        self.canvas.paint(self.shade, ears, (0.17, 0.44, 0.83, 0.6))
        self.canvas.paint(self.skin, self._whole_head, (0.22, 0.16, 0.78, 0.84))

    def _beard(self) -> None:
        def shape(x: Tensor, y: Tensor) -> Tensor:
            cheeks = ellipse(x - 0.5 - 0.6 * self.turn, y - 0.55, 0.8 * self.head_w, 0.135)
            moustache = ellipse(x - self.middle, y - 0.665, 0.085, 0.035)
            return union(common(self._whole_head(x, y), 0.56 - y, -cheeks), moustache)

        colour = self.hair.lerp(self.skin, 0.25)
        self.canvas.paint(colour, shape, (0.22, 0.54, 0.78, 0.84), opacity=_column(self.f.beard))

    def _hair_before(self) -> None:
        def shape(x: Tensor, y: Tensor) -> Tensor:
            rise = 0.775 * self.head_h + 0.0225
            cap = ellipse(x - 0.5, y - 0.4775 + 0.225 * self.head_h, self.head_w + 0.02, rise)
            part = 0.18 * (_column(self.f.fringe) - 0.5)
            brow = ellipse(
                x - self.middle - part, y - 0.5 + 0.3 * self.head_h, 0.78 * self.head_w, 0.085
            )
            return common(cap, y - 0.4775 + 0.225 * self.head_h, -brow)

        self.canvas.paint(self.hair, shape, (0.2, 0.1, 0.8, 0.46))

    def _eyes(self) -> None:
        size = _column(self.f.eyes)
        around: Box = (0.28, 0.45, 0.72, 0.54)

        def at(x: Tensor, y: Tensor, w: float, h: float, up: float = 0.0) -> Tensor:
            away = self._across(x) - self.eye_x
            return ellipse(away + up * size, y - self.eye_y + up * size, w * size, h * size)

        def lid(x: Tensor, y: Tensor) -> Tensor:
            return common(at(x, y, 0.043, 0.027).abs() - 0.004, y - self.eye_y + 0.004)

        self.canvas.paint(
            _rgb(self.skin, (250, 250, 248)), lambda x, y: at(x, y, 0.043, 0.027), around
        )
        self.canvas.paint(_pick(IRIS, self.f.iris), lambda x, y: at(x, y, 0.023, 0.0255), around)
        self.canvas.paint(
            _rgb(self.skin, (15, 15, 18)), lambda x, y: at(x, y, 0.0115, 0.013), around
        )
        self.canvas.paint(
            _rgb(self.skin, (255, 255, 255)), lambda x, y: at(x, y, 0.0055, 0.0055, 0.008), around
        )
        self.canvas.paint(0.65 * self.shade, lid, around)

    def _brows(self) -> None:
        frown = 0.014 * _column(self.f.brows)
        points = (
            (-0.035, frown - 0.062),
            (0.0, -0.072 - 0.2 * frown),
            (0.052, -0.056 - 0.4 * frown),
        )

        def shape(x: Tensor, y: Tensor) -> Tensor:
            return line(self._across(x) - self.eye_x, y - self.eye_y, points, 0.013)

        self.canvas.paint(0.7 * self.hair, shape, (0.25, 0.4, 0.75, 0.47))

    def _nose(self) -> None:
        points = ((-0.004, 0.02), (0.018 + 0.3 * self.turn, 0.085), (-0.018, 0.092))

        def shape(x: Tensor, y: Tensor) -> Tensor:
            return line(x - 0.5 - 1.2 * self.turn, y - 0.5, points, 0.009)

        self.canvas.paint(self.shade, shape, (0.4, 0.5, 0.6, 0.61))

    def _mouth(self) -> None:
        smile, opening = _column(self.f.smile), _column(self.f.mouth)
        width = 0.062 + 0.014 * smile.clamp(min=0)
        around: Box = (0.36, 0.62, 0.64, 0.76)

        def arch(x: Tensor) -> Tensor:
            return 1 - ((x - self.middle) / width).square()

        def below_upper_lip(x: Tensor, y: Tensor) -> Tensor:
            return y - 0.665 - smile * (0.028 * arch(x) - 0.014)

        def lips(x: Tensor, y: Tensor) -> Tensor:
            below = below_upper_lip(x, y)
            return common(-below, below - (0.045 * opening + 0.012) * arch(x))

        def edge(x: Tensor, y: Tensor) -> Tensor:
            return common(below_upper_lip(x, y).abs() - 0.0035, (x - self.middle).abs() - width)

        inside, closed = _rgb(self.skin, (120, 35, 40)), _rgb(self.skin, (190, 95, 95))
        colour = torch.where(self.f.mouth[:, None] > 0.25, inside, closed)
        self.canvas.paint(colour, lips, around)
        self.canvas.paint(_rgb(self.skin, (125, 50, 50)), edge, around)

    def _glasses(self) -> None:
        lens_w, lens_h, rim = 0.066, 0.054, 0.014
        around: Box = (0.2, 0.42, 0.8, 0.57)

        def lenses(x: Tensor, y: Tensor) -> Tensor:
            u, v = self._across(x) - self.eye_x, y - self.eye_y
            square = box(u, v, lens_w, lens_h, 0.022)
            return torch.where(
                _column(self.f.round_frame) > 0, ellipse(u, v, lens_w, lens_h), square
            )

        def frame(x: Tensor, y: Tensor) -> Tensor:
            u, v = self._across(x), y - self.eye_y
            bridge = line(u, v, ((0.0, -0.02), (self.eye_x - lens_w, -0.012)), rim)
            temples = line(u, v, ((self.eye_x + lens_w, -0.01), (self.head_w, -0.018)), rim)
            rims = (lenses(x, y) + rim / 2).abs() - rim / 2
            return union(rims, bridge, common(temples, self._whole_head(x, y) - rim))

        worn = _column(self.f.glasses)
        self.canvas.paint(_rgb(self.skin, (217, 217, 217)), lenses, around, opacity=0.1 * worn)
        self.canvas.paint(_pick(FRAME, self.f.frame), frame, around, opacity=worn)


def _column(factor: Tensor) -> Tensor:
    """`(N,)` to `(N, 1, 1)`, which pixels broadcast against."""
    return factor.float()[:, None, None]


def _rgb(like: Tensor, colours: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
    """Colours of 0..255 as numbers in [0, 1], on the device of `like`."""
    return torch.tensor(colours, dtype=torch.float32, device=like.device) / 255


def _pick(palette: Sequence[Sequence[int]], index: Tensor) -> Tensor:
    """`(N, 3)` colours."""
    return _rgb(index, palette)[index]


def _between(palette: Sequence[Sequence[int]], place: Tensor) -> Tensor:
    """`(N, 3)` colours along a palette whose ends are 0 and 1."""
    colours, at = _rgb(place, palette), place * (len(palette) - 1)
    low = at.long().clamp(max=len(palette) - 2)
    return colours[low].lerp(colours[low + 1], (at - low)[:, None])


def _hue(hue: Tensor) -> Tensor:
    """`(N, 3)` muted colours around the circle of hues."""
    phases = torch.tensor([0.0, 1 / 3, 2 / 3], device=hue.device)
    return 0.56 + 0.16 * torch.cos(math.tau * (hue[:, None] - phases))
