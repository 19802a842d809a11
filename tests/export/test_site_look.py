"""The pages in a browser: links open cards, the search finds them, planes move, nothing overflows.

Headless Chromium opens them from a disk. VAEFLASH_AXE names `axe.min.js` of the npm package
`axe-core`; without it accessibility is not looked at, and without Chromium nothing is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, Page
from planes import REACH, plane

from vaeflash.card import Card, Deck
from vaeflash.course.course import bundled_root, open_course
from vaeflash.export.edition import Edition, edition_of
from vaeflash.export.site import build_site
from vaeflash.gallery import draw, read_gallery
from vaeflash.judging.ledger import Ledger

AXE = Path(os.environ.get("VAEFLASH_AXE", "none"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
]

LOAD = "Page.loadEventFired"
WIDTHS = (320, 390, 768, 1400)
COURSE = open_course(bundled_root())
PAGES = ("index", *(Path(deck.path).stem for deck in COURSE.decks()))
FILLED = "\n\n".join(f"Paragraph {number}." for number in range(60))
CARDS = (
    Card("First", "Q?", FILLED, id="first"),
    Card("A plane", "Q?", "Behind it.", id="plane", demos=("first",), figure="plane"),
    Card("The same plane", "Q?", "A.", id="again", demos=("first",), figure="plane"),
    Card("Müller's café", "Where?", "At \\( \\sigma \\).", id="cafe", tags=("places",)),
    Card("Wide", "`" + "code" * 60 + "`", "```\n" + "x" * 500 + "\n```", id="wide"),
)
OTHER = (Card("A plan of a town", "Which `<b>`?", "None: the *café* is elsewhere.", id="other"),)


class Site:
    """A folder of pages, in a browser that opens them."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.folder = browser, folder

    def open(
        self, name: str, fragment: str = "", width: int = 800, scripts: bool = True, **media: str
    ) -> Page:
        page = Page(self.browser, width, **media)
        page.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        # A page that a test left by a link has told of its loading, too.
        self.browser.events = [e for e in self.browser.events if e["method"] != LOAD]
        address = (self.folder / f"{name}.html").as_uri()
        page.call("Page.navigate", url=f"{address}#{fragment}" if fragment else address)
        self.browser.wait(LOAD)
        return page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A small one with planes."""
    root, out = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("site")
    draw(root, "first", "code", {"plane": plane()})
    decks = [Deck("One", CARDS, path="cards/one.md"), Deck("Two", OTHER, path="cards/two.md")]
    build_site(Edition("c", "A course", decks, Ledger(), root, gallery=read_gallery(root)), out)
    return Site(browser, out)


@pytest.fixture(scope="module")
def course(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The bundled one."""
    out = tmp_path_factory.mktemp("course-site")
    build_site(edition_of(COURSE), out)
    return Site(browser, out)


SHOWN = """(id) => document.getElementById(id).querySelector(".answer").checkVisibility(
  { contentVisibilityAuto: true })"""


def shown(page: Page) -> list[str]:
    """The cards whose answers are seen."""
    script = f'[...document.querySelectorAll("article")].map((a) => a.id).filter({SHOWN})'
    found: list[str] = page.run(script)
    return found


def height(page: Page, selector: str) -> float:
    """Of an element, where no script may be asked."""
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    node = page.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
    found: float = page.call("DOM.getBoxModel", nodeId=node)["model"]["height"]
    return found


def press(page: Page, key: str, code: int) -> None:
    for kind in ("rawKeyDown", "keyUp"):
        page.call(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code
        )


LATER = "new Promise((done) => setTimeout(done, 50))"


def search(page: Page, text: str) -> list[str]:
    """Types into the search; where its results lead."""
    page.run('document.getElementById("Query").focus()')
    page.call("Input.insertText", text=text)
    page.run(LOADED)
    found: list[str] = page.run(FOUND)
    return found


LOADED = """new Promise(function wait(done) {
  document.getElementById("Count").textContent ? done() : setTimeout(() => wait(done), 5);
})"""
FOUND = '[...document.querySelectorAll("#Found a")].map((a) => a.getAttribute("href"))'


# Cards.


def test_answers_are_closed_at_first(site: Site) -> None:
    assert shown(site.open("one")) == []


def test_a_link_opens_the_card_that_it_names(site: Site) -> None:
    assert shown(site.open("one", "cafe")) == ["cafe"]


def test_a_link_opens_its_card_without_scripts_too(site: Site) -> None:
    linked, other = (
        height(site.open("one", fragment, scripts=False), "#first")
        for fragment in ("first", "wide")
    )

    assert linked > other + 500


def test_a_linked_card_is_brought_into_view(site: Site) -> None:
    page = site.open("one", "cafe")

    top = page.run('document.getElementById("cafe").getBoundingClientRect().top')
    assert 0 <= top < 900


def test_a_link_on_the_page_opens_its_card(site: Site) -> None:
    page = site.open("one")

    page.run("document.querySelector('[href=\"#wide\"]').click()")
    page.run(LATER)

    assert shown(page) == ["wide"]


def test_paper_shows_every_answer_and_no_control(site: Site) -> None:
    page = site.open("one")

    page.call("Emulation.setEmulatedMedia", media="print")
    page.run(LATER)

    assert shown(page) == [card.id for card in CARDS]
    controls = "[role=search], summary, .plane-touch, .plane-legend, .neighbours"
    seen = f'[...document.querySelectorAll("{controls}")].filter((e) => e.checkVisibility()).length'
    assert page.run(seen) == 0


def test_paper_shows_the_still_picture_of_a_plane(site: Site) -> None:
    page = site.open("one")

    page.call("Emulation.setEmulatedMedia", media="print")
    page.run(LATER)

    assert page.run('document.querySelector("#plane .plane > img").checkVisibility()')


def test_paper_shows_answers_without_scripts_too(site: Site) -> None:
    page = site.open("one", scripts=False)
    closed = height(page, "#first")

    page.call("Emulation.setEmulatedMedia", media="print")

    assert height(page, "#first") > closed + 500


def test_printing_leaves_the_page_as_it_was(site: Site) -> None:
    page = site.open("one", "cafe")

    page.call("Page.printToPDF")

    assert shown(page) == ["cafe"]


# The search.


def test_the_search_finds_titles_first_without_accents_and_capitals(site: Site) -> None:
    assert search(site.open("index"), "CAFE") == ["one.html#cafe", "two.html#other"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("elsewhere", ["two.html#other"]),
        ("cafe elsewhere", ["two.html#other"]),
        ("cafe nowhere", []),
        ("places", ["one.html#cafe"]),
        ("σ", ["one.html#cafe"]),
        ("<b>", ["two.html#other"]),
        ("plan", ["one.html#plane", "one.html#again", "two.html#other"]),
    ],
)
def test_every_word_must_be_found(site: Site, words: str, found: list[str]) -> None:
    assert search(site.open("index"), words) == found


def test_the_number_of_cards_is_told(site: Site) -> None:
    page = site.open("index")

    search(page, "elsewhere")

    assert page.run('document.getElementById("Count").textContent') == "1 card"


def test_words_are_marked_where_they_were_found(site: Site) -> None:
    page = site.open("index")

    search(page, "cafe")

    marked = page.run('[...document.querySelectorAll("mark")].map((m) => m.textContent)')
    assert marked == ["café", "café"]


def test_the_keyboard_alone_goes_to_a_card(site: Site) -> None:
    page = site.open("two")
    press(page, "/", 191)
    search(page, "plan")
    press(page, "ArrowDown", 40)
    press(page, "ArrowDown", 40)
    press(page, "ArrowUp", 38)

    focused = page.run('document.activeElement.getAttribute("href")')
    assert focused == "one.html#plane"


def test_enter_takes_the_first(site: Site) -> None:
    page = site.open("one")
    search(page, "cafe")

    press(page, "Enter", 13)
    page.run(LATER)

    assert (page.run("location.hash"), shown(page)) == ("#cafe", ["cafe"])
    assert page.run(FOUND) == []


def test_escape_ends_the_search(site: Site) -> None:
    page = site.open("one")
    search(page, "cafe")

    press(page, "Escape", 27)

    assert (page.run(FOUND), page.run('document.getElementById("Query").value')) == ([], "")


def test_without_scripts_there_is_no_search_to_be_seen(site: Site) -> None:
    page = site.open("index", scripts=False)

    with pytest.raises(RuntimeError, match="box model"):
        height(page, "[role=search]")


# What can be touched.

PIXELS = """(() => {
  const canvas = document.querySelector("#plane canvas");
  return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
})()"""


def test_a_drag_changes_the_picture(site: Site) -> None:
    page = site.open("one", "plane")
    page.run('document.querySelector("#plane .plane-square").scrollIntoView({ block: "center" })')
    box = """(() => {
      const r = document.querySelector("#plane .plane-square svg").getBoundingClientRect();
      return [r.x, r.y, r.width, r.height];
    })()"""
    x, y, width, height = page.run(box)
    before = page.run(PIXELS)

    page.mouse("mousePressed", x + width / 2, y + height / 2)
    page.mouse("mouseMoved", x + width / 4, y + height / 4)
    page.mouse("mouseReleased", x + width / 4, y + height / 4)

    told = page.run('document.querySelector("#plane .plane-z").textContent')
    assert told == f"z = (−{REACH / 2:.2f}, {REACH / 2:.2f})"
    assert page.run(PIXELS) != before


def test_one_script_serves_every_card_with_the_plane(site: Site) -> None:
    page = site.open("one")

    assert page.run('document.querySelectorAll(".plane[data-live]").length') == 2
    assert len(list((site.folder / "media").glob("*.js"))) == 1


def test_colours_of_a_plane_follow_the_page(site: Site) -> None:
    colour = 'getComputedStyle(document.querySelector(".plane-square")).backgroundColor'
    day, night = (
        site.open("one", prefers_color_scheme=scheme).run(colour) for scheme in ("light", "dark")
    )

    assert (day, night) == ("rgb(242, 243, 241)", "rgb(40, 43, 49)")


# The whole course.

OPENED = """document.querySelectorAll("details").forEach((each) => { each.open = true; });
new Promise((done) => setTimeout(done, 50))"""
OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OUTSIDE = """[...document.querySelectorAll("main *")].filter((e) => {
  const r = e.getBoundingClientRect();
  return r.right > innerWidth + 1 && !e.closest("pre, .display, .scroll, .text, .plane svg");
}).map((e) => e.outerHTML.slice(0, 80))"""
LOST = "[...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)"


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_its_screen_and_nothing_is_missing(course: Site, name: str) -> None:
    page = course.open(name, width=WIDTHS[0])
    page.run(OPENED)

    for width in WIDTHS:
        page.resize(width)

        assert (width, page.run(OVER), page.run(OUTSIDE)) == (width, 0, [])
    assert page.run(LOST) == []
    assert page.complaints == []


def test_what_is_wide_can_be_scrolled_by_keys(site: Site) -> None:
    page = site.open("one", "wide", width=390)
    page.run(LATER)

    assert page.run('document.querySelector("#wide pre").tabIndex') == 0
    assert page.run(OVER) == 0


def test_no_request_leaves_the_folder(course: Site) -> None:
    page = course.open("beta")
    search(page, "kl")

    prefix = course.folder.as_uri() + "/"
    assert [url for url in page.requests if not url.startswith((prefix, "data:"))] == []
    assert prefix + "search-index.js" in page.requests


def test_no_name_is_left_behind(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bare.html").write_text("<!DOCTYPE html><title>t</title>")
    bare = Site(site.browser, tmp_path).open("bare")
    page = site.open("one")
    search(page, "cafe")

    names = "Object.getOwnPropertyNames(window)"
    known = {*bare.run(names), *page.run('[...document.querySelectorAll("[id]")].map((e) => e.id)')}
    assert set(page.run(names)) - known == set()


@pytest.mark.slow
@pytest.mark.skipif(not AXE.is_file(), reason="VAEFLASH_AXE names no axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "kl-divergence", "training", "beta", "vae"])
def test_axe_finds_nothing(course: Site, name: str, scheme: str) -> None:
    page = course.open(name, width=390, prefers_color_scheme=scheme)
    page.run(OPENED)
    search(page, "kl")

    page.run(AXE.read_text(encoding="utf-8"))
    found = page.run(
        "axe.run().then((found) => found.violations.map((v) => [v.impact, v.id, v.nodes[0].html]))"
    )
    assert found == []
