"""A quiz as it is seen: its screens, its keys, lines from a pipe, and a real terminal."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

import pytest
from conftest import COIN, SUM, MakeCourse, card, deck
from rich.console import Console
from syrupy.assertion import SnapshotAssertion
from typer.testing import CliRunner

from vaeflash.cli import app
from vaeflash.cli.app import Settings
from vaeflash.cli.commands import studying  # noqa: F401
from vaeflash.cli.keys import LineKeys, open_keys
from vaeflash.cli.quiz import run_quiz
from vaeflash.cli.quiz_try import try_claims
from vaeflash.cli.screen import Screen
from vaeflash.course.consent import trust
from vaeflash.course.course import Course
from vaeflash.errors import CourseError
from vaeflash.judging.cases import choose
from vaeflash.judging.check import check
from vaeflash.judging.ledger import Ledger, write_ledger
from vaeflash.runs.known import Runs
from vaeflash.runs.processes import InProcess
from vaeflash.study.memory import NEW
from vaeflash.study.questions import catalogue_of
from vaeflash.study.reviews import CardKey, open_store

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
KL = r"""
#### KL divergence from the posterior to the prior {#kl-closed-form}

A diagonal Gaussian posterior with mean \( \mu \) and deviation \( \sigma \) is pulled towards
N(0, I) by a term of the loss that has a closed form, so nothing needs to be sampled for it.

:p What is the closed form of KL(q(z|x) || N(0, I)), in nats?
??x
\[ \tfrac12 \sum_d \left( \mu_d^2 + \sigma_d^2 - 1 - \log \sigma_d^2 \right) \]

```python
kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
```
x??

:demo    two-and-two
:claim   total == 4
:control a=3
:source  Kingma and Welling (2013), appendix B

"""
MYTH = ":demo coin\n:claim heads == 1\n:control rate=0\n:myth heads == 0\n:control rate=0"
CLOZE = "#### Holes {#holes}\n\n:p The loss is {{c1::the ELBO}}, turned around.\n\n:cloze\n\n"


class FakeKeys:
    """Fingers that press these keys and then end; `watch` is called before each."""

    def __init__(self, *presses: str, watch: object = None) -> None:
        self._presses = list(presses)
        self._watch = watch

    def press(self) -> str:
        if callable(self._watch):
            self._watch()
        if not self._presses:
            return "end"
        press = self._presses.pop(0)
        if press == "^C":
            raise KeyboardInterrupt
        return press

    def lent(self):
        return LineKeys(StringIO()).lent()


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Days and hours are those of Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def course_of(make_course: MakeCourse, *cards: str) -> Course:
    course = make_course(
        cards={"deck": deck(*cards, title="VAE::Loss")}, demos={"coin": COIN, "two_and_two": SUM}
    )
    trust(course, whatever_they_become=True)
    return course


def checked(course: Course) -> Course:
    """With the evidence gathered."""
    outcomes = check(choose(course).items, Runs(), InProcess(), lambda _: None)
    write_ledger(course.ledger_path, Ledger(o.entry for o in outcomes if o.entry))
    return course


def quiz(course: Course, *presses: str, width: int = 80, tty: bool = False, **options) -> str:
    """What is printed while these keys are pressed; on a terminal, all that was ever drawn."""
    settings = Settings(course.root, no_color=True, debug=False)
    console = Console(
        width=width, height=40, color_system=None, force_terminal=tty, legacy_windows=False
    )
    settings.out = settings.err = Screen(console)
    with console.capture() as capture:
        keys = options.pop("keys", None) or FakeKeys(*presses)
        run_quiz(settings, keys=keys, clock=lambda: START, **options)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def screens(printed: str) -> list[str]:
    """What was seen between clearings of the screen."""
    return printed.split("\x1b[2J\x1b[H")[1:]


def ratings() -> list[int]:
    with open_store() as store:
        return [int(review.rating) for review in store.reviews("course") if not review.undone]


# How it looks


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_question_and_its_answer_look_like_this(
    make_course: MakeCourse, snapshot: SnapshotAssertion, width: int
) -> None:
    course = checked(course_of(make_course, KL))
    printed = quiz(course, " ", "3", width=width, tty=True)
    torch_line = "says nothing beyond cpu, torch"
    shown = [
        "\n".join(line for line in screen.splitlines() if torch_line not in line)
        for screen in screens(printed)
    ]

    assert "\n=====\n".join(shown) == snapshot


def test_a_cloze_is_asked_with_its_hole_and_answered_without(make_course: MakeCourse) -> None:
    front, back = screens(quiz(course_of(make_course, CLOZE), " ", tty=True))[:2]

    assert "The loss is [...], turned around." in front
    assert "The loss is the ELBO, turned around." in back


def test_help_lists_the_keys_and_any_key_leaves_it(
    make_course: MakeCourse, snapshot: SnapshotAssertion
) -> None:
    printed = quiz(course_of(make_course, card("it", "")), "?", "3", tty=True)
    first, listed, again, *_ = screens(printed)

    assert (listed, first == again, ratings()) == (snapshot, True, [])


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("tty", [True, False])
def test_no_line_is_wider_than_the_terminal(make_course: MakeCourse, width: int, tty: bool) -> None:
    course = course_of(make_course, KL, card("myth", MYTH), CLOZE)
    printed = quiz(course, " ", "?", "x", "3", " ", "4", "h", "r", "d", "4", width=width, tty=tty)

    assert max(len(line.split("\x1b[H")[-1]) for line in printed.splitlines()) <= width


def test_a_new_size_draws_the_question_again(make_course: MakeCourse) -> None:
    first, second, *_ = screens(quiz(course_of(make_course, card("it", "")), "resize", tty=True))

    assert first == second


def test_card_text_is_no_markup(make_course: MakeCourse) -> None:
    text = (
        "#### q [bold] {#it}\n\n:p What is [/x] and q(z|x) [posterior]?\n??x\n[red]It[/red].\nx??\n"
    )
    printed = quiz(course_of(make_course, text), " ")

    assert all(part in printed for part in ("[bold]", "[/x]", "[posterior]", "[red]It[/red]"))


# What keys do


def test_what_is_said_to_be_stored_is_stored(make_course: MakeCourse) -> None:
    course = course_of(make_course, card("one", ""), card("two", ""))
    stored = []
    keys = FakeKeys(" ", "1", " ", "4", watch=lambda: stored.append(ratings()))
    quiz(course, keys=keys)

    assert stored == [[], [], [1], [1], [1, 4]]


def test_the_interval_above_a_key_is_the_one_that_is_stored(make_course: MakeCourse) -> None:
    printed = quiz(course_of(make_course, card("it", "")), " ", "4")
    with open_store() as store:
        days = store.state(CardKey("course", "it")).memory.interval
    above = next(line for line in printed.splitlines() if line.strip().startswith("1m"))

    assert above.split()[-1] == f"{days}d"


def test_a_rating_before_the_answer_is_shown_counts_for_nothing(make_course: MakeCourse) -> None:
    printed = quiz(course_of(make_course, card("it", "")), "3")

    assert (ratings(), "Space shows the answer." in printed) == ([], True)


def test_escape_leaves_the_help_and_not_the_quiz(make_course: MakeCourse) -> None:
    quiz(course_of(make_course, card("it", "")), "?", "escape", " ", "3", tty=True)

    assert ratings() == [3]


@pytest.mark.parametrize("end", ["q", "escape", "end", "^C"])
def test_a_quiz_can_end_at_any_time_and_keeps_everything(make_course: MakeCourse, end: str) -> None:
    course = course_of(make_course, card("one", ""), card("two", ""))
    printed = quiz(course, " ", "4", " ", end)

    assert (ratings(), "1 answer in 0:00 min: 1 Easy." in printed) == ([4], True)


def test_undo_asks_the_question_again(make_course: MakeCourse) -> None:
    course = course_of(make_course, card("one", ""), card("two", ""))
    printed = quiz(course, " ", "4", "u", " ", "1")

    assert (ratings(), "Taken back: Easy, one." in printed) == ([1], True)


def test_undo_reaches_an_earlier_quiz(make_course: MakeCourse) -> None:
    course = course_of(make_course, card("one", ""), card("two", ""))
    quiz(course, " ", "4")
    quiz(course, "u")

    assert ratings() == []


def test_the_last_answer_of_all_can_be_taken_back(make_course: MakeCourse) -> None:
    printed = quiz(course_of(make_course, card("it", "")), " ", "4", "u", " ", "1")

    assert "That is all for now. u takes back Easy, it; any other key ends." in printed
    assert ratings() == [1]


def test_a_card_buried_by_mistake_is_had_back_where_nothing_else_is_left(
    make_course: MakeCourse,
) -> None:
    course = course_of(make_course, card("it", ""))
    quiz(course, "b", "q")
    quiz(course, "u", " ", "4")

    assert ratings() == [4]


def test_a_quiz_with_nothing_to_ask_or_take_back_ends_by_itself(make_course: MakeCourse) -> None:
    assert "That is all" not in quiz(course_of(make_course))


def test_undo_of_nothing_says_so(make_course: MakeCourse) -> None:
    assert "nothing to take back" in quiz(course_of(make_course, card("it", "")), "u")


@pytest.mark.parametrize(("key", "word"), [("b", "Buried until tomorrow"), ("!", "Suspended")])
def test_a_card_is_put_aside(make_course: MakeCourse, key: str, word: str) -> None:
    course = course_of(make_course, card("one", ""), card("two", ""))
    printed = quiz(course, key, " ", "4")
    with open_store() as store:
        answered = [review.key.card for review in store.reviews("course")]

    assert (answered, f"{word}: one." in printed) == (["two"], True)


def test_a_suspended_card_can_be_had_back(make_course: MakeCourse) -> None:
    course = course_of(make_course, card("it", ""))
    quiz(course, "!")
    asked_nothing = "About it" not in quiz(course)

    assert (asked_nothing, "About it" in quiz(course, unsuspend=True)) == (True, True)


def test_a_flag_is_seen(make_course: MakeCourse) -> None:
    _, flagged, gone, *_ = screens(quiz(course_of(make_course, card("it", "")), "f", "f", tty=True))

    assert ("⚑ flagged" in flagged, "⚑ flagged" in gone) == (True, False)


def test_cramming_leaves_the_schedule_alone(make_course: MakeCourse) -> None:
    course = course_of(make_course, card("it", ""))
    printed = quiz(course, " ", "3", cram=True)
    with open_store() as store:
        memory = store.state(CardKey("course", "it")).memory

    assert (memory, "The schedule is as it was." in printed) == (NEW, True)


def test_a_deck_and_a_tag_choose_what_is_asked(make_course: MakeCourse) -> None:
    course = make_course(
        cards={
            "a": deck(card("plain", ""), title="A"),
            "b": deck(card("tagged", ":tags loss"), card("other", ""), title="B"),
        }
    )
    printed = quiz(course, " ", "4", decks=["b"], tags=["loss"])

    assert ("About tagged" in printed, "About plain" in printed, "About other" in printed) == (
        True,
        False,
        False,
    )


def test_an_unknown_deck_is_an_error_that_names_near_ones(make_course: MakeCourse) -> None:
    with pytest.raises(CourseError, match="Did you mean deck"):
        quiz(course_of(make_course, card("it", "")), decks=["dekc"])


# Predictions and demos


def prediction(make_course: MakeCourse, *presses: str, known: bool = True) -> str:
    """The screens of the prediction of a card with a claim and a myth."""
    course = course_of(make_course, card("it", MYTH))
    if known:
        checked(course)
    return quiz(course, " ", "4", *presses)


def test_a_prediction_is_judged_by_the_evidence(make_course: MakeCourse) -> None:
    printed = prediction(make_course, "h", "h")
    words = [line.split(":")[0].strip() for line in printed.splitlines() if "you said" in line]

    assert sorted(words) == ["not so", "right"]


def test_a_prediction_hides_the_verdict_until_it_is_made(make_course: MakeCourse) -> None:
    asked = prediction(make_course, " ", "3").partition("Holds or refuted?")[2]

    assert ("busted" in asked, "h for holds, r for refuted." in asked) == (False, True)


def test_a_prediction_without_evidence_says_that_it_goes_by_the_card(
    make_course: MakeCourse,
) -> None:
    assert "no run says so yet, but the card does" in prediction(make_course, "h", "h", known=False)


def test_the_demo_judges_each_claim_and_what_breaks_it(make_course: MakeCourse) -> None:
    printed = quiz(course_of(make_course, card("it", MYTH)), " ", "d")
    judged = printed.partition("The claims now  on seed 0")[2].splitlines()

    assert [line.split(maxsplit=1) for line in judged if line.strip()][:4] == [
        ["yes", "heads == 1"],
        ["no", "with rate=0"],
        ["no", "heads == 0"],
        ["yes", "with rate=0"],
    ]


def test_what_comes_out_as_it_should_is_green(make_course: MakeCourse) -> None:
    course = course_of(make_course, card("it", MYTH))
    settings = Settings(course.root, no_color=True, debug=False)
    question = catalogue_of(course).questions[0]
    words = [next(line.columns[0].cells) for line in try_claims(settings, question, 0)]

    assert [word.style for word in words] == ["green"] * 4


def test_the_demo_runs_on_another_seed_each_time(make_course: MakeCourse) -> None:
    printed = quiz(course_of(make_course, card("it", MYTH)), " ", "d", "d")

    assert ("on seed 0" in printed, "on seed 1" in printed) == (True, True)


def test_the_demo_leaves_evidence_and_question_alone(make_course: MakeCourse) -> None:
    course = course_of(make_course, card("it", MYTH))
    quiz(course, " ", "d", "3")

    assert (course.ledger_path.exists(), ratings()) == (False, [3])


def test_the_demo_is_not_run_before_the_answer_is_shown(make_course: MakeCourse) -> None:
    printed = quiz(course_of(make_course, card("it", MYTH)), "d")

    assert ("on seed" in printed, "give the answer away" in printed) == (False, True)


def test_a_demo_that_nobody_agreed_to_is_not_run(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": deck(card("it", MYTH))}, demos={"coin": COIN})
    printed = quiz(course, " ", "d", "3")

    assert ("on seed" in printed, "--trust" in printed, ratings()) == (False, True, [3])


def test_a_demo_that_breaks_is_told_and_the_quiz_goes_on(make_course: MakeCourse) -> None:
    course = course_of(
        make_course, card("it", ":demo two-and-two\n:claim total[fail=ValueError] == 4")
    )
    printed = quiz(course, " ", "d", "3")

    assert ("the demo raised ValueError" in printed, ratings()) == (True, [3])


def test_an_interrupted_demo_leads_back_to_the_card(make_course: MakeCourse) -> None:
    demo = COIN.replace("heads = ", "raise KeyboardInterrupt\n    heads = ")
    course = make_course(cards={"deck": deck(card("it", MYTH))}, demos={"coin": demo})
    trust(course, whatever_they_become=True)
    printed = quiz(course, " ", "d", "3")

    assert ("Stopped." in printed, ratings()) == (True, [3])


# From a pipe


def test_a_quiz_reads_lines_where_there_is_no_terminal(make_course: MakeCourse) -> None:
    course = course_of(make_course, card("one", ""), card("two", ""))
    done = CliRunner().invoke(app, ["--course", str(course.root), "quiz"], input="\n4\n \n1\nq\n")

    assert (done.exit_code, ratings()) == (0, [4, 1])


@pytest.mark.parametrize(
    ("text", "presses"),
    [("\n", ["enter"]), (" \n", [" "]), ("U\r\n", ["u"]), ("3", ["3"]), ("", [])],
)
def test_each_line_is_a_press(text: str, presses: list[str]) -> None:
    lines = LineKeys(StringIO(text))

    assert [*iter(lines.press, "end")] == presses


# In a real terminal


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_signal_is_seen_though_its_handler_has_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    # It came between the last instruction and the wait, so the interpreter knows and Python not.
    import pty

    here, there = pty.openpty()
    with os.fdopen(here, "wb", buffering=0) as hand, os.fdopen(there) as keyboard:
        monkeypatch.setattr(sys, "stdin", keyboard)
        with open_keys(interactive=True) as keys:
            signal.signal(signal.SIGCONT, lambda *_: None)
            signal.raise_signal(signal.SIGCONT)
            hand.write(b"4")
            presses = [keys.press(), keys.press()]

    assert presses == ["resize", "4"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
class TestTerminal:
    """The command in a pseudo-terminal."""

    @pytest.fixture
    def start(self, make_course: MakeCourse) -> Iterator[object]:
        import pty

        started = []

        def begin(*cards: str) -> Terminal:
            course = course_of(make_course, *cards)
            pid, descriptor = pty.fork()
            if pid == 0:
                os.environ |= {"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
                code = "import vaeflash.cli.commands.studying as s; s.app()"
                os.execv(
                    sys.executable,
                    [sys.executable, "-c", code, "--course", str(course.root), "quiz"],
                )
            started.append(Terminal(pid, descriptor))
            return started[-1]

        yield begin
        for terminal in started:
            terminal.close()

    def test_a_session_with_resize_and_interrupt(self, start) -> None:
        terminal = start(card("one", ""), card("two", ""), card("three", ""))
        terminal.resize(70)
        terminal.wait_for("About one")
        terminal.type(" ")
        terminal.wait_for("1 Again")
        terminal.type("\x1b[A4")  # an arrow key means nothing
        terminal.wait_for("About two")
        terminal.resize(61)
        terminal.wait_for("\n" + "─" * 61 + "\r")
        terminal.type("\r3")
        terminal.wait_for("About three")
        terminal.type("\x03")
        terminal.wait_for("2 answers")

        assert (terminal.exit_code(), ratings()) == (0, [4, 3])

    def test_the_terminal_is_left_as_it_was(self, start) -> None:
        import termios

        terminal = start(card("one", ""))
        before = termios.tcgetattr(terminal.descriptor)[3]
        terminal.wait_for("About one")
        during = termios.tcgetattr(terminal.descriptor)[3]
        terminal.type("q")
        terminal.wait_for("No answers given.")
        terminal.exit_code()

        assert (during != before, termios.tcgetattr(terminal.descriptor)[3]) == (True, before)

    def test_a_quiz_that_was_stopped_goes_on(self, start) -> None:
        import termios

        terminal = start(card("one", ""))
        cooked = termios.tcgetattr(terminal.descriptor)
        terminal.wait_for("About one")
        terminal.wait_for("all keys")
        termios.tcsetattr(terminal.descriptor, termios.TCSANOW, cooked)  # as a shell does
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.wait_for("all keys")
        terminal.type(" ")
        terminal.wait_for("1 Again")
        terminal.type("q")

        assert terminal.exit_code() == 0

    def test_a_killed_quiz_keeps_what_it_said_was_stored(self, start) -> None:
        terminal = start(card("one", ""), card("two", ""))
        terminal.wait_for("About one")
        terminal.type(" 4")
        terminal.wait_for("back in")
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.exit_code()

        with open_store() as store:
            assert (store.check(), ratings()) == ([], [4])


class Terminal:
    """The other end of a pseudo-terminal."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid, self.descriptor = pid, descriptor
        self._seen = ""  # without colours
        self._code: int | None = None

    def wait_for(self, text: str) -> None:
        """Read until a text was printed since the last one that was waited for."""
        import select

        until = time.monotonic() + 60
        while text not in self._seen:
            ready, _, _ = select.select([self.descriptor], [], [], 1)
            if ready:
                read = os.read(self.descriptor, 65536).decode(errors="replace")
                self._seen += re.sub(r"\x1b\[[\d;]*m", "", read)
            assert time.monotonic() < until, f"{text!r} never came:\n{self._seen}"
        self._seen = self._seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def resize(self, columns: int) -> None:
        import fcntl
        import struct
        import termios

        size = struct.pack("HHHH", 40, columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)

    def exit_code(self) -> int:
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def close(self) -> None:
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.exit_code()
        os.close(self.descriptor)
