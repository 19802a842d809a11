"""torchvision beside any build of torch, and the one use of the network.

torchvision's usual wheel is built for CUDA. Beside a CPU torch its compiled operators cannot be
loaded, and its Python part, which registers shapes for two of them, fails at import with
"operator torchvision::nms does not exist". Data sets, transforms and utils need none of them.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import torch

from vaeflash import data
from vaeflash.errors import DataError, Problem

_OPERATORS = ("torchvision::nms", "torchvision::qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def torchvision() -> Any:
    """The torchvision package with `datasets`, `transforms`, `transforms.v2` and `utils` loaded.

    Without compiled operators, detection (`torchvision.ops`) still does not work.
    """
    _declare_missing_operators()
    for name in ("datasets", "transforms.v2", "utils"):
        importlib.import_module(f"torchvision.{name}")
    return importlib.import_module("torchvision")


def fetch(name: str, root: Path | None = None) -> data.DataSource:
    """Download a data set into `root`, by default the user's data folder; uses the network.

    What is there already and intact is not downloaded again.

    Raises:
        DataError: There is nothing to fetch under this name, or the download failed.
    """
    if name != "digits":
        advice = "Only digits can be fetched."
        raise DataError(Problem(f"data set '{name}'", "it cannot be downloaded.", advice))
    folder = root or data.user_folder()
    try:
        # torchvision downloads all four files, checks their MD5 and unpacks them.
        torchvision().datasets.MNIST(str(folder), download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            Problem(
                str(folder),
                f"MNIST could not be downloaded: {error}.",
                "Check the connection and the folder, then run `vaeflash data fetch digits` again.",
            )
        ) from error
    return data.find(name, {data.VARIABLE: str(folder)})


def _declare_missing_operators() -> None:
    library = _compiled_library()
    if library is not None:
        try:
            # What torchvision itself does first at import; loading twice is harmless.
            torch.ops.load_library(library)
        except OSError:
            library = None
    for operator in _OPERATORS:
        namespace, short = operator.split("::")
        if library is None and not hasattr(getattr(torch.ops, namespace), short):
            torch.library.define(operator, _SCHEMA)


def _compiled_library() -> Path | None:
    spec = importlib.util.find_spec("torchvision")
    folders = (spec and spec.submodule_search_locations) or ()
    files = [path for folder in folders for path in sorted(Path(folder).glob("_C*"))]
    return next((path for path in files if path.suffix in (".so", ".pyd")), None)
