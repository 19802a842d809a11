"""The contract between the engine and a demo: Params, Result, Lab.

A demo is one module in `demos/` with

    a docstring        its first line is the claim in words, the rest is the lesson
    Params             a frozen dataclass of typed fields with defaults: what the reader may turn
    run(params, lab)   measures, and returns a Result
    NEEDS              optional tuple: "cuda", the name of a data set, "extra:NAME"
    DETERMINISTIC      optional: True when no seed can change a metric; such a demo runs once
    MULTITHREADED      optional: True when threads make a run faster; small networks want one

Of some data sets there are several: a parameter called as the data set says which (`faces`).

A run with the defaults is what the cards' claims are about. Everything random comes from
`lab.generator()`; nothing is printed, plotted or downloaded, and nothing happens at import.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from vaeflash.card import Value

if TYPE_CHECKING:
    import torch  # noqa: TID251 -- for the reader and the type checker; nothing is imported

Item = TypeVar("Item")
ArrayLike: TypeAlias = "Any"
"""A tensor, a numpy array or nested sequences of numbers; figures turn it into numpy."""


class Lab(Protocol):
    """What a demo gets from the engine, and all that it gets."""

    @property
    def seed(self) -> int:
        """The seed of this run; everything random must follow from it."""

    @property
    def device(self) -> torch.device:
        """Where to compute."""

    def generator(self, name: str = "") -> torch.Generator:
        """A CPU generator, the same for equal seed and name, independent for different names."""

    def data(self, name: str) -> Any:
        """A named data set that the demo declares in NEEDS, drawn and split by this run's seed."""

    def track(
        self, steps: Iterable[Item], description: str = "", total: int | None = None
    ) -> Iterable[Item]:
        """The same items, with progress shown while they are consumed."""


@dataclass(frozen=True, slots=True)
class Images:
    """A grid of pictures with values in 0..1.

    Attributes:
        pixels: `(rows, columns, H, W)` grey or `(rows, columns, H, W, 3)` colour.
        rows: A label for each row, or none.
        columns: A label for each column, or none.
    """

    caption: str
    pixels: ArrayLike
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Curves:
    """Lines over a shared x axis: `lines` maps a name to its y values, each as long as `x`."""

    caption: str
    x: ArrayLike
    lines: Mapping[str, ArrayLike]
    x_label: str = ""
    y_label: str = ""
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Named quantities side by side, e.g. one error per variant of a formula."""

    caption: str
    values: Mapping[str, float]
    y_label: str = ""


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points in the plane, coloured by an integer class: `points` is `(N, 2)`, `classes` `(N,)`."""

    caption: str
    points: ArrayLike
    classes: ArrayLike
    x_label: str = ""
    y_label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A linear layer in bytes: output i is `scales[i] * (weights[i] @ x) + bias_scale * biases[i]`.

    Attributes:
        weights: `(n, k)`, integers from -127 to 127.
        scales: `(n,)`, one for each row; kept in 16 bits.
        biases: `(n,)`, integers from -127 to 127.
        bias_scale: Of all biases; kept in 16 bits.
    """

    weights: ArrayLike
    scales: ArrayLike
    biases: ArrayLike
    bias_scale: float


@dataclass(frozen=True, slots=True, eq=False)
class Decoder:
    """What decodes the points of a plane, and what an encoder put there.

    Attributes:
        layers: From two numbers to the pixels of a square grey picture; SiLU between any two of
            them, a sigmoid at the end.
        codes: `(N, 2)`, of pictures.
        classes: `(N,)`, of the same, from 0 to 9.
        path: Two points, each an example of its class, to be walked between.
    """

    layers: Sequence[Dense]
    codes: ArrayLike
    classes: ArrayLike
    path: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A plane to touch: drag in it, and the decoded picture changes. Drawn, it is a grid of these.

    Attributes:
        decoders: By the name on a switch; of a single one the name is not shown.
        ends: What `path` begins and ends at, in a word, e.g. `("1", "8")`.
    """

    caption: str
    decoders: Mapping[str, Decoder]
    ends: tuple[str, str]


Figure: TypeAlias = "Images | Curves | Bars | Scatter | Plane"


@dataclass(frozen=True, slots=True)
class Result:
    """What a run measured.

    Attributes:
        metrics: Named numbers, strings or shapes; a name ends in its unit where it has one.
        figures: Named data with captions; the engine draws them.
    """

    metrics: Mapping[str, Value]
    figures: Mapping[str, Figure] = field(default_factory=dict)
