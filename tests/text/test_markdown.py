r"""Formulas, prices, code and images in card Markdown."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from latex2mathml.converter import convert

from vaeflash.text.markdown import formulas, images, parser

CARD = r"""With mean \( \mu_d \) and deviation \( \sigma_d \), the closed form is:
\[ \tfrac12 \sum_d \left( \mu_d^2 + \sigma_d^2 - 1 - \log \sigma_d^2 \right) \]

- in a list \( q(z \mid x) \), and under it
  \[ \mathcal{L} = \mathbb{E}_{q}[\log p(x \mid z)] \]
- $\beta \ge 1$

$$
\|x - \hat{x}\|^2
+ \beta \, \mathrm{KL}
$$

> quoted \[ \begin{pmatrix} a & b \\[2pt] c & d \end{pmatrix} \]
"""


def kinds(text: str) -> list[str]:
    return [
        child.type
        for token in parser().parse(text)
        for child in token.children or ()
        if child.type.startswith("math")
    ]


def blocks(text: str) -> list[str]:
    return [token.type for token in parser().parse(text) if token.level == 0 and token.nesting >= 0]


def test_every_formula_of_a_card_is_found_and_compiles() -> None:
    found = formulas(CARD)

    assert len([tex for tex in found if convert(tex)]) == 8


@pytest.mark.parametrize(
    ("text", "kind", "tex"),
    [
        (r"a \(x_1 * y_2 * z\) b", "math_inline", "x_1 * y_2 * z"),
        (r"a \[x\] b", "math_display", "x"),
        ("a $x$ b", "math_inline", "x"),
        ("a $$x$$ b", "math_display", "x"),
        ("Formula:\n\\[ x \\]", "math_display", " x "),
        ("- item \\[ x \\]", "math_display", " x "),
        (r"**bold \(x\)**", "math_inline", "x"),
        ("| \\(x\\) |\n|---|", "math_inline", "x"),
        ("# about $x$", "math_inline", "x"),
        (r"\(\text{if \(y\) holds}\)", "math_inline", r"\text{if \(y\) holds}"),
        (r"$\$5$", "math_inline", r"\$5"),
        ("\\(a\nb\\)", "math_inline", "a\nb"),
    ],
)
def test_a_formula_keeps_its_kind_and_its_tex(text: str, kind: str, tex: str) -> None:
    assert (kinds(text), formulas(text)) == ([kind], (tex,))


@pytest.mark.parametrize(
    "text",
    [
        "$5 and $10",
        "between $5 and $10, or US$7",
        "10$ or 20$",
        "5$-10$ each",
        "- \\[\n- x \\]",
        r"\$x$",
        r"\\(x\\)",
        "`$x$` and `\\(x\\)`",
        "```\n\\[ x \\]\n$y$\n```",
        "    \\[\n    x\n    \\]",
        "$ x $",
        "$a `b$ c`",
        r"\( \)",
        "\\(a\n\nb\\)",
        r"\(x",
        "$$",
        r"x\)",
    ],
)
def test_prices_code_and_loose_delimiters_are_text(text: str) -> None:
    assert formulas(text) == ()


@pytest.mark.parametrize("line", ["- \\beta", "+ y", "=", "---", "> 0", "# a", "1. x", "| a |"])
@pytest.mark.parametrize(("opener", "closer"), [(r"\[", r"\]"), ("$$", "$$")])
def test_a_line_of_a_display_formula_is_no_markdown(line: str, opener: str, closer: str) -> None:
    text = f"Text:\n{opener}\nx\n{line}\n{closer} where\nx is\n- a list"

    found = formulas(text)

    assert (found, blocks(text)) == (
        (f"\nx\n{line}\n",),
        ["paragraph_open", "paragraph_open", "bullet_list_open"],
    )


def test_a_formula_of_several_lines_stays_inside_its_quote() -> None:
    assert formulas("> \\[\n> - x\n> \\]\n> y") == ("\n- x\n",)


@pytest.mark.parametrize(
    ("text", "outline"),
    [
        ("> quote\n\\[\n- x\n\\]", ["blockquote_open", "paragraph_open"]),
        ("- item\n\\[\n- x\n\\]", ["bullet_list_open", "paragraph_open"]),
        ("- item\n  \\[\n  - x\n  \\]", ["bullet_list_open"]),
        ("> quote\n    \\[\n    - x\n    \\]", ["blockquote_open"]),
    ],
)
def test_a_formula_of_several_lines_stands_where_it_is_written(
    text: str, outline: list[str]
) -> None:
    assert (len(formulas(text)), blocks(text)) == (1, outline)


def test_an_unclosed_formula_of_several_lines_is_markdown() -> None:
    assert blocks("\\[\n- x\n\ny \\]") == [
        "paragraph_open",
        "bullet_list_open",
        "paragraph_open",
    ]


def test_unbalanced_braces_are_still_seen_as_a_formula() -> None:
    """So that lint can say what is wrong with it."""
    assert formulas(r"\( \frac{a}{b \) and text") == (r" \frac{a}{b ",)


@given(
    st.text("abx_*^<&+- \\{}", min_size=1).map(lambda text: text.replace("\\", "\\alpha ")),
    st.sampled_from([(r"\(", r"\)"), (r"\[", r"\]"), ("$$", "$$")]),
)
def test_any_tex_on_a_line_comes_back_as_it_was(tex: str, delimiters: tuple[str, str]) -> None:
    opener, closer = delimiters
    expected = (tex,) if tex.strip() else ()

    assert formulas(f"x {opener}{tex}{closer} y") == expected


@given(st.text("$\\()[]{}`*_ \n-=>|1a"))
def test_parsing_never_fails(text: str) -> None:
    assert parser().render(text) is not None


@pytest.mark.slow
def test_many_stray_openers_are_read_quickly_enough_to_end() -> None:
    assert formulas(r"\(" * 20_000) == ()


def test_raw_html_is_text() -> None:
    assert "<b>" not in parser().render("a <b>b</b>\n\n<div>x</div>")


def test_tables_and_strikethrough_are_read_and_footnotes_are_not() -> None:
    page = parser().render("| a |\n|---|\n| ~~b~~ |\n\nx[^1]")

    assert ("<table>" in page, "<s>b</s>" in page, "[^1]" in page) == (True, True, True)


def test_images_are_listed_as_written() -> None:
    text = "![a](fig/a.png) [![*b*](<b c.png>)](x.html)\n\n- ![d](d%20e.png)\n\n`![no](n.png)`"

    assert images(text) == ("fig/a.png", "b c.png", "d e.png")


def test_the_parser_loads_nothing_heavy() -> None:
    heavy = "torch numpy matplotlib genanki pygments rich"
    code = f"import sys, vaeflash.text.markdown; print(*set(sys.modules) & set({heavy.split()}))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


LINES = (
    "a",
    "b | c",
    "é",
    "=",
    "---",
    "|-|-|",
    ":-|-",
    "- a",
    "> a",
    "1. a",
    "# a",
    "$$",
    "```",
    "",
)


@pytest.mark.slow
@example([("", "a"), ("", "a"), ("", "=")])
@example([("    ", "a")])
@example([("", "b | c"), ("", "|-|-|")])
@example([("", "b | c"), ("", ":-|-")])
@example([("", "b | c"), ("", "-|-")])
@given(st.lists(st.tuples(st.sampled_from(["", " ", "    ", "> ", "- "]), st.sampled_from(LINES))))
def test_a_paragraph_seen_at_once_is_what_the_other_rules_make_of_it(
    lines: list[tuple[str, str]],
) -> None:
    text = "\n".join(indent + line for indent, line in lines)
    without = parser.__wrapped__().disable("words")

    tokens = parser().parse(text)

    assert tokens == without.parse(text)
