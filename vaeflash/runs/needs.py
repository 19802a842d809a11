"""What a demo declares in NEEDS, held against what this machine has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vaeflash.card import Value
from vaeflash.course.demo_source import DemoSource
from vaeflash.data import CHOOSABLE, faces, find, scroll
from vaeflash.errors import DataError, MissingDataError
from vaeflash.machine import device_kind, has_extra

NAMED = frozenset({"", faces.DRAWN, "orl", scroll.DRAWN})
"""Choices of a data set that are no path or URL."""


def data_needs(
    source: DemoSource, params: Mapping[str, Value] | None = None
) -> tuple[tuple[str, str], ...]:
    """The data sets that a run of the demo needs, each with which one it is to be.

    Of some data sets there are several, and a parameter of the demo says which, if it is called as
    the data set: `faces="portraits"`. Empty where there is no choice, or none was made.

    Args:
        params: What differs from the demo's defaults.
    """
    values = {name: parameter.default for name, parameter in source.parameters.items()}
    values |= params or {}
    return tuple(
        (need, str(values.get(need) or "") if need in CHOOSABLE else "")
        for need in source.needs
        if need != "cuda" and not need.startswith("extra:")
    )


def missing_equipment(source: DemoSource, device: str) -> str:
    """What the demo needs, data aside, and this run would not have; empty if nothing."""
    for need in source.needs:
        if need == "cuda" and device_kind(device) != "cuda":
            return "the demo needs a CUDA device"
        extra = need.removeprefix("extra:")
        if extra != need and not has_extra(extra):
            return f"the demo needs the extra '{extra}'"
    return ""


def missing_need(source: DemoSource, device: str, *, anywhere: bool = True) -> str:
    """What the demo needs and this run would not have; empty if nothing.

    Args:
        anywhere: Look for data at a path, too, where the demo's defaults name one; see
            `vaeflash.course.consent.may_look_at_paths`.
    """
    if missing := missing_equipment(source, device):
        return missing
    for name, choice in data_needs(source):
        if not (anywhere or choice in NAMED):
            continue
        try:
            find(name, choice=choice)
        except MissingDataError as error:
            return f"the demo needs the {error.problems[0].where}"
        except DataError:
            continue  # damaged: the run will say so, as an error
    return ""


def used_data(source: DemoSource, params: Mapping[str, Value] | None = None) -> dict[str, str]:
    """Each data set that is here of those a run needs -> which one, with its fingerprint."""
    used = {}
    for name, choice in data_needs(source, params):
        try:
            found = find(name, choice=choice)
        except DataError:
            continue
        used[name] = f"{found.origin} #{found.fingerprint}"
    return used


def claim_data(source: DemoSource, runs: Iterable[Mapping[str, Value]]) -> dict[str, str]:
    """What is here of the data that a claim's runs read; as the ledger keeps it.

    Args:
        runs: What each run changes of the demo's defaults.

    Returns:
        Which one it is, with its fingerprint, by the data set's name; one that was chosen
        otherwise than by default goes by name and choice, as in a claim's brackets: `faces=orl`.
    """
    own = dict(data_needs(source))
    used = {}
    for params in runs:
        chosen = dict(data_needs(source, params))
        for name, origin in used_data(source, params).items():
            choice = chosen[name]
            used[name if choice == own[name] else f"{name}={choice}"] = origin
    return used


def data_here(source: DemoSource, kept: str, *, anywhere: bool) -> str:
    """What a data set of a ledger's line is on this machine; empty if it is not here.

    Args:
        kept: What `claim_data` calls it.
        anywhere: Look at a path, too, where the line or the demo names one; see `missing_need`.
    """
    name, _, choice = kept.partition("=")
    params = {name: choice} if choice else {}
    if not (anywhere or dict(data_needs(source, params)).get(name, "") in NAMED):
        return ""
    return used_data(source, params).get(name, "")
