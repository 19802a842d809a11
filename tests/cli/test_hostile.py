"""Whatever a stranger's course says, and wherever it says it, the terminal only shows it."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import COIN, MakeCourse, card, deck
from typer.testing import CliRunner, Result

from vaeflash.card import Status
from vaeflash.cli import app
from vaeflash.cli.app import complete_anything
from vaeflash.course.consent import trust
from vaeflash.course.course import Course, open_course
from vaeflash.judging.ledger import ControlEntry, Entry, Ledger, write_ledger
from vaeflash.machine import torch_minor
from vaeflash.study.reviews import CardKey, open_store

EVIL = "\x1b]52;c;b3du\x07\x9d0;own\x9c\u202eown\u2066\U000e0041\x7fown"
"""Writes the clipboard, names the window in two ways, turns what follows, hides a tag."""
SEEN = "own"
"""What is left of it on any line that shows it."""
OWN = re.compile(
    r"\r(?=\x1b|\Z|\n)|\x1b\[(?:[0-9;]*m|\?25[lh]|[0-9]*[ABCDGK]|2J|(?:[0-9]+;[0-9]+)?H)"
)
"""What rich sends: colours, and moves of the cursor."""

DECK = """# {deck_title}

#### {title} {{#a}}

{context}

:p What? {question}
??x
{answer}

```python
x = "{code}"
```

| a | b |
|---|---|
| {cell} | 2 |

\\[ \\text{{{formula}}} \\]

![{alt}](x.png) and [{words}]({link}).
x??

:demo coin
:claim heads == 1
:control rate=0
:source {source}
:tags x
"""
DEMO = '''
"""{headline}

{lesson}
"""

import random
from dataclasses import dataclass

from vaeflash.demo import Bars, Curves, Lab, Result


@dataclass(frozen=True, slots=True)
class Params:
    """The coin."""

    rate: float = 1.0
    name: str = "{default}"


def run(params: Params, lab: Lab) -> Result:
    """One toss."""
    if "{raised}":
        raise ValueError("{raised}")
    if "{printed}":
        print("{printed}")
    list(lab.track([1], "{tracked}"))
    heads = random.Random(lab.seed).random() < params.rate
    figures = {{}} if "{caption}{bar}{label}{line}" == "plainplainplainplain" else {{
        "bars": Bars("{caption}", {{"{bar}": 1.0}}, y_label="{label}"),
        "lines": Curves("Lines.", [0.0, 1.0], {{"{line}": [0.0, 1.0]}}, x_label="{label}"),
    }}
    return Result(
        metrics={{"heads": int(heads), "{metric}": 1.0, "text": "{text}"}}, figures=figures
    )
'''
IN_DECK = ["deck_title", "title", "context", "question", "answer", "code", "cell", "formula"]
IN_DECK += ["alt", "words", "link", "source"]
IN_DEMO = ["headline", "lesson", "default", "raised", "printed", "tracked", "metric", "text"]
IN_DEMO += ["caption", "bar", "label", "line"]
IN_LEDGER = ["note", "control", "control_note", "device", "torch", "data"]
PLACES = {*IN_DECK, *IN_DEMO, *IN_LEDGER, "course_title"}
PLAIN = {"raised": "", "printed": "", "metric": "other", "device": "cpu", "control": "rate=0"}

Cli = Callable[..., Result]


def planted(make_course: MakeCourse, *places: str) -> Course:
    """A trusted course that says something evil in these places, and something plain elsewhere."""
    words = {place: EVIL if place in places else PLAIN.get(place, "plain") for place in PLACES}
    if "torch" not in places:
        words["torch"] = torch_minor()
    code = {place: word.encode("unicode_escape").decode() for place, word in words.items()}
    course = make_course(cards={"deck": DECK.format(**words)}, demos={"coin": DEMO.format(**code)})
    # TOML knows no pairs of surrogates.
    title = json.dumps(words["course_title"]).replace("\\udb40\\udc41", "\\U000e0041")
    (course.root / "course.toml").write_text(f'id = "course"\ntitle = {title}\n')
    (course.root / "cards" / "x.png").write_bytes(b"")
    course = open_course(course.root)
    write_ledger(course.ledger_path, Ledger([entry_of(course, words)]))
    trust(course, whatever_they_become=True)
    return course


def renamed(course: Course) -> Course:
    """The course in a folder of such a name."""
    return open_course(course.root.rename(course.root.with_name(EVIL)))


def entry_of(course: Course, words: Mapping[str, str]) -> Entry:
    control = ControlEntry(
        words["control"], "refuted", 0, 5, flipped=True, note=words["control_note"]
    )
    return Entry(
        card="a",
        claim="heads == 1",
        myth=False,
        demo="coin",
        status=Status.VACUOUS,
        verdict="holds",
        yes=5,
        values={str(1000 + seed): {"heads": 1} for seed in range(5)},
        controls=(control,),
        code=course.demo("coin").fingerprint,
        data={"coins": words["data"]},
        device=words["device"],
        torch=words["torch"],
        date="2026-01-01T00:00:00+00:00",
        note=words["note"],
    )


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command on a course in this process, on what it takes for a terminal in colour."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(course: Course, *arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(app, ["--course", str(course.root), *arguments], **options)

    return run


def obeyed(told: str) -> str:
    """What a terminal would do more with than show it, rich's own orders excepted."""
    return "".join(
        char
        for char in OWN.sub("", told)
        if char not in "\n\t"
        and (
            unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
            or char in "\u202e\u2066\U000e0041"
        )
    )


COMMANDS = (
    {place: ["show", "a"] for place in (*IN_DECK, *IN_LEDGER)}
    | {place: ["demo", "coin"] for place in IN_DEMO}
    | {"control_note": ["why", "a"], "course_title": ["list"]}
)


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("place", COMMANDS)
def test_in_each_place_it_is_shown_and_not_obeyed(
    cli: Cli, make_course: MakeCourse, place: str
) -> None:
    done = cli(planted(make_course, place), *COMMANDS[place])

    assert (obeyed(done.output), SEEN in done.output) == ("", True)


QUIETLY = PLACES - {"raised"}
EVERY = [
    ["list"],
    ["show", "a"],
    ["why", "a"],
    ["lint"],
    ["demo", "coin"],
    ["check", "--jobs", "0"],
    ["check", "--locked", "--jobs", "0"],
    ["pilot", "a", "--seeds", "2", "-j0"],
    ["figures"],
    ["due"],
    ["stats"],
    ["orphans"],
    ["export-reviews"],
    ["export-anki"],
    ["export-html"],
    ["data"],
    ["doctor"],
    ["id"],
    ["quiz", "--cram"],
    ["import", "course/cards/deck.md", "-o", f"{EVIL}.md"],
    ["new", "deck", "more"],
    ["new", "demo", "more"],
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("arguments", EVERY, ids=" ".join)
def test_no_command_says_what_is_obeyed(
    cli: Cli, make_course: MakeCourse, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    course = planted(make_course, *QUIETLY)
    with open_store() as store:
        store.suspend(CardKey("course", EVIL, "card"), datetime.now(UTC))
    monkeypatch.setenv("VAEFLASH_CACHE", os.environ["VAEFLASH_CACHE"] + EVIL)
    done = cli(course, *arguments, input="?\n\nd\n3\n")

    assert (obeyed(done.output), done.exit_code in (0, 1, 2)) == ("", True)


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(
    "arguments",
    [each for each in EVERY if each[0] not in ("quiz", "id", "import", "new", "figures", "demo")],
    ids=" ".join,
)
def test_every_document_is_whole_and_in_plain_characters(
    cli: Cli, make_course: MakeCourse, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORCE_COLOR")
    done = cli(planted(make_course, *QUIETLY), *arguments, "--json")

    assert json.loads(done.stdout)["command"] == arguments[0]
    assert (obeyed(done.output), OWN.search(done.stdout)) == ("", None)


def test_a_document_says_exactly_what_the_course_says(cli: Cli, make_course: MakeCourse) -> None:
    course = planted(make_course, "title", "course_title", "headline")
    said = json.loads(cli(course, "list", "--json").stdout)

    assert (said["title"], said["decks"][0]["cards"][0]["title"], said["demos"][0]["headline"]) == (
        course.title,
        course.cards()[0][1].title,
        course.demo("coin").headline,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", EVIL],
        [EVIL],
        ["list", f"--{EVIL}"],
        ["demo", "coin", "--set", EVIL],
        ["demo", "coin", "--device", EVIL],
        ["import", f"{EVIL}.md", "-o", "x.md"],
        ["id", f"{EVIL}.md"],
        ["new", "course", EVIL, "--title", EVIL],
        ["new", "deck", EVIL],
        ["quiz", EVIL],
        ["check", EVIL],
    ],
)
def test_an_argument_is_told_and_not_obeyed(
    cli: Cli, make_course: MakeCourse, arguments: list[str]
) -> None:
    done = cli(planted(make_course), *arguments)

    assert (done.exit_code, obeyed(done.output), SEEN in done.output) == (2, "", True)


def test_a_picture_s_path_is_told_and_not_obeyed(cli: Cli, make_course: MakeCourse) -> None:
    text = deck(card("a", "")).replace("It.", "![](%1b]52;c;own%07%c2%9d)")
    done = cli(make_course(cards={"deck": text}), "export-anki")

    assert (obeyed(done.output), SEEN in done.output) == ("", True)


@pytest.mark.parametrize("command", [["lint"], ["list"], ["doctor"]])
def test_names_of_files_are_told_and_not_obeyed(
    cli: Cli, make_course: MakeCourse, command: list[str]
) -> None:
    course = renamed(make_course(cards={EVIL: "# A\n\n#### b\n"}, demos={EVIL: "x ="}))
    done = cli(course, *command)

    assert (obeyed(done.output), SEEN in done.output) == ("", True)


def test_a_name_that_runs_is_not_completed(
    make_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [
        "$(touch PWN)",
        "`id`",
        "a;b",
        "a b",
        "--trust",
        "-x",
        f"a{EVIL}",
        ".a",
        "a\nb",
        "a_b-1.2",
    ]
    course = make_course(cards={name: deck() for name in names}, demos=dict.fromkeys(names, ""))
    monkeypatch.chdir(course.root)

    # No module has a dot in its name, so it is a deck's alone.
    assert complete_anything("") == ["a_b-1.2"]


def test_a_name_that_runs_is_quoted_where_it_is_suggested(
    cli: Cli, make_course: MakeCourse
) -> None:
    meta = ":demo $(id)\n:claim heads == 1\n:control rate=0"
    done = cli(make_course(cards={"deck": deck(card("a", meta))}), "--no-color", "show", "a")

    assert "vaeflash demo '$(id)'" in done.output


@pytest.mark.slow
def test_a_report_of_pytest_shows_it(pytester: pytest.Pytester, make_course: MakeCourse) -> None:
    meta = f":demo coin\n:claim heads == {EVIL}"
    course = renamed(make_course(cards={"deck": deck(card("a", meta))}, demos={"coin": COIN}))
    done = pytester.runpytest_inprocess("--vaeflash", "-v", "-p", "no:xdist", str(course.root))

    told = done.stdout.str()
    assert (obeyed(told), SEEN in told, done.parseoutcomes()) == ("", True, {"failed": 1})
