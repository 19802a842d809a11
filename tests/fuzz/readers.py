"""Every reader of files and texts of unknown origin, with documents that are nearly valid.

A reader may take a document or raise VaeflashError. Anything else is a fault; so is a native crash.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import sqlite3
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from mutate import ODD, damaged, json_like, odd, repeated, text_like

from vaeflash import data, gallery
from vaeflash.card import Status
from vaeflash.claims import parse_claim, parse_params, parse_settings
from vaeflash.course import consent
from vaeflash.course.course import Course, open_course
from vaeflash.course.demo_source import read_demo
from vaeflash.course.fingerprint import forget
from vaeflash.course.media import MediaFiles
from vaeflash.errors import ClaimError, VaeflashError
from vaeflash.export.anki.memory import ExportMemory, Remembered
from vaeflash.export.site import folder as site
from vaeflash.files import cache_folder, read_text
from vaeflash.judging.audit import rejudge
from vaeflash.judging.ledger import ControlEntry, Entry, Ledger, read_ledger
from vaeflash.parse import read_deck, write_deck
from vaeflash.runs.dask import _place
from vaeflash.runs.needs import missing_need
from vaeflash.runs.run import Request, Run, RunCache, _sealed
from vaeflash.study.memory import NEW, Rating
from vaeflash.study.questions import catalogue_of
from vaeflash.study.reviews import CardKey, Store, open_store
from vaeflash.study.schedule import Scheduler
from vaeflash.text import html, markdown, tex
from vaeflash.text.cloze import cloze_numbers, filled_in, with_hole
from vaeflash.widget.packed import weight_bytes
from vaeflash.widget.page import to_script

Make: TypeAlias = Callable[[Random], bytes]
Read: TypeAlias = Callable[[bytes], object]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Reader:
    """What is read, and by what.

    Attributes:
        make: A document from a generator of random numbers.
        read: Reads it as the product does.
    """

    make: Make
    read: Read


Open: TypeAlias = Callable[[Path], Reader]
"""Sets a reader up in a folder of its own."""

CARD = """---
tags: [vae, loss]
description: "What the cards \\u0041 teach"
title: 'A deck'
---

# A deck

#### The KL of \\( \\beta \\)-VAE {#kl}

Above **the** question, `code` and ![a plot](../figures/kl.png "plot").

:p What is \\( \\mu \\), in {{c1::nats::unit}} and {{c2::**bits**}}?
??x
\\[ \\tfrac12 \\sum_d \\left( \\mu_d^2 + \\sigma_d^2 \\right) \\]

- one
  > two

```python
x = 1
```

| a | b |
|---|---|
| 1 | 2 |
:more
[a link](https://example.org) and $x^2$
x??

:demo    kl-divergence
:says    The error is small
:claim   kl_error[latent=2] < 1e-4 and kl falls by 5% over beta = 1, 2
:control form=swapped
:myth    kl == 3.68 +- 0.01 in 95% of seeds
:control same=true
:source  c24, c35
:tags    vae, loss
:cloze
:reversed
:figure  price
"""
DEMO = '''"""Two and two make four.

The lesson.
"""

from dataclasses import dataclass
from typing import Literal

from vaeflash.demo import Lab, Result

NEEDS = ("digits", "extra:torch", "cuda")
DETERMINISTIC = True


@dataclass(frozen=True, slots=True)
class Params:
    """The summands."""

    a: int = 2
    rate: float = 1e-3
    form: Literal["mean", "sum"] = "mean"
    shape: tuple[int, ...] = (1, 2)
    same: bool = False
    faces: str = "portraits"


def run(params: Params, lab: Lab) -> Result:
    """Add them."""
    return Result(metrics={"total": params.a + 2, "half": 0.5})
'''
CARD_WORDS = (
    *(":p ", "??x", "x??", "??", "---", "#### ", "# ", "{#kl}", "{#", ":demo x", ":claim x < 1"),
    *(":control a=1", ":more", ":myth ", ":tags ", "```", "~~~", "> ", "- ", "1. ", "| ", "\t"),
    *("\\[", "\\]", "\\(", "\\)", "$", "$$", "{{c1::", "}}", "::", "**", "_", "`", "!["),
    *("](", "<b>"),
    *("‚Äô", "√ó", "â‰ˆ", "é", "\U0001d707", "title: x", "tags: [", "&a ", "*a", "!!int "),
    *("? ", "<<: "),
    *('"\\U00110000"', '"\\UFFFFFFFF"', '"\\ud800"', "%ed%a0%80", "%00"),
    *("**Rating: 8/10**", "&#0;"),
)
TEX_WORDS = (
    *("\\frac", "\\sqrt", "\\left(", "\\right)", "\\left.", "{", "}", "^", "_", "&"),
    *("\\\\", "\\mathbf"),
    *("\\begin{matrix}", "\\end{matrix}", "\\begin{cases}", "\\text{", "\\operatorname{"),
    *("\\sum", "'"),
    *("\\", "\\beta", "x", "1", " ", "%", "#", "~", "\\hat", "\\middle|", "\\left\\{", "["),
    *("]", "é"),
)
CLAIM_WORDS = (
    *("<", "<=", "==", "!=", "+-", "+", "-", "*", "/", "(", ")", "[", "]", "=", ",", "%"),
    *("and", "in"),
    *("of", "seeds", "falls", "rises", "by", "over", "abs(", "min(", "max(", "log(", "kl", "1e-4"),
    *("1e999", "1e-999", "0", "9" * 41, '"a"', "'", "(1, 2)", "()", "true", "±", "≤", "nan"),
    *("۱", "٣"),
)
BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("-", ""), ("> ", ""), ("- ", ""), ("**", "**"))
CLAIMS = (
    "kl_error[latent=2, form=sum] < 1e-4 and kl falls by 5% over beta = 1, 2",
    "x == 3.68 +- 0.01 in 95% of seeds",
    '0.1 < abs(kl - 2) * max(1, log(y)) < 5 and error[cube=64] == "RuntimeError"',
    "shape == (1, 28, 28) and z != 4%",
)
PARAMS = ("latent=32,form=swapped", 'a=-1.5e3, b="a text", c=(1, 2), d=true', "faces=~/portraits")


def _decks(folder: Path) -> Reader:
    path = folder / "deck.md"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        reading = read_deck(read_text(path, "cards/deck.md"), "cards/deck.md")
        write_deck(reading.deck).encode()
        "".join(map(str, (*reading.errors, *reading.repairs))).encode()

    return Reader(text_like([CARD, CARD.partition("# A deck")[2]], CARD_WORDS), read)


def _front_matter(folder: Path) -> Reader:
    heads = [
        "title: A\ntags: [a, b]",
        "tags: &t [a]\ndescription: *t",
        'title: "\\u0041"',
        "tags:\n- a\n- b\ntitle: |\n  x",
    ]
    words = [
        *CARD_WORDS[-22:],
        ": ",
        "- ",
        "[",
        "{",
        "|",
        ">",
        '"',
        "'",
        "\\",
        "#",
        "title: b\n",
        "é",
    ]
    near = text_like(heads, words)
    deep = (("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", ""), ("a: {", "}"))

    def make(draw: Random) -> bytes:
        head = repeated(draw, deep) if draw.random() < 0.02 else near(draw)
        return b"---\ntitle: x\n" + head + b"\n---\n# T\n"

    return Reader(make, _decks(folder).read)


def _claims(_: Path) -> Reader:
    near = text_like(CLAIMS, CLAIM_WORDS)

    def make(draw: Random) -> bytes:
        return repeated(draw, BRACKETS) if draw.random() < 0.05 else near(draw)

    def read(content: bytes) -> None:
        claim = parse_claim(content.decode(errors="replace"))
        values = Random(len(content))
        kinds = [1, 0.5, float("nan"), float("inf"), 10**400, "none", (1, 2), True]
        runs = {
            run: {name: values.choice(kinds) for at, name in claim.metrics if at == run}
            for run in claim.runs
        }
        for part in claim.parts:
            with contextlib.suppress(ClaimError):
                part.holds(runs)

    return Reader(make, read)


def _params(folder: Path) -> Reader:
    path = folder / "demo.py"
    path.write_text(DEMO)
    source = read_demo("demo", path, "demos/demo.py")
    names = [*source.parameters, *(str(value) for value in ODD if isinstance(value, int | float))]

    def read(content: bytes) -> None:
        text = content.decode(errors="replace")
        with contextlib.suppress(ClaimError):
            parse_params(text)
        str(source.accept(parse_settings(text), "--set"))

    return Reader(text_like([*PARAMS, "a=1,form=sum"], [*CLAIM_WORDS, *names]), read)


def _settings(folder: Path) -> Reader:
    sample = 'format = 1\nid = "mine"\ntitle = "My course"\ndecks = ["a", "b"]\n'
    words = [
        *("[", "]", "{", "}", "=", '"', "'", '"""', "\\u0000", "\\ud800", "\\U00110000"),
        *("#", "[[a]]"),
        *("1979-13-40", "1e999", "nan", "9" * 5_000, "0x", "true", "id = 1\n"),
        *("decks = 1\n", "a.b.c = "),
    ]
    near = text_like([sample], words)

    def make(draw: Random) -> bytes:
        if draw.random() < 0.02:
            return b'id = "a"\ntitle = "t"\nx = ' + repeated(draw, (("[", "]"), ("{a=", "}")), "1")
        return near(draw)

    def read(content: bytes) -> None:
        (folder / "course.toml").write_bytes(content)
        str(open_course(folder)).encode()

    return Reader(make, read)


CONTROL = ControlEntry("form=mixed", "refuted", 0, 2, True, parts=("x < 1",))
ENTRY = Entry(
    *("kl", "x < 1 and y == 2", False, "kl-divergence", Status.VERIFIED, "holds", 1, 0, 1.4, 0.5),
    values={"1000": {"x": 0.5, "y": 2}, "1001": {"x": "nan", "y": 2, "shape": (1, 2)}},
    controls=(CONTROL,),
    data={"digits": "MNIST #abc"},
    **{"code": "c0de", "device": "cpu", "torch": "2.11", "date": "2026-03-02", "note": "n"},
)


def _ledger(folder: Path) -> Reader:
    path = folder / "ledger.jsonl"
    row = json.loads(Ledger([ENTRY]).to_text())
    claims = {ENTRY.claim: parse_claim(ENTRY.claim)}

    def read(content: bytes) -> None:
        path.write_bytes(content)
        for entry in read_ledger(path):
            Ledger([entry]).to_text().encode()
            if claim := claims.get(entry.claim):
                str(rejudge(entry, claim)).encode()
            f"{entry.e_for:.3g} {entry.date[:10]} {entry.solid} {min(entry.values, default='')}"

    return Reader(lambda draw: json_like(draw, row), read)


def _runs(folder: Path) -> Reader:
    cache = RunCache(folder)
    request = Request("coin", (("rate", 0.5),), 1000, "c0de", (("digits", "da7a"),), "cpu", "2.11")
    cache.put(request, Run({"heads": 1, "shape": (2, 3), "error": "none"}, 0.25, "2026-11-21"))
    (path,) = folder.rglob("*.json")
    entry = json.loads(path.read_bytes())
    del entry["sum"]

    def make(draw: Random) -> bytes:
        content = json_like(draw, entry)
        return _sealed(content) if draw.random() < 0.7 else content

    def read(content: bytes) -> None:
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if run := cache.get(request):
                (json.dumps(run.to_json()), run.error, run.lasting)

    return Reader(make, read)


def _consent(folder: Path) -> Reader:
    course = _small_course(folder)
    consent.trust(course)
    path = consent._path()
    known = json.loads(path.read_bytes())

    def read(content: bytes) -> None:
        path.write_bytes(content)
        consent.is_trusted(course)

    return Reader(lambda draw: json_like(draw, known), read)


def _memory(folder: Path) -> Reader:
    path = folder / "memory.json"
    notes = {name: Remembered(name, 0, "Deck", "Kind") for name in ("one", "two")}
    memory = ExportMemory(path)
    memory.update(notes, notes, ["one", "two"], 1_000)
    memory.save()
    known = json.loads(path.read_bytes())

    def read(content: bytes) -> None:
        path.write_bytes(content)
        again = ExportMemory(path)
        str(again.update(notes, notes, ["one"], 2_000)).encode()
        (again.stamp("one").to_bytes(8, "big"), again.type_stamp("two"))

    return Reader(lambda draw: json_like(draw, known), read)


def _gallery(folder: Path) -> Reader:
    index = folder / "figures" / "demo" / "index.json"
    index.parent.mkdir(parents=True)
    known = {"code": "c0de", "captions": {"plane": "A plane", "price": "What it costs"}}

    def read(content: bytes) -> None:
        index.write_bytes(content)
        for pictures in gallery.read_gallery(folder).pictures.values():
            "".join(picture.path + picture.caption for picture in pictures).encode()

    return Reader(lambda draw: json_like(draw, known), read)


def _widget(_: Path) -> Reader:
    widths = [2, 3, 4]

    def coded(size: int) -> str:
        return base64.b85encode(bytes(size + -size % 4)).decode()

    decoder = {
        **{"name": "β", "widths": widths, "weights": coded(weight_bytes(widths))},
        **{"codes": coded(4), "counts": [1] * 2 + [0] * 8, "homes": [[0, 0.5]] * 2 + [None] * 8},
        "path": [[0, 1], [1.5, -2]],
    }
    plane = {"kind": "plane", "ends": ["1", "8"], "decoders": [decoder]}

    def read(content: bytes) -> None:
        with contextlib.suppress(ValueError):  # as it says, and as `gallery.script_of` expects
            to_script(content.decode(), "demo/plane").encode("ascii")

    return Reader(lambda draw: json_like(draw, plane), read)


def _site(folder: Path) -> Reader:
    pages = {"index.html": b"<p>", "cards/a.html": b"<p>"}
    site.write_site(folder, "mine", pages)
    manifest = folder / site.MANIFEST
    known = json.loads(manifest.read_bytes())

    def read(content: bytes) -> None:
        manifest.write_bytes(content)
        site.write_site(folder, "mine", pages)

    return Reader(lambda draw: json_like(draw, known), read)


def _catalogue(folder: Path) -> Reader:
    course = _small_course(folder)
    catalogue_of(course)
    (path,) = (cache_folder() / "questions").iterdir()
    sound = path.read_bytes()

    def read(content: bytes) -> None:
        path.write_bytes(content)
        [str(question.key) + question.front().title for question in catalogue_of(course).questions]

    return Reader(lambda draw: damaged(draw, sound), read)


def _code(folder: Path) -> Reader:
    path = folder / "demo.py"
    path.write_text(DEMO)
    source = read_demo("demo", path, "demos/demo.py")
    before = source.fingerprint
    texts = {
        kept: kept.read_bytes() for kept in (cache_folder() / "code").rglob("*") if kept.is_file()
    }
    kept, sound = min(texts.items(), key=lambda item: len(item[1]))

    def read(content: bytes) -> None:
        kept.write_bytes(content)
        forget()
        assert read_demo("demo", path, "demos/demo.py").fingerprint == before

    return Reader(lambda draw: damaged(draw, sound), read)


def _tex(_: Path) -> Reader:
    samples = [
        "\\tfrac12 \\sum_d \\left( \\mu_d^2 \\right)",
        "\\begin{cases} a & b \\\\ c \\end{cases}",
    ]
    near = text_like(samples, TEX_WORDS)

    def read(content: bytes) -> None:
        tex.to_unicode(content.decode(errors="replace")).encode()

    return Reader(near, read)


def _markdown(_: Path) -> Reader:
    near = text_like([CARD.partition("# A deck")[2]], [*CARD_WORDS, *TEX_WORDS])

    def read(content: bytes) -> None:
        text = content.decode(errors="replace")
        html.to_html(text, lambda source: source).encode()
        markdown.images(text)

    return Reader(near, read)


def _cloze(_: Path) -> Reader:
    samples = ["The KL of {{c1::\\( q \\)::what}} and {{c2::**p**}} is `{{c1::code}}`."]

    def read(content: bytes) -> None:
        text = content.decode(errors="replace")
        for number in cloze_numbers(text)[:3]:
            (with_hole(text, number) + filled_in(text, number)).encode()
        html.cloze_to_html(text).encode()

    return Reader(text_like(samples, CARD_WORDS), read)


def _images(folder: Path) -> Reader:
    (folder / "cards").mkdir()
    (folder / "cards" / "a.png").write_bytes(b"PNG")
    words = ["..", "/", "//", ".png", ".svg", "~", "%00", "cards", "://", "C:", "\\", "é" * 90]
    near = text_like(["a.png", "../cards/a.png", "cards/a.png"], words)

    def read(content: bytes) -> None:
        source = content.decode(errors="surrogateescape")
        MediaFiles(folder).add(source, "cards/deck.md", "cards/deck.md:1").encode()

    return Reader(near, read)


def _demos(folder: Path) -> Reader:
    path = folder / "demos" / "demo.py"
    path.parent.mkdir()
    deep = (("(", ")"), ("[", "]"), ("-", ""), ("a[", "]"), ("not ", ""), ("1+", ""), ("a.", "b"))
    words = [
        *("NEEDS = {[]: 1}\n", "NEEDS = (1,)\n", "NEEDS = 'cuda'\n"),
        *("NEEDS = ('\\ud800',)\n", "{[]: 1}"),
        *("{*()}", "f'{a!r}'", "Literal[[1]]", "Literal[...]", "Literal[{[]: 1}]", "b'x'"),
        *("1j", "..."),
        *("import .x\n", "from . import *\n", "from .... import a\n", "'\\ud800'", "9" * 5_000),
        *("\f", "\\\n"),
        *("NEEDS = ('extra:__main__', 'extra:a.b', 'extra:', '')\n", "lambda: 0", "*", "**"),
        *(":=", "    "),
    ]
    near = text_like([DEMO], words)

    def make(draw: Random) -> bytes:
        if draw.random() > 0.03:
            return near(draw)
        place = draw.choice(("NEEDS = ", "class Params:\n    a: ", "class Params:\n    a: int = "))
        return place.encode() + repeated(draw, deep, "1")

    def read(content: bytes) -> None:
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, about the escapes of a text
            source = read_demo("demo", path, "demos/demo.py")
            _ = source.metrics
            for parameter in source.parameters.values():
                values = [*parameter.choices, 1, 0.5, "a", (1, 2), 10**39, float("inf")]
                for value in values:
                    with contextlib.suppress(VaeflashError):
                        source.accept({parameter.name: value}, "--set")
            missing_need(source, "cpu")
            if len(content) % 8 == 0:
                forget()
                _ = source.fingerprint

    return Reader(make, read)


def _choices(_: Path) -> Reader:
    """Where data are, as `--set`, a control or a line of the ledger says."""
    words = [
        "~",
        "nobody",
        "/",
        "..",
        "://",
        "file:",
        "[",
        "]",
        "::",
        "@",
        "?",
        "é" * 150,
        "s3:",
        ":",
    ]
    near = text_like(["~/faces", "file:///x/y", "https://h/x.zarr", "/no/such", "orl"], words)

    def read(content: bytes) -> None:
        text = content.decode(errors="surrogateescape")
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            if any(Path(place).expanduser().is_dir() for place in (text, urlsplit(text).path)):
                return  # all of a disk might be read
        for name in sorted(data.CHOOSABLE):
            with contextlib.suppress(VaeflashError):
                data.find(name, {}, choice=text)
        data.find("digits", {data.VARIABLE: text})

    return Reader(near, read)


def _addresses(_: Path) -> Reader:
    words = ["[", "]", "@", ":", "/", "?", "#", "%", "99999", "-1", "℀", "..", "tcp", "é"]
    near = text_like(["dask://host:8786", "dask://[::1]:8786"], words)
    return Reader(near, lambda content: _place(content.decode(errors="replace")))


_UNSTORABLE = (2**64, 10**400, "\ud800", "\udcff")


def _reviews(folder: Path) -> Reader:
    sound = folder / "sound.sqlite3"
    scheduler = Scheduler(UTC)
    keys = [CardKey("mine", f"card-{number}") for number in range(4)]
    with open_store(sound, UTC) as store:
        for key in keys[:3]:
            first = scheduler.next(NEW, Rating.GOOD, NOW)
            store.answer(key, NEW, Rating.GOOD, first, 1_000)
            store.answer(key, first, Rating.EASY, scheduler.next(first, Rating.EASY, NOW))
        store.bury(keys[0], NOW)
        store.flag(keys[1], 3, NOW)
        store.suspend(keys[3], NOW)
        store.undo("mine", NOW)
        store._connection.execute("PRAGMA journal_mode = DELETE")
    content = sound.read_bytes()
    columns = {
        "card": ("course", "card", "template"),
        "state": ("answer", "suspended", "buried", "flag"),
    }
    columns["log"] = (
        *("card", "at", "day", "rating", "undoes", "suspended", "buried", "flag", "previous"),
        *("duration", "phase", "step", "stability", "difficulty", "interval", "due_day", "due_at"),
        *("reps", "lapses"),
    )

    def edited(draw: Random) -> bytes:
        copy = folder / "edited.sqlite3"
        copy.write_bytes(content)
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as other:
            other.execute("PRAGMA ignore_check_constraints = ON")
            other.execute("PRAGMA foreign_keys = OFF")
            other.execute("DROP TRIGGER log_is_never_changed")
            table = draw.choice(list(columns))
            column = draw.choice(columns[table])
            with contextlib.suppress(sqlite3.Error):
                match draw.randrange(8):
                    case 0:
                        kind = draw.choice(["TABLE card", "TABLE log", "TABLE state", "VIEW deed"])
                        other.execute(f"DROP {kind}")
                    case 1:
                        other.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO other")
                    case 2:
                        other.execute(f"PRAGMA user_version = {draw.choice([-1, 0, 1, 3, 99])}")
                    case 3:
                        other.execute(f"DELETE FROM {table} WHERE rowid = 1")
                    case _:
                        value = odd(draw)
                        if isinstance(value, list | dict) or value in _UNSTORABLE:
                            value = draw.choice([b"\xff", "2026-W10-1", 10**15, -(10**15), 1e300])
                        text = isinstance(value, str) and draw.random() < 0.1
                        given = "CAST(x'ff41' AS TEXT)" if text else "?"
                        rows = draw.choice(("", " WHERE rowid = 1", " WHERE rowid % 2"))
                        values = () if text else (value,)
                        other.execute(f"UPDATE {table} SET {column} = {given}{rows}", values)
        return copy.read_bytes()

    def make(draw: Random) -> bytes:
        return damaged(draw, content) if draw.random() < 0.3 else edited(draw)

    path = folder / "reviews.sqlite3"

    def read(content: bytes) -> None:
        for old in folder.glob("reviews*"):
            old.unlink()
        path.write_bytes(content)
        with open_store(path, UTC) as store:
            problems = store.check()
            try:
                _use(store, keys)
            except VaeflashError:
                assert problems, "the quiz falls over what the doctor finds sound"
                raise

    return Reader(make, read)


def _use(store: Store, keys: list[CardKey]) -> None:
    """Everything that a quiz, an export and statistics ask of the reviews."""
    scheduler = Scheduler(UTC)
    queues = store.queues("mine", keys, NOW)
    for state in (*queues.learning, *queues.review, *queues.new, *queues.later):
        planned = scheduler.preview(state.memory, NOW, str(state.key))
        [scheduler.words(memory) for memory in planned.values()]
    [state.memory.to_dict() for state in store.states("mine")]
    [replace(review.after).to_dict() for review in store.reviews("mine")]
    json.dumps([*store.log()])
    store.orphans("mine", keys[:1])
    (store.today("mine", NOW), store.days("mine"), store.forecast("mine", NOW), store.answers())
    store.last("mine", NOW)


def _digits(folder: Path) -> Reader:
    from vaeflash.lab.digits import read_idx

    plain = struct.pack(">4I", 0x803, 2, 3, 3) + bytes(18)
    packed = gzip.compress(plain, mtime=0)
    paths = folder / "images", folder / "images.gz"

    def make(draw: Random) -> bytes:
        return damaged(draw, draw.choice((plain, packed)), [b"\xff" * 4, b"\0", b"\x1f\x8b"])

    def read(content: bytes) -> None:
        path = paths[content[:2] == packed[:2]]
        path.write_bytes(content)
        read_idx(path, 3)

    return Reader(make, read)


def _volumes(folder: Path) -> Reader:
    import logging

    import numpy as np
    import tifffile
    import zarr

    from vaeflash.lab.volumes.formats import open_volume
    from vaeflash.lab.volumes.volume import Box

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it tells of damage as well
    voxels = np.arange(4 * 5 * 6, dtype="u1").reshape(4, 5, 6)
    np.save(folder / "a.npy", voxels)
    head = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 6 5 4\nencoding: raw\n\n"
    (folder / "a.nrrd").write_bytes(head.encode() + voxels.tobytes())
    (folder / "layers").mkdir()
    for number, layer in enumerate(voxels[:2]):
        tifffile.imwrite(folder / "layers" / f"{number:02d}.tif", layer)
    for version in (2, 3):
        group = zarr.open_group(folder / f"v{version}.zarr", mode="w", zarr_format=version)
        array = group.create_array("0", shape=voxels.shape, chunks=(2, 5, 6), dtype="u1")
        array[:] = voxels
        image = {
            "multiscales": [{"datasets": [{"path": "0"}], "axes": [{"name": n} for n in "zyx"]}]
        }
        group.attrs.update(image if version == 2 else {"ome": image})
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {path: path.read_bytes() for path in found}
    opened = {path: folder / path.relative_to(folder).parts[0] for path in found}
    state: dict[str, Any] = {"path": found[0]}

    def make(draw: Random) -> bytes:
        state["path"] = path = draw.choice(found)
        content = files[path]
        if content[:1] == b"{" and draw.random() < 0.7:
            return json_like(draw, json.loads(content), times=1)
        return damaged(draw, content, [b"\xff", b"\0", b"(", b"99999999999", b"'", b"\n", b"<u2"])

    def read(content: bytes) -> None:
        path = state["path"]
        path.write_bytes(content)
        try:
            volume = open_volume(opened[path])
            if max(volume.shape) < 1_000:
                volume.read(Box((0, 0, 0), (1, *volume.shape[1:])))
        finally:
            path.write_bytes(files[path])

    return Reader(make, read)


def _checkpoints(folder: Path) -> Reader:
    import torch

    from vaeflash.lab.batches import Batches
    from vaeflash.lab.checkpoints import State

    path = folder / "checkpoint.pt"

    def state() -> State:
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.Adam(model.parameters())
        batches = Batches(torch.zeros(4, 2), 2, torch.Generator().manual_seed(0))
        return State(model, optimizer, batches, torch.zeros(3), None, {"rate": [0.1]})

    state().save(path)
    sound = path.read_bytes()
    before = torch.get_rng_state()

    def read(content: bytes) -> None:
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's own
                state().resume(path)
        finally:
            torch.set_rng_state(before)

    return Reader(lambda draw: damaged(draw, sound), read)


def _small_course(folder: Path) -> Course:
    root = folder / "course"
    (root / "cards").mkdir(parents=True)
    (root / "demos").mkdir()
    (root / "course.toml").write_text('id = "mine"\ntitle = "Mine"\n')
    (root / "cards" / "a.md").write_text("# A\n\n#### One {#one}\n\n:p What?\n??x\nIt.\nx??\n")
    (root / "demos" / "demo.py").write_text(DEMO)
    return open_course(root)


READERS: dict[str, Open] = {
    "decks": _decks,
    "front matter": _front_matter,
    "claims": _claims,
    "params": _params,
    "course.toml": _settings,
    "ledger": _ledger,
    "run cache": _runs,
    "consent": _consent,
    "export memory": _memory,
    "gallery": _gallery,
    "widget": _widget,
    "site": _site,
    "catalogue": _catalogue,
    "code cache": _code,
    "tex": _tex,
    "markdown": _markdown,
    "cloze": _cloze,
    "images": _images,
    "demo sources": _demos,
    "data choices": _choices,
    "addresses": _addresses,
    "reviews": _reviews,
    "digits": _digits,
    "volumes": _volumes,
    "checkpoints": _checkpoints,
}
"""Name -> how it is set up."""


@contextlib.contextmanager
def apart(folder: Path) -> Iterator[None]:
    """The user's folders moved into this one; nothing has to outlast a crash, which is quick."""
    own = {"VAEFLASH_CACHE": "cache", "XDG_DATA_HOME": "data"}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update({name: str(folder / place) for name, place in own.items()})
    fsync, os.fsync = os.fsync, lambda _: None
    try:
        yield
    finally:
        os.fsync = fsync
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
