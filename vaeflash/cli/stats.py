"""`stats`: how well cards are kept, what comes back when, and how each deck stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vaeflash.cli.screen import Screen
from vaeflash.course.course import Course
from vaeflash.study.memory import Phase, day_of
from vaeflash.study.question import Question
from vaeflash.study.questions import catalogue_of
from vaeflash.study.reviews import CardState, DayCount, Store, open_store
from vaeflash.study.session import Clock

DAYS_AHEAD: Final = 14


RETENTION_DAYS: Final = 30


WEEKS: Final = 26


_SHADES: Final = "·░▒▓█"


_BAR: Final = 30
"""Columns of the longest bar."""


def print_stats(
    course: Course,
    screen: Screen,
    decks: Sequence[str] = (),
    *,
    as_json: bool = False,
    clock: Clock | None = None,
) -> None:
    """Print how well cards are kept, what comes back when, and how each deck stands."""
    questions = catalogue_of(course).chosen(course, decks)
    now = clock() if clock else datetime.now(UTC)
    with open_store() as store:
        today = day_of(now, store.zone)
        cards = list(dict.fromkeys(question.key.card for question in questions))
        days = store.days(course.id, cards)
        coming = store.forecast(course.id, now, cards)
        states = {state.key: state for state in store.states(course.id)}
        rows = _decks(store, course, questions, states, today)
    forecast = [
        (day, coming.get(day, 0)) for day in (today + timedelta(n) for n in range(DAYS_AHEAD))
    ]
    if as_json:
        screen.json("stats", _stats_json(course, today, days, forecast, rows))
        return
    parts: list[RenderableType] = [Text(course.title, style="bold"), Text()]
    if days:
        weeks = min(WEEKS, (screen.console.width - 4) // 2)
        parts += [
            _today_text(days, today),
            _retention_text(days, today),
            Text("\nDue", style="bold cyan"),
            _forecast_table(forecast, today),
            Text(f"\nAnswers in the last {weeks} weeks", style="bold cyan"),
            _heatmap(days, today, weeks),
            Text(),
        ]
    else:
        parts += [Text("Nothing answered yet: `vaeflash quiz` begins."), Text()]
    screen.print(Group(*parts, _deck_table(rows)))


def _decks(
    store: Store,
    course: Course,
    questions: Sequence[Question],
    states: Mapping[Any, CardState],
    today: date,
) -> list[dict[str, Any]]:
    """A row for each deck, in the course's order."""
    by_deck: dict[str, list[Question]] = {}
    for question in questions:
        by_deck.setdefault(question.deck.title, []).append(question)
    rows = []
    for title, asked in by_deck.items():
        known = [states.get(question.key, CardState(question.key)) for question in asked]
        phases = Counter(state.memory.phase for state in known)
        reviews, passed = _retained(
            store.days(course.id, list({question.key.card for question in asked})), today
        )
        rows.append(
            {
                "deck": title,
                "questions": len(asked),
                "new": phases[Phase.NEW],
                "learning": phases[Phase.LEARNING] + phases[Phase.RELEARNING],
                "review": phases[Phase.REVIEW],
                "due": sum(_is_due(state, today) for state in known),
                "suspended": sum(state.suspended for state in known),
                "flagged": sum(state.flag > 0 for state in known),
                "reviews": reviews,
                "passed": passed,
            }
        )
    return rows


def _is_due(state: CardState, today: date) -> bool:
    day = state.memory.due_day
    return day is not None and day <= today and state.is_asked(today)


def _retained(days: Sequence[DayCount], today: date) -> tuple[int, int]:
    """Answers to learned cards in the last days, and how many of them were not Again."""
    recent = [count for count in days if count.day > today - timedelta(days=RETENTION_DAYS)]
    return sum(count.reviews for count in recent), sum(count.passed for count in recent)


def _stats_json(
    course: Course,
    today: date,
    days: Sequence[DayCount],
    forecast: Sequence[tuple[date, int]],
    decks: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    reviews, passed = _retained(days, today)
    return {
        "course": course.id,
        "today": today.isoformat(),
        "retention": {"days": RETENTION_DAYS, "reviews": reviews, "passed": passed},
        "forecast": [{"day": day.isoformat(), "due": number} for day, number in forecast],
        "days": [
            {
                "day": count.day.isoformat(),
                "answers": count.answers,
                "new": count.new,
                "reviews": count.reviews,
                "passed": count.passed,
                "milliseconds": count.duration,
            }
            for count in days
        ],
        "decks": list(decks),
    }


def _share(passed: int, reviews: int) -> str:
    return f"{passed / reviews:.0%}" if reviews else "–"


def _today_text(days: Sequence[DayCount], today: date) -> Text:
    done = next((count for count in days if count.day == today), None)
    if done is None:
        return Text("Nothing answered today.", style="dim")
    minutes, seconds = divmod(done.duration // 1000, 60)
    word = "answer" if done.answers == 1 else "answers"
    return Text(
        f"Today {done.answers} {word} in {minutes}:{seconds:02d} min, {done.new} to new cards."
    )


def _retention_text(days: Sequence[DayCount], today: date) -> RenderableType:
    reviews, passed = _retained(days, today)
    if not reviews:
        return Text("No learned card has come back yet, so nothing is known of retention.", "dim")
    told = f"  {passed} of {reviews} learned cards known, in {RETENTION_DAYS} days; the plan is 90%"
    return Text.assemble(("Retention ", "bold cyan"), _share(passed, reviews), (told, "dim"))


def _forecast_table(forecast: Sequence[tuple[date, int]], today: date) -> RenderableType:
    most = max(number for _, number in forecast) or 1
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right")
    for day, number in forecast:
        name = "today" if day == today else f"{day:%a} {day.day:2d}"
        grid.add_row(
            Text(name, style="bold" if day == today else ""),
            Text(str(number)),
            Text("█" * -(-number * _BAR // most), style="green"),
        )
    return grid


def _heatmap(days: Sequence[DayCount], today: date, weeks: int) -> RenderableType:
    """A column for each week, a row for each weekday, darker for more answers."""
    answers = {count.day: count.answers for count in days}
    monday = today - timedelta(days=today.weekday(), weeks=weeks - 1)
    shown = [monday + timedelta(days=n) for n in range(7 * weeks)]
    most = max((answers.get(day, 0) for day in shown if day <= today), default=0)
    lines = []
    for weekday, name in enumerate(("Mon", "", "Wed", "", "Fri", "", "Sun")):
        cells = [
            _shade(answers.get(day, 0), most) if day <= today else " " for day in shown[weekday::7]
        ]
        lines.append(Text.assemble((f"{name:4}", "dim"), (" ".join(cells), "green")))
    lines.append(Text(f"    · none   █ {most}" if most else "    · none", style="dim"))
    return Group(*lines)


def _shade(answers: int, most: int) -> str:
    """Four shades of equal steps; none for no answer."""
    return _SHADES[-(-answers * (len(_SHADES) - 1) // most)] if answers else _SHADES[0]


def _deck_table(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("deck", ratio=1)
    names = ("new", "learning", "review", "due", "suspended")
    for name in (*names, "known"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(row["deck"].replace("::", " › "), style="bold"),
            *(str(row[name]) for name in names),
            _share(row["passed"], row["reviews"]),
        )
    return table
