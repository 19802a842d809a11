"""Properties of parsing over arbitrary texts, structural tokens above all, and generated decks."""

from __future__ import annotations

import contextlib
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from vaeflash.card import Card, Claim, Control, Deck, Kind
from vaeflash.errors import CardError
from vaeflash.parse import parse_deck, read_deck, stamp_ids, with_ids, write_deck

TOKENS = (
    *("#### T", "#### T {#a}", "#### {#b}", "####", "#### U {#a} x", "# D", "#", "### sub"),
    *(":p q", ":p", "  :p x", ":p ```py", ":p     z  ", ":p {{c1::y}}", ":p ---", ":p #### x"),
    *("??x", "x??", "??", "  ??x", "    x??", "text x??", "a ??x", "b ??", "--- x??"),
    *("---", "----", "***", "- - -", "Rating: 8/10 x??", "**Rating: 8/10**"),
    *("Rating threshold: 8", "**Starting Chapter:** 1"),
    *("```", "```py", "````", "~~~", "- ```py", "  ```", "    ```", "> ```", "`` `"),
    *(":demo d", ":demo", ":demo d e", ":claim x < 1", ":claim", ":myth x < 1", ":control a=1"),
    *(":control", ":source a, b", ":source A b, c", ":source ,", ":tags x, y", ":tags"),
    *(":reversed", ":cloze", ":reversed z", ":foo bar", "{{c1::x}}"),
    *(":figure f", ":figure", ":figure f g"),
    *("text", "  indented", "\ttab", "trail  ", "", "", " "),
    *("√ó", "‚Äô", "ùúá", "â‰ˆ", "√\x00ó", "Ã\xa0", "√π", "\ufeff", "ï»¿", "\ud800", "\u2028"),
    *("title: x", "tags: [a, b]", "tags: a,b", "description: |", "  foo: [", "\x0c", "\x85"),
)
CONTROLS = "\r\x7f" + "".join(chr(code) for code in range(32) if chr(code) not in "\t\n\r")
END = st.sampled_from(["\n"] * 6 + ["\r\n", "\r", "", " "])
STRUCTURAL = st.lists(st.tuples(st.sampled_from(TOKENS), END), max_size=30).map(
    lambda pairs: "".join(token + end for token, end in pairs)
)
# A whole card around the tokens, since few random sequences are one.
CARDS = st.lists(
    st.tuples(*[st.lists(st.sampled_from(TOKENS), max_size=4).map("\n".join)] * 4),
    max_size=3,
).map(
    lambda cards: "".join(
        f"#### T\n{context}\n:p q\n{question}\n??x\na\n{answer}\nx??\n{below}\n"
        for context, question, answer, below in cards
    )
)
TEXTS = st.one_of(STRUCTURAL, CARDS, st.text(max_size=200))

WORD = st.text("abcxyz", min_size=1, max_size=5)
LINE = st.lists(WORD, min_size=1, max_size=4).map(" ".join) | st.sampled_from(
    [r"\( \mu_d^2 \)", r"\[ \sum_d \sigma_d \]", "β ≈ 0.5 × γ", "l’été", "$x$, `x??`", "    code"]
)
FENCE = st.lists(
    st.sampled_from(["#### T", ":p q", "??x", "x??", "---", ":demo d", "", "x  "])
).map(lambda lines: "\n".join(["```python", *lines, "```"]))
INSIDE = st.one_of(LINE, FENCE, st.sampled_from(["", "---", "# H", "### H", ":term text", "a  "]))
BODY = st.one_of(
    LINE,
    FENCE,
    st.tuples(LINE | FENCE, st.lists(INSIDE, max_size=4), LINE | FENCE).map(
        lambda parts: "\n".join([parts[0], *parts[1], parts[2]])
    ),
)
NAME = st.from_regex(r"[a-z0-9]{1,4}(-[a-z0-9]{1,3}){0,2}", fullmatch=True)
CLAIM = st.builds(
    Claim,
    text=st.sampled_from(["x < 1", 'e[n=1] == "E"', "x falls over n = 1, 2"]),
    demo=NAME,
    controls=st.lists(st.builds(Control, WORD), max_size=2, unique=True).map(tuple),
    myth=st.booleans(),
)
SOURCES = st.lists(NAME | st.just("Higgins et al. (2017), eq. 4"), max_size=3, unique=True)


@st.composite
def generated_cards(draw: st.DrawFn) -> Card:
    kind = draw(st.sampled_from(Kind))
    claims = draw(st.lists(CLAIM, max_size=3, unique_by=lambda claim: (claim.text, claim.myth)))
    demos = draw(st.lists(NAME, max_size=2, unique=True))
    used = {claim.demo for claim in claims}
    return Card(
        title=draw(LINE).strip(),
        question=draw(BODY) + ("\n{{c1::x}}" if kind is Kind.CLOZE else ""),
        answer="" if kind is Kind.CLOZE else draw(BODY),
        id=draw(st.none() | NAME),
        kind=kind,
        context=draw(st.just("") | BODY),
        claims=tuple(claims),
        demos=tuple(name for name in demos if name not in used),
        figure=draw(st.just("") | NAME),
        sources=tuple(draw(SOURCES)),
        tags=tuple(draw(st.lists(WORD, max_size=2, unique=True))),
    )


DECKS = st.builds(
    Deck,
    title=LINE.map(str.strip),
    cards=st.lists(generated_cards(), max_size=3, unique_by=lambda card: card.id or id(card)).map(
        tuple
    ),
    tags=st.lists(WORD | st.just('two "words", #1'), max_size=2, unique=True).map(tuple),
    description=st.just("")
    | BODY
    | st.text(st.characters(codec="utf-8", exclude_characters=CONTROLS), min_size=1).map(
        lambda text: f"w{text}w"
    ),
)


def lines_of(text: str) -> list[str]:
    return re.split(r"(\r\n|\r|\n)", text)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_parsing_raises_nothing_but_a_card_error(text):
    with contextlib.suppress(CardError):
        parse_deck(text, "x.md")


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_parse_write_parse_is_the_identity_for_every_text(text):
    deck = read_deck(text, "x.md").deck

    again = read_deck(write_deck(deck), "x.md")

    assert (again.deck, again.repairs) == (deck, ())


@settings(max_examples=60, deadline=None)
@given(DECKS)
def test_write_parse_is_the_identity_for_every_deck(deck):
    again = read_deck(write_deck(deck))

    assert (again.deck, again.errors, again.repairs) == (deck, (), ())


@settings(max_examples=60, deadline=None)
@given(DECKS)
def test_writing_is_stable_to_the_byte(deck):
    written = write_deck(deck)

    assert write_deck(parse_deck(written)) == written


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_every_message_is_a_sentence_with_its_line(text):
    reading = read_deck(text, "x.md")
    last = len(re.split(r"\r\n|\r|\n", text))

    for problem in reading.errors + reading.repairs:
        assert 1 <= int(problem.where.removeprefix("x.md:")) <= last
        assert problem.what.endswith(".")


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_a_stamp_changes_nothing_but_headings(text):
    before = lines_of(text)
    after = lines_of(stamp_ids(text, "x.md"))

    assert len(after) == len(before)
    for old, new in zip(before, after, strict=True):
        assert new == old or re.sub(r" \{#[a-z0-9-]+\}(?=[ \t]*$)", "", new) == old


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_a_stamp_is_idempotent(text):
    stamped = stamp_ids(text, "x.md")

    assert stamp_ids(stamped, "x.md") == stamped


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.lists(NAME))
def test_every_card_gets_an_id_of_its_own(text, taken):
    deck = read_deck(text, "x.md").deck
    given_ids = [card.id for card in deck.cards if card.id is not None]

    stamped = with_ids(deck, taken)

    new = [new.id for old, new in zip(deck.cards, stamped.cards, strict=True) if old.id is None]
    assert len({*new} - {*taken, *given_ids, None}) == len(new)
