"""The sequential rule: from yes and no on fresh seeds to "holds" or "refuted".

A claim is true of a seed with an unknown rate r. It allows itself a failure share q, and two
likelihood ratios bet on the outcomes, seed by seed, each from a capital of 1:

    e_for       rate 1 - q/2 against rate 1 - 5q; its null hypothesis is r <= 1 - 5q
    e_against   rate 1 - 5q against rate 1 - q;   its null hypothesis is r >= 1 - q

Under its null hypothesis neither grows on average: both are e-processes. Ville's inequality then
bounds the probability that one ever reaches 20 by 1/20, so either error is at most 5%, however
often one looks and whenever one stops or resumes. Between the two rates either verdict, or none,
may come out, and none of them is an error.

Sources: Ville (1939), Étude critique de la notion de collectif, for the inequality; Wald (1945),
Sequential tests of statistical hypotheses, for the likelihood ratios; Ramdas, Grünwald, Vovk and
Shafer (2023), Game-theoretic statistics and safe anytime-valid inference, for e-processes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

FIRST_SEED = 1000
"""Evidence seeds are 1000, 1001, ... in order; 0 to 99 are for writing a demo."""
THRESHOLD = 20.0
MAX_FAILURE_SHARE = 0.2

Verdict: TypeAlias = Literal["holds", "refuted"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Counts of yes and no, and what they say.

    Args:
        failure_share: q, the share of seeds on which the claim may be false; 0 < q < 0.2.
        yes: Seeds on which it was true.
        no: Seeds on which it was false.
    """

    failure_share: float
    yes: int = 0
    no: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.failure_share < MAX_FAILURE_SHARE:
            raise ValueError(f"a failure share is between 0 and 0.2, not {self.failure_share}")
        if self.yes < 0 or self.no < 0:
            raise ValueError(f"counts are not negative: {self.yes} yes, {self.no} no")

    def add(self, ok: bool) -> Evidence:
        """The evidence with one more seed."""
        return replace(self, yes=self.yes + 1) if ok else replace(self, no=self.no + 1)

    @property
    def low_rate(self) -> float:
        """p0 = 1 - 5q: to hold is to be true more often than this."""
        return 1 - 5 * self.failure_share

    @property
    def high_rate(self) -> float:
        """p1 = 1 - q: to be refuted is to be true less often than this."""
        return 1 - self.failure_share

    @property
    def e_for(self) -> float:
        """Evidence that the rate is above `low_rate`; infinite beyond the range of floats."""
        return self._ratio(1 - self.failure_share / 2, self.low_rate)

    @property
    def e_against(self) -> float:
        """Evidence that the rate is below `high_rate`; infinite beyond the range of floats."""
        return self._ratio(self.low_rate, self.high_rate)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, once there is one; both thresholds cannot be reached by the same counts."""
        if self.e_for >= THRESHOLD:
            return "holds"
        if self.e_against >= THRESHOLD:
            return "refuted"
        return None

    @property
    def budget(self) -> int:
        """Most seeds to try before giving up: 2/q rounded, so 20 for q = 10% and 40 for q = 5%.

        That many seeds of a claim that fails as often as it may bring two failures on average.
        """
        return round(2 / self.failure_share)

    @property
    def fewest_more(self) -> int:
        """Seeds that must be added before a verdict can fall, whatever they answer; 0 at one.

        So many can be run side by side without a run that one after the other would have spared.
        """
        more, all_yes, all_no = 0, self, self
        while all_yes.verdict is None and all_no.verdict is None:
            more, all_yes, all_no = more + 1, all_yes.add(True), all_no.add(False)
        return more

    def _ratio(self, alternative: float, null: float) -> float:
        """Likelihood of the counts under one rate over that under another; in logs, so it fits."""
        log_ratio = self.yes * math.log(alternative / null)
        log_ratio += self.no * math.log((1 - alternative) / (1 - null))
        try:
            return math.exp(log_ratio)
        except OverflowError:
            return math.inf


class Characteristics(NamedTuple):
    """What the rule does with a claim of known rate: three probabilities and a mean."""

    holds: float
    refuted: float
    open: float
    mean_seeds: float


def operating_characteristics(rate: float, failure_share: float, budget: int) -> Characteristics:
    """How the rule decides a claim that is true with probability `rate` on each seed, exactly.

    Walks through all counts of yes and no that leave the claim undecided, with the probability
    of each; nothing is simulated.
    """
    undecided = {Evidence(failure_share): 1.0}
    decided = {"holds": 0.0, "refuted": 0.0}
    mean_seeds = 0.0
    for _ in range(budget):
        mean_seeds += sum(undecided.values())
        after: dict[Evidence, float] = {}
        for evidence, probability in undecided.items():
            for ok, chance in ((True, rate), (False, 1 - rate)):
                reached = evidence.add(ok)
                if reached.verdict:
                    decided[reached.verdict] += probability * chance
                else:
                    after[reached] = after.get(reached, 0.0) + probability * chance
        undecided = after
    return Characteristics(
        decided["holds"], decided["refuted"], sum(undecided.values()), mean_seeds
    )
