"""Formulas on the terminal: readable Unicode, or the TeX itself, and nothing in between."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vaeflash.text.tex import to_unicode, translate
from vaeflash.text.tex.symbols import FUNCTIONS, SYMBOLS

FORMULAS = [
    # The evidence lower bound and its terms
    (r"\tfrac12 \sum_d \left( \mu_d^2 + \sigma_d^2 - 1 - \log \sigma_d^2 \right)",
     "½ ∑_d(μ²_d + σ²_d − 1 − log σ²_d)"),
    (r"\mathrm{KL}(q(z|x) \| p(z))", "KL(q(z|x) ‖ p(z))"),
    (r"\mathrm{KL}\left(q\,\|\,p\right) \geq 0", "KL(q ‖ p) ≥ 0"),
    (r"D_{KL}(q_\phi(z \mid x) || p(z))", "D_KL(qᵩ(z | x) ‖ p(z))"),
    (r"D_{\mathrm{KL}}(q || p)", "D_KL(q ‖ p)"),
    (r"\mathcal{L} = \mathbb{E}_{q_\phi(z|x)}[\log p_\theta(x|z)] - \beta \mathrm{KL}(q \| p)",
     "ℒ = 𝔼_(qᵩ(z|x))[log p_θ(x|z)] − β KL(q ‖ p)"),
    (r"\log p(x) = \log \int p(x|z) p(z)\,dz", "log p(x) = log ∫ p(x|z)p(z) dz"),
    (r"\text{ELBO} \leq \log p(x)", "ELBO ≤ log p(x)"),
    (r"\underbrace{a + b}_{\text{reconstruction}} - c", "(a + b)_reconstruction − c"),
    (r"\mathbb{E}_{z \sim q}[f(z)] \approx \frac{1}{K}\sum_{k=1}^{K} f(z_k)",
     "𝔼_(z∼q)[f(z)] ≈ 1/K ∑ₖ₌₁ᴷ f(zₖ)"),
    # Sampling and densities
    (r"z = \mu + \sigma \odot \epsilon, \quad \epsilon \sim \mathcal{N}(0, I)",
     "z = μ + σ ⊙ ε,   ε ∼ 𝒩(0, I)"),
    (r"\sigma = e^{\frac12 \log\sigma^2}", "σ = e^(½ log σ²)"),
    (r"q(z|x) = \mathcal N(\mu(x), \mathrm{diag}(\sigma^2(x)))", "q(z|x) = 𝒩(μ(x), diag(σ²(x)))"),
    (r"\frac{1}{\sqrt{2\pi\sigma^2}} e^{-\frac{(x-\mu)^2}{2\sigma^2}}",
     "1/√(2πσ²) e^(−(x − μ)²/(2σ²))"),
    (r"p(x) \propto \exp(-x^2/2)", "p(x) ∝ exp(−x²/2)"),
    (r"\frac{q(z|x)}{p(z)}", "q(z|x)/p(z)"),
    # Losses and norms
    (r"\|x - \hat{x}\|^2", "‖x − x̂‖²"),
    (r"\lVert x - \hat x \rVert_2^2", "‖x − x̂‖₂²"),
    (r"\frac{1}{N} \sum_{i=1}^{N} (x_i - \hat{x}_i)^2", "1/N ∑ᵢ₌₁ᴺ(xᵢ − x̂ᵢ)²"),
    (r"-x \log \hat x - (1 - x) \log (1 - \hat x)", "−x log x̂ − (1 − x) log(1 − x̂)"),
    (r"\left\| \nabla f \right\|_1 + |x| - |-y|", "‖∇f‖₁ + |x| − |−y|"),
    (r"\max(0, x) + \min_\theta L(\theta)", "max(0, x) + min_θ L(θ)"),
    (r"\operatorname*{arg\,max}_\theta \log p_\theta(x)", "arg max_θ log p_θ(x)"),
    (r"\frac{\partial L}{\partial \mu} = -x", "∂L/∂μ = −x"),
    # Shapes and sizes
    (r"W \in \mathbb{R}^{784 \times 20}", "W ∈ ℝ^(784×20)"),
    (r"H_{out} = (H_{in} - 1) \times s - 2p + k", "Hₒᵤₜ = (Hᵢₙ − 1) × s − 2p + k"),
    (r"\lfloor \frac{n + 2p - k}{s} \rfloor + 1", "⌊(n + 2p − k)/s⌋ + 1"),
    (r"35^3 = 42{,}875", "35³ = 42,875"),
    (r"10^{-3} \ll 1", "10⁻³ ≪ 1"),
    # Scripts
    (r"x_i^2 + x^2_i", "xᵢ² + xᵢ²"),
    (r"x^10", "x¹0"),
    (r"\sum_{i=1}^n x_i", "∑ᵢ₌₁ⁿ xᵢ"),
    (r"\sum_{d=1}^D x_d", "∑_(d=1)^D x_d"),
    (r"\sum\limits_{i} x", "∑ᵢ x"),
    (r"\prod_{t=1}^T p(x_t | x_{<t})", "∏ₜ₌₁ᵀ p(xₜ | x_(<t))"),
    (r"f'(x) + f''(x)^2 + x_i'", "f′(x) + f′′(x)² + x′ᵢ"),
    (r"z_{t-1} W_{ij}^{(l)} x_{i,j}", "zₜ₋₁Wᵢⱼ⁽ˡ⁾x_(i,j)"),
    (r"{x^2}^3 + {(a+b)}^2", "(x²)³ + (a + b)²"),
    (r"x^* + x^\top + 90^\circ", "x^* + xᵀ + 90°"),
    (r"p_\theta x", "p_θ x"),
    (r"e^{\mathrm{logvar}/2} a / \log b", "e^(logvar/2) a/log b"),
    (r"\sigma_\theta^2", "σ²_θ"),
    (r"x^{\beta y} + 2^{x_i}", "xᵝʸ + 2^(xᵢ)"),
    # Fractions and roots
    (r"\frac12 + \tfrac{1}{3} + \dfrac 3 4", "½ + ⅓ + ¾"),
    (r"\frac{a + b}{c}", "(a + b)/c"),
    (r"\frac{a}{b c}", "a/(bc)"),
    (r"\frac{a}{c(1 - c)}", "a/(c(1 − c))"),
    (r"\frac{a}{b}c", "a/b c"),
    (r"\frac{\frac{a}{b}}{c}", "(a/b)/c"),
    (r"\left(\frac{a}{b}\right)^2 - {\frac{a}{b}}^2", "(a/b)² − (a/b)²"),
    (r"\log\frac{p(z)}{q(z)} + \sum\frac{a}{b}", "log(p(z)/q(z)) + ∑ a/b"),
    (r"\log\frac1K \sum_k w_k", "log 1/K ∑ₖ wₖ"),
    (r"\log\frac{a}{b} \, dz", "log(a/b) dz"),
    (r"\text{loss} \frac ab \frac cd", "loss(a/b) c/d"),
    (r"\frac{dy}{dx}", "dy/dx"),
    (r"\frac{1}{1 + e^{-x}}", "1/(1 + e⁻ˣ)"),
    (r"\sqrt{2\pi} + \sqrt x y + \sqrt[3]{8}", "√(2π) + √x y + ∛8"),
    (r"\frac{g}{\sqrt{g^2} + \epsilon} \sqrt{x_i} \sqrt{x^k y}", "g/(√(g²) + ε) √xᵢ √(xᵏy)"),
    (r"\sqrt[n]{x}", "ⁿ√x"),
    (r"\binom{n}{k}", "C(n, k)"),
    # Letters
    (r"\hat x \bar{x} \tilde z \vec v \dot{y}", "x̂x̄z̃v⃗ẏ"),
    (r"\hat{xy}", "hat(xy)"),
    (r"\overline{AB}", "A̅B̅"),
    (r"\mathbf{x} \boldsymbol{\mu} \mathbb{1} \mathfrak{R}", "𝐱𝛍𝟙ℜ"),
    (r"\mathrm{d}x \mathrm{Var}[x]", "dx Var[x]"),
    (r"5\text{ ms} = \text{five}", "5 ms = five"),
    (r"\beta\text{-VAE}", "β-VAE"),
    (r"\text{100\% of A \& B}", "100% of A & B"),
    ("μ ≤ σ − 1", "μ ≤ σ − 1"),
    # Relations, signs and spaces
    (r"a\not=b \not\in C", "a ≠ b ∉ C"),
    (r"x=-1,y=+2", "x = −1, y = +2"),
    (r"-a - -b \cdot(-c)", "−a − −b · (−c)"),
    (r"f : X \to Y, \; x \mapsto x^2", "f : X → Y, x ↦ x²"),
    (r"a \iff b \implies c", "a ⟺ b ⟹ c"),
    (r"\{1, \dots, K\} \subset \mathbb{N}", "{1, …, K} ⊂ ℕ"),
    (r"\big( x \big) \Bigl[ y \Bigr]", "(x)[y]"),
    (r"\left.\frac{df}{dx}\right|_{x=0}", "df/dx|ₓ₌₀"),
    (r"\left( a \middle| b \right)", "(a | b)"),
    (r"\left< x, y \right>", "⟨x, y⟩"),
    (r"\log x \log(x) \log_2 x", "log x log(x) log₂ x"),
    (r"\displaystyle\lim_{x \to 0} f(x)", "lim_(x→0) f(x)"),
    (r"a\quad b\qquad c\,d\!e~f", "a   b   c de f"),
    (" a\n + b ", "a + b"),
    ("", ""),
    # Environments
    (r"f(x) = \begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}",
     "f(x) = {x if x > 0; 0 otherwise}"),
    ("\\begin{cases}\n  x, & x > 0 \\\\\n  0\n\\end{cases}", "{x, x > 0; 0}"),
    (r"\begin{aligned} a &= b + c \\ &= d \\[2pt] e &= f, \\ g &= h \\ \end{aligned}",
     "a = b + c = d; e = f, g = h"),
    (r"\begin{align*} a &= b \\ &\quad + c \end{align*}", "a = b   + c"),
    (r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}^\top", "(a, b; c, d)ᵀ"),
    (r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}", "[1; 2]"),
    (r"\left( \begin{array}{cc} 1 & x + y \end{array} \right)", "(1, x + y)"),
    (r"a = b \\ c = d", "a = b; c = d"),
]  # fmt: skip
UNREADABLE = [
    r"\foo x", r"x + \unknown", r"\color{red} x", r"\def\x{1}", r"\begin{tikz}\end{tikz}",
    r"\begin{aligned} a", r"\begin{cases} a \end{aligned}", r"\end{cases}", r"\frac{1", r"\frac1",
    r"\frac{}{2}", "{", "}", "x^", "x_", "x^2^3", "x_i_j", "a & b", "50% of x", "#1", "$x$", "\\",
    r"\left( x", r"x \right)", r"\left x \right)", r"\hat{}", r"\sqrt[x", r"\sqrt[q]{x}",
    r"\text{a $b$}", r"\text{\foo}", r"\text{a {b}}", r"\text x", r"\not x", r"\mathcal{μ}",
    "x\x1b[2J", "x\u202ey", r"\text{x" + "\x07}", "{" * 70 + "x" + "}" * 70, "x" * 5000,
]  # fmt: skip


@pytest.mark.parametrize(("tex", "unicode"), FORMULAS)
def test_a_formula_reads_as_unicode(tex, unicode) -> None:
    assert translate(tex) == unicodedata.normalize("NFC", unicode)


@pytest.mark.parametrize(
    "tex", UNREADABLE, ids=lambda tex: tex[:20].encode("unicode_escape").decode()
)
def test_what_is_unknown_or_unfinished_stays_tex(tex) -> None:
    assert (translate(tex), to_unicode(tex)) == (None, tex)


def test_what_is_known_is_translated() -> None:
    assert to_unicode(r"\mu_1") == "μ₁"


@pytest.mark.parametrize("command", sorted(SYMBOLS))
def test_every_symbol_is_shown(command) -> None:
    assert translate(f"{command} ") == SYMBOLS[command][0]


@pytest.mark.parametrize("command", sorted(FUNCTIONS))
def test_every_function_keeps_its_name_and_its_distance(command) -> None:
    assert translate(f"2{command} x") == f"2 {command[1:]} x"


def test_groups_may_be_nested_up_to_the_limit() -> None:
    assert translate("{" * 32 + "x" + "}" * 32) == "x"


@pytest.mark.parametrize("command", [r"\overline", r"\hat", r"\frac12", r"\sqrt", r"\mathrm", "x^"])
def test_nesting_never_makes_a_formula_explode(command) -> None:
    tex = f"{command}{{" * 30 + "x" + "}" * 30

    assert len(translate(tex) or "") < 30 * len(tex)


PIECES = st.sampled_from(
    r"""\frac \sqrt \hat \overline \mathbb \mathcal \mathbf \mathrm \text \operatorname \left \right
    \sum \log \| \mid \leq \cdot \quad \alpha \begin{cases} \end{cases} \begin{aligned}
    \end{aligned} \\ & { } { } ( ) [ ] _ ^ ' | + - = , . 1 2 x y \tfrac12 {x} {ab} \underbrace \not
    \middle \big \Bigl \limits \displaystyle \, \sqrt[ \binom é μ ∑ ~ ! / < >""".split()  # noqa: SIM905
)


@given(st.text())
@example("\\")
@example("\ud800")
def test_any_text_is_translated_or_given_back(tex) -> None:
    assert to_unicode(tex) in (tex, translate(tex))


@given(st.lists(PIECES, max_size=25).map(" ".join))
def test_no_tex_is_left_in_what_was_translated(tex) -> None:
    unicode = translate(tex) or ""
    allowed = "{}" if "cases" in tex else ""

    assert not set(unicode) & set("\\{}&") - set(allowed)


@given(st.lists(PIECES, max_size=25).map(" ".join))
def test_no_letter_or_digit_is_lost(tex) -> None:
    unicode = unicodedata.normalize("NFKD", translate(tex) or tex)
    words = re.sub(r"\\[a-z]+(\{(cases|aligned)\})?", "", tex)

    assert all(unicode.count(letter) >= words.count(letter) for letter in "xyab")


@given(st.text())
def test_a_translation_is_one_printable_line(tex) -> None:
    assert (translate(tex) or "").isprintable()
