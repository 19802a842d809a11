"""Opens a data set by its name: `digits` is what `vaeflash.lab.digits` loads."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from vaeflash import data


def load(name: str, generator: torch.Generator, choice: str = "") -> Any:
    """The data set called `name`, its order and split drawn by `generator`.

    The module that loads it is found by that name, so that a fingerprint covers it for the demos
    that declare the data set in NEEDS, and for no other.

    Args:
        name: E.g. "digits".
        generator: On the CPU.
        choice: Which one, where there are several (`vaeflash.data.find`).

    Raises:
        DataError: The data set is unknown, missing or damaged.
    """
    source = data.find(name, choice=choice)
    return importlib.import_module(f"vaeflash.lab.{name}").load(source, generator)
