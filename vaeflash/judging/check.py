"""Gather every run that the claims need, have each made once, and judge as they come in.

claims -> the least set of runs, in an order that brings verdicts early -> workers
       -> each finished run: remembered, then every claim that waited for it examined again
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from itertools import count

from vaeflash.card import ClaimKey
from vaeflash.course.course import Course
from vaeflash.errors import MachineError, Problem, VaeflashError
from vaeflash.judging.cases import Item
from vaeflash.judging.outcome import Outcome, examine
from vaeflash.runs.known import Job, Runs
from vaeflash.runs.processes import Workers
from vaeflash.runs.run import Request, Run


class Plan:
    """Which runs are still wanted, and by whom.

    A claim asks for no run before it is certain to need it, so the runs that are made are the very
    ones that judging one seed after the other would make. They are handed out by the position of
    the first claim that asked, then by seed: claims are finished one by one instead of all at the
    end.

    Args:
        look: Says what is known of a claim.
        report: Sees each claim when something new is known of it.
    """

    def __init__(
        self,
        items: Sequence[Item],
        look: Callable[[Item], Outcome],
        report: Callable[[Outcome], None],
    ) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self._items = items
        self._look = look
        self._report = report
        self._queue: list[tuple[int, int, int, Job]] = []
        self._waiting: dict[Request, set[int]] = {}
        self._taken: set[Request] = set()
        self._tickets = count()
        """Jobs have no order of their own: among equal ranks, first come, first served."""
        for index in range(len(items)):
            self._examine(index)

    def next(self) -> Job | None:
        """The run to make next; nothing while all that is wanted is being made."""
        while self._queue:
            *_, job = heapq.heappop(self._queue)
            if job.request not in self._taken and self._is_wanted(job):
                self._taken.add(job.request)
                return job
        return None

    def _is_wanted(self, job: Job) -> bool:
        """Whether a claim that asked is still undecided; an error on an earlier seed ends one."""
        return any(self.outcomes[index].entry is None for index in self._waiting[job.request])

    def arrived(self, job: Job) -> None:
        """Examine the undecided claims that waited for this run, which is known now."""
        for index in sorted(self._waiting.pop(job.request, ())):
            if self.outcomes[index].entry is None:
                self._examine(index)

    def _examine(self, index: int) -> None:
        outcome = self.outcomes[index] = self._look(self._items[index])
        for job in outcome.waits_for:
            self._waiting.setdefault(job.request, set()).add(index)
            if job.request not in self._taken:
                heapq.heappush(self._queue, (index, job.seed, next(self._tickets), job))
        self._report(outcome)


def check(
    items: Sequence[Item],
    runs: Runs,
    workers: Workers,
    report: Callable[[Outcome], None],
    *,
    budget: int | None = None,
    least: Mapping[ClaimKey, int] | None = None,
) -> list[Outcome]:
    """Judge the claims; `report` sees each as its seeds come in, and last with its entry.

    Args:
        least: Seeds that a claim is to be judged on even if fewer decide.
    """
    at_least = least or {}

    def look(item: Item) -> Outcome:
        return examine(item, runs, least=at_least.get(item.key, 0), budget=budget)

    plan = Plan(items, look, report)
    _drive(plan.next, plan.arrived, runs, workers)
    return [plan.outcomes[index] for index in range(len(items))]


def make(jobs: Iterable[Job], runs: Runs, workers: Workers, report: Callable[[Job], None]) -> None:
    """Have those runs made that are not known yet; `report` sees each job when it is done."""
    unknown = iter([job for job in dict.fromkeys(jobs) if runs.known(job) is None])
    _drive(lambda: next(unknown, None), report, runs, workers)


def _drive(
    next_job: Callable[[], Job | None],
    arrived: Callable[[Job], None],
    runs: Runs,
    workers: Workers,
) -> None:
    """Keep the workers busy until no job is left and none is under way."""
    under_way: dict[Future[Run], Job] = {}
    while True:
        while len(under_way) < workers.slots and (job := next_job()):
            under_way[workers.submit(job)] = job
        if not under_way:
            return
        finished = wait(under_way, return_when=FIRST_COMPLETED).done
        # In the order of their making: what is reported first must not depend on a set.
        for future in [future for future in under_way if future in finished]:
            job = under_way.pop(future)
            _take(job, future, runs)
            arrived(job)


def _take(job: Job, future: Future[Run], runs: Runs) -> None:
    """Remember what came of a job, be it a run or the reason why there is none."""
    try:
        runs.add(job, future.result())
    except VaeflashError as error:
        runs.fail(job, error)
    except (Exception, CancelledError) as error:  # each executor loses workers in its own way
        what = f"the run on seed {job.seed} was lost: {type(error).__name__}: {error}."
        advice = "Check again: finished runs are kept."
        runs.fail(job, MachineError(Problem(job.source.shown, what, advice)))


def claim_keys(course: Course) -> list[ClaimKey]:
    """The ledger keys of every claim that the course has now."""
    return [card.key_of(claim) for _, card in course.cards() for claim in card.claims]
