"""A site in a folder: brought up to date as a whole, and nobody else's file is harmed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vaeflash.errors import CourseError
from vaeflash.export.site import folder
from vaeflash.export.site.folder import MANIFEST, write_site
from vaeflash.files import write_atomically

SITE = {"index.html": b"index", "deck.html": b"deck", "media/a.png": b"a"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def files(out: Path) -> dict[str, bytes]:
    found = (path for path in out.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def test_a_first_export_writes_every_file(out: Path) -> None:
    assert write_site(out, "c", SITE) == (tuple(SITE), ())
    assert files(out) == SITE


def test_what_did_not_change_is_not_written_again(out: Path) -> None:
    write_site(out, "c", SITE)
    before = {path: path.stat().st_ino for path in out.rglob("*")}

    assert write_site(out, "c", SITE) == ((), ())
    assert {path: path.stat().st_ino for path in out.rglob("*")} == before


def test_a_changed_page_is_replaced_and_one_that_is_no_longer_ours_removed(out: Path) -> None:
    write_site(out, "c", SITE)
    now = {"index.html": b"new", "deck.html": b"deck"}

    assert write_site(out, "c", now) == (("index.html",), ("media/a.png",))
    assert files(out) == now
    assert not (out / "media").exists()


def test_a_page_that_was_deleted_comes_back(out: Path) -> None:
    write_site(out, "c", SITE)
    (out / "deck.html").unlink()

    assert write_site(out, "c", SITE) == (("deck.html",), ())


def test_other_files_of_the_folder_are_left_alone(out: Path) -> None:
    (out / "media").mkdir(parents=True)
    others = {"CNAME": b"x.org", "media/theirs.png": b"p", "notes.html": b"n"}
    for name, content in others.items():
        (out / name).write_bytes(content)
    write_site(out, "c", SITE)
    write_site(out, "c", {"index.html": b"index"})

    assert files(out) == others | {"index.html": b"index"}


def test_somebody_else_s_page_is_not_overwritten_and_nothing_is_written(out: Path) -> None:
    out.mkdir()
    (out / "deck.html").write_bytes(b"theirs")

    with pytest.raises(CourseError, match="not of an earlier export"):
        write_site(out, "c", SITE)

    assert files(out) == {"deck.html": b"theirs"}


def test_a_broken_link_in_the_way_is_somebody_else_s_too(out: Path, tmp_path: Path) -> None:
    out.mkdir()
    (out / "deck.html").symlink_to(tmp_path / "nowhere")

    with pytest.raises(CourseError, match="not of an earlier export"):
        write_site(out, "c", SITE)


def test_the_same_content_is_in_nobody_s_way(out: Path) -> None:
    write_site(out, "c", SITE)
    (out / MANIFEST).unlink()

    assert write_site(out, "c", SITE) == ((), ())


def test_a_page_that_was_changed_by_hand_is_not_removed(out: Path) -> None:
    write_site(out, "c", SITE)
    (out / "deck.html").write_bytes(b"my notes")

    assert write_site(out, "c", {"index.html": b"index"}) == ((), ("media/a.png",))
    assert files(out) == {"index.html": b"index", "deck.html": b"my notes"}


def test_a_file_in_place_of_the_folder_is_told(out: Path) -> None:
    out.write_text("")

    with pytest.raises(CourseError, match="this is a file; a site is a folder"):
        write_site(out, "c", SITE)


def test_a_folder_in_place_of_a_page_is_told(out: Path) -> None:
    (out / "deck.html").mkdir(parents=True)

    with pytest.raises(CourseError, match="a folder is where a page goes"):
        write_site(out, "c", SITE)


def test_a_folder_takes_one_course(out: Path) -> None:
    write_site(out, "c", SITE)

    with pytest.raises(CourseError, match="the site of another course, 'c'"):
        write_site(out, "d", SITE)


@pytest.mark.parametrize("where", ["../theirs.txt", "link/theirs.txt", "{root}/theirs.txt"])
def test_a_list_that_leads_out_of_the_folder_removes_nothing_there(
    out: Path, tmp_path: Path, where: str
) -> None:
    write_site(out, "c", SITE)
    (tmp_path / "theirs.txt").write_bytes(b"deck")
    (out / "link").symlink_to(tmp_path)
    manifest = json.loads((out / MANIFEST).read_text())
    manifest["files"][where.format(root=tmp_path)] = manifest["files"]["deck.html"]
    (out / MANIFEST).write_text(json.dumps(manifest))

    write_site(out, "c", SITE)

    assert (tmp_path / "theirs.txt").is_file()


def test_nothing_is_written_through_a_link_that_leads_out(out: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    out.mkdir()
    (out / "media").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(CourseError, match="a link leads out of the folder"):
        write_site(out, "c", SITE)

    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1, "course": "c", "files": {"a": 1}}', "[" * 100_000]
)
def test_a_damaged_list_is_told(out: Path, text: str) -> None:
    write_site(out, "c", SITE)
    (out / MANIFEST).write_text(text)

    with pytest.raises(CourseError, match="this list of the pages cannot be read"):
        write_site(out, "c", SITE)


@pytest.mark.parametrize("survivors", range(5))
def test_after_a_crash_the_next_export_goes_on(
    out: Path, monkeypatch: pytest.MonkeyPatch, survivors: int
) -> None:
    write_site(out, "c", SITE)
    later = {"index.html": b"later", "new.html": b"new", "more.html": b"more"}
    left = iter(range(survivors))

    def dies(path: Path, content: str | bytes, **options: Path) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write_atomically(path, content, **options)

    monkeypatch.setattr(folder, "write_atomically", dies)
    with pytest.raises(KeyboardInterrupt):
        write_site(out, "c", later)
    monkeypatch.setattr(folder, "write_atomically", write_atomically)
    write_site(out, "c", later)

    assert files(out) == later


def test_a_pipe_in_the_way_is_told_and_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.html")

    with pytest.raises(CourseError, match=r"a\.html: this file is not of an earlier export"):
        write_site(tmp_path, "c", {"a.html": b"x"})


def test_a_listed_file_that_no_folder_can_hold_is_passed_over(out: Path) -> None:
    write_site(out, "c", SITE)
    listed = json.loads((out / MANIFEST).read_text())
    listed["files"] |= {"a\0b": "x", "\ud800": "x"}
    (out / MANIFEST).write_text(json.dumps(listed))

    assert write_site(out, "c", SITE) == ((), ())
