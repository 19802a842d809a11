"""What TeX's commands look like, and to which class of atoms each belongs.

The classes are those of The TeXbook, chapter 17: they decide about the space between atoms.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum, auto


class Kind(Enum):
    """Class of an atom."""

    ORD = auto()
    OP = auto()
    BIN = auto()
    REL = auto()
    OPEN = auto()
    CLOSE = auto()
    PUNCT = auto()
    INNER = auto()
    BAR = auto()  # `|` and `\|`, which may open, close or relate
    SIGN = auto()  # a BIN with nothing on its left to join
    SPACE = auto()


def _pairs(table: str) -> dict[str, str]:
    words = table.split()
    return dict(zip(words[::2], words[1::2], strict=True))


_TABLES = {
    # The plain command gets the plain letter, which more fonts have; `\var...` the other one.
    Kind.ORD: r"""
        \alpha α \beta β \gamma γ \delta δ \epsilon ε \zeta ζ \eta η \theta θ \iota ι \kappa κ
        \lambda λ \mu μ \nu ν \xi ξ \omicron ο \pi π \rho ρ \sigma σ \tau τ \upsilon υ \phi φ
        \chi χ \psi ψ \omega ω \varepsilon ϵ \vartheta ϑ \varphi ϕ \varrho ϱ \varpi ϖ
        \varsigma ς \Gamma Γ \Delta Δ \Theta Θ \Lambda Λ \Xi Ξ \Pi Π \Sigma Σ \Upsilon Υ \Phi Φ
        \Psi Ψ \Omega Ω \infty ∞ \partial ∂ \nabla ∇ \forall ∀ \exists ∃ \nexists ∄ \emptyset ∅
        \varnothing ∅ \ell ℓ \hbar ℏ \Re ℜ \Im ℑ \aleph ℵ \imath ı \jmath ȷ \top ⊤ \bot ⊥
        \dagger † \ddagger ‡ \prime ′ \neg ¬ \lnot ¬ \ldots … \dots … \dotsc … \dotsb ⋯ \cdots ⋯
        \vdots ⋮ \ddots ⋱ \square □ \blacksquare ■ \checkmark ✓ \angle ∠ \S § \% % \$ $ \# #
        \& & \_ _ / / . .
    """,
    Kind.OP: r"""
        \sum ∑ \prod ∏ \coprod ∐ \int ∫ \iint ∬ \iiint ∭ \oint ∮ \bigcup ⋃ \bigcap ⋂
        \bigoplus ⨁ \bigotimes ⨂ \bigodot ⨀ \bigwedge ⋀ \bigvee ⋁
    """,
    Kind.BIN: r"""
        + + - − * * \pm ± \mp ∓ \cdot · \times × \div ÷ \ast ∗ \star ⋆ \circ ∘ \bullet •
        \odot ⊙ \oplus ⊕ \ominus ⊖ \otimes ⊗ \oslash ⊘ \cup ∪ \cap ∩ \setminus ∖ \wedge ∧
        \land ∧ \vee ∨ \lor ∨ \bmod mod
    """,
    Kind.REL: r"""
        = = < < > > : : \lt < \gt > \leq ≤ \le ≤ \geq ≥ \ge ≥ \leqslant ⩽ \geqslant ⩾ \neq ≠
        \ne ≠ \approx ≈ \sim ∼ \simeq ≃ \cong ≅ \equiv ≡ \propto ∝ \ll ≪ \gg ≫ \in ∈ \notin ∉
        \ni ∋ \subset ⊂ \subseteq ⊆ \supset ⊃ \supseteq ⊇ \prec ≺ \succ ≻ \preceq ⪯ \succeq ⪰
        \to → \rightarrow → \longrightarrow ⟶ \leftarrow ← \gets ← \leftrightarrow ↔
        \Rightarrow ⇒ \Leftarrow ⇐ \Leftrightarrow ⇔ \implies ⟹ \iff ⟺ \mapsto ↦
        \hookrightarrow ↪ \uparrow ↑ \downarrow ↓ \mid | \parallel ∥ \perp ⊥ \vdash ⊢ \models ⊨
        \triangleq ≜ \coloneqq ≔ \doteq ≐ \lesssim ≲ \gtrsim ≳
    """,
    Kind.OPEN: r"( ( [ [ \{ { \lbrace { \lbrack [ \langle ⟨ \lfloor ⌊ \lceil ⌈ \lvert | \lVert ‖",
    Kind.CLOSE: r"""
        ) ) ] ] ! ! \} } \rbrace } \rbrack ] \rangle ⟩ \rfloor ⌋ \rceil ⌉ \rvert | \rVert ‖
    """,
    Kind.PUNCT: r", , ; ; \colon :",
    Kind.BAR: r"| | \| ‖ \vert | \Vert ‖",
}
_FUNCTIONS = r"""
    \arccos \arcsin \arctan \arg \cos \cosh \cot \coth \csc \deg \det \dim \exp \gcd \hom \inf \ker
    \lg \lim \ln \log \max \min \Pr \sec \sin \sinh \sup \tan \tanh
"""
SYMBOLS = {
    command: (text, kind)
    for kind, table in _TABLES.items()
    for command, text in _pairs(table).items()
}
FUNCTIONS = frozenset(_FUNCTIONS.split())
SPACES = {
    **dict.fromkeys([r"\,", r"\:", r"\>", r"\;", r"\ ", "~", r"\thinspace", r"\enspace"], " "),
    r"\quad": "   ",
    r"\qquad": "   ",
}
LAYOUT = frozenset(
    [r"\!", r"\displaystyle", r"\textstyle", r"\scriptstyle", r"\limits", r"\nolimits"]
)
"""Commands that place things without saying anything."""

ACCENTS = {
    r"\hat": "\u0302",
    r"\widehat": "\u0302",
    r"\bar": "\u0304",
    r"\tilde": "\u0303",
    r"\widetilde": "\u0303",
    r"\vec": "\u20d7",
    r"\dot": "\u0307",
    r"\ddot": "\u0308",
    r"\check": "\u030c",
    r"\breve": "\u0306",
}
LINES = {r"\overline": "\u0305", r"\underline": "\u0332"}
ALPHABETS = {
    r"\mathbb": "DOUBLE-STRUCK",
    r"\mathcal": "SCRIPT",
    r"\mathscr": "SCRIPT",
    r"\mathfrak": "FRAKTUR",
    r"\mathbf": "BOLD",
    r"\boldsymbol": "BOLD",
    r"\bm": "BOLD",
}
FRACTION_COMMANDS = frozenset([r"\frac", r"\tfrac", r"\dfrac", r"\cfrac"])
BINOMIALS = frozenset([r"\binom", r"\tbinom", r"\dbinom"])
BRACES = frozenset([r"\underbrace", r"\overbrace"])
UPRIGHT = frozenset([r"\mathrm", r"\mathsf", r"\mathtt", r"\mathit", r"\mathnormal"])
TEXT = frozenset([r"\text", r"\textrm", r"\textbf", r"\textit", r"\texttt", r"\textsf", r"\mbox"])

SUPERSCRIPTS = str.maketrans(
    "0123456789+−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ⊤∘′†‡",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡᵀ°′†‡",
)
SUBSCRIPTS = str.maketrans(
    "0123456789+−=()aehijklmnoprstuvxβγρφχ",
    "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ",
)
FRACTIONS = {
    ("1", "2"): "½",
    ("1", "3"): "⅓",
    ("2", "3"): "⅔",
    ("1", "4"): "¼",
    ("3", "4"): "¾",
    ("1", "5"): "⅕",
    ("1", "6"): "⅙",
    ("1", "8"): "⅛",
    ("3", "8"): "⅜",
}
ROOTS = {"": "√", "2": "√", "3": "∛", "4": "∜"}
MATRICES = {
    "matrix": ("", ""),
    "smallmatrix": ("", ""),
    "array": ("", ""),
    "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"),
    "Bmatrix": ("{", "}"),
    "vmatrix": ("|", "|"),
    "Vmatrix": ("‖", "‖"),
}
LISTS = frozenset(
    [
        "align",
        "align*",
        "aligned",
        "equation",
        "equation*",
        "gather",
        "gather*",
        "gathered",
        "split",
    ]
)

_LETTER = re.compile(r"(?:LATIN|GREEK) (CAPITAL|SMALL) LETTER (.+)|GREEK (?:LUNATE )?(.+ SYMBOL)")


def styled(char: str, alphabet: str) -> str | None:
    """A letter or digit in a mathematical alphabet; None where Unicode has no such letter."""
    name = unicodedata.name(char, "")
    if not char.isalnum():
        return char
    letter = _LETTER.fullmatch(name)
    if letter:
        name = letter[3] or f"{letter[1]} {letter[2]}"
    # Letters that were encoded earlier are not in the block of their alphabet: ℝ, ℒ, ℜ.
    older = "BLACK-LETTER" if alphabet == "FRAKTUR" else alphabet
    for full_name in (f"MATHEMATICAL {alphabet} {name}", f"{older} {name}"):
        try:
            return unicodedata.lookup(full_name)
        except KeyError:
            continue
    return None
