"""Standard output and standard error: cleaned for everybody, and honest when they are full."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys

import pytest
from conftest import COIN, MakeCourse, card, deck
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from vaeflash.cli import app
from vaeflash.cli.progress import Progressing
from vaeflash.cli.screen import CleanConsole, Screen, themed
from vaeflash.cli.streams import Gate, OutputError, Stream
from vaeflash.cli.text import CardMarkdown
from vaeflash.printable import printable

ORDER = "\x1b]0;owned\x07"
NASTY = st.text(
    st.one_of(
        st.characters(), st.sampled_from("\x1b\x9b\x9d\x07\r\b\x7f\u202e\u2028\U000e0041\ud800")
    )
)
OWN = re.compile(r"\x1b\[[0-9;]*m")
"""Colours."""


def console(width: int = 60) -> CleanConsole:
    return themed(
        CleanConsole(
            file=io.StringIO(), force_terminal=True, width=width, color_system="truecolor",
            legacy_windows=False,
        )
    )  # fmt: skip


def printed(item: object, **options: object) -> str:
    here = console()
    Screen(here).print(item, **options)
    return here.file.getvalue()


def table(text: str) -> Table:
    drawn = Table(text)
    drawn.add_row(Text(text))
    drawn.add_row(text)
    return drawn


WAYS = {
    "text": Text,
    "string": str,
    "styled": lambda text: Text.assemble((text, "bold"), "  ", (text, "dim")),
    "link": lambda text: Text(text, style=Style(link=text)),
    "table": table,
    "padding": lambda text: Padding(Text(text), 1),
    "panel": lambda text: Panel(text, title=Text(text)),
    "group": lambda text: Group(Text(text), text),
    "rule": lambda text: Rule(Text(text)),
    "markdown": CardMarkdown,
    "card's link": lambda text: CardMarkdown(f"[{text}](<{text}>) ![]({text}) ![{text}](x)"),
    "card's code": lambda text: CardMarkdown(f"```python\n{text}\n```"),
    "code": lambda text: Syntax(text, "python"),
}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=40)
@given(text=NASTY)
def test_however_a_text_is_printed_it_is_only_shown(way: str, text: str) -> None:
    told = OWN.sub("", printed(WAYS[way](text)))

    assert printable(told) == told


@pytest.mark.parametrize("way", WAYS)
def test_an_order_to_the_terminal_is_seen(way: str) -> None:
    told = OWN.sub("", printed(WAYS[way](ORDER)))

    assert "\ufffd]0;own" in told  # a column is as wide as the order is unseen


@pytest.mark.slow
@given(NASTY)
def test_a_table_keeps_its_shape(text: str) -> None:
    widths = {cell_len(line) for line in OWN.sub("", printed(table(text))).split("\n")[:-1]}

    assert len(widths) == 1


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1))
def test_safe_text_is_printed_as_it_is(text: str) -> None:
    assert OWN.sub("", printed(Text(text), soft_wrap=True)) == f"{text}\n"


@pytest.mark.parametrize("leads", ["https://example.org", "/%1b]52;c;aGk=%07"])
def test_the_terminal_is_told_of_no_link(leads: str) -> None:
    told = printed(CardMarkdown(f"[here]({leads}) and ![a picture]({leads})"))

    assert "\x1b]" not in told


def test_a_link_says_where_it_leads() -> None:
    told = printed(CardMarkdown("[here](https://example.org)"))

    assert OWN.sub("", told).strip() == "here (https://example.org)"


@pytest.mark.parametrize("act", ["out", "input", "log", "print_exception", "print_json"])
def test_a_console_has_no_way_around(act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = console()
    monkeypatch.setattr("builtins.input", lambda: "")
    try:
        int(ORDER)
    except ValueError:
        getattr(here, act)(*[f'"{ORDER[1:-1]}\x9b"'] * (act != "print_exception"))

    told = OWN.sub("", here.file.getvalue())
    assert printable(told) == told


def test_a_name_in_colons_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    Screen.output().json("show", {"title": ":snake:"})

    assert json.loads(capsys.readouterr().out)["title"] == ":snake:"


def test_progress_takes_no_markup() -> None:
    screen = Screen(console())
    with Progressing(screen, screen) as progress:
        list(progress.track([1], "[/red] [link=x]", None))

    assert "[/red] [link=x]" in screen.console.file.getvalue()


# Streams


def gated(stream: io.TextIOBase) -> Gate:
    return Gate(Stream(stream, "standard output"))


@given(st.lists(NASTY))
def test_whatever_is_written_on_a_stream_is_only_shown(texts: list[str]) -> None:
    written = io.StringIO(newline="")
    gated(written).writelines(texts)

    assert written.getvalue() == "".join(
        printable(text.replace("\r\n", "\n").replace("\r", "\n")) for text in texts
    )


def test_a_carriage_return_hides_nothing() -> None:
    written = io.StringIO(newline="")
    gated(written).write("10%\r20%\r\nwrong\rverified\n")

    assert written.getvalue() == "10%\n20%\nwrong\nverified\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_others_print_goes_through_the_gate(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, name, gated(written))
    print(ORDER, file=getattr(sys, name))

    assert written.getvalue() == "\ufffd]0;owned\ufffd\n"


def test_so_do_a_warning_and_the_traceback_that_ends_the_process() -> None:
    script = (
        "import warnings\n"
        "from vaeflash.cli.streams import guard_streams\n"
        "guard_streams()\n"
        f"warnings.warn({ORDER!r})\n"
        f"raise ValueError({ORDER!r})"
    )
    coloured = os.environ | {"FORCE_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, env=coloured
    )

    told = done.stderr.decode()
    assert (told.count("\ufffd]0;owned\ufffd\n"), printable(told) == told) == (2, True)


class Full(io.StringIO):
    """A device without room."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, _: str) -> int:
        raise OSError(self.number, "as the device has it")


def test_a_full_device_is_told() -> None:
    with pytest.raises(OutputError) as caught:
        gated(Full(errno.ENOSPC)).write("a")

    assert str(caught.value).startswith("standard output: cannot be written: as the device has it.")


def test_a_closed_pipe_is_nothing_to_tell() -> None:
    with pytest.raises(OutputError) as caught:
        gated(Full(errno.EPIPE)).write("a")

    assert caught.value.problems == ()


def test_who_goes_on_writing_is_told_again() -> None:
    stream = gated(Full(errno.ENOSPC))
    told = 0
    for _ in range(3):
        try:
            stream.write("a")
        except OutputError:
            told += 1

    assert told == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            "list >/dev/full",
            b"standard output: cannot be written: No space left on device.\n  What",
        ),
        ("--help >/dev/full", b"standard output: cannot be written: No space left on device.\n"),
        ("list >/dev/full 2>&1", b""),
        ("quiz <&-", b"standard input: it is closed, and this reads its keys there.\n"),
    ],
)
def test_a_stream_that_is_full_or_closed_is_one_problem(
    make_course: MakeCourse, command: str, told: bytes
) -> None:
    root = make_course(cards={"deck": deck(card("a", ""))}).root
    shell = f"exec {sys.executable} -m vaeflash --course {root} {command}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, check=False)

    assert (done.returncode, done.stderr[: len(told)], done.stderr.count(b"\n")) == (
        2,
        told,
        2 if told else 0,
    )


# What a demo prints

PRINTS = COIN.replace("    heads =", f"    print({ORDER!r})\n    heads =")


def test_what_a_demo_prints_is_no_part_of_a_document(make_course: MakeCourse) -> None:
    root = make_course(demos={"coin": PRINTS}).root
    done = CliRunner().invoke(
        app,
        ["--course", str(root), "demo", "coin", "--trust", "--json", "--out", str(root / "out")],
    )

    assert json.loads(done.stdout)["command"] == "demo"
    assert done.stderr == "\ufffd]0;owned\ufffd\n"


def test_prints_of_a_demo_in_the_same_process_stay_off_the_evidence(
    make_course: MakeCourse,
) -> None:
    meta = ":demo coin\n:claim heads == 1\n:control rate=0"
    root = make_course(cards={"deck": deck(card("a", meta))}, demos={"coin": PRINTS}).root
    done = CliRunner().invoke(
        app, ["--course", str(root), "check", "--trust", "--jobs", "0", "--json"]
    )

    assert json.loads(done.stdout)["command"] == "check"
