"""A sitting: the order of questions, what an answer does, and what can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import MakeCourse, card, deck
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.card import Deck
from vaeflash.study.due import Limits, due_now
from vaeflash.study.memory import NEW, Memory, Phase, Rating
from vaeflash.study.question import LazyDeck, Question
from vaeflash.study.questions import catalogue_of
from vaeflash.study.reviews import Act, CardKey, ConflictError, Store, Undone
from vaeflash.study.session import Left, Session
from vaeflash.text.cloze import cloze_numbers, filled_in, with_hole

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
MYTH = ":demo coin\n:myth heads == 0\n:control rate=0"


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "reviews.sqlite3", UTC) as opened:
        yield opened


def plain(make_course: MakeCourse, number: int = 3) -> tuple[Question, ...]:
    cards = [card(f"card-{n}", "") for n in range(number)]
    return catalogue_of(make_course(cards={"deck": deck(*cards)})).questions


def asked(session: Session) -> str:
    """Which card is asked next; empty if none."""
    found = session.next()
    return found.question.key.card if found else ""


def played(session: Session, *ratings: Rating) -> list[str]:
    """The cards asked while these answers were given."""
    cards = []
    for rating in ratings:
        cards.append(asked(session))
        session.answer(rating)
    return cards


# What is asked of a card


def test_each_kind_of_card_has_its_questions(make_course: MakeCourse) -> None:
    course = make_course(
        cards={
            "deck": deck(
                card("plain", ""),
                card("both-ways", ":reversed"),
                card("believed", MYTH),
                "#### Holes {#holes}\n\n:p {{c2::b}} and {{c1::a}} and {{c2::c}}\n\n:cloze\n",
            )
        }
    )

    assert [(q.key.card, q.key.template, q.rank) for q in catalogue_of(course).questions] == [
        ("plain", "forward", 0),
        ("both-ways", "forward", 0),
        ("both-ways", "reverse", 1),
        ("believed", "forward", 0),
        ("believed", "prediction", 2),
        ("holes", "cloze1", 0),
        ("holes", "cloze2", 1),
    ]


def test_the_reverse_asks_for_the_question(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": deck(card("it", ":reversed"))})
    reverse = catalogue_of(course).questions[1]

    assert (reverse.front().text, reverse.back()) == ("It.", "**About it**\n\nWhat is it?")


def test_a_prediction_lists_the_myth_among_the_other_claims(make_course: MakeCourse) -> None:
    claims = ":demo coin\n:claim heads == 1\n:claim value > 0\n:myth heads == 1\n:myth value < 0"
    course = make_course(cards={"deck": deck(card("it", claims))})
    prediction = catalogue_of(course).questions[-1]

    assert sorted(prediction.predicted()) == ["heads == 1", "value < 0", "value > 0"]


def test_a_prediction_does_not_show_the_answer(make_course: MakeCourse) -> None:
    course = make_course(cards={"deck": deck(card("it", MYTH))})
    front = catalogue_of(course).questions[-1].front()

    assert (front.title, front.text) == ("About it", "")


@pytest.mark.parametrize(
    ("text", "opened", "filled"),
    [
        ("a {{c1::b}} c {{c2::d}}", "a **[...]** c d", "a **b** c d"),
        ("a {{c1::b::which?}} c", "a **[which?]** c", "a **b** c"),
        ("un{{c1::happi}}ness", "un[...]ness", "unhappiness"),
        (r"\( x_{{c1::\frac{1}{2}}} \)", r"\( x_{[...]} \)", r"\( x_{\frac{1}{2}} \)"),
        ("`{{c1::std::vector}} v`", "`[...] v`", "`std::vector v`"),
        ("{{c2::a {{c1::b}}}} c", "a [...] c", "a b c"),
        ("{{c1,2::a}} {{c2::b}}", "**[...]** b", "**a** b"),
        ("{{c1::never closed", "{{c1::never closed", "{{c1::never closed"),
        ("{{c1::*a*}} b", "**[...]** b", "*a* b"),
    ],
)
def test_the_holes_of_one_number_are_open_and_then_filled(
    text: str, opened: str, filled: str
) -> None:
    assert (with_hole(text, 1), filled_in(text, 1)) == (opened, filled)


@given(st.text(alphabet="ab {}:c12,\\`$()\n"))
def test_any_text_with_holes_can_be_read(text: str) -> None:
    numbers = cloze_numbers(text)

    assert all(with_hole(text, number) != text for number in numbers)


# Which question is next


def test_questions_come_in_the_order_of_the_course(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    session = Session(store, plain(make_course), clock)

    assert played(session, *[Rating.EASY] * 3) == ["card-0", "card-1", "card-2"]


def test_second_questions_of_cards_come_after_all_first_ones(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    course = make_course(cards={"deck": deck(card("one", ":reversed"), card("two", ""))})
    session = Session(store, catalogue_of(course).questions, clock)

    assert played(session, *[Rating.EASY] * 3) == ["one", "two", "one"]


def test_what_is_due_comes_before_what_is_new(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course)
    played(Session(store, questions, clock, chosen=questions[2:]), Rating.EASY)
    clock.pass_by(days=60)

    assert asked(Session(store, questions, clock)) == "card-2"


def test_a_card_in_learning_comes_back_once_it_is_due(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    session = Session(store, plain(make_course), clock)
    played(session, Rating.AGAIN, Rating.EASY)
    clock.pass_by(seconds=60)

    assert asked(session) == "card-0"


def test_a_card_in_learning_is_asked_ahead_when_nothing_else_is_left(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    session = Session(store, plain(make_course, 1), clock)

    assert played(session, Rating.GOOD, Rating.GOOD) == ["card-0", "card-0"]


def test_a_card_in_learning_waits_if_it_is_due_much_later(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    (question,) = plain(make_course, 1)
    late = Memory(
        Phase.LEARNING, 1, 1.0, 5.0, 0, START.date(), START + timedelta(minutes=21), START, 1
    )
    store.answer(question.key, NEW, Rating.GOOD, late)

    session = Session(store, [question], clock)

    assert (session.next(), session.waiting) == (None, (late.due_at,))


def test_the_day_brings_so_many_new_cards_and_no_more(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course)
    played(Session(store, questions, clock, limits=Limits(new=2)), Rating.EASY)

    session = Session(store, questions, clock, limits=Limits(new=2))

    assert (asked(session), session.left) == ("card-1", Left(0, 0, 1))


def test_new_cards_count_as_reviews_of_the_day(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    queues = due_now(store, plain(make_course), clock(), Limits(new=20, reviews=1))

    assert len(queues.new) == 1


def test_reviews_leave_less_room_for_new_cards(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course)
    played(Session(store, questions, clock), Rating.EASY)
    clock.pass_by(days=60)
    queues = due_now(store, questions, clock(), Limits(reviews=2))

    assert (len(queues.review), len(queues.new)) == (1, 1)


def test_new_cards_of_this_day_leave_less_room_for_more(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course)
    played(Session(store, questions, clock), Rating.EASY)

    assert len(due_now(store, questions, clock(), Limits(reviews=2)).new) == 1


def test_a_new_day_brings_new_cards_within_a_sitting(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    session = Session(store, plain(make_course), clock, limits=Limits(new=1))
    played(session, Rating.EASY)
    over = asked(session)
    clock.pass_by(days=1)

    assert (over, asked(session)) == ("", "card-1")


def test_after_its_time_a_sitting_asks_nothing_more(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    session = Session(store, plain(make_course), clock, length=timedelta(minutes=5))
    asked(session)
    clock.pass_by(minutes=6)
    session.answer(Rating.GOOD)

    assert (asked(session), session.tally.ratings.total()) == ("", 1)


def test_a_course_without_cards_asks_nothing(store: Store, clock: FakeClock) -> None:
    assert Session(store, [], clock).next() is None


# What an answer does


@pytest.mark.parametrize("rating", Rating)
def test_what_was_shown_is_what_is_stored(
    make_course: MakeCourse, store: Store, clock: FakeClock, rating: Rating
) -> None:
    (question,) = plain(make_course, 1)
    session = Session(store, [question], clock)
    session.next()
    shown = session.reveal()[rating]
    clock.pass_by(seconds=40)
    session.answer(rating)

    assert store.state(question.key).memory == shown


def test_an_answer_took_as_long_as_it_took_but_a_minute_at_most(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course, 2)
    session = Session(store, questions, clock)
    for seconds in (7, 300):
        session.next()
        clock.pass_by(seconds=seconds)
        session.answer(Rating.EASY)

    assert [review.duration for review in store.reviews("course")] == [7_000, 60_000]


def test_a_clock_that_was_set_back_counts_no_time(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    session = Session(store, plain(make_course, 1), clock)
    session.next()
    clock.pass_by(hours=-1)
    session.answer(Rating.EASY)

    assert next(store.reviews("course")).duration == 0


def test_an_answer_to_what_was_answered_elsewhere_is_not_stored(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course, 1)
    here, there = (Session(store, questions, clock) for _ in range(2))
    here.next()
    played(there, Rating.EASY)

    with pytest.raises(ConflictError):
        here.answer(Rating.AGAIN)
    assert (asked(here), len(list(store.reviews("course")))) == ("", 1)


def test_what_was_answered_elsewhere_meanwhile_is_not_asked(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course, 2)
    here = Session(store, questions, clock)
    played(Session(store, questions, clock), Rating.EASY)

    assert asked(here) == "card-1"


def test_cramming_asks_everything_and_stores_nothing(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course, 2)
    played(Session(store, questions, clock), Rating.EASY)
    session = Session(store, questions, clock, cram=True)
    cards = played(session, Rating.AGAIN, Rating.GOOD, Rating.GOOD)

    assert (cards, asked(session), len(list(store.reviews("course")))) == (
        ["card-0", "card-1", "card-0"],
        "",
        1,
    )


# What can be taken back


def test_an_answer_taken_back_is_asked_again_as_if_it_had_never_been(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course)
    session = Session(store, questions, clock)
    played(session, Rating.AGAIN)
    asked(session)
    undone = session.undo()

    assert undone == Undone(Act.ANSWER, questions[0].key, 1, Rating.AGAIN)
    assert (played(session, *[Rating.EASY] * 3), store.state(questions[0].key).memory.reps) == (
        ["card-0", "card-1", "card-2"],
        1,
    )


def test_an_answer_taken_back_leaves_as_much_as_before(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    session = Session(store, plain(make_course), clock)
    before = session.left
    played(session, Rating.AGAIN)
    session.undo()

    assert session.left == before


def test_an_answer_of_an_earlier_sitting_is_taken_back(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course)
    played(Session(store, questions, clock), Rating.EASY)
    clock.pass_by(days=1)
    session = Session(store, questions, clock)
    session.next()
    session.undo()

    assert asked(session) == "card-0"


def test_an_answer_to_a_card_that_is_gone_is_taken_back_and_not_asked(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course)
    played(Session(store, questions, clock), Rating.EASY)
    session = Session(store, questions[1:], clock)
    undone = session.undo()

    assert (undone and undone.key.card, asked(session)) == ("card-0", "card-1")


def test_where_nothing_was_done_nothing_is_taken_back(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    assert Session(store, plain(make_course), clock).undo() is None


def test_the_tally_forgets_what_was_taken_back(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    session = Session(store, plain(make_course), clock)
    played(session, Rating.AGAIN, Rating.EASY)
    session.undo()

    assert +session.tally.ratings == {Rating.AGAIN: 1}


def test_a_buried_card_is_not_asked_before_tomorrow(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course, 1)
    session = Session(store, questions, clock)
    session.next()
    session.bury()
    today = (asked(session), asked(Session(store, questions, clock)))
    clock.pass_by(days=1)

    assert (*today, asked(Session(store, questions, clock))) == ("", "", "card-0")


def test_a_suspended_card_is_not_asked_until_that_is_taken_back(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course, 1)
    session = Session(store, questions, clock)
    session.next()
    session.suspend()
    clock.pass_by(days=30)
    later = asked(Session(store, questions, clock))
    session.undo()

    assert (later, asked(session), asked(Session(store, questions, clock))) == (
        "",
        "card-0",
        "card-0",
    )


@pytest.mark.parametrize("act", ["bury", "suspend"])
def test_a_card_put_aside_by_mistake_can_be_answered_after_all(
    make_course: MakeCourse, store: Store, clock: FakeClock, act: str
) -> None:
    session = Session(store, plain(make_course), clock)
    session.next()
    getattr(session, act)()
    session.next()
    session.undo()

    assert played(session, Rating.EASY, Rating.EASY) == ["card-0", "card-1"]


def test_a_flag_comes_and_goes(make_course: MakeCourse, store: Store, clock: FakeClock) -> None:
    (question,) = plain(make_course, 1)
    session = Session(store, [question], clock)
    session.next()
    flags = [(session.flag(), store.state(question.key).flag) for _ in range(2)]

    assert flags == [(True, 1), (False, 0)]


def test_a_flag_that_is_taken_back_leaves_the_card_on_the_table(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    (question,) = plain(make_course, 1)
    session = Session(store, [question], clock)
    session.next()
    session.flag()
    session.undo()

    assert (asked(session), store.state(question.key).flag) == ("card-0", 0)


@pytest.mark.parametrize("act", ["bury", "suspend", "flag"])
def test_a_mark_of_an_earlier_sitting_is_taken_back_for_good(
    make_course: MakeCourse, store: Store, clock: FakeClock, act: str
) -> None:
    questions = plain(make_course, 1)
    for deed in (act, "undo"):
        session = Session(store, questions, clock)
        session.next()
        getattr(session, deed)()
    later = Session(store, questions, clock).next()

    assert (later and (later.state.flag, later.state.memory)) == (0, NEW)


def test_a_flag_taken_back_does_not_ask_a_card_that_is_not_due(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course, 2)
    session = Session(store, questions, clock)
    played(session, Rating.EASY)
    store.flag(questions[0].key, 1, clock())
    undone = session.undo()

    assert (undone and undone.act, asked(session)) == (Act.FLAG, "card-1")


def test_cramming_takes_back_only_what_was_done_while_cramming(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    questions = plain(make_course, 1)
    played(Session(store, questions, clock), Rating.EASY)
    session = Session(store, questions, clock, cram=True)
    session.next()
    session.flag()
    session.bury()
    undone = [session.undo() for _ in range(3)]

    assert [one and one.act for one in undone] == [Act.BURY, Act.FLAG, None]


def test_after_the_clock_was_set_back_by_days_a_sitting_goes_on(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    session = Session(store, plain(make_course), clock)
    played(session, Rating.GOOD)
    clock.pass_by(days=-3)
    cards = played(session, Rating.EASY, Rating.EASY)

    assert (cards, store.check()) == (["card-1", "card-2"], [])


def test_the_tally_forgets_an_answer_under_a_burial_whose_day_has_come(
    make_course: MakeCourse, store: Store, clock: FakeClock
) -> None:
    session = Session(store, plain(make_course), clock)
    played(session, Rating.EASY)
    session.next()
    session.bury()
    clock.pass_by(days=1)
    session.undo()

    assert session.tally.ratings.total() == 0


# Whatever is pressed


@pytest.mark.slow
@given(
    st.lists(
        st.sampled_from(
            ["again", "hard", "good", "easy", "undo", "bury", "suspend", "flag", "wait"]
        ),
        max_size=25,
    )
)
def test_log_and_states_agree_whatever_is_done(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[str]
) -> None:
    cards = [CardKey("course", f"card-{number}") for number in range(3)]
    questions = [Question(LazyDeck("deck.md", "Deck", lambda: Deck("Deck")), key) for key in cards]
    clock = FakeClock()
    with Store(tmp_path_factory.mktemp("store") / "reviews.sqlite3", UTC) as store:
        session = Session(store, questions, clock)
        for deed in deeds:
            if session.current is None and session.next() is None and deed != "undo":
                clock.pass_by(hours=9)
                continue
            if deed == "wait":
                clock.pass_by(minutes=7)
            elif deed.upper() in Rating.__members__:
                session.answer(Rating[deed.upper()])
            else:
                getattr(session, deed)()
        given_answers = [review for review in store.reviews("course") if not review.undone]

        assert (store.check(), session.tally.ratings.total()) == ([], len(given_answers))
