"""Cards as a browser shows them: nothing wider than a phone, every formula typeset, code coloured.

The real Anki renders front and back; headless Chromium lays them out with MathJax 3, which Anki
uses. VAEFLASH_MATHJAX names the folder of the npm package `mathjax@3`; without it, or without
Chromium, there is nothing to look with, and this is skipped.
"""

from __future__ import annotations

import html
import itertools
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from anki.collection import Collection
from browser import CHROMIUM
from real_anki import load

from vaeflash.card import Card, Deck, Kind
from vaeflash.course.course import bundled_root, open_course
from vaeflash.export.anki import build_package
from vaeflash.export.edition import edition_of
from vaeflash.text.markdown import formulas

MATHJAX = Path(os.environ.get("VAEFLASH_MATHJAX", "none")) / "es5" / "tex-chtml-full.js"
NEEDED = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not MATHJAX.is_file(), reason="VAEFLASH_MATHJAX names no MathJax 3"),
]

WIDTHS = (390, 1200)
NIGHTS = ("", "nightMode night_mode")
BUNDLED = (
    *("kl-closed-form", "kl-mixed-code", "kl-derivation-line-2", "kl-derivation-line-3"),
    *("conv-28-can-be-reached", "conv-transposed-is-not-inverse", "conv-checkerboard"),
    *("dense-ae-bottleneck", "dense-ae-parameters", "dense-ae-two-rows-of-five"),
    *("training-adam-first-step", "codes-plotted", "vae-reparameterization"),
    *("elbo-importance-weighted", "collapse-threshold", "beta-is-a-price"),
)
WIDE = Card(
    "Wide things",
    "A table, a long line of code, a long formula and a long word?",
    "| a | b | c | d | e | f |\n|---|---|---|---|---|---|\n"
    f"| {' | '.join(['a wide cell of a table'] * 6)} |\n\n"
    f"```python\nvalue = {' + '.join(['a_long_name'] * 20)}\n```\n\n"
    f"\\[ {' + '.join(['x_{1}^{2}'] * 40)} \\]\n\nInline \\( {' + '.join(['y^2'] * 30)} \\).\n\n"
    f"`{'code' * 40}` {'word' * 40}",
    id="wide",
)
HOLES = Card(
    "Holes",
    r"The ELBO is {{c1::\( \mathrm{E} \log p(x|z) \)}} minus {{c2::the KL}}, "
    r"\( \mathcal{L} = {{c3::\frac{a}{\sqrt{b}}}} \)",
    id="holes",
    kind=Kind.CLOZE,
)
TURNED = Card("Collapse", "What is *collapse*?", "\\( q = p \\)", id="turned", kind=Kind.REVERSED)
OWN = (WIDE, HOLES, TURNED)


@dataclass(frozen=True)
class Side:
    """One side of a card, as Anki renders it."""

    card: str
    ordinal: int
    name: str
    body: str
    css: str


def rendered(folder: Path) -> list[Side]:
    """The cards in Anki; their pictures are copied beside the pages."""
    course = open_course(bundled_root())
    decks = (*course.decks(), Deck("Own", OWN, path="cards/own.md"))
    build_package(
        replace(edition_of(course), decks=decks, chosen={*BUNDLED, *(card.id for card in OWN)}),
        folder / "x.apkg",
    )
    anki = Collection(str(folder / "collection.anki2"))
    load(anki, folder / "x.apkg")
    for picture in Path(anki.media.dir()).iterdir():
        shutil.copy(picture, folder)
    sides = []
    for number in anki.find_cards("", order="n.id asc"):
        card = anki.get_card(number)
        shown, name = card.render_output(), card.note()["Id"]
        for side, body in (("front", shown.question_text), ("back", shown.answer_text)):
            # Anki's own word for a front side that a back repeats.
            sides.append(Side(name, card.ord, side, body, shown.css))
    anki.close()
    return sides


PAGE = """<!doctype html><html><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><style>{css}</style>
<script>
MathJax = {{
  tex: {{ inlineMath: [["\\\\(", "\\\\)"]], displayMath: [["\\\\[", "\\\\]"]],
          processEscapes: false, processRefs: false, packages: {{ "[+]": ["mhchem"] }} }},
  loader: {{ load: ["[tex]/mhchem"] }},
  startup: {{ pageReady: () => MathJax.startup.defaultPageReady().then(() => parent.postMessage(
    {{ name: {name}, seen: look() }}, "*")) }},
}};
function look() {{
  const root = document.documentElement, qa = document.getElementById("qa");
  const count = (selector) => qa.querySelectorAll(selector).length;
  const plain = qa.cloneNode(true);
  plain.querySelectorAll("mjx-container, code").forEach((element) => element.remove());
  return {{
    over: root.scrollWidth - root.clientWidth,
    raw: plain.textContent.match(/\\\\[a-zA-Z()\\[\\]]/g) || [],
    formulas: count("mjx-container"),
    broken: count("mjx-merror, [data-mjx-error]"),
    coloured: count("pre.code span[class]"),
    lost: [...qa.querySelectorAll("img")].filter((image) => !image.naturalWidth).length,
    height: root.scrollHeight,
  }};
}}
</script>
<script src="{mathjax}"></script></head>
<body class="card card1 {night}"><div id="qa">{body}</div></body></html>"""


def write_page(folder: Path, side: Side, night: str) -> str:
    """A page as Anki makes it; its name."""
    name = f"{side.card}-{side.ordinal}-{side.name}{'-night' * bool(night)}.html"
    page = PAGE.format(
        css=side.css,
        name=json.dumps(name),
        mathjax=MATHJAX.as_uri(),
        night=night,
        body=side.body,
    )
    (folder / name).write_text(page, encoding="utf-8")
    return name


COLLECT = """<!doctype html><meta charset="utf-8"><body>{frames}<pre id="seen"></pre><script>
const seen = {{}};
addEventListener("message", (event) => {{
  const frame = [...document.querySelectorAll("iframe")].find(
    (each) => each.contentWindow === event.source);
  seen[frame.width + " " + event.data.name] = event.data.seen;
  document.getElementById("seen").textContent = JSON.stringify(seen);
}});
{start}
</script></body>"""


def look_at(folder: Path, pages: list[str]) -> dict[str, dict[str, object]]:
    """What a browser sees of each page at each width."""
    frames = "".join(
        f'<iframe width="{width}" height="900" data-page="{page}"></iframe>'
        for page, width in itertools.product(pages, WIDTHS)
    )
    # The listener first, then the pages.
    start = 'document.querySelectorAll("iframe").forEach((each) => (each.src = each.dataset.page));'
    whole = folder / "all.html"
    whole.write_text(COLLECT.format(frames=frames, start=start), encoding="utf-8")
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"),
            f"--user-data-dir={folder / 'profile'}",
            *("--allow-file-access-from-files", "--virtual-time-budget=120000", "--dump-dom"),
            whole.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    return json.loads(html.unescape(found[1]) or "{}")


Seen = dict[str, dict[str, object]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("look")
    sides = rendered(folder)
    pages = [write_page(folder, side, night) for side in sides for night in NIGHTS]
    found = look_at(folder, pages)
    assert len(found) == len(pages) * len(WIDTHS)
    return found


def those(seen: Seen, key: str) -> dict[str, object]:
    return {name: facts[key] for name, facts in seen.items() if facts[key]}


def looks(test: object) -> object:
    """Skipped where there is nothing to look with."""
    for mark in NEEDED:
        test = mark(test)
    return test


@looks
def test_no_page_is_wider_than_its_screen(seen: Seen) -> None:
    assert {name: over for name, over in those(seen, "over").items() if over > 0} == {}


@looks
def test_no_tex_is_left_and_none_is_broken(seen: Seen) -> None:
    assert (those(seen, "raw"), those(seen, "broken")) == ({}, {})


@looks
def test_every_formula_of_a_back_is_typeset(seen: Seen) -> None:
    course = open_course(bundled_root())
    cards = {card.id: card for _, card in course.cards() if card.id in BUNDLED}
    expected = {
        name: sum(
            len(formulas(text)) for text in (card.title, card.context, card.question, card.answer)
        )
        for name, card in cards.items()
    }
    assert {
        name: seen[f"{WIDTHS[0]} {name}-0-back.html"]["formulas"] for name in expected
    } == expected


@looks
def test_code_is_coloured_by_class(seen: Seen) -> None:
    assert seen[f"{WIDTHS[0]} kl-mixed-code-0-back.html"]["coloured"] > 10


@looks
def test_every_picture_is_there(seen: Seen) -> None:
    assert those(seen, "lost") == {}
