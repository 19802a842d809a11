r"""What is too much of a formula is seen before a reader of TeX meets it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.export.site.formula import to_mathml
from vaeflash.text.html import cloze_to_html, to_html
from vaeflash.text.tex import beyond, translate
from vaeflash.text.tex.bounds import MAX_LENGTH, MAX_NESTING, MAX_UNCLOSED, measure

N = 300
DEEP = {
    "groups": "{" * N + "x" + "}" * N,
    "roots": r"\sqrt{" * N + "x" + "}" * N,
    "roots without braces": r"\sqrt " * N + "x",
    "degrees": r"\sqrt[" * N + "3" + "]x" * N,
    "roots of degree 3 in a row": r"\sqrt[3]" * N + "x",
    "fractions, above": r"\frac " * N + "x" * (N + 1),
    "fractions, below": r"\frac x" * N + "x",
    "fractions, below, in braces": r"\frac{x}" * N + "x",
    "accents": r"\hat " * N + "x",
    "superscripts": "x^{" * N + "x" + "}" * N,
    "subscripts of sums": r"\sum\limits_" * N + "x",
    "scripts of commands": r"x_\mathbf{x}^\frac" * N,
    "delimiters": r"\left(" * N + "x" + r"\right)" * N,
    "brackets": "(" * N + "x" + ")" * N,
    "sized brackets": r"\bigl(" * N + "x" + r"\bigr)" * N,
    "matrices": r"\begin{matrix}" * 100 + "x" + r"\end{matrix}" * 100,
    "colours": r"\color{red}" * N + "x",
    "negations": r"\not " * N + "=",
    "styles": r"\displaystyle " * N + "x",
    "unknown commands": r"\unheard " * N + "x",
    "braces that a comment seems to close": "{%}\n" * N,
    "braces if there are no comments": "{%{{" * N,
    "arguments that a comment seems to be": "\\hat %x\n" * N,
    "a group that another closer does not close": (r"{\end{x}\right)" * N),
}
UNCLOSED = {
    "round": "(" * 40,
    "square": "[" * 40,
    "in words": r"\langle " * 40,
    "in Unicode": "⟪" * 40,
    "in groups": "{(}" * 40,
    "bars": r"\bigl| " * 40,
    "between delimiters": r"\left(" + "( " * 40 + r"\right)",
    "of another kind": r"\llbracket " * 40,
}
TOO_MUCH = DEEP | UNCLOSED | {"long": "x" * (MAX_LENGTH + 1)}


@dataclass(frozen=True)
class Tree:
    """TeX that was built so deep; whole if it can be an argument as it is."""

    tex: str
    depth: int
    whole: bool = True


def braced(tree: Tree) -> Tree:
    return Tree("{" + tree.tex + "}", tree.depth + 1)


def argument(tree: Tree) -> Tree:
    return tree if tree.whole else braced(tree)


def wrapped(trees: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    whole = trees.map(argument)
    deeper = lambda before, after, tree, whole=True: Tree(  # noqa: E731
        before + tree.tex + after, tree.depth + 1, whole
    )
    return st.one_of(
        trees.map(braced),
        whole.map(lambda t: deeper(r"\hat ", "", t)),
        whole.map(lambda t: deeper(r"\frac a", "", t)),
        whole.map(lambda t: deeper(r"\frac ", "b", t)),
        whole.map(lambda t: deeper("x_", "", t, whole=False)),
        trees.map(lambda t: deeper("(", "]", t, whole=False)),
        trees.map(lambda t: deeper(r"\bigl|", r"\bigr|", t, whole=False)),
        trees.map(lambda t: deeper(r"\left(", r"\right.", t)),
        # The name of an environment is a group.
        trees.map(lambda t: Tree(r"\begin{array}" + t.tex + r"\end{array}", max(t.depth, 1) + 1)),
        st.tuples(trees, trees).map(
            lambda two: Tree(two[0].tex + " + " + two[1].tex, max(t.depth for t in two), False)
        ),
    )


LEAVES = st.sampled_from(["x", r"\alpha ", "2", r"\infty "]).map(lambda tex: Tree(tex, 0))


@pytest.mark.slow
@given(st.recursive(LEAVES, wrapped, max_leaves=8))
def test_the_measure_is_how_deep_a_formula_was_built(tree: Tree) -> None:
    assert measure(tree.tex) == (tree.depth, 0)


@pytest.mark.parametrize("tex", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_is_too_much_is_beyond_the_bounds(tex: str) -> None:
    assert beyond(tex)


@pytest.mark.parametrize("tex", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_is_too_much_becomes_no_mathml(tex: str) -> None:
    with pytest.raises(ValueError, match=r"levels deep|never closed|longer than"):
        to_mathml(tex, display=True)


@pytest.mark.parametrize("tex", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_is_too_much_stays_tex_on_the_terminal(tex: str) -> None:
    assert translate(tex) is None


@pytest.mark.parametrize("render", [to_html, cloze_to_html])
def test_anki_shows_a_formula_that_is_too_much_as_code(render: type) -> None:
    page = render("\\[ " + DEEP["roots"] + " \\]")

    assert page.startswith(r"<p><code> &#92;sqrt{&#92;sqrt{")


@pytest.mark.parametrize(
    "tex",
    [
        r"\sqrt{" * (MAX_NESTING // 2) + "x" + "}" * (MAX_NESTING // 2),
        r"\begin{matrix}" * (MAX_NESTING - 1) + "x" + r"\end{matrix}" * (MAX_NESTING - 1),
        "(" * MAX_UNCLOSED + "x",
        r"\ket{(" * MAX_UNCLOSED + "x" + "}" * MAX_UNCLOSED,
        "{" * MAX_NESTING + "x" + "}" * MAX_NESTING,
    ],
)
def test_all_that_is_within_the_bounds_can_be_read(tex: str) -> None:
    assert (beyond(tex), to_mathml(tex, display=True)[:5]) == ("", "<math")


@pytest.mark.parametrize(
    "tex",
    [
        "{" * MAX_NESTING + "x" + "}" * MAX_NESTING,
        r"\hat " * MAX_NESTING + "x",
        r"\frac x" * MAX_NESTING + "x",
        r"\sqrt{" * (MAX_NESTING // 2) + "x" + "}" * (MAX_NESTING // 2),
        r"\begin{matrix}" * (MAX_NESTING - 1) + "x" + r"\end{matrix}" * (MAX_NESTING - 1),
    ],
)
def test_all_that_is_within_the_bounds_fits_on_a_terminal_line(tex: str) -> None:
    assert translate(tex) is not None


def test_rows_and_groups_begin_anew() -> None:
    row = r"\mathbf x &= \boxed{a} + \big( \overset{!}{=} \big) \\"

    deep, _ = measure(r"\begin{aligned}" + row * 60 + r"\end{aligned}")

    assert deep < 10
