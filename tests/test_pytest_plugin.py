"""`pytest --vaeflash` makes a test of each claim, and does nothing unless asked."""

import pytest
from conftest import COIN, SUM, MakeCourse, card, deck

from vaeflash.course.course import Course

METAS = {
    "verified": ":demo two-and-two\n:claim total == 4\n:control a=3",
    "busted": ":demo two-and-two\n:myth total == 5\n:control a=3",
    "wrong": ":demo two-and-two\n:claim total == 5\n:control a=3",
    "vacuous": ":demo two-and-two\n:claim total > 0\n:control a=3",
    "missing": ":demo gpu\n:claim total == 4\n:control a=3",
    "unreadable": ":demo coin\n:claim tails == 1",
    "raises": ":demo two-and-two\n:claim total[fail=ValueError] == 4\n:control a=3",
}


@pytest.fixture
def course(make_course: MakeCourse) -> Course:
    cards = {"deck": deck(*(card(name, meta) for name, meta in METAS.items()))}
    demos = {"two_and_two": SUM, "coin": COIN, "gpu": 'NEEDS = ("cuda",)\n' + SUM}
    return make_course(cards=cards, demos=demos)


@pytest.fixture
def report(course: Course, pytester: pytest.Pytester) -> pytest.RunResult:
    return pytester.runpytest_subprocess("--vaeflash", "-rs", "-v", str(course.root))


@pytest.mark.slow
def test_each_claim_is_a_test(report: pytest.RunResult) -> None:
    report.assert_outcomes(passed=2, failed=4, skipped=1)


@pytest.mark.slow
def test_failures_are_told_in_words(report: pytest.RunResult) -> None:
    report.stdout.fnmatch_lines(
        [
            "cards/deck.md:33: wrong: total == 5",
            "  yes on 0 of 1 seeds",
            "cards/deck.md:44: vacuous: total > 0",
            "  control a=3: holds, yes on 1 of 1",
            "*the control a=3 came out holds: it did not flip the claim",
            "cards/deck.md:76: error: total[[]fail=ValueError] == 4",
            "cards/deck.md:66: the claim names 'tails', which coin does not measure.",
            "*SKIPPED*the demo needs a CUDA device",
        ],
    )


@pytest.mark.slow
def test_the_course_is_left_as_it_was(report: pytest.RunResult, course: Course) -> None:
    assert (report.ret, course.ledger_path.exists()) == (1, False)


@pytest.mark.slow
def test_nothing_is_collected_unless_asked(course: Course, pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_subprocess(str(course.root))

    assert done.ret == pytest.ExitCode.NO_TESTS_COLLECTED
