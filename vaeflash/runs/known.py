"""Runs as data: which are known, which must be made.

A job asks for one run; equal jobs are one, whichever claims they come from. `Runs` knows what came
of each: out of memory, out of the cache on disk, or from whoever made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vaeflash.card import Value
from vaeflash.course.demo_source import DemoSource
from vaeflash.data import find
from vaeflash.errors import VaeflashError
from vaeflash.machine import device_kind, torch_minor
from vaeflash.runs.in_process import Track, run_demo
from vaeflash.runs.needs import data_needs, missing_need
from vaeflash.runs.run import Request, Run, RunCache


@dataclass(frozen=True, slots=True)
class Job:
    """One run that somebody needs.

    Attributes:
        device: Where to make it: "cpu", "cuda" or "cuda:N".
    """

    request: Request
    source: DemoSource = field(compare=False)
    device: str = field(compare=False)

    @property
    def params(self) -> dict[str, Value]:
        """What differs from the demo's defaults."""
        return dict(self.request.params)

    @property
    def seed(self) -> int:
        """What everything random in the run follows from."""
        return self.request.seed


class Runs:
    """What is known of each run: what it measured, or why there is none.

    Args:
        device: "cpu", "cuda" or "cuda:N".
        cache: Where finished runs are remembered.
        fresh: Whether every run is to be made anew, once.
        track: Shows the progress of a demo that runs in this process.
    """

    def __init__(
        self,
        device: str = "cpu",
        cache: RunCache | None = None,
        *,
        fresh: bool = False,
        track: Track | None = None,
    ) -> None:
        self.device = device
        self.made = self.recalled = 0
        self._cache = cache or RunCache()
        self._fresh = fresh
        self._track = track
        self._seen: dict[Request, Run | VaeflashError] = {}
        # What a demo needs is looked up once: a check asks for it thousands of times.
        self._data: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}
        self._missing: dict[tuple[str, ...], str] = {}

    def job(self, source: DemoSource, params: Mapping[str, Value], seed: int) -> Job:
        """The run of a demo with these parameters, already in their types, on this seed."""
        request = Request(
            demo=source.name,
            params=tuple(sorted(params.items())),
            seed=seed,
            code=source.fingerprint,
            data=self._data_of(source, params),
            device=device_kind(self.device),
            torch=torch_minor(),
        )
        return Job(request, source, self.device)

    def missing(self, source: DemoSource) -> str:
        """What the demo needs and its runs would not have; empty if nothing."""
        if source.needs not in self._missing:
            self._missing[source.needs] = missing_need(source, self.device)
        return self._missing[source.needs]

    def _data_of(
        self, source: DemoSource, params: Mapping[str, Value]
    ) -> tuple[tuple[str, str], ...]:
        needs = data_needs(source, params)
        if needs not in self._data:
            self._data[needs] = tuple((n, find(n, choice=c).fingerprint) for n, c in needs)
        return self._data[needs]

    def known(self, job: Job) -> Run | VaeflashError | None:
        """What came of a run, if it was made: now, or in an earlier life."""
        found = self._seen.get(job.request)
        if found is None and not self._fresh:
            found = self._cache.get(job.request)
            if found is not None:
                self.recalled += 1
                self._seen[job.request] = found
        return found

    def add(self, job: Job, run: Run) -> None:
        """Take what somebody made of a job, and remember it."""
        self.made += 1
        self._seen[job.request] = run
        if run.lasting:
            self._cache.put(job.request, run)

    def fail(self, job: Job, error: VaeflashError) -> None:
        """Take that no run came of a job; another check tries it again."""
        self._seen[job.request] = error

    def get(self, source: DemoSource, params: Mapping[str, Value], seed: int) -> Run:
        """The run: known, or made here and now in this process.

        Raises:
            VaeflashError: No run came of it.
        """
        job = self.job(source, params, seed)
        run = self.known(job)
        if run is None:
            run = run_demo(source, params, seed, self.device, self._track)
            self.add(job, run)
        if isinstance(run, VaeflashError):
            raise run
        return run
