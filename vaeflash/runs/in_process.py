"""Run a demo: import its module, give it Params and a Lab, take its Result.

This is the one place where the engine opens the door to the lab, and so to torch; the import is
late, because every command that only reads cards must start without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from vaeflash.card import Value
from vaeflash.course.demo_source import DemoSource
from vaeflash.course.importer import from_source_alone
from vaeflash.demo import Result
from vaeflash.errors import DemoError, Problem, VaeflashError
from vaeflash.machine import of_this_machine, processors
from vaeflash.runs.needs import data_needs
from vaeflash.runs.run import NO_ERROR, Run

Track: TypeAlias = Callable[[Iterable[Any], str, "int | None"], Iterable[Any]]


@contextlib.contextmanager
def _printing_aside() -> Iterator[None]:
    """What a demo prints is no result: on standard output it would stand in the middle of one."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


@_printing_aside()
def run_demo(
    source: DemoSource,
    params: Mapping[str, Value],
    seed: int,
    device: str = "cpu",
    track: Track | None = None,
    threads: int | None = None,
) -> Run:
    """One run, start to end, in this very process. A demo's exception is its outcome, not ours.

    Args:
        params: What differs from the defaults, already in its types (`DemoSource.accept`).
        track: Shows progress, see `vaeflash.lab.bench.Bench`.
        threads: What a demo that declares MULTITHREADED may use; all processors by default.

    Raises:
        DemoError: The module cannot be imported or breaks its contract.
        DataError: A data set is missing or damaged.
        KeyboardInterrupt: The user stopped it; nothing is recorded.
    """
    module = import_demo(source)
    run, params_class = _member(module, source, "run"), _member(module, source, "Params")
    started, date = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    figures: Mapping[str, Any] = {}
    message, details, lasting = "", "", True
    try:
        lab = open_lab(source, params, seed, device, track, threads)
        result = run(params_class(**params), lab)
    except VaeflashError:
        raise
    except Exception as error:  # whatever a demo raises is what the run came to
        metrics: dict[str, Value] = {"error": type(error).__name__}
        message = f"{_innermost(error, source)}: {error}"
        lasting = not of_this_machine(error)
        details = traceback.format_exc()
    else:
        metrics = _checked(result, source) | {"error": NO_ERROR}
        figures = result.figures
    seconds = time.perf_counter() - started
    return Run(metrics, seconds, date, message, figures, details, lasting)


def open_lab(
    source: DemoSource,
    params: Mapping[str, Value],
    seed: int,
    device: str,
    track: Track | None,
    threads: int | None,
) -> Any:
    """A Lab for one run of a demo; the import of torch happens here."""
    importlib.import_module("vaeflash.lab")  # sets the thread count before torch is imported
    bench = importlib.import_module("vaeflash.lab.bench")
    share = (threads or processors()) if source.multithreaded else None
    needs = dict(data_needs(source, params))
    return bench.Bench(seed, device, needs, track or bench.silent, share)


def import_demo(source: DemoSource) -> ModuleType:
    """The demo's module, inside a package of its own for this course.

    A package, because dataclasses look their module up in `sys.modules` and demos may share
    helpers by relative imports; of its own, because two courses may both have a `pca.py`.

    Raises:
        DemoError: The import failed, and the message names the line; or a module is not one source
            file, or was edited since its fingerprint was taken.
    """
    package = _package(source.path.parent)
    try:
        importlib.import_module("vaeflash.lab")
        return importlib.import_module(f"{package}.{source.path.stem}")
    except DemoError:
        raise
    except Exception as error:
        raise DemoError(
            Problem(
                _innermost(error, source),
                f"the demo cannot be imported: {type(error).__name__}: {error}.",
                "Mend the module; `--debug` shows the whole traceback.",
            )
        ) from error


def _package(folder: Path) -> str:
    name = "vaeflash_demos_" + hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        from_source_alone(folder)
        sys.modules[name] = package
    return name


def _member(module: ModuleType, source: DemoSource, name: str) -> Any:
    member = getattr(module, name, None)
    if not callable(member):
        raise DemoError(
            Problem(
                source.shown,
                f"the demo has no `{name}`.",
                "A demo has a frozen dataclass Params and a function run(params, lab) -> Result.",
            )
        )
    return member


def _checked(result: Any, source: DemoSource) -> dict[str, Value]:
    """The metrics in plain types, or the error that says which one is not."""
    if not isinstance(result, Result):
        raise DemoError(
            Problem(
                source.shown,
                f"run returned {type(result).__name__}, not a Result.",
                "Return vaeflash.demo.Result(metrics={...}, figures={...}).",
            )
        )
    metrics: dict[str, Value] = {}
    for name, value in result.metrics.items():
        if not isinstance(name, str):
            raise DemoError(
                Problem(source.shown, f"{name!r} is no name of a metric.", "Name it by a text.")
            )
        if isinstance(value, tuple) and all(isinstance(side, int) for side in value):
            metrics[name] = tuple(map(int, value))
        elif isinstance(value, bool | int | float | str):
            metrics[name] = float(value) if isinstance(value, float) else value
        else:
            raise DemoError(
                Problem(
                    source.shown,
                    f"metric '{name}' is a {type(value).__name__}.",
                    "A metric is an int, float, bool, str or tuple of int; "
                    "a tensor gives one by .item().",
                )
            )
    return metrics


def _innermost(error: BaseException, source: DemoSource) -> str:
    """The demo's own line nearest to where it went wrong."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{source.shown}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).name == source.path.name]
    return f"{source.shown}:{lines[-1]}" if lines else source.shown
