"""One sitting at a terminal, told by keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.text import Text

from vaeflash.cli import quiz_view as view
from vaeflash.cli.keys import Keys
from vaeflash.cli.screen import problem_text
from vaeflash.errors import Problem, VaeflashError
from vaeflash.interrupts import Stopped
from vaeflash.study.memory import Rating
from vaeflash.study.reviews import Act, ConflictError, StoreError, Undone
from vaeflash.study.session import Asked, Session

if TYPE_CHECKING:
    from vaeflash.cli.app import Settings
    from vaeflash.judging.staleness import CurrentEvidence

_END: Final = ("q", "escape", "end")
_RATINGS: Final[Mapping[str, Rating]] = {str(int(rating)): rating for rating in Rating}
_ACTS: Final = {Act.BURY: "buried", Act.SUSPEND: "suspended", Act.FLAG: "flagged"}


class Sitting:
    """A session at a terminal, or told by lines.

    On a terminal the screen is cleared for each question, and drawn again when its size changes;
    elsewhere only what is new is printed.
    """

    def __init__(self, settings: Settings, session: Session, keys: Keys, *, trusted: bool) -> None:
        self._settings = settings
        self._session = session
        self._keys = keys
        self._trusted = trusted
        self._out = settings.out
        self._redraws = settings.out.console.is_terminal
        self._said: RenderableType | None = None
        self._seeds: Counter[str] = Counter()

    def run(self) -> None:
        """Ask until nothing is left, or the user ends."""
        with suppress(KeyboardInterrupt):
            while self._next():
                pass
        if self._redraws:
            self._out.console.clear()
        self._print_said()

    def _next(self) -> bool:
        """Ask the next question; whether to go on after it."""
        asked = self._session.next()
        if asked is None:
            return self._is_reopened()
        self._begin(asked)
        return self._ask()

    def _is_reopened(self) -> bool:
        """Whether, with nothing left to ask, what was done last is taken back."""
        last = self._session.last
        if last is None:
            return False
        key = "resize"
        while key == "resize":
            if self._redraws:
                self._out.console.clear()
            if self._said is not None:
                self._print(self._said)
            self._print(view.all_asked(f"{_named(last)}, {last.key.card}"))
            key = self._keys.press()
        self._said = None
        return key == "u" and self._undo()

    # One question

    def _begin(self, asked: Asked) -> None:
        self._question = asked.question
        self._pieces: list[RenderableType] = [view.front(asked.question)]
        self._printed = 0
        self._open = self._helping = False
        self._guesses: list[bool] = []
        self._claims = asked.question.predicted() if asked.question.is_prediction else ()
        self._show_claim()

    def _ask(self) -> bool:
        """Take keys until the question is dealt with; whether to go on with another."""
        while True:
            self._show()
            key = self._keys.press()
            if key == "resize":
                continue
            self._said = None
            if self._helping and key != "end":
                self._helping = False
                continue
            if key in _END:
                return False
            try:
                if self._handle(key):
                    return True
            except ConflictError as error:
                self._said = problem_text(error.problems[0], style="yellow")
                return True
            except StoreError as error:
                what = "this answer" if key in _RATINGS else "this"
                raise self._unstored(what, error) from error

    def _handle(self, key: str) -> bool:
        """Do what a key means now; whether that deals with the question."""
        match key:
            case "u":
                return self._undo()
            case "b" | "!":
                return self._put_aside(key)
            case "f":
                self._say("Flagged." if self._session.flag() else "The flag is gone.")
            case "?":
                self._help()
            case "1" | "2" | "3" | "4" if self._open:
                return self._rate(_RATINGS[key])
            case "d" if self._open:
                self._try_claims()
            case "h" | "r" if self._guessing:
                self._guess(holds=key == "h")
            case " " | "enter" if not self._open and not self._guessing:
                self._reveal()
            case "d":
                self._say("The demo would give the answer away; show that first.")
            case _:
                self._say(f"{self._hint} ? lists all keys.")
        return False

    def _unstored(self, what: str, error: StoreError) -> StoreError:
        """The same error, which says first what did not happen."""
        lost = Problem(
            f"card '{self._question.key.card}'",
            f"{what} was not stored, and the quiz ends here.",
            "What was stored before is kept.",
        )
        return StoreError(lost, *error.problems)

    @property
    def _guessing(self) -> bool:
        """Whether a prediction is still to be made."""
        return not self._open and len(self._guesses) < len(self._claims)

    @property
    def _hint(self) -> str:
        if self._open:
            return "1 to 4 tells how well you knew it."
        if self._guessing:
            return "h for holds, r for refuted."
        return "Space shows the answer."

    def _rate(self, rating: Rating) -> bool:
        after = self._session.answer(rating)
        self._said = view.stored(self._question.key.card, rating, after, self._session.scheduler)
        return True

    def _put_aside(self, key: str) -> bool:
        card = self._question.key.card
        if key == "b":
            self._session.bury()
            word = "Put aside" if self._session.cram else "Buried until tomorrow"
            self._say(f"{word}: {card}. u takes it back.")
        else:
            self._session.suspend()
            self._say(f"Suspended: {card}. u takes it back.")
        return True

    def _undo(self) -> bool:
        undone = self._session.undo()
        if undone is None:
            self._say("There is nothing to take back.")
            return False
        self._say(f"Taken back: {_named(undone)}, {undone.key.card}.")
        return True

    def _guess(self, *, holds: bool) -> None:
        self._guesses.append(holds)
        if self._guessing:
            self._show_claim()
        else:
            self._reveal()

    def _show_claim(self) -> None:
        if self._guessing:
            number = len(self._guesses)
            text = self._claims[number]
            self._pieces.append(view.predicted_claim(text, number + 1, len(self._claims)))

    def _reveal(self) -> None:
        entries = self._standing.entries(self._question.card)
        for text, holds in zip(self._claims, self._guesses, strict=True):
            self._pieces.append(view.verdict_of(text, entries, said_holds=holds))
        self._pieces.append(view.back(self._question, entries))
        self._session.reveal()
        self._open = True

    @cached_property
    def _standing(self) -> CurrentEvidence:
        from vaeflash.judging.staleness import current_evidence

        return current_evidence(self._settings.course)

    def _try_claims(self) -> None:
        """Run what the card's claims need, on another seed each time, none of them evidence."""
        from vaeflash.cli.consent import ask_to_run
        from vaeflash.cli.quiz_try import try_claims

        card = self._question.card
        if not card.claims:
            self._say("This card states no claim.")
            return
        seed = self._seeds[self._question.key.card]
        try:
            with self._keys.lent():
                ask_to_run(self._settings, trusted=self._trusted)
            self._add(view.trial_head(seed))
            for line in try_claims(self._settings, self._question, seed):
                self._add(line)
            self._seeds[self._question.key.card] += 1
        except Stopped:
            raise
        except KeyboardInterrupt:
            self._say("Stopped. Finished runs are kept.")
        except VaeflashError as error:
            self._said = Group(*(problem_text(problem) for problem in error.problems))

    # The screen

    def _say(self, text: str) -> None:
        self._said = Text(text, style="dim")

    def _help(self) -> None:
        if self._redraws:
            self._helping = True
        else:
            self._pieces.append(view.help_table())

    def _add(self, piece: RenderableType) -> None:
        """Show one thing more, while the rest is still at work."""
        self._pieces.append(piece)
        self._show(busy=True)

    def _show(self, *, busy: bool = False) -> None:
        """Draw all of the question, or print what is new of it."""
        if self._redraws:
            self._out.console.clear()
            self._printed = 0
        elif self._said is not None:
            self._print_said()
        if self._printed == 0 and self._session.current is not None:
            current, left = self._session.current, self._session.left
            self._print(view.header(current, left, cram=self._session.cram))
        fresh = [view.help_table()] if self._helping else self._pieces[self._printed :]
        for piece in fresh:
            self._print(piece)
        self._printed = len(self._pieces)
        if fresh and not busy and not self._helping:
            self._print(self._keys_now())
        if self._redraws and self._said is not None:
            self._print(view.aside(self._said))

    def _keys_now(self) -> RenderableType:
        if self._open:
            return view.rating_keys(self._session.plan, self._session.scheduler)
        return view.front_keys(guessing=self._guessing)

    def _print(self, piece: RenderableType) -> None:
        self._out.print(piece, width=min(self._out.console.width, view.WIDEST))

    def _print_said(self) -> None:
        if self._said is not None:
            self._print(self._said)
            self._said = None


def _named(undone: Undone) -> str:
    return view.RATINGS[undone.rating] if undone.rating else _ACTS[undone.act]
