"""How a quiz looks: a question, its answer, what the keys do, and what was done in the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from vaeflash.cli.text import CardMarkdown
from vaeflash.printable import command
from vaeflash.study.memory import Memory, Rating
from vaeflash.study.question import Question
from vaeflash.study.schedule import Scheduler
from vaeflash.study.session import Asked, Left, Session

if TYPE_CHECKING:
    from vaeflash.judging.ledger import Entry

WIDEST: Final = 92
"""Columns; lines longer than this are hard to read."""

RATINGS: Final = {rating: rating.name.capitalize() for rating in Rating}
_STYLES: Final = {
    Rating.AGAIN: "red",
    Rating.HARD: "magenta",
    Rating.GOOD: "green",
    Rating.EASY: "cyan",
}
_WAYS: Final = {True: "holds", False: "refuted"}

HELP: Final = (
    ("space enter", "show the answer"),
    ("1 2 3 4", "Again, Hard, Good, Easy: how well you knew it"),
    ("h r", "holds, refuted: predict an experiment"),
    ("d", "run the card's demo now, on another seed each time, and judge its claims"),
    ("u", "take back what was done last, even in an earlier sitting"),
    ("b", "bury: not before tomorrow"),
    ("!", "suspend: not until `vaeflash quiz --unsuspend`"),
    ("f", "flag, or take the flag away"),
    ("?", "these keys"),
    ("q esc ^C", "end; everything is kept"),
)


def header(asked: Asked, left: Left, *, cram: bool) -> RenderableType:
    """The deck, and how much is left; what the question is of is underlined."""
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    name = Text(asked.question.deck.title.replace("::", " › "), style="dim")
    if asked.state.flag:
        name.append("  ⚑ flagged", style="not dim red")
    if cram:
        counts = Text(f"{left.new + left.learning + left.review} left, cramming", style="dim")
    else:
        counts = Text("  ").join(
            Text(f"{count} {word}", style=style)
            for count, word, style in (
                (left.new, "new", "cyan"),
                (left.learning, "learning", "red"),
                (left.review, "due", "green"),
            )
        )
    grid.add_row(name, counts)
    return Group(grid, Rule(style="dim"))


def front(question: Question) -> RenderableType:
    """What is asked: title, context, question."""
    shown = question.front()
    parts: list[RenderableType] = []
    if shown.title:
        parts.append(Text(shown.title, style="bold cyan"))
    if shown.context:
        parts.append(_apart(CardMarkdown(shown.context)))
    if shown.ask:
        parts.append(_apart(Text(shown.ask, style="bold")))
    if shown.text:
        parts.append(Padding(CardMarkdown(shown.text), (1, 0, 0, 2)))
    return Group(*parts)


def predicted_claim(text: str, number: int, total: int) -> RenderableType:
    """One claim of a prediction."""
    count = f"  {number} of {total}" if total > 1 else ""
    return Padding(Text.assemble((text, "bold"), (count, "dim")), (1, 0, 0, 2))


def verdict_of(text: str, entries: Iterable[Entry], *, said_holds: bool) -> RenderableType:
    """What came of a prediction: by the evidence where there is some, else by the card."""
    entry = next(entry for entry in entries if entry.claim == text)
    judged = entry.verdict in _WAYS.values()
    truth = entry.verdict if judged else _WAYS[not entry.myth]
    right = _WAYS[said_holds] == truth
    source = "the runs say" if judged else "no run says so yet, but the card does:"
    line = Text.assemble(
        ("right" if right else "not so", "green" if right else "red"),
        f": you said {_WAYS[said_holds]}, {source} ",
        (truth, "bold"),
    )
    return Padding(line, (0, 0, 0, 2))


def back(question: Question, entries: Sequence[Entry]) -> RenderableType:
    """The answer, and what is known of the card's claims."""
    from vaeflash.cli.show import evidence_text

    parts: list[RenderableType] = [_apart(Rule(style="dim")), CardMarkdown(question.back())]
    parts += [_apart(evidence_text(entry)) for entry in entries]
    where = [command("demo", name) for name in question.card.all_demos]
    below = [
        Text.assemble((f"{label:8}", "dim"), ", ".join(told))
        for label, told in (("run", where), ("source", question.card.sources))
        if told
    ]
    return Group(*parts, *([_apart(Text("\n").join(below))] if below else []))


def front_keys(*, guessing: bool) -> RenderableType:
    """What the keys do before the answer is shown."""
    if guessing:
        return _apart(Text.assemble(("h", "bold"), " holds   ", ("r", "bold"), " refuted"))
    return _apart(
        Text.assemble(("space", "bold"), " shows the answer   ", ("?", "bold"), " all keys")
    )


def rating_keys(plan: Mapping[Rating, Memory], scheduler: Scheduler) -> RenderableType:
    """The four answers, the next interval above each; no intervals when cramming."""
    grid = Table.grid(padding=(0, 4, 0, 0))
    for _ in Rating:
        grid.add_column(justify="center")
    if plan:
        grid.add_row(*(Text(scheduler.words(plan[rating]), style="dim") for rating in Rating))
    grid.add_row(
        *(
            Text.assemble((f"{rating:d}", "bold"), (f" {RATINGS[rating]}", _STYLES[rating]))
            for rating in Rating
        )
    )
    return Group(_apart(Rule(style="dim")), grid)


def stored(card: str, rating: Rating, after: Memory | None, scheduler: Scheduler) -> Text:
    """That an answer is on the disk, and when the card comes back; nothing when cramming."""
    text = Text.assemble((f"{RATINGS[rating]}", _STYLES[rating]), (f"  {card}", "dim"))
    if after is not None:
        text.append(f"  back in {scheduler.words(after)}", style="dim")
    return text


def trial_head(seed: int) -> RenderableType:
    """What the answers below are."""
    return _apart(Text.assemble(("The claims now", "bold"), (f"  on seed {seed}", "dim")))


def trial_line(answer: bool | str, text: str, control: str, *, as_stated: bool) -> RenderableType:
    """A claim on one seed, or what a control makes of it; or why there is no answer."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=4, justify="right")
    shown = Text(f"with {control}", style="dim") if control else Text(text, style="bold")
    if isinstance(answer, str):
        grid.add_row(Text("–", style="red"), shown.append(f"\n{answer}", style="not bold red"))
    else:
        word = Text("yes" if answer else "no", style="green" if as_stated else "red")
        grid.add_row(word, shown)
    return grid


def all_asked(last: str) -> RenderableType:
    """That no question is left, and what can still be taken back."""
    return Text.assemble(
        "That is all for now. ", ("u", "bold"), f" takes back {last}; any other key ends."
    )


def help_table() -> RenderableType:
    """What each key does."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    for keys, meaning in HELP:
        grid.add_row(Text(keys), Text(meaning))
    return grid


def summary(session: Session, tomorrow: int | None) -> RenderableType:
    """What was done in a sitting, and what comes next.

    Args:
        session: The sitting.
        tomorrow: How many questions are due then; none if nobody knows.
    """
    tally, left, waiting = session.tally, session.left, session.waiting
    answers = tally.ratings.total()
    line = Text("No answers given.")
    if answers:
        seconds = tally.spent // timedelta(seconds=1)
        given = [f"{number} {RATINGS[r]}" for r, number in sorted(tally.ratings.items()) if number]
        line = Text.assemble(
            (f"{answers} answer{'' if answers == 1 else 's'}", "bold"),
            f" in {seconds // 60}:{seconds % 60:02d} min: {', '.join(given)}.",
        )
    if session.cram:
        return Group(line, Text("The schedule is as it was.", style="dim"))
    ahead = [f"{left.new + left.review} left for today"] if left.new + left.review else []
    if waiting:
        clock = f"{waiting[0].astimezone(session.scheduler.zone):%H:%M}"
        ahead.append(f"{len(waiting)} in learning, the next at {clock}")
    if tomorrow is not None:
        ahead.append(f"{tomorrow} due tomorrow")
    if not ahead:
        return line
    return Group(line, Text(f"{', '.join(ahead)}.", style="dim"))


def aside(said: RenderableType) -> RenderableType:
    """A word about what the last key did."""
    return _apart(said)


def _apart(item: RenderableType) -> RenderableType:
    return Padding(item, (1, 0, 0, 0))
