"""A course's demos run once somebody agreed, to this code in this folder."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SUM, MakeCourse, card, deck
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from vaeflash.cli import app
from vaeflash.cli.app import Settings
from vaeflash.cli.consent import ask_to_run
from vaeflash.course.consent import _contents, _path, code_of, code_of_texts, is_trusted, trust
from vaeflash.course.course import Course, bundled_root, open_course
from vaeflash.errors import CourseError

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
    ("file", "trusted"),
    [
        ("demos/two_and_two.py", False),
        ("demos/_helper.py", False),
        ("demos/deep/inside.py", False),
        ("demos/rules.txt", False),
        ("demos/no-suffix", False),
        ("demos/.hidden", False),
        ("demos/two_and_two.so", False),
        ("demos/__pycache__/two_and_two.cpython-311.pyc", False),
        (".venv/lib/python3.11/site-packages/torch/nn.py", True),
        ("cards/deck.md", True),
        ("ledger.jsonl", True),
    ],
)
def test_consent_is_to_the_demos_as_they_are(course: Course, file: str, *, trusted: bool) -> None:
    trust(course)
    path = course.root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as opened:
        opened.write("\n# only a comment")

    assert is_trusted(open_course(course.root)) is trusted


@pytest.mark.parametrize("place", ["outside", "course/notes"])
@pytest.mark.parametrize("file", ["helper.py", "rules.txt", "deep/rules.txt"])
def test_what_a_link_leads_to_counts(course: Course, tmp_path: Path, place: str, file: str) -> None:
    path = tmp_path / place / file
    path.parent.mkdir(parents=True)
    path.write_text("one")
    (course.root / "demos" / "folder").symlink_to(tmp_path / place)
    (course.root / "demos" / "file.txt").symlink_to(path)
    trust(course)
    path.write_text("other")

    assert not is_trusted(course)


def test_two_files_that_change_places_are_asked_about(course: Course) -> None:
    one, other = (course.root / "demos" / name for name in ("one.txt", "other.txt"))
    one.write_text("1")
    other.write_text("2")
    trust(course)
    one.write_text("2")
    other.write_text("1")

    assert not is_trusted(course)


def test_a_link_that_leads_elsewhere_now_is_asked_about(course: Course) -> None:
    demos = course.root / "demos"
    for name in ("a", "b"):
        (demos / name).mkdir()
        (demos / name / "rules.txt").write_text(name)
    (demos / "chosen").symlink_to("a")
    trust(course)
    (demos / "chosen").unlink()
    (demos / "chosen").symlink_to("b")

    assert not is_trusted(course)


def test_a_link_that_leads_nowhere_is_nothing_until_it_leads_somewhere(course: Course) -> None:
    target = course.root / "later.txt"
    (course.root / "demos" / "link.txt").symlink_to(target)
    trust(course)
    before = is_trusted(course)
    target.write_text("now")

    assert (before, is_trusted(course)) == (True, False)


def test_links_without_end_are_walked_once(course: Course) -> None:
    demos = course.root / "demos"
    (demos / "loop").symlink_to(demos)
    for level in range(30):  # two ways at each level: a thousand million paths
        (demos / f"level{level}").mkdir()
        for way in "ab":
            (demos / f"level{level}" / way).symlink_to(demos / f"level{(level + 1) % 30}")

    assert len(list(_contents(demos))) < 100


@pytest.mark.parametrize("name", ["pipe", "pipe.py", "deep/pipe"])
def test_what_is_no_file_is_refused_and_not_read(course: Course, name: str) -> None:
    pipe = course.root / "demos" / name
    pipe.parent.mkdir(exist_ok=True)
    os.mkfifo(pipe)

    with pytest.raises(CourseError, match=f"{name}: this is a device, a pipe or a socket"):
        code_of(course)


def test_a_device_behind_a_link_is_refused_and_not_read(course: Course) -> None:
    (course.root / "demos" / "endless.txt").symlink_to("/dev/zero")

    with pytest.raises(CourseError, match=r"endless\.txt: this is a device"):
        code_of(course)


def test_a_link_to_itself_is_told(course: Course) -> None:
    (course.root / "demos" / "self.py").symlink_to("self.py")

    with pytest.raises(CourseError, match=r"self\.py: cannot read this"):
        code_of(course)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from("abc"), st.text("ab\n", max_size=2), max_size=3))
def test_the_fingerprint_of_texts_is_that_of_the_files_that_hold_them(
    texts: dict[str, str],
) -> None:
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "demos").mkdir()
        for name, text in texts.items():
            (Path(root) / "demos" / name).write_text(text)

        assert code_of(Course(Path(root), "it", "It")) == code_of_texts(texts)


def test_consent_for_good_outlives_a_change(course: Course) -> None:
    trust(course, whatever_they_become=True)
    (course.root / "demos" / "two_and_two.py").write_text(SUM + "\n# changed")
    trust(course)  # which is less, and takes nothing back

    assert is_trusted(course)


def test_the_same_code_elsewhere_is_asked_about(course: Course, tmp_path: Path) -> None:
    trust(course)
    shutil.copytree(course.root, tmp_path / "copy")

    assert not is_trusted(open_course(tmp_path / "copy"))


def replaced(course: Course) -> Course:
    """Another course in the place of this one, with the same words in its course.toml."""
    shutil.copytree(course.root, course.root.with_name("other"))
    course.root.rename(course.root.with_name("moved away"))
    course.root.with_name("other").rename(course.root)
    return open_course(course.root)


def test_consent_for_good_is_to_this_folder_and_not_to_its_path(course: Course) -> None:
    trust(course, whatever_they_become=True)

    assert not is_trusted(replaced(course))


def test_consent_for_good_is_to_this_course(course: Course) -> None:
    trust(course, whatever_they_become=True)
    (course.root / "course.toml").write_text('id = "another"\ntitle = "Another"\n')

    assert not is_trusted(open_course(course.root))


def test_consent_to_some_code_holds_for_the_same_code_put_there_again(course: Course) -> None:
    trust(course)

    assert is_trusted(replaced(course))


OTHER_MEMORIES = ["[]", "3", "null", '"any"', "[" * 200_000, '{"cut', '{"x": NaN', "9" * 5000]


@pytest.mark.parametrize("memory", OTHER_MEMORIES, ids=range(len(OTHER_MEMORIES)))
def test_a_damaged_memory_asks_again_and_is_mended(course: Course, memory: str) -> None:
    trust(course)
    _path().write_text(memory)
    before = is_trusted(course)
    trust(course)

    assert (before, is_trusted(course)) == (False, True)


ENTRIES = ["any", "0123456789abcdef", 3, True, None, [], {}, {"course": "course"}, {"inode": "any"}]


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_an_entry_of_an_earlier_format_or_of_none_asks_again(course: Course, entry: object) -> None:
    trust(course)
    _path().write_text(json.dumps({str(course.root): entry}))

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
    """A keyboard that gives these lines; `meanwhile` happens before the first."""

    def __init__(self, replies: str, meanwhile: Callable[[], object] = bool) -> None:
        self.replies = iter(replies.split())
        self.meanwhile = meanwhile

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        self.meanwhile()
        return f"{next(self.replies, '')}\n"


def asked(
    course: Course, monkeypatch: pytest.MonkeyPatch, replies: str, meanwhile: Any = bool
) -> str:
    """Ask on a terminal; what is wrong with it then, if anything."""
    monkeypatch.setattr("sys.stdin", Terminal(replies, meanwhile))
    settings = Settings(course.root, no_color=True, debug=False)
    settings.err.console._force_terminal = True
    try:
        ask_to_run(settings, trusted=False)
    except CourseError as error:
        return error.problems[0].what
    return ""


@pytest.mark.parametrize(
    ("replies", "runs", "after_a_change"),
    [
        ("yes", True, False),
        ("Y", True, False),
        ("always always", True, True),
        ("a always", True, True),
        ("always yes", True, False),
        ("always a", False, False),
        ("always no", False, False),
        ("always", False, False),
        ("no", False, False),
        ("", False, False),
    ],
)
def test_the_question_takes_an_answer(
    course: Course,
    monkeypatch: pytest.MonkeyPatch,
    replies: str,
    *,
    runs: bool,
    after_a_change: bool,
) -> None:
    problem = asked(course, monkeypatch, replies)
    (course.root / "demos" / "more.py").write_text("")

    assert (problem, is_trusted(course)) == ("" if runs else "nothing was run.", after_a_change)


def test_consent_is_to_what_was_there_when_the_question_was(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = (course.root / "demos" / "two_and_two.py").write_text

    problem = asked(course, monkeypatch, "yes", lambda: change("import os"))

    assert (problem, is_trusted(course)) == ("the files changed while you were asked.", False)


def test_what_is_agreed_to_for_good_is_told_before(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(course, monkeypatch, "always no")

    told = " ".join(capsys.readouterr().err.split())
    assert "will then run without asking, whoever changes them" in told


TITLES = [
    'It" came with vaeflash. "',
    "It\n\n\nThe demos of your bundled course did not change. Go on? yes: ",
    "\x1b[2J\x1b[HIt\r\x08\x9b2K",
    "\u202egnihtyna si \u2066sihT\u2028",
    "your bundled course " * 1000,
]


@pytest.mark.parametrize("title", TITLES, ids=range(len(TITLES)))
def test_a_title_stays_in_its_quotes_on_its_line(
    make_course: MakeCourse,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    title: str,
) -> None:
    plain, hostile = make_course(name="plain"), make_course(name="hostile")
    (hostile.root / "course.toml").write_text(f'id = "hostile"\ntitle = {json.dumps(title)}\n')
    monkeypatch.setenv("COLUMNS", "1000")
    lines = []
    for course in (plain, hostile):
        asked(course, monkeypatch, "no")
        lines.append(capsys.readouterr().err.replace(str(course.root), "").split("\n"))

    others = [[line for line in told if "calls itself" not in line] for told in lines]
    (about,) = (line for line in lines[1] if "calls itself" in line)
    assert (others[1], about.count('"'), about[-2:], about.isprintable()) == (
        others[0],
        2,
        '".',
        True,
    )


# Courses of one's own


def command(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.chdir(folder)
    return CliRunner().invoke(app, list(arguments))


def test_a_new_course_may_run_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(tmp_path, monkeypatch, "new", "course", "mine")

    assert is_trusted(open_course(tmp_path / "mine"))


def test_a_new_course_may_not_run_what_it_becomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(tmp_path, monkeypatch, "new", "course", "mine")
    (tmp_path / "mine" / "demos" / "more.py").write_text("")

    assert not is_trusted(open_course(tmp_path / "mine"))


@pytest.mark.parametrize("file", ["somebody.py", "deep/rules.txt", "error_of_a_mean.so"])
def test_a_new_course_around_demos_that_lie_there_trusts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    path = tmp_path / "found" / "demos" / file
    path.parent.mkdir(parents=True)
    path.write_text("anything")
    done = command(tmp_path / "found", monkeypatch, "new", "course", ".")

    assert (done.exit_code, is_trusted(open_course(tmp_path / "found"))) == (0, False)


@pytest.mark.parametrize("always", [True, False])
def test_a_new_demo_says_that_a_question_will_come_unless_none_will(
    course: Course, monkeypatch: pytest.MonkeyPatch, *, always: bool
) -> None:
    trust(course, whatever_they_become=always)
    done = command(course.root, monkeypatch, "new", "demo", "more")

    assert ("vaeflash asks" in done.stdout) is not always


def test_a_module_where_python_was_started_is_not_imported(tmp_path: Path) -> None:
    for name in ("typer", "rich", "platformdirs"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')")
    asked = [sys.executable, "-m", "vaeflash", "--version"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.stdout.split()[:1], done.stderr) == (["vaeflash"], "")
