"""A second course, on principal components: whatever the bundled course can do, it can do too."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from latex2mathml.converter import convert
from typer.testing import CliRunner, Result

from vaeflash.card import Kind, Status
from vaeflash.cli import app
from vaeflash.course.course import Course, bundled_root, find_course, open_course
from vaeflash.course.demo_source import DemoSource
from vaeflash.course.fingerprint import fingerprint
from vaeflash.judging.cases import choose
from vaeflash.judging.check import check
from vaeflash.judging.ledger import Entry
from vaeflash.lab.bench import Bench
from vaeflash.lint import lint
from vaeflash.runs.in_process import import_demo, run_demo
from vaeflash.runs.known import Runs
from vaeflash.runs.needs import missing_need
from vaeflash.runs.processes import InProcess
from vaeflash.text.markdown import formulas, images
from vaeflash.text.tex import translate

ROOT = Path(__file__).parent / "courses" / "pca"
COURSE = open_course(ROOT)
CARDS = [card for _, card in COURSE.cards()]
TEXTS = [text for card in CARDS for text in (card.context, card.question, card.answer)]


def judged(course: Course) -> list[Entry | None]:
    """What the engine makes of every claim, on this machine's CPU."""
    outcomes = check(choose(course).items, Runs("cpu"), InProcess(), lambda _: None)
    return [outcome.entry for outcome in outcomes]


def demo(name: str) -> ModuleType:
    return import_demo(COURSE.demo(name))


def measure(name: str, seed: int = 0, **params: Any) -> dict[str, Any]:
    module = demo(name)
    return dict(module.run(module.Params(**params), Bench(seed)).metrics)


def cli(course: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--course", str(course), *arguments])


# Cards


def test_it_is_found_from_within() -> None:
    assert find_course(start=ROOT / "cards") == COURSE


def test_lint_finds_nothing() -> None:
    assert [str(finding.problem) for finding in lint(COURSE)] == []


def test_it_has_every_kind_of_card_and_a_picture() -> None:
    shown = [image for text in TEXTS for image in images(text)]

    assert ({card.kind for card in CARDS}, len(shown)) == (set(Kind), 1)


def test_every_claim_is_read_and_has_a_control() -> None:
    selection = choose(COURSE)

    assert (
        [item.where for item in selection.items if not item.controls],
        selection.unreadable,
        len(selection.items),
    ) == ([], (), sum(len(card.claims) for card in CARDS))


def test_every_formula_is_tex_to_a_second_reader_and_readable_on_the_terminal() -> None:
    found = [tex for text in TEXTS for tex in formulas(text)]

    assert [tex for tex in found if not convert(tex) or translate(tex) is None] == []


# The command line


def test_the_list_has_every_card_and_demo() -> None:
    document = json.loads(cli(ROOT, "list", "--json").stdout)

    assert (
        document["course"],
        [card["id"] for deck in document["decks"] for card in deck["cards"]],
        [found["name"] for found in document["demos"]],
    ) == ("pca-course", [card.id for card in CARDS], list(COURSE.demo_paths))


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_a_card_is_shown_with_its_claims(card: Any) -> None:
    done = cli(ROOT, "show", card.id)

    # A long claim is wrapped to the terminal's width.
    shown = " ".join(done.stdout.split())
    claims = [claim.text for claim in card.claims if claim.text not in shown]
    assert (done.exit_code, card.title in shown, claims) == (0, True, [])


def notes(course: Path, package: Path) -> list[str]:
    """The identity of each note in the Anki package of a course."""
    assert cli(course, "export-anki", "-o", str(package)).exit_code == 0
    with zipfile.ZipFile(package) as archive:
        content = archive.read("collection.anki2")
    database = sqlite3.connect(":memory:")
    database.deserialize(content)
    found = [guid for (guid,) in database.execute("select guid from notes")]
    database.close()
    return found


def test_the_package_has_a_note_for_each_card_and_the_picture(tmp_path: Path) -> None:
    found = notes(ROOT, tmp_path / "x.apkg")

    with zipfile.ZipFile(tmp_path / "x.apkg") as archive:
        pictures = json.loads(archive.read("media"))
    assert (len(set(found)), len(pictures)) == (len(CARDS), 1)


@pytest.mark.slow
def test_its_notes_are_none_of_the_bundled_course(tmp_path: Path) -> None:
    own, bundled = notes(ROOT, tmp_path / "x.apkg"), notes(bundled_root(), tmp_path / "y.apkg")

    assert set(own) & set(bundled) == set()


def test_the_same_cards_in_another_course_are_other_notes(copied: Path, tmp_path: Path) -> None:
    description = copied / "course.toml"
    description.write_text(description.read_text().replace("pca-course", "vaeflash"))
    own, others = notes(ROOT, tmp_path / "x.apkg"), notes(copied, tmp_path / "y.apkg")

    assert (len(others), set(own) & set(others)) == (len(CARDS), set())


# Demos


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The course somewhere else, to be changed."""
    return Path(shutil.copytree(ROOT, tmp_path / "copied"))


SOURCES = [COURSE.demo(name) for name in COURSE.demo_paths]
RUNNABLE = [source for source in SOURCES if not missing_need(source, "cpu")]


@pytest.mark.parametrize("source", RUNNABLE, ids=lambda source: source.name)
def test_the_defaults_run_and_measure_what_the_source_says(source: DemoSource) -> None:
    run = run_demo(source, {}, seed=0)

    assert (run.error, run.metrics.keys() - {"error"}) == ("none", set(source.metrics or ()))


@pytest.mark.parametrize("name", ["covariance-tf32", "eckart-young"])
def test_a_change_in_a_shared_helper_changes_the_code(copied: Path, name: str) -> None:
    source = COURSE.demo(name)
    helper = copied / "demos" / "_data.py"
    helper.write_text(helper.read_text().replace(".sqrt()", ""))

    assert fingerprint(copied / "demos" / source.path.name) != source.fingerprint


def test_where_the_course_lies_does_not_change_the_code(copied: Path) -> None:
    source = COURSE.demo("eckart-young")

    assert fingerprint(copied / "demos" / source.path.name) == source.fingerprint


def test_the_worked_example_is_what_numpy_makes_of_it() -> None:
    covariance = np.cov(np.array(demo("worked-example").POINTS).T, bias=True)
    smallest, largest = np.linalg.eigvalsh(covariance)
    measured = measure("worked-example")

    assert (measured["smallest"], measured["largest"]) == pytest.approx((smallest, largest))


@pytest.mark.slow
@given(keep=st.integers(1, 12), seed=st.integers(0, 99))
def test_the_loss_is_the_distance_to_the_nearest_matrix_of_that_rank(keep: int, seed: int) -> None:
    helper = import_demo(COURSE.demo("eckart-young"))
    bench = Bench(seed)
    turn = helper.rotation(12, bench.generator("turn"))
    x = helper.draw(200, helper.SPECTRA["falling"], turn, bench.generator("examples")).numpy()
    u, s, vt = np.linalg.svd(x - x.mean(0), full_matrices=False)
    nearest = (u[:, :keep] * s[:keep]) @ vt[:keep]
    distance = ((x - x.mean(0) - nearest) ** 2).sum(1).mean()

    assert measure("eckart-young", seed, keep=keep)["loss"] == pytest.approx(distance, abs=1e-9)


def test_data_vary_as_much_as_they_were_told_to() -> None:
    helper = demo("eckart-young")
    generator = torch.Generator().manual_seed(0)
    turn = helper.rotation(3, generator)
    x = helper.draw(100_000, [4.0, 1.0, 0.25], turn, generator)

    assert (x @ turn).square().mean(0).tolist() == pytest.approx([4.0, 1.0, 0.25], rel=0.03)


def test_shuffling_keeps_every_column_and_breaks_the_rows() -> None:
    x = torch.arange(400.0).reshape(200, 2)
    (shuffled,) = demo("shuffled-columns").shuffled_columns(x, 1, torch.Generator().manual_seed(0))

    together = (shuffled[:, 1] - shuffled[:, 0] == 1).sum()
    assert (torch.equal(shuffled.sort(0).values, x), int(together) < 20) == (True, True)


def test_the_order_of_rows_changes_no_eigenvalue() -> None:
    shares = [
        measure("shuffled-columns", shuffle=shuffle)["first_share"] for shuffle in ("none", "rows")
    ]

    assert shares[0] == pytest.approx(shares[1], rel=1e-12)


# The check


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry | None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAEFLASH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return judged(COURSE)


@pytest.mark.slow
def test_every_claim_comes_out_as_stated_where_it_can_run(entries: list[Entry | None]) -> None:
    expected = [
        Status.NOT_RUN
        if "cuda" in COURSE.demo(claim.demo).needs
        else Status.BUSTED
        if claim.myth
        else Status.VERIFIED
        for card in CARDS
        for claim in card.claims
    ]

    assert [entry and entry.status for entry in entries] == expected


def test_no_seed_is_said_to_change_nothing(entries: list[Entry | None]) -> None:
    assert {entry and entry.note for entry in entries} == {"", "the demo needs a CUDA device"}


def test_its_ledger_is_current_and_follows_from_its_values() -> None:
    """Not-run is no failure: the one claim that needs a GPU was never checked on one."""
    done = cli(ROOT, "check", "--locked", "--json")

    claims = json.loads(done.stdout)["claims"]
    notes = {claim["note"] for claim in claims if claim["status"] == "not-run"}
    assert (done.exit_code, notes) == (0, {"the demo needs a CUDA device"}), done.output


@pytest.mark.slow
def test_what_its_verdicts_rest_on_is_told_for_each_card() -> None:
    told = [cli(ROOT, "why", str(card.id)) for card in CARDS]

    assert {(done.exit_code, done.stderr) for done in told} == {(0, "")}
