"""Files are replaced whole or not at all."""

import inspect
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from vaeflash.errors import CourseError
from vaeflash.files import changing, check_writable, read_text, write_atomically


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


def test_what_a_link_leads_to_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real.md", tmp_path / "link.md"
    real.write_text("old")
    link.symlink_to("real.md")

    write_atomically(link, "new")

    assert (link.is_symlink(), real.read_text()) == (True, "new")


def test_what_a_dangling_link_leads_to_is_made(tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to("folder/real.md")

    write_atomically(tmp_path / "link.md", "new")

    assert (tmp_path / "folder" / "real.md").read_text() == "new"


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(CourseError, match="a: cannot write this: Too many levels of symbolic"):
        write_atomically(tmp_path / "a", "new")


def test_a_link_out_of_the_folder_that_it_must_stay_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "file").symlink_to("../elsewhere")

    with pytest.raises(CourseError, match="file: a link leads out of"):
        write_atomically(tmp_path / "course" / "file", "x", within=tmp_path / "course")

    assert not (tmp_path / "elsewhere").exists()


def no_file(kind: str, place: Path) -> Path:
    """Something that is there and is no file."""
    path = place / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to(os.devnull)  # not the device: a fault of ours would replace it
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))  # the whole path may be too long for a socket's
    return path


@pytest.mark.parametrize("write", [lambda path: write_atomically(path, "x"), check_writable])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "socket"])
def test_what_is_no_file_is_refused_and_left_as_it_is(
    tmp_path: Path, kind: str, write: Callable[[Path], None]
) -> None:
    path = no_file(kind, tmp_path)
    before = path.lstat()

    with pytest.raises(CourseError, match=rf"{kind}: this is a {kind}, where a file should go\."):
        write(path)

    assert (path.lstat().st_mode, path.lstat().st_ino) == (before.st_mode, before.st_ino)


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "mine"
    path.write_text("old")
    path.chmod(mode)

    write_atomically(path, "new")

    assert (path.stat().st_mode & 0o7777, path.read_text()) == (mode, "new")


def test_what_was_private_is_so_before_a_byte_of_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine"
    path.write_text("old")
    path.chmod(0o600)
    modes: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(
        "os.fsync", lambda file: (modes.append(os.fstat(file).st_mode & 0o777), fsync(file))
    )

    write_atomically(path, "new")

    assert modes == [0o600]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)
def test_root_leaves_a_file_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.write_text("old")
    os.chown(path, 1234, 1234)

    write_atomically(path, "new")

    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1234)


def test_a_text_without_utf_8_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    with pytest.raises(CourseError, match=r"a\.txt: cannot write this: character 3 of the text"):
        write_atomically(path, "abc\ud800")

    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "old")]


def test_the_longest_name_that_a_file_can_have_is_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("µ" * 127), "x")

    assert read_text(tmp_path / ("µ" * 127)) == "x"


@pytest.mark.parametrize(
    ("name", "why"),
    [("µ" * 128, "File name too long"), ("nul\0", "embedded null|leads to no file")],
)
@pytest.mark.parametrize(
    "use", [lambda path: write_atomically(path, "x"), check_writable, read_text]
)
def test_what_cannot_be_a_name_is_told(
    tmp_path: Path, name: str, why: str, use: Callable[[Path], object]
) -> None:
    with pytest.raises(CourseError, match=why):
        use(tmp_path / name)


def test_a_folder_that_takes_no_file_is_found_out_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked of a system that says no: root may write anywhere.
    monkeypatch.setattr("os.access", lambda folder, _: folder != tmp_path)

    with pytest.raises(CourseError, match=r"the folder .* cannot be written"):
        check_writable(tmp_path / "new" / "a.txt")


def count_up(path: Path, times: int) -> None:
    for _ in range(times):
        with changing(path):
            write_atomically(path, str(int(read_text(path)) + 1))


def test_threads_that_change_a_file_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "count"
    path.write_text("0")
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(count_up, path, 4) for _ in range(4)]:
            done.result()

    assert read_text(path) == "16"


@pytest.mark.slow
def test_processes_that_change_a_file_at_once_lose_nothing_and_leave_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "count"
    path.write_text("0")
    (tmp_path / "same").symlink_to("count")  # the lock is the file's, not the name's
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from vaeflash.files import changing, read_text, write_atomically\n"
        f"{inspect.getsource(count_up)}"
        "print('.', end='', flush=True)\n"
        "sys.stdin.read()\n"
        "count_up(Path(sys.argv[1]), 8)\n"
    )
    command = [sys.executable, "-c", script]
    with ExitStack() as stack:
        counting = [
            stack.enter_context(
                subprocess.Popen(
                    [*command, tmp_path / name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
            for name in ("count", "same")
        ]
        for process in counting:
            assert process.stdout
            process.stdout.read(1)  # both have begun
        for process in counting:
            assert process.stdin
            process.stdin.close()

    assert (read_text(path), sorted(p.name for p in tmp_path.iterdir())) == (
        "16",
        ["count", "same"],
    )


def test_without_a_lock_the_change_is_made_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    monkeypatch.setenv("VAEFLASH_CACHE", str(tmp_path / "cache"))

    with (
        pytest.warns(UserWarning, match="ledger: changed without a lock"),
        changing(tmp_path / "ledger"),
    ):
        write_atomically(tmp_path / "ledger", "evidence")

    assert read_text(tmp_path / "ledger") == "evidence"


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), MemoryError()])
def test_what_this_machine_is_short_of_does_not_keep_a_file_from_being_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(_: Path) -> None:
        raise error

    monkeypatch.setattr("vaeflash.files._lock", refuse)
    with pytest.warns(UserWarning, match="changed without a lock"), changing(tmp_path / "ledger"):
        write_atomically(tmp_path / "ledger", "evidence")

    assert read_text(tmp_path / "ledger") == "evidence"


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
