"""`lint`: what is wrong with the cards, without running anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from rich.text import Text

from vaeflash.cli.screen import Screen, problem_text
from vaeflash.course.course import Course


def lint_course(course: Course, screen: Screen, *, as_json: bool) -> bool:
    """Print every finding; whether none of them is an error."""
    from vaeflash.lint import Level, lint

    findings = lint(course)
    counts = Counter(finding.level for finding in findings)
    if as_json:
        rows = [{"level": f.level} | asdict(f.problem) for f in findings]
        screen.json("lint", {"course": course.id, "findings": rows})
        return not counts[Level.ERROR]
    styles = {Level.ERROR: "red", Level.WARNING: "yellow", Level.REPAIR: "cyan"}
    for finding in findings:
        style = styles[finding.level]
        screen.print(problem_text(finding.problem, finding.level, style), soft_wrap=True)
    cards = sum(len(reading.deck.cards) for _, reading in course.readings)
    told = ", ".join(
        f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in Level
    )
    screen.print(Text(f"{len(course.readings)} decks, {cards} cards: {told}.", style="bold"))
    return not counts[Level.ERROR]
