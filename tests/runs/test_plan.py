"""The planner makes the runs that judging needs, and no other, in whatever order they end."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future

import pytest
from conftest import COIN, MakeCourse, card, deck
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.course.course import Course, open_course
from vaeflash.errors import DemoError, Problem
from vaeflash.judging.cases import choose
from vaeflash.judging.check import Plan, check
from vaeflash.judging.evidence import FIRST_SEED, Evidence
from vaeflash.judging.ledger import Entry
from vaeflash.judging.outcome import Outcome, examine
from vaeflash.runs.known import Job, Runs
from vaeflash.runs.run import Request, Run, RunCache

CLAIMS = (
    ":demo coin\n:claim heads == 1\n:control rate=0",
    ":demo coin\n:claim heads[rate=0.75] == 1\n:control rate=0\n:control scale=3",
    ":demo coin\n:claim heads[scale=2] == 1 in 95% of seeds\n:control rate=0",
    ":demo coin\n:myth heads[rate=0.5] == 1\n:control rate=0.25",
    ":demo coin\n:claim heads[rate=0.75] == 1\n:control rate=0.5",
)
OVERLAYS = (
    ({}, {"rate": 0}),
    ({"rate": 0.75}, {"rate": 0}, {"rate": 0.75, "scale": 3}),
    ({"scale": 2}, {"scale": 2, "rate": 0}),
    ({"rate": 0.5}, {"rate": 0.25}),
    ({"rate": 0.75}, {"rate": 0.5}),
)
"""What each claim above asks of the coin, as written and under each control."""
MYTHS = (3,)
Q = (0.1, 0.1, 0.05, 0.1, 0.1)

Toss = Callable[[Job], Run]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    root = tmp_path_factory.mktemp("coins")
    (root / "cards").mkdir()
    (root / "demos").mkdir()
    (root / "course.toml").write_text('id = "coins"\ntitle = "Coins"\n')
    cards = (card(f"c{n}", meta) for n, meta in enumerate(CLAIMS))
    (root / "cards" / "deck.md").write_text(deck(*cards))
    (root / "demos" / "coin.py").write_text(COIN)
    return open_course(root)


def toss(params: dict[str, object], seed: int, salt: int) -> bool:
    """Heads or tails, at random, but the same for equal params, seed and salt."""
    told = f"{salt} {sorted((k, float(str(v))) for k, v in params.items())} {seed}"
    rate = random.Random(f"{salt} {sorted(params)}").choice([0.0, 0.3, 0.6, 0.8, 0.9, 1.0])
    return random.Random(told).random() < rate


def tossed(salt: int) -> Toss:
    def run(job: Job) -> Run:
        return Run({"heads": int(toss(job.params, job.seed, salt)), "error": "none"}, 0.0, "then")

    return run


class Forgetful(RunCache):
    """Remembers nothing on disk."""

    def get(self, request: Request) -> None:
        pass

    def put(self, request: Request, run: Run) -> None:
        pass


class Scheduled:
    """Drives a plan by hand: which run is finished next is drawn, not left to threads."""

    def __init__(self, course: Course, make: Toss, slots: int, pick: Callable[[int], int]) -> None:
        self.runs = Runs(cache=Forgetful())
        self.made: list[Job] = []
        self.early: list[bool] = []
        """Of each run, whether the first undecided claim asked for it."""
        self.reports: list[Outcome] = []
        plan = Plan(choose(course).items, self._look, self.reports.append)
        under_way: list[Job] = []
        while True:
            while len(under_way) < slots and (job := plan.next()):
                first = next(o for _, o in sorted(plan.outcomes.items()) if not o.entry)
                self.early.append(job in first.waits_for)
                under_way.append(job)
            if not under_way:
                break
            job = under_way.pop(pick(len(under_way)))
            self.made.append(job)
            self.runs.add(job, make(job))
            plan.arrived(job)
        self.entries = [plan.outcomes[index].entry for index in sorted(plan.outcomes)]

    def _look(self, item: object) -> Outcome:
        return examine(item, self.runs)  # type: ignore[arg-type]


def in_order(course: Course, salt: int, slots: int = 1) -> Scheduled:
    return Scheduled(course, tossed(salt), slots, lambda _: 0)


def needed_one_by_one(salt: int) -> set[tuple[str, int]]:
    """The runs that each claim takes by itself, seed after seed, worked out without the engine."""
    needed = set()
    for number, (overlays, q) in enumerate(zip(OVERLAYS, Q, strict=True)):
        stated = "refuted" if number in MYTHS else "holds"
        for position, overlay in enumerate(overlays):
            evidence, seed = Evidence(q), FIRST_SEED
            while evidence.verdict is None and seed < FIRST_SEED + evidence.budget:
                needed.add((str(sorted(overlay.items())), seed))
                evidence = evidence.add(toss(overlay, seed, salt))
                seed += 1
            if position == 0 and evidence.verdict != stated:
                break
    return needed


def asked(job: Job) -> tuple[str, int]:
    plain = {k: int(v) if float(str(v)) % 1 == 0 else v for k, v in job.params.items()}
    return str(sorted(plain.items())), job.seed


@pytest.mark.slow
@given(salt=st.integers(0, 10_000), slots=st.integers(1, 7), data=st.data())
def test_the_order_of_arrival_does_not_change_the_ledger(
    course: Course, salt: int, slots: int, data: st.DataObject
) -> None:
    def pick(count: int) -> int:
        return data.draw(st.integers(0, count - 1))

    shuffled = Scheduled(course, tossed(salt), slots, pick)

    assert shuffled.entries == in_order(course, salt).entries


@pytest.mark.slow
@given(salt=st.integers(0, 10_000), slots=st.integers(1, 7))
def test_as_many_runs_are_made_as_one_claim_after_the_other_needs(
    course: Course, salt: int, slots: int
) -> None:
    made = [asked(job) for job in in_order(course, salt, slots).made]

    assert (len(made), set(made)) == (len(set(made)), needed_one_by_one(salt))


@pytest.mark.slow
@given(salt=st.integers(0, 10_000))
def test_one_worker_makes_what_the_first_undecided_claim_asks_for(
    course: Course, salt: int
) -> None:
    assert all(in_order(course, salt).early)


def test_a_run_that_fails_ends_its_claim_and_no_other(course: Course) -> None:
    def make(job: Job) -> Run:
        return Run({"heads": int(job.params.get("rate") != 0), "error": "none"}, 0.0, "then")

    class Failing:
        slots = 2

        def submit(self, job: Job) -> Future[Run]:
            future: Future[Run] = Future()
            if "scale" in job.params:
                future.set_exception(DemoError(Problem("demos/coin.py", "it crashed.")))
            else:
                future.set_result(make(job))
            return future

    outcomes = check(choose(course).items, Runs(), Failing(), lambda _: None)

    statuses = [str(outcome.entry.status) for outcome in outcomes if outcome.entry]
    assert statuses == ["verified", "vacuous", "error", "wrong", "vacuous"]


def test_a_claim_is_decided_once_even_if_more_of_its_runs_arrive(course: Course) -> None:
    """Its second seed is under way when the first one fails."""
    outcomes: list[Outcome] = []
    runs = Runs(cache=Forgetful())
    items = choose(course, ["c0"]).items
    plan = Plan(items, lambda item: examine(item, runs), outcomes.append)
    first, second = plan.next(), plan.next()
    assert first
    assert second

    runs.fail(first, DemoError(Problem("demos/coin.py", "it crashed.")))
    plan.arrived(first)
    runs.add(second, tossed(0)(second))
    plan.arrived(second)

    assert [bool(outcome.entry) for outcome in outcomes] == [False, True]


def test_a_lost_worker_is_the_error_of_its_run(course: Course) -> None:
    class Losing:
        slots = 1

        def submit(self, job: Job) -> Future[Run]:  # noqa: ARG002 -- whichever it is
            future: Future[Run] = Future()
            future.set_exception(ConnectionError("the other end hung up"))
            return future

    runs = Runs()
    (outcome, *_) = check(choose(course, ["c0"]).items, runs, Losing(), lambda _: None)

    told = "the run on seed 1000 was lost: ConnectionError: the other end hung up."
    assert (outcome.entry.note, runs.made) == (told, 0)  # type: ignore[union-attr]


@given(
    st.sampled_from([0.01, 0.05, 0.1, 0.15]),
    st.integers(0, 20),
    st.integers(0, 8),
)
def test_so_many_seeds_are_needed_whatever_they_answer(q: float, yes: int, no: int) -> None:
    """Against all sequences of answers, walked through level by level."""
    evidence = Evidence(q, yes, no)
    level, more = {(yes, no)}, 0
    while not any(Evidence(q, y, n).verdict for y, n in level):
        level = {(y + 1, n) for y, n in level} | {(y, n + 1) for y, n in level}
        more += 1

    assert evidence.fewest_more == more


# Growing evidence, and the parts that `and` joins


def entry_of(
    make_course: MakeCourse, meta: str, heads: Callable[[Job], int], least: int = 0
) -> tuple[Entry, int]:
    """The entry of one claim, and how many runs it took."""
    course = make_course(cards={"deck": deck(card("it", meta))}, demos={"coin": COIN})
    (item,) = choose(course).items

    class Tossing:
        slots = 3

        def submit(self, job: Job) -> Future[Run]:
            future: Future[Run] = Future()
            value = heads(job)
            future.set_result(Run({"heads": value, "value": -value, "error": "none"}, 0.0, "then"))
            return future

    runs = Runs(cache=Forgetful())
    (outcome,) = check([item], runs, Tossing(), lambda _: None, least={item.key: least})
    assert outcome.entry
    return outcome.entry, runs.made


@pytest.mark.parametrize(
    ("least", "seeds", "solid"), [(0, 5, False), (4, 5, False), (11, 11, False), (12, 12, True)]
)
def test_evidence_grows_to_what_is_asked_for_and_is_solid_at_twelve(
    make_course: MakeCourse, least: int, seeds: int, solid: bool
) -> None:
    meta = ":demo coin\n:claim heads == 1\n:control rate=0"
    entry, _ = entry_of(make_course, meta, lambda job: int(job.params.get("rate") != 0), least)

    assert (entry.seeds, entry.controls[0].no, entry.solid) == (seeds, 2, solid)


def test_one_contrary_seed_and_evidence_is_not_solid(make_course: MakeCourse) -> None:
    meta = ":demo coin\n:claim heads == 1\n:control rate=0"
    heads = {"it": lambda job: int(job.params.get("rate") != 0 and job.seed != 1008)}["it"]

    entry, _ = entry_of(make_course, meta, heads, 20)

    assert (entry.verdict, entry.yes, entry.no, entry.solid) == ("holds", 19, 1, False)


def test_further_seeds_can_overturn_a_verdict(make_course: MakeCourse) -> None:
    """Five clean seeds hold; eight failures after them refute: the last threshold counts."""
    meta = ":demo coin\n:claim heads == 1\n:control rate=0"

    entry, _ = entry_of(make_course, meta, lambda job: int(job.seed < 1005), 13)

    assert (entry.verdict, entry.status) == ("refuted", "wrong")


def test_further_seeds_that_only_weaken_a_verdict_leave_it(make_course: MakeCourse) -> None:
    meta = ":demo coin\n:claim heads == 1\n:control rate=0"
    entry, _ = entry_of(
        make_course, meta, lambda job: int(job.seed != 1006 and job.params.get("rate") != 0), 7
    )

    assert (entry.verdict, entry.e_for < 20) == ("holds", True)


TWO_PARTS = ":demo coin\n:claim heads == 1 and value < 0\n"


def parts(job: Job) -> int:
    """One as written, none at rate 0; at rate 0.1 one on even seeds, at 0.2 two."""
    rate = job.params.get("rate")
    return {None: 1, 0.0: 0, 0.1: (job.seed + 1) % 2, 0.2: 2}[rate]  # type: ignore[index]


@pytest.mark.parametrize(
    ("controls", "status", "note"),
    [
        (":control rate=0", "verified", ""),  # flips both at once
        (":control rate=0.2", "vacuous", "no control flipped the part `value < 0`"),
        (":control rate=0.2\n:control rate=0", "verified", ""),
        (":control scale=2", "vacuous", "the control scale=2 came out holds: it did not flip"),
    ],
)
def test_each_part_must_be_flipped_by_some_control(
    make_course: MakeCourse, controls: str, status: str, note: str
) -> None:
    entry, _ = entry_of(make_course, TWO_PARTS + controls, parts)

    assert (entry.status, note in entry.note) == (status, True)


def test_a_control_names_the_parts_that_it_flipped(make_course: MakeCourse) -> None:
    entry, _ = entry_of(make_course, TWO_PARTS + ":control rate=0.2\n:control rate=0", parts)

    assert [c.parts for c in entry.controls] == [("heads == 1",), ("heads == 1", "value < 0")]


def test_a_control_goes_on_until_a_part_that_it_touches_is_decided(make_course: MakeCourse) -> None:
    """The parts fail in turn: the claim is refuted after two seeds, each part only later."""
    meta = ":demo coin\n:claim heads < 1 and value > -1\n:control rate=0.3\n"

    def alternating(job: Job) -> int:
        return 0 if job.params.get("rate") is None else 1

    entry, _ = entry_of(make_course, meta, alternating)

    assert (entry.status, entry.controls[0].no) == ("verified", 2)


def test_a_myth_needs_no_flip_of_each_part(make_course: MakeCourse) -> None:
    meta = ":demo coin\n:myth heads == 0 and value == 0\n:control rate=0"

    entry, _ = entry_of(make_course, meta, parts)

    assert entry.status == "busted"
