"""A card with a plane in a browser: it is touched, and the picture is the one that torch decodes.

The real Anki renders the back of the card, with the media that its import kept; headless Chromium
opens it. Where there is no Chromium this is skipped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from anki.collection import Collection
from browser import Browser, Page
from planes import CAPTION, PATH, REACH, network, plane
from real_anki import load, sides

from vaeflash.card import Card, Deck, Kind
from vaeflash.export.anki import build_package
from vaeflash.export.edition import Edition
from vaeflash.gallery import draw, read_gallery
from vaeflash.judging.ledger import Ledger

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
]

MODEL = network()
OTHERS = [network(seed) for seed in (1, 2, 3)]
CARDS = (
    Card("One", "Q?", "A.", id="one", demos=("first",), figure="plane"),
    Card("Three", "Q?", "A.", id="three", demos=("second",), figure="plane"),
    Card("Hole", "A {{c1::hole}}.", "", id="hole", kind=Kind.CLOZE, demos=("first",)),
)
NIGHT = "nightMode night_mode"
PAGE = """<!doctype html><html class="{night}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Card</title><style>{css}</style></head>
<body class="card card1 {night}"><div id="qa">{body}</div></body></html>"""
FLIP = """
// As Anki's reviewer shows a side: the text first, then each script again as a new element.
function show(html) {
  const qa = document.getElementById("qa");
  qa.innerHTML = html;
  return Promise.all([...qa.querySelectorAll("script")].map((old) => new Promise((done) => {
    const script = document.createElement("script");
    script.onload = done;
    script.src = old.getAttribute("src");
    old.replaceWith(script);
  })));
}
"""


class Cards:
    """Pages of the cards, beside their media, in a browser that opens them."""

    def __init__(self, browser: Browser, folder: Path, css: str, texts: dict[str, list[str]]):
        self.browser, self.folder, self.css, self.texts = browser, folder, css, texts

    def write(self, name: str, body: str, night: str = "") -> Path:
        path = self.folder / f"{name}.html"
        path.write_text(PAGE.format(css=self.css, body=body, night=night), encoding="utf-8")
        return path

    def open(self, card: str = "one", width: int = 800, night: str = "", **media: str) -> Page:
        page = Page(self.browser, width, **media)
        page.open(self.write(f"{card}{width}{len(night)}", self.texts[card][1], night))
        return page


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cards]:
    root, folder = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("pages")
    draw(root, "first", "code", {"plane": plane([MODEL])})
    draw(root, "second", "code", {"plane": plane(OTHERS)})
    deck = Deck("D", CARDS, path="cards/d.md")
    package = folder / "x.apkg"
    build_package(Edition("c", "C", [deck], Ledger(), root, gallery=read_gallery(root)), package)
    anki = Collection(str(folder / "collection.anki2"))
    load(anki, package)
    for file in Path(anki.media.dir()).iterdir():
        shutil.copy(file, folder)
    texts = {card.id: list(sides(anki, card.id)) for card in CARDS if card.id}
    css = anki.get_card(anki.find_cards("Id:one")[0]).render_output().css
    anki.close()
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield Cards(browser, folder, css, texts)


PIXELS = """(() => {
  const canvas = document.querySelector("canvas");
  const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return [...all].filter((_, i) => i % 4 == 0);
})()"""


def pixels(page: Page) -> np.ndarray[Any, Any]:
    return np.array(page.run(PIXELS)) / 255


def told(page: Page) -> list[float]:
    """The code in numbers, as the page says it."""
    text = page.run('document.querySelector(".plane-z").textContent').replace("−", "-")
    return [float(number) for number in text.removeprefix("z = (").removesuffix(")").split(", ")]


def box(page: Page, selector: str) -> tuple[float, float, float, float]:
    """x, y, width, height of an element."""
    expression = f"""(() => {{
      const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
      return [r.x, r.y, r.width, r.height];
    }})()"""
    x, y, width, height = page.run(expression)
    return x, y, width, height


def at(page: Page, z: tuple[float, float]) -> tuple[float, float]:
    """Where a code is on the screen."""
    x, y, width, height = box(page, ".plane-square svg")
    return x + width * (z[0] / REACH + 1) / 2, y + height * (1 - z[1] / REACH) / 2


def drag_mouse(page: Page, *stops: tuple[float, float]) -> None:
    page.mouse("mousePressed", *at(page, stops[0]))
    for stop in stops[1:]:
        page.mouse("mouseMoved", *at(page, stop))
    page.mouse("mouseReleased", *at(page, stops[-1]))


def drag_finger(page: Page, *stops: tuple[float, float]) -> None:
    page.touch("touchStart", at(page, stops[0]))
    for stop in stops[1:]:
        page.touch("touchMove", at(page, stop))
    page.touch("touchEnd")


def by_torch(model: torch.nn.Module, z: Any) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        picture: np.ndarray[Any, Any] = model(torch.tensor(z)).sigmoid().numpy()
    return picture


Drag = Callable[..., None]


@pytest.mark.slow
@pytest.mark.parametrize("drag", [drag_mouse, drag_finger])
def test_a_drag_takes_the_code_along(cards: Cards, drag: Drag) -> None:
    page = cards.open()

    drag(page, (0.5, 0.5), (-1.0, 1.5), (-2.0, -1.0))

    assert told(page) == pytest.approx([-2.0, -1.0], abs=0.02)


@pytest.mark.parametrize("drag", [drag_mouse, drag_finger])
def test_a_drag_changes_the_picture(cards: Cards, drag: Drag) -> None:
    page = cards.open()
    before = pixels(page)

    drag(page, (0.5, 0.5), (-2.0, -1.0))

    assert np.abs(pixels(page) - before).mean() > 0.02


def test_a_drag_that_leaves_the_square_stays_at_its_edge(cards: Cards) -> None:
    page = cards.open()

    drag_mouse(page, (1.0, 1.0), (9.0, 1.0))

    assert told(page) == pytest.approx([REACH, 1.0], abs=0.02)


def test_a_mouse_that_only_passes_moves_nothing(cards: Cards) -> None:
    page = cards.open()
    before = told(page)

    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=300, y=300, buttons=0)

    assert told(page) == before


def test_a_finger_does_not_scroll_the_card(cards: Cards) -> None:
    page = cards.open()
    page.resize(800, 300)

    drag_finger(page, (0.0, 2.5), (0.0, 0.0))

    assert page.run("scrollY") == 0


@pytest.mark.parametrize(
    ("key", "shift", "way"),
    [
        ("ArrowLeft", False, (-0.1, 0)),
        ("ArrowRight", False, (0.1, 0)),
        ("ArrowUp", False, (0, 0.1)),
        ("ArrowDown", False, (0, -0.1)),
        ("ArrowUp", True, (0, 0.5)),
    ],
)
def test_arrow_keys_move_the_code(
    cards: Cards, key: str, shift: bool, way: tuple[float, float]
) -> None:
    page = cards.open()
    drag_mouse(page, (0.0, 0.0))
    begin, before = told(page), pixels(page)

    page.key(key, shift=shift)

    assert told(page) == pytest.approx([a + b for a, b in zip(begin, way, strict=True)], abs=0.011)
    assert (pixels(page) != before).any()


def test_the_keyboard_reaches_the_square_and_shows_it(cards: Cards) -> None:
    page = cards.open()

    page.key("Tab")

    assert page.run("document.activeElement.className") == "plane-square tappable"
    assert page.run("getComputedStyle(document.activeElement).outlineWidth") == "3px"


def test_a_key_on_the_square_is_not_the_card_s(cards: Cards) -> None:
    page = cards.open()
    page.run("window.heard = 0, document.addEventListener('keydown', () => heard++)")
    page.key("Tab")
    before = page.run("heard")

    page.key("ArrowDown")

    assert (before, page.run("heard"), page.run("scrollY")) == (1, 1, 0)


def test_twenty_points_are_decoded_as_torch_does(cards: Cards) -> None:
    """Within .05 of the network as it was trained, rounding and all; on average within .01."""
    page = cards.open()
    points = 2.4 * torch.rand(20, 2, generator=torch.Generator().manual_seed(0)) - 1.2
    gaps = []
    for x, y in points.tolist():
        where = at(page, (x, y))
        page.mouse("mousePressed", *where)
        page.mouse("mouseReleased", *where)
        gaps.append(np.abs(pixels(page) - by_torch(MODEL, [x, y])))

    assert (np.max(gaps) < 0.05, np.mean(gaps) < 0.01) == (True, True)


def test_the_numbers_are_read_out(cards: Cards) -> None:
    page = cards.open()
    drag_mouse(page, (1.0, -2.0))

    square = page.run(
        "(e => [e.role, e.ariaValueText, +e.ariaValueNow, e.ariaLabel.length > 0])"
        '(document.querySelector(".plane-square"))'
    )

    assert square == ["slider", "z = (1.00, −2.00)", 1, True]


def test_nothing_is_complained_of_and_nothing_is_asked_of_the_network(cards: Cards) -> None:
    page = cards.open("three")
    drag_mouse(page, (0.5, 0.5), (-2.0, -1.0))

    assert page.complaints == []
    assert {request.partition(":")[0] for request in page.requests} == {"file"}
    assert sorted(request.rpartition(".")[2] for request in page.requests) == ["html", "js", "png"]


def test_no_name_is_left_behind(cards: Cards) -> None:
    names = "Object.getOwnPropertyNames(window).sort()"
    page, plain = cards.open("three"), Page(cards.browser, 800)
    plain.open(cards.write("plain", "<p>nothing</p>"))
    drag_mouse(page, (0.5, 0.5), (-2.0, -1.0))

    assert page.run(names) == plain.run(names)


def test_a_front_has_no_plane(cards: Cards) -> None:
    assert [card for card, (front, _) in cards.texts.items() if "plane" in front] == []


def test_a_cloze_card_has_one_too(cards: Cards) -> None:
    page = cards.open("hole")

    drag_mouse(page, (0.0, 0.0), (-2.0, -1.0))

    assert told(page) == pytest.approx([-2.0, -1.0], abs=0.02)


def flip(page: Page, cards: Cards, *names: str) -> None:
    """Front and back of each card, as a session shows them, in one page."""
    for name in names:
        for side in cards.texts[name]:
            page.run(f"show({json.dumps(side)}).then(() => 0)")


def session(cards: Cards) -> Page:
    page = Page(cards.browser, 800)
    page.open(cards.write("session", f"<script>{FLIP}</script>"))
    return page


def test_a_card_that_is_flipped_again_and_again_works(cards: Cards) -> None:
    page = session(cards)

    flip(page, cards, *(3 * ["one", "three"]), "one")
    drag_mouse(page, (0.5, 0.5), (-2.0, -1.0))

    assert told(page) == pytest.approx([-2.0, -1.0], abs=0.02)
    assert page.run('document.querySelectorAll(".plane-touch").length') == 1
    assert page.complaints == []


def test_cards_that_are_turned_away_leave_nothing(cards: Cards) -> None:
    """Neither nodes nor listeners, though the walk of each was begun."""
    page = session(cards)
    page.call("Performance.enable")
    held = []
    for _ in range(3):
        for _ in range(4):
            flip(page, cards, "three", "one")
            page.run('document.querySelector(".plane-words button").click()')
        page.run('show("")')
        page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        page.call("HeapProfiler.collectGarbage")
        metrics = {m["name"]: m["value"] for m in page.call("Performance.getMetrics")["metrics"]}
        held.append((metrics["Nodes"], metrics["JSEventListeners"]))

    assert held[2] == held[1]


def test_a_walk_can_be_stopped_and_a_touch_stops_it(cards: Cards) -> None:
    page = cards.open()
    button = 'document.querySelector(".plane-words button")'
    words = []
    for stop in (lambda: page.run(f"{button}.click()"), lambda: drag_mouse(page, (1.0, 1.0))):
        page.run(f"{button}.click()")
        words.append(page.run(f"{button}.textContent"))
        stop()
        words.append(page.run(f"{button}.textContent"))

    assert words == ["Stop", "Walk from 1 to 8", "Stop", "Walk from 1 to 8"]


def test_a_walk_moves_along_the_line(cards: Cards) -> None:
    page = cards.open()
    page.run('document.querySelector(".plane-words button").click()')

    moved = page.run("""new Promise((done) => {
      const told = document.querySelector(".plane-z"), first = told.textContent;
      requestAnimationFrame(function look() {
        if (told.textContent === first) return requestAnimationFrame(look);
        done(true);
      });
    })""")
    x, y = told(page)

    (x0, y0), (x1, y1) = PATH
    share = (x - x0) / (x1 - x0)
    assert (moved, 0 < share <= 1) == (True, True)
    assert y == pytest.approx(y0 + share * (y1 - y0), abs=0.02)


def test_who_wants_less_motion_walks_step_by_step(cards: Cards) -> None:
    page = cards.open(prefers_reduced_motion="reduce")
    places = []
    for _ in range(7):
        page.run('document.querySelector(".plane-words button").click()')
        places.append(told(page))

    expected = np.linspace(*PATH, 7)
    np.testing.assert_allclose(places, expected, atol=0.006)
    assert (
        page.run('document.querySelector(".plane-words button").textContent') == "Walk from 8 to 1"
    )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_switch_shows_the_same_code_through_another_decoder(cards: Cards, number: int) -> None:
    page = cards.open("three")
    drag_mouse(page, (0.5, -0.5))

    page.run(f'document.querySelectorAll("[aria-pressed]")[{number}].click()')

    expected = by_torch(OTHERS[number], [0.5, -0.5])
    pressed = page.run('document.querySelector("[aria-pressed=true]").textContent')
    assert (np.abs(pixels(page) - expected).mean() < 0.01, pressed) == (True, f"β {number}")


LOOK = """(() => {
  const root = document.documentElement, square = document.querySelector(".plane-square svg");
  const scale = square.getBoundingClientRect().width / 700;
  const size = (element) => parseFloat(getComputedStyle(element).fontSize);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const inside = (element) => {
    const own = element.getBoundingClientRect(), around = square.getBoundingClientRect();
    return own.left >= around.left && own.right <= around.right && own.top >= around.top &&
      own.bottom <= around.bottom;
  };
  return {
    over: root.scrollWidth - root.clientWidth,
    letters: Math.min(...all(".plane-square text").map((text) => scale * size(text)),
      ...all(".plane-words *").map(size)),
    inside: all(".plane-square text").every(inside),
    still: getComputedStyle(document.querySelector(".plane > img")).display,
    cut: all(".plane-words *").filter((each) => each.scrollWidth > each.clientWidth + 1).length,
    tall: Math.min(...all("button").map((each) => each.getBoundingClientRect().height)),
  };
})()"""


@pytest.mark.parametrize("night", ["", NIGHT], ids=["day", "night"])
@pytest.mark.parametrize("width", [320, 390, 480, 800, 1400])
@pytest.mark.parametrize("card", ["one", "three"])
def test_a_plane_fits_its_screen(cards: Cards, card: str, width: int, night: str) -> None:
    page = cards.open(card, width, night)
    seen = page.run(LOOK)
    square, picture = box(page, ".plane-square svg"), box(page, "canvas")

    assert (seen["over"], seen["still"], seen["inside"], seen["cut"]) == (0, "none", True, 0)
    assert (seen["letters"] >= 11, seen["tall"] >= 36) == (True, True)
    assert (square[2], picture[2]) == (pytest.approx(square[3]), pytest.approx(picture[3]))
    assert square[2] >= 200
    above, beside = picture[1] + picture[3] <= square[1], picture[0] >= square[0] + square[2]
    assert (above, beside) == ((True, False) if width < 480 else (False, True))


CONTRAST = """(() => {
  const colour = (element, key) => getComputedStyle(element)[key].match(/[\\d.]+/g).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const find = (selector) => document.querySelector(selector);
  const paper = colour(document.body, "backgroundColor"), square = colour(find(".plane-square"),
    "backgroundColor");
  return [[find(".plane-z"), "color", paper], [find(".plane-class"), "fill", square],
    [find(".plane-axis"), "fill", square], [find("button"), "color", square]]
    .map(([element, key, behind]) => {
      const [dark, bright] = [light(colour(element, key)), light(behind)].sort((a, b) => a - b);
      return (bright + 0.05) / (dark + 0.05);
    });
})()"""


@pytest.mark.parametrize("night", ["", NIGHT], ids=["day", "night"])
def test_letters_stand_out_from_what_is_behind_them(cards: Cards, night: str) -> None:
    """WCAG's contrast of at least 4.5."""
    assert min(cards.open(night=night).run(CONTRAST)) >= 4.5


@pytest.mark.slow
def test_without_scripts_there_is_the_still_picture(cards: Cards) -> None:
    page = Page(cards.browser, 800)
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.open(cards.write("still", cards.texts["one"][1]))
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    image = page.call("DOM.querySelector", nodeId=root, selector=".plane > img")["nodeId"]
    size = page.call("DOM.getBoxModel", nodeId=image)["model"]

    assert size["width"] > 300
    assert CAPTION.replace("<", "&lt;") in cards.texts["one"][1]
