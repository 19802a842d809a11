"""Files are replaced whole or not at all."""

import os
import threading
from pathlib import Path

import pytest

from vaeflash.errors import CourseError
from vaeflash.files import read_text, write_atomically


def test_a_written_file_reads_back(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "a.txt", "µ ≈ 0\n")

    assert read_text(tmp_path / "new" / "a.txt") == "µ ≈ 0\n"


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CourseError, match="No space left on device"):
        write_atomically(path, "new")

    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "old")]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CourseError, match=r"file/b\.txt: cannot write this"):
        write_atomically(tmp_path / "file" / "b.txt", "x")


def test_a_file_is_readable_by_others_as_the_umask_says(tmp_path: Path) -> None:
    (tmp_path / "by-hand").write_text("")
    write_atomically(tmp_path / "ours", "")

    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "by-hand").stat().st_mode


def test_bytes_that_are_not_text_are_named_by_position(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_bytes(b"# T\n\xff\xfe")

    with pytest.raises(CourseError, match=r"b\.md: this is not UTF-8 text \(byte 4"):
        read_text(tmp_path / "b.md")


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "bom.md").write_bytes(b"\xef\xbb\xbf# T")

    assert read_text(tmp_path / "bom.md") == "# T"


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="No such file"):
        read_text(tmp_path / "none.md")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(CourseError, match="pipe: this is no file but a folder, a pipe or a device"):
        read_text(tmp_path / "pipe")


def test_a_pipe_that_the_user_named_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=["text"])
    writer.start()

    text = read_text(path, piped=True)

    writer.join()
    assert text == "text"


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(3 << 20))

    with pytest.raises(CourseError, match="a: this is larger than 2 MiB"):
        read_text(tmp_path / "a", limit=2 << 20)


def test_a_name_that_holds_nul_leads_to_no_file(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="this leads to no file"):
        read_text(tmp_path / "a\0b")
