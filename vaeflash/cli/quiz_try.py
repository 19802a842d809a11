"""A card's claims on one seed, now: yes or no, and what each control makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.console import RenderableType

from vaeflash.card import Value
from vaeflash.cli.progress import Progressing
from vaeflash.cli.quiz_view import trial_line
from vaeflash.errors import VaeflashError
from vaeflash.judging.cases import Item, read_claim
from vaeflash.judging.one_seed import answer_now
from vaeflash.machine import choose_device
from vaeflash.runs.known import Runs
from vaeflash.study.question import Question

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings


def try_claims(settings: Settings, question: Question, seed: int) -> Iterator[RenderableType]:
    """Run what a card's claims need, and tell each answer as soon as it is known.

    Args:
        settings: Their course's demos must be allowed to run.
        question: Of the card.
        seed: One that is no evidence.

    Raises:
        VaeflashError: A claim cannot be read.
    """
    for claim in question.card.claims:
        item = read_claim(settings.course, question.card, claim, question.deck.path)
        stated = not claim.myth
        answer = _answer(settings, item, {}, seed)
        yield trial_line(answer, claim.text, "", as_stated=answer == stated)
        for control in item.controls:
            answer = _answer(settings, item, control.params, seed)
            yield trial_line(answer, claim.text, control.text, as_stated=answer != stated)


def _answer(settings: Settings, item: Item, control: Mapping[str, Value], seed: int) -> bool | str:
    """Yes or no, or why there is none."""
    with Progressing(settings.out, settings.err) as progress:
        runs = Runs(choose_device("auto"), track=progress.track)
        if missing := runs.missing(item.source):
            return missing
        try:
            return answer_now(item, control, seed, runs)
        except VaeflashError as error:
            return error.problems[0].what
