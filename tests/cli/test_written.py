"""Commands that write find out first whether they can, and lose nothing while they do."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import pytest
from conftest import SUM, MakeCourse, card, deck
from typer.testing import CliRunner, Result

from vaeflash.cli import app
from vaeflash.course.consent import is_trusted, trust
from vaeflash.course.course import Course
from vaeflash.export.anki.memory import ExportMemory, Remembered
from vaeflash.judging.ledger import Entry, Ledger, read_ledger
from vaeflash.judging.recording import record

CLAIM = ":demo sum\n:claim total == 4\n:control a=3"
HALF = SUM.replace(
    "    if params.fail:",
    "    import os\n"
    "    if params.fail == 'half' or os.environ.get('HALF'):\n"
    "        raise ValueError('half of \\ud800')\n"
    "    if params.fail:",
).replace('"half":', '"word": "\\ud83d", "half":')
"""Measures and raises texts that no file takes: halves of characters."""


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command on a trusted course, in an empty working folder, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(course: Course, *words: str) -> Result:
        trust(course, whatever_they_become=True)
        return CliRunner().invoke(app, ["--course", str(course.root), *words])

    return run


def course_of(make_course: MakeCourse, *metas: str) -> Course:
    cards = [card(f"card-{number}", meta) for number, meta in enumerate(metas)]
    return make_course(cards={"deck": deck(*cards)}, demos={"sum": HALF})


@pytest.mark.parametrize(
    ("command", "work"),
    [
        (["export-anki", "-o", "place"], "vaeflash.export.anki.build_package"),
        (["export-html", "-o", "place"], "vaeflash.export.site.build_site"),
        (["import", "notes.md", "-o", "place", "--force"], "vaeflash.cli.import_deck.read_deck"),
        (["demo", "sum", "--out", "place"], "vaeflash.cli.demo.run_demo"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
@pytest.mark.parametrize("kind", ["pipe", "device", "long"])
def test_what_cannot_be_written_is_told_before_any_work(
    cli: Any,
    make_course: MakeCourse,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    work: str,
    kind: str,
) -> None:
    Path("notes.md").write_text(deck(card("a", "")))
    place = "x" * 256 if kind == "long" else "place"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "device":
        Path(place).symlink_to(os.devnull)
    worked: list[str] = []
    monkeypatch.setattr(work, lambda *_, **__: worked.append(work))

    done = cli(course_of(make_course, CLAIM), *(place if w == "place" else w for w in command))

    told = done.stderr.startswith(place)
    assert (done.exit_code, told, worked) == (2, True, [])


def test_figures_that_cannot_be_kept_are_not_drawn(
    cli: Any, make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = course_of(make_course, CLAIM)
    (course.root / "figures").write_text("a file where the folder should be")
    worked: list[object] = []
    monkeypatch.setattr("vaeflash.cli.figures.run_demo", lambda *_: worked.append(_))

    done = cli(course, "figures")

    assert (done.exit_code, "figures/sum/index.json: cannot write" in done.stderr, worked) == (
        2,
        True,
        [],
    )


def test_a_linked_deck_is_stamped_where_it_really_is(cli: Any, make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": deck(card("one", "")).replace(" {#one}", "")})
    link = course.root / "cards" / "deck.md"
    real = link.rename(course.root / "real.md")
    real.chmod(0o600)
    link.symlink_to("../real.md")

    cli(course, "id")

    assert (link.is_symlink(), "{#about-one}" in real.read_text(), real.stat().st_mode & 0o777) == (
        True,
        True,
        0o600,
    )


def test_half_a_character_loses_no_evidence(cli: Any, make_course: MakeCourse) -> None:
    raises = ":demo sum\n:claim total[fail=half] == 4"
    measures = ':demo sum\n:claim word != "x" and total == 4\n:control a=3'
    course = course_of(make_course, CLAIM, raises, measures)

    cli(course, "check", "-j0")

    entries = list(read_ledger(course.ledger_path))
    assert (len(entries), entries[1].note.endswith(r"half of \ud800."), entries[2].values) == (
        3,
        True,
        {"1000": {"word": r"\ud83d", "total": 4}},
    )


def test_half_a_character_is_the_same_evidence_again(cli: Any, make_course: MakeCourse) -> None:
    course = course_of(make_course, ":demo sum\n:claim total[fail=half] == 4")
    cli(course, "check", "-j0")
    first = course.ledger_path.read_bytes()

    cli(course, "check", "-j0", "--fresh")

    assert course.ledger_path.read_bytes() == first


def test_a_ledger_with_half_a_character_is_exported(cli: Any, make_course: MakeCourse) -> None:
    course = course_of(make_course, CLAIM)
    cli(course, "check", "-j0")
    row = json.loads(course.ledger_path.read_text()) | {"note": "\ud800", "device": "\udfff"}
    course.ledger_path.write_text(json.dumps(row) + "\n")

    codes = [cli(course, command).exit_code for command in ("export-anki", "export-html")]

    assert codes == [0, 0]


def test_records_of_checks_at_once_are_all_kept(make_course: MakeCourse) -> None:
    course = course_of(make_course, *[CLAIM] * 12)
    entries = [
        Entry(f"card-{n}", "total == 4", False, "sum", "verified", "holds") for n in range(12)
    ]
    with ThreadPoolExecutor(4) as checks:
        for done in [
            checks.submit(record, course, course.ledger_path, [entry]) for entry in entries
        ]:
            done.result()

    assert len(read_ledger(course.ledger_path)) == 12


def test_a_ledger_is_not_written_out_of_the_course(cli: Any, make_course: MakeCourse) -> None:
    course = course_of(make_course, CLAIM)
    course.ledger_path.symlink_to("../profile")

    done = cli(course, "check", "-j0")

    yours = "Recorded as yours" in done.stdout
    assert (done.exit_code, yours, Path("profile").exists()) == (0, True, False)


def test_consents_at_once_are_all_remembered(make_course: MakeCourse) -> None:
    courses = [make_course(demos={"sum": SUM}, name=f"course-{n}") for n in range(8)]
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(trust, course) for course in courses]:
            done.result()

    assert all(map(is_trusted, courses))


def test_exports_at_once_are_all_remembered(tmp_path: Path) -> None:
    def export(card: str) -> None:
        memory = ExportMemory(path)
        with memory.changing():
            memory.update({card: Remembered("text", 0, "deck", "card")}, {}, cards, 1)
            memory.save()

    path, cards = tmp_path / "memory.json", [f"card-{n}" for n in range(8)]
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(export, card) for card in cards]:
            done.result()

    assert sorted(json.loads(path.read_text())["notes"]) == cards


def full_disk(*_: object, **__: object) -> IO[bytes]:
    return open("/dev/full", "w+b")  # noqa: PTH123 -- in place of a temporary file


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk at hand")
def test_a_full_temporary_folder_is_told(
    cli: Any, make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", full_disk)

    done = cli(course_of(make_course, CLAIM), "export-anki")

    told = "temporary folder" in done.stderr and "No space left on device" in done.stderr
    assert (done.exit_code, told, Path("course.apkg").exists()) == (2, True, False)


def test_a_missing_temporary_folder_is_told(
    cli: Any, make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")

    done = cli(course_of(make_course, CLAIM), "export-anki")

    head = done.stderr.splitlines()[0]
    assert (done.exit_code, head.startswith("temporary folder /no/such/folder: cannot")) == (
        2,
        True,
    )


def test_a_ledger_s_text_is_always_such_as_a_file_takes() -> None:
    entry = Entry("a", "x < 1", False, "d", "error", "error", data={"faces": "\udcff #1"})

    assert r"\udcff #1" in json.loads(Ledger([entry]).to_text().encode())["data"]["faces"]
