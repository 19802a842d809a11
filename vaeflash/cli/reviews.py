"""`orphans` and `export-reviews`: what happened to cards, those that are gone as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from vaeflash.cli.screen import Screen
from vaeflash.course.course import Course
from vaeflash.study.memory import Rating, day_of, from_milliseconds
from vaeflash.study.questions import catalogue_of
from vaeflash.study.reviews import open_store


def print_orphans(course: Course, screen: Screen, *, as_json: bool = False) -> None:
    """Print the cards that were studied and that the course no longer has; nothing is deleted."""
    with open_store() as store:
        found = store.orphans(
            course.id, [question.key for question in catalogue_of(course).questions]
        )
    if as_json:
        rows = [
            {"card": s.key.card, "template": s.key.template, "memory": s.memory.to_dict()}
            for s in found
        ]
        screen.json("orphans", {"course": course.id, "orphans": rows})
        return
    for state in found:
        told = f"{state.memory.reps} answer{'' if state.memory.reps == 1 else 's'}"
        if state.memory.last_review is not None:
            told += f", the last on {day_of(state.memory.last_review)}"
        screen.print(
            Text.assemble((state.key.card, "bold"), f"  {state.key.template}  ", (told, "dim"))
        )
    if found:
        screen.note("Their reviews are kept: a card with the same id goes on from there.")
    else:
        screen.plain("Every card with reviews is in the course.")


def print_reviews(course: Course, screen: Screen, *, as_json: bool = False) -> None:
    """Print everything that happened to a course's cards, in order."""
    with open_store() as store:
        log = list(store.log(course.id))
    if as_json:
        screen.json("export-reviews", {"course": course.id, "log": log})
        return
    for entry in log:
        when = from_milliseconds(entry["at"]).astimezone()
        name = f"{entry['card']}/{entry['template']}"
        screen.plain(f"{entry['number']:5}  {when:%Y-%m-%d %H:%M:%S}  {name}  {_what(entry)}")


def _what(entry: Mapping[str, Any]) -> str:
    if entry["what"] == "undo":
        return f"takes back number {entry['undoes']}"
    return f"{_deed(entry)}{'  (taken back)' if entry['undone'] else ''}"


def _deed(entry: Mapping[str, Any]) -> str:
    match entry["what"]:
        case "answer":
            return Rating(entry["rating"]).name.capitalize()
        case "bury":
            return f"buried until {entry['until']}"
        case "flag":
            return f"flag {entry['value']}" if entry["value"] else "flag gone"
        case _:
            return "suspended" if entry["value"] else "asked again"
