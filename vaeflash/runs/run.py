"""A run as data: what is asked for, what came of it, and the cache that remembers it.

Nothing here imports torch: a check that finds every run in the cache stays quick.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaeflash.card import Value, value_of
from vaeflash.errors import VaeflashError, as_utf8
from vaeflash.files import cache_folder, write_atomically
from vaeflash.plain import amount, each_in, flag, parse_json, record, text

if TYPE_CHECKING:
    from vaeflash.demo import Figure

FORMAT = 2
NO_ERROR = "none"
"""What the metric `error` is when a run raised nothing."""


@dataclass(frozen=True, eq=False)
class Request:
    """One run that a claim needs; requests with equal keys are one run.

    Attributes:
        params: What differs from the demo's defaults, sorted by name.
        code: Fingerprint of the demo and what it imports.
        data: Name of each data set it needs -> fingerprint of the one that is here.
        device: The kind: "cpu" or "cuda".
        torch: Minor version.
    """

    demo: str
    params: tuple[tuple[str, Value], ...]
    seed: int
    code: str
    data: tuple[tuple[str, str], ...]
    device: str
    torch: str

    @cached_property
    def key(self) -> str:
        """Hash of everything that the outcome depends on."""
        parts = (FORMAT, self.demo, self.params, self.seed, self.code, self.data)
        return hashlib.sha256(repr((*parts, self.device, self.torch)).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        # Not field by field: 1 equals True, and a run with the one is none with the other.
        return isinstance(other, Request) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run; its texts are such as a file takes, whatever the demo gave.

    Attributes:
        metrics: What was measured, and `error`: "none" or the class name of the exception.
        seconds: Wall time.
        date: When it was made, ISO, UTC.
        message: The exception in words, where there was one.
        figures: Only of a run that was just made; the cache keeps numbers.
        traceback: Likewise, for `--debug`.
        lasting: Whether it would come out so again; what this machine ran out of is no such thing.
    """

    metrics: Mapping[str, Value]
    seconds: float
    date: str
    message: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict, compare=False)
    traceback: str = field(default="", compare=False)
    lasting: bool = True

    def __post_init__(self) -> None:
        for name in ("metrics", "message", "traceback"):
            object.__setattr__(self, name, as_utf8(getattr(self, name)))

    @property
    def error(self) -> str:
        """Class name of the exception that ended the run, or "none"."""
        return str(self.metrics["error"])

    def to_json(self) -> dict[str, Any]:
        """The run without its figures, as the cache and the workers write it."""
        return {
            "metrics": dict(self.metrics),
            "seconds": self.seconds,
            "date": self.date,
            "message": self.message,
            "lasting": self.lasting,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Run:
        """The run again.

        Raises:
            ValueError: This is not what `to_json` wrote.
        """
        run = _RUN({name: entry[name] for name in entry if name in _FIELDS})
        text(run["metrics"].get("error"))
        return cls(**run)


_FIELDS = {
    "metrics": each_in(value_of),
    "seconds": amount,
    **dict.fromkeys(("date", "message"), text),
    "lasting": flag,
}
# Caches from before it was told keep none but lasting runs.
_RUN = record(_FIELDS, needed=("metrics", "seconds", "date", "message"))


class RunCache:
    """Finished runs in a folder outside the course, one file each.

    A damaged entry is ignored with a warning and its run made again. A cache that cannot be
    written costs time, not results: one warning, and the check goes on.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "runs"
        self._warned = False

    def get(self, request: Request) -> Run | None:
        """The remembered run, if there is a sound one."""
        path = self._path(request)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        try:
            return _read_entry(content, request.key)
        except ValueError:
            warnings.warn(f"{path}: damaged entry ignored; the run is made again.", stacklevel=2)
            return None

    def put(self, request: Request, run: Run) -> None:
        """Remember a run, replacing any older entry as a whole."""
        entry = {
            "key": request.key,
            "demo": request.demo,
            "params": dict(request.params),
            "seed": request.seed,
        } | run.to_json()
        try:
            body = json.dumps(entry, sort_keys=True).encode()
            write_atomically(self._path(request), _sealed(body))
        except VaeflashError as error:
            if not self._warned:
                warnings.warn(f"runs are not remembered: {error.problems[0].what}", stacklevel=2)
            self._warned = True

    def _path(self, request: Request) -> Path:
        return self.folder / request.key[:2] / f"{request.key[2:]}.json"


def _sealed(body: bytes) -> bytes:
    """A JSON object that ends with a hash of what stands before."""
    return body[:-1] + b', "sum": "' + hashlib.sha256(body).hexdigest().encode() + b'"}'


_SEAL = len(_sealed(b"{}")) - len(b"{}")


def _read_entry(content: bytes, key: str) -> Run:
    # Checked before it is parsed: a turned bit is another number, and still JSON.
    body = content[: -_SEAL - 1] + b"}"
    if content != _sealed(body):
        raise ValueError("not what was written")
    entry = parse_json(body)
    if not isinstance(entry, dict) or entry.get("key") != key:
        raise ValueError("not the entry of this run")
    return Run.from_json(entry)
