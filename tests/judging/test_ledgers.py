"""Whose evidence: the course's where it can be written, else the user's own, laid over it."""

from __future__ import annotations

import json
import os
import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import COIN, MakeCourse, card, deck
from typer.testing import CliRunner

from vaeflash.cli import app
from vaeflash.course.consent import trust
from vaeflash.course.course import Course
from vaeflash.export.anki.evidence import claim_html as anki_claim
from vaeflash.export.site.claims import claim_html as page_claim
from vaeflash.judging.ledger import OWN, Entry, Ledger, read_ledger, write_ledger
from vaeflash.judging.ledgers import own_path, path_to_record, read_own
from vaeflash.judging.staleness import committed_evidence, current_evidence

META = ":demo coin\n:claim heads == 1\n:control rate=0"


def cli(course: Course, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["--course", str(course.root), *arguments])


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    made = make_course(cards={"deck": deck(card("it", META))}, demos={"coin": COIN})
    trust(made)
    return made


@pytest.fixture
def installed(course: Course, monkeypatch: pytest.MonkeyPatch) -> Course:
    """The course in a place where packages are installed."""
    places = {"purelib": str(course.root.parent), "platlib": str(course.root.parent)}
    monkeypatch.setattr(sysconfig, "get_path", lambda name: places[name])
    return course


def refuse(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Make folders read-only, to root as well."""
    access = os.access

    def refusing(path: str | Path, mode: int, **options: Any) -> bool:
        inside = any(Path(path).is_relative_to(folder) for folder in folders)
        return not (inside and mode & os.W_OK) and access(path, mode, **options)

    monkeypatch.setattr("os.access", refusing)


def checked(course: Course) -> Entry:
    """Check the course with its package as it is; the user's evidence."""
    cli(course, "check", "--jobs", "0")
    (entry,) = read_own(course)
    return entry


def test_a_check_of_a_course_that_can_be_written_writes_its_ledger(course: Course) -> None:
    cli(course, "check", "--jobs", "0")

    assert (len(read_ledger(course.ledger_path)), len(read_own(course))) == (1, 0)


def test_a_check_of_an_installed_course_changes_none_of_its_files(installed: Course) -> None:
    before = {p: p.read_bytes() for p in installed.root.rglob("*") if p.is_file()}
    cli(installed, "check", "--jobs", "0")

    assert {p: p.read_bytes() for p in installed.root.rglob("*") if p.is_file()} == before


def test_what_was_found_there_is_the_users_own(installed: Course) -> None:
    assert (checked(installed).status, checked(installed).own) == ("verified", True)


def test_a_course_that_cannot_be_written_leaves_evidence_with_the_user(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, course.root)

    assert checked(course).status == "verified"


def test_that_nothing_can_be_written_is_found_out_before_any_run(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, course.root, own_path(course).parents[2])
    module = course.root / "demos" / "coin.py"
    module.write_text(module.read_text() + f"\nopen({str(course.root / 'ran')!r}, 'w')\n")
    trust(course)
    done = cli(course, "check", "--jobs", "0")

    told = "cannot be written" in done.stderr
    assert (done.exit_code, told, (course.root / "ran").exists()) == (2, True, False)


def test_looking_for_a_place_leaves_nothing_behind(course: Course) -> None:
    before = sorted(course.root.rglob("*"))
    path_to_record(course)

    assert sorted(course.root.rglob("*")) == before


def test_the_next_check_goes_on_from_the_users_own_seeds(installed: Course) -> None:
    first = checked(installed).seeds
    cli(installed, "check", "--jobs", "0", "--add-seeds", "2")

    assert next(iter(read_own(installed))).seeds == first + 2


# What is shown


def theirs(course: Course, own: Entry, **changes: Any) -> None:
    """Give the course a ledger of its own."""
    write_ledger(course.ledger_path, Ledger([replace(own, **changes)]))


def shown(course: Course) -> bool:
    """Whether the user's own evidence is what counts."""
    ((_, it),) = course.cards()
    return current_evidence(course).entry(it, it.claims[0]).own


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({"date": "2020-01-01"}, True),
        ({"date": "2999-01-01"}, False),
        ({"date": "2999-01-01", "code": "another"}, True),
    ],
)
def test_what_is_current_counts_before_what_is_stale_then_the_later(
    installed: Course, changes: dict[str, str], own: bool
) -> None:
    theirs(installed, checked(installed), **changes)

    assert shown(installed) is own


def test_stale_evidence_of_ones_own_gives_way_to_the_courses(installed: Course) -> None:
    own = checked(installed)
    theirs(installed, own, date="2020-01-01")
    write_ledger(own_path(installed), Ledger([replace(own, code="another")]))

    assert not shown(installed)


def test_the_committed_standing_knows_nothing_of_it(installed: Course) -> None:
    checked(installed)

    assert len(committed_evidence(installed).as_ledger()) == 0


@pytest.mark.parametrize("command", [["list"], ["show", "it"], ["why", "it"]])
def test_it_is_shown_as_yours(installed: Course, command: list[str]) -> None:
    checked(installed)

    assert OWN in " ".join(cli(installed, *command).stdout.split())


def test_json_says_so_too(installed: Course) -> None:
    checked(installed)
    (claim,) = json.loads(cli(installed, "why", "it", "--json").stdout)["claims"]

    assert claim["own"] is True


@pytest.mark.parametrize("own", [True, False])
def test_exports_say_so_too(installed: Course, own: bool) -> None:
    entry = replace(checked(installed), own=own)
    ((_, it),) = installed.cards()
    (claim,) = it.claims
    told = anki_claim(claim, entry), page_claim(claim, entry)

    assert [OWN in text for text in told] == [own, own]


def test_check_says_where_it_was_recorded(installed: Course) -> None:
    assert str(own_path(installed)) in cli(installed, "check", "--jobs", "0").stdout.replace(
        "\n", ""
    )


# Whatever happens at the end


@pytest.fixture
def full(course: Course, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A course whose disk is full by the end of the check."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    return course


@pytest.mark.filterwarnings("ignore:runs are not remembered")
def test_verdicts_are_printed_though_they_cannot_be_recorded(full: Course) -> None:
    done = cli(full, "check", "--jobs", "0")

    assert (done.exit_code, "1 ✔ verified" in done.stdout, "No space" in done.stderr) == (
        2,
        True,
        True,
    )


@pytest.mark.filterwarnings("ignore:runs are not remembered")
def test_json_is_printed_though_it_cannot_be_recorded(full: Course) -> None:
    told = json.loads(cli(full, "check", "--jobs", "0", "--json").stdout)

    assert (told["claims"][0]["status"], "No space" in told["problems"][0]["what"]) == (
        "verified",
        True,
    )


def test_what_was_judged_before_a_ctrl_c_is_printed_and_recorded(
    make_course: MakeCourse,
) -> None:
    stops = COIN.replace(
        '"""One toss."""', "if params.scale == 9:\n        raise KeyboardInterrupt"
    )
    metas = [META, META.replace("heads", "heads[scale=9]")]
    cards = deck(*(card(f"card-{n}", meta) for n, meta in enumerate(metas)))
    course = make_course(cards={"deck": cards}, demos={"coin": stops})
    trust(course)
    done = cli(course, "check", "--jobs", "0", "--json")

    (claim,) = json.loads(done.stdout)["claims"]
    assert (done.exit_code, claim["card"], len(read_ledger(course.ledger_path))) == (
        130,
        "card-0",
        1,
    )
