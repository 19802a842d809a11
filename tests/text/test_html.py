r"""Card Markdown as Anki's HTML: escaping, formulas, code, clozes."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from vaeflash.text.html import (
    cloze_numbers,
    cloze_to_html,
    escape,
    highlight,
    inline_to_html,
    to_html,
)

ALLOWED = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "br", "div"),
    *("em", "strong", "s", "code", "pre", "span", "a", "img"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


class Reader(HTMLParser):
    """An independent reading of the page: its elements and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("markdown", "page"),
    [
        ('a < b & "c"', '<p>a &lt; b &amp; "c"</p>'),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        (r"\(a<b\)", r"<p>\(a&lt;b\)</p>"),
        (r"\[a & b\]", r"<p>\[a &amp; b\]</p>"),
        ("$x_1$ and $$y_2$$", r"<p>\(x_1\) and \[y_2\]</p>"),
        ("&lt;", "<p>&lt;</p>"),
        ("`a<b`", "<p><code>a&lt;b</code></p>"),
        (r"\\(no\\)", r"<p><span>\</span>(no<span>\</span>)</p>"),
        ("[sound:x.mp3]", "<p>&#91;sound:x.mp3]</p>"),
        ("[latex]x[/latex]", "<p>&#91;latex]x&#91;/latex]</p>"),
        ("std::vector<int>", "<p>std::vector&lt;int&gt;</p>"),
        ("{{Front}} {{c1::x}}", "<p>{{Front}} {{c1::x}}</p>"),
        ("", ""),
    ],
)
def test_text_is_escaped_once_and_formulas_stay(markdown: str, page: str) -> None:
    assert to_html(markdown) == page


def test_inline_text_has_no_paragraph() -> None:
    assert inline_to_html(r"*KL* of \(q\)") == r"<em>KL</em> of \(q\)"


def test_code_has_classes_and_no_inline_styles() -> None:
    page = to_html("```python\ndef f(x): return x < 1\n```")

    assert '<pre class="code"><code><span class="k">def</span>' in page
    assert "style" not in page


def test_highlighted_code_reads_as_written() -> None:
    code = 'def f(x):\n\n    return "<a\\n>" if x < 1 else [sound:x]  # \\(x\\)\n'

    assert Reader(to_html(f"```python\n{code}```")).text == code


@pytest.mark.parametrize("language", ["", "nonsense", "math <b>"])
def test_code_in_an_unknown_language_is_plain(language: str) -> None:
    page = to_html(f"```{language}\na < b\n```")

    assert page == '<pre class="code"><code>a &lt; b\n</code></pre>'


def test_highlighting_is_kept_for_the_next_build() -> None:
    highlight("x = 12345", "python")
    to_html("`a`\n\n```python\nx = 12345```")
    before = highlight.cache_info().hits

    highlight("x = 12345", "python")

    assert highlight.cache_info().hits == before + 1


def test_delimiters_in_code_cannot_become_a_formula() -> None:
    assert r"\(" not in to_html("`\\(x\\)`\n\n```tex\n\\(x\\)\n```")


def test_images_are_named_by_the_caller() -> None:
    page = to_html('![the *curve*](a%20b.png "say \\"x\\"")', lambda source: source.upper())

    assert page == '<p><img src="A B.PNG" alt="the curve" title="say &quot;x&quot;"></p>'


def test_a_wide_table_scrolls_in_its_own_box() -> None:
    assert to_html("| a |\n|---|").startswith('<div class="scroll"><table>')


def test_a_script_address_is_no_link() -> None:
    assert "href" not in to_html("[x](javascript:alert)")


@pytest.mark.slow
@given(st.text("<>&\"'`*_[]()!#-|~$\\{}:c1n \n\tab"))
def test_only_the_elements_of_markdown_come_out(markdown: str) -> None:
    assert Reader(to_html(markdown)).tags <= ALLOWED


@given(st.text("<>&\"'{}c1:ab;#x", min_size=1))
def test_tex_reads_back_as_it_was(tex: str) -> None:
    page = to_html(rf"\({tex}\)")

    assert Reader(page).text == (rf"\({tex}\)")


@given(st.text())
def test_escaped_text_reads_back_as_it_was(text: str) -> None:
    assert html.unescape(escape(text)) == html.unescape(html.escape(text))


@pytest.mark.parametrize(
    ("markdown", "page"),
    [
        ("{{c1::a < b}}", "<p>{{c1::a &lt; b}}</p>"),
        ("{{c1::a::hint}}", "<p>{{c1::a::hint}}</p>"),
        (r"{{c1::\(\frac{a}{\sqrt{b}}\)}}", r"<p>{{c1::\(\frac{a}{\sqrt{b} }\)}}</p>"),
        (r"\(x^{a_{b}} = {{c1::\frac{a}{b}}}\)", r"<p>\(x^{a_{b} } = {{c1::\frac{a}{b} }}\)</p>"),
        (r"\({{c1::\sqrt{\frac{a}{b}}}}\)", r"<p>\({{c1::\sqrt{\frac{a}{b} } }}\)</p>"),
        ("{{c1::`a[::2]`}}", "<p>{{c1::<code>a[:&#58;2]</code>}}</p>"),
        ("`f({{c1::{a}}})`", "<p><code>f({{c1::{a&#125;}})</code></p>"),
        ("{{c1::`{{}}`}}", "<p>{{c1::<code>{&#123;}&#125;</code>}}</p>"),
        (
            "{{c1::[x](https://a.example/b::c)}}",
            '<p>{{c1::<a href="https://a.example/b:&#58;c">x</a>}}</p>',
        ),
    ],
)
def test_a_cloze_ends_where_the_author_ended_it(markdown: str, page: str) -> None:
    assert cloze_to_html(markdown) == page


def test_a_cloze_in_a_code_block_survives() -> None:
    page = cloze_to_html("```python\nx = {{c1::f({1: {2: 3}})}}\ny = {}\n```")

    (hidden,) = re.findall(r"\{\{c1::(.*?)\}\}", page)
    assert html.unescape(hidden) == "f({1: {2: 3}})"


def test_code_without_a_cloze_stays_highlighted_on_a_cloze_card() -> None:
    assert '<span class="k">' in cloze_to_html("{{c1::x}}\n\n```python\ndef f(): pass\n```")


@pytest.mark.parametrize(
    ("page", "numbers"),
    [
        ("none", ()),
        ("{{c1::a}} {{c3::b}} {{c1::c}}", (1, 3)),
        ("{{c1::a {{c2::b}} c}}", (1, 2)),
        ("{{c1,2::a}}", (1, 2)),
        ("{{c0::a}}", ()),
        ("{{c1:a}} }}", ()),
    ],
)
def test_clozes_are_counted_as_anki_counts(page: str, numbers: tuple[int, ...]) -> None:
    assert cloze_numbers(page) == numbers


def test_an_open_cloze_is_an_error() -> None:
    with pytest.raises(ValueError, match=re.escape("{{c2:: is never closed")):
        cloze_numbers("{{c1::a}} {{c2::b")


@given(st.text("{}c12:\\ab` $()", max_size=60))
def test_any_cloze_text_can_be_rendered(markdown: str) -> None:
    assert Reader(cloze_to_html(markdown)).tags <= ALLOWED


def test_pygments_is_loaded_only_for_code_with_a_language() -> None:
    code = (
        "import sys, vaeflash.text.html as h; h.to_html('`a`\\n\\n```\\nx\\n```');"
        "print('pygments' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


@given(st.text(alphabet="aZ9é β,.:;?()+='\"-_*&<", max_size=40))
def test_a_line_without_markup_is_what_commonmark_makes_of_it(line: str) -> None:
    page = inline_to_html(line)

    assert html.unescape(page) == html.unescape(MarkdownIt().renderInline(line).strip())
