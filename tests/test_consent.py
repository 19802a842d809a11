"""A course's demos run once somebody agreed, to this code in this folder."""

import shutil
from pathlib import Path

import pytest
from conftest import SUM, MakeCourse, card, deck
from typer.testing import CliRunner, Result

from vaeflash.cli import app
from vaeflash.consent import is_trusted, trust
from vaeflash.course import Course, bundled_root, open_course

META = ":demo two-and-two\n:claim total == 4\n:control a=3"


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    return make_course(cards={"deck": deck(card("it", META))}, demos={"two_and_two": SUM})


def run(course: Course, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--course", str(course.root), *arguments])


def test_the_bundled_course_needs_no_consent() -> None:
    assert is_trusted(open_course(bundled_root()))


def test_a_copy_of_the_bundled_course_does(tmp_path: Path) -> None:
    for name in ("cards", "demos"):
        shutil.copytree(bundled_root() / name, tmp_path / name)
    shutil.copy(bundled_root() / "course.toml", tmp_path)

    assert not is_trusted(open_course(tmp_path))


@pytest.mark.parametrize(
    ("file", "text", "trusted"),
    [
        ("demos/two_and_two.py", SUM + "\n# only a comment", False),
        ("demos/_helper.py", "", False),
        ("demos/deep/inside.py", "", False),
        ("helper.py", "", False),
        ("cards/deck.md", "# Another deck\n", True),
        ("ledger.jsonl", "", True),
    ],
)
def test_consent_is_to_the_code_as_it_is(
    course: Course, file: str, text: str, *, trusted: bool
) -> None:
    trust(course)
    path = course.root / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)

    assert is_trusted(open_course(course.root)) is trusted


def test_consent_for_good_outlives_a_change(course: Course) -> None:
    trust(course, whatever_they_become=True)
    (course.root / "demos" / "two_and_two.py").write_text(SUM + "\n# changed")
    trust(course)  # which is less, and takes nothing back

    assert is_trusted(course)


def test_the_same_code_elsewhere_is_asked_about(course: Course, tmp_path: Path) -> None:
    trust(course)
    shutil.copytree(course.root, tmp_path / "copy")

    assert not is_trusted(open_course(tmp_path / "copy"))


def test_a_damaged_memory_asks_again(course: Course) -> None:
    from vaeflash.consent import _path

    trust(course)
    _path().write_text('{"cut')

    assert not is_trusted(course)


@pytest.mark.parametrize("command", [["check"], ["demo", "two-and-two"], ["pilot", "it"]])
def test_without_a_terminal_nothing_runs_unless_trusted(course: Course, command: list[str]) -> None:
    done = run(course, *command)

    told = (
        "the demos of this course have not run here before, or have changed since." in done.stderr
    )
    assert (done.exit_code, told, done.stdout) == (2, True, "")


def test_trust_is_remembered(course: Course) -> None:
    codes = [run(course, "check", "-j0", *more).exit_code for more in ([], ["--trust"], [])]

    assert codes == [2, 0, 0]


@pytest.mark.parametrize("command", [["list"], ["show", "it"], ["why", "it"], ["lint"], ["doctor"]])
def test_reading_needs_no_consent(course: Course, command: list[str]) -> None:
    assert run(course, *command).exit_code == 0


class Terminal:
    """A screen and a keyboard that answers once."""

    def __init__(self, reply: str) -> None:
        self.reply = reply

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self.reply


@pytest.mark.parametrize(
    ("reply", "runs", "after_a_change"),
    [
        ("yes\n", True, False),
        ("Y\n", True, False),
        ("always\n", True, True),
        ("no\n", False, False),
        ("\n", False, False),
        ("", False, False),
    ],
)
def test_the_question_takes_an_answer(
    course: Course, monkeypatch: pytest.MonkeyPatch, reply: str, *, runs: bool, after_a_change: bool
) -> None:
    from vaeflash.cli.app import Settings
    from vaeflash.cli.consent import ask_to_run
    from vaeflash.errors import CourseError

    monkeypatch.setattr("sys.stdin", Terminal(reply))
    settings = Settings(course.root, no_color=True, debug=False)
    settings.err.console._force_terminal = True
    asked = True
    try:
        ask_to_run(settings, trusted=False)
    except CourseError:
        asked = False
    (course.root / "demos" / "more.py").write_text("")

    assert (asked, is_trusted(open_course(course.root))) == (runs, after_a_change)
