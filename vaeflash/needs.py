"""What a demo declares in NEEDS, held against what this machine has."""

from __future__ import annotations

from vaeflash.data import find
from vaeflash.errors import DataError, MissingDataError
from vaeflash.machine import device_kind, has_extra
from vaeflash.source import DemoSource


def data_needs(source: DemoSource) -> tuple[str, ...]:
    """The data sets among a demo's needs."""
    return tuple(n for n in source.needs if n != "cuda" and not n.startswith("extra:"))


def missing_need(source: DemoSource, device: str) -> str:
    """What the demo needs and this run would not have; empty if nothing."""
    for need in source.needs:
        if need == "cuda" and device_kind(device) != "cuda":
            return "the demo needs a CUDA device"
        extra = need.removeprefix("extra:")
        if extra != need and not has_extra(extra):
            return f"the demo needs the extra '{extra}'"
    for name in data_needs(source):
        try:
            find(name)
        except MissingDataError as error:
            return f"the demo needs the {error.problems[0].where}"
        except DataError:
            continue  # damaged: the run will say so, as an error
    return ""


def used_data(source: DemoSource) -> dict[str, str]:
    """Each data set the demo needs -> which one is used here, with its fingerprint."""
    used = {}
    for name in data_needs(source):
        try:
            found = find(name)
        except DataError:
            continue
        used[name] = f"{found.origin} #{found.fingerprint}"
    return used
