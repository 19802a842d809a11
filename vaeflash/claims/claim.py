"""A claim as the rest of the package sees it: which runs it needs, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from vaeflash.claims.evaluation import Evaluation, Measured
from vaeflash.claims.parser import ClaimReader
from vaeflash.claims.tokens import complaint
from vaeflash.claims.tree import Comparison, Condition, Constant, Metric, Overlay, metrics_in

MAX_RUNS = 64
DEFAULT_FAILURE_SHARE = 0.10


@dataclass(frozen=True, slots=True)
class Part:
    """One of the conditions that `and` joins.

    Attributes:
        text: As written.
    """

    text: str
    _condition: Condition = field(repr=False)
    _claim: str = field(repr=False)

    def holds(self, measured: Measured) -> bool:
        """Whether this part is true of what the runs of one seed measured.

        Raises:
            ClaimError: It cannot be evaluated on them; `where` is the column in the claim.
        """
        return Evaluation(self._claim, measured).holds(self._condition)


@dataclass(frozen=True, slots=True)
class ParsedClaim:
    """A claim, read.

    Attributes:
        text: As written.
        parts: The conditions that `and` joins.
        failure_share: q, the share of seeds on which the claim allows itself to be false.
        runs: Parameters of each run that it needs, distinct, in order of appearance.
        metrics: Each metric of each run, distinct, in order of appearance.
        expected_errors: For each run whose metric `error` is compared with texts, the exceptions
            among them; "none" is not one.
    """

    text: str
    parts: tuple[Part, ...]
    failure_share: float
    runs: tuple[Overlay, ...]
    metrics: tuple[tuple[Overlay, str], ...]
    expected_errors: Mapping[Overlay, frozenset[str]] = field(hash=False)

    def holds(self, measured: Measured) -> bool:
        """Whether every part is true of what the runs of one seed measured.

        Raises:
            ClaimError: A part cannot be evaluated on them, whatever the others say.
        """
        answers = [part.holds(measured) for part in self.parts]
        return all(answers)


@lru_cache(maxsize=4096)  # a command meets the same claim in lint, judging and the ledger
def parse_claim(text: str) -> ParsedClaim:
    """Read a claim such as `mse[latent=32] < 0.5 * mse[latent=2] in 95% of seeds`.

    Raises:
        ClaimError: It is not in the grammar, or beyond its bounds; `where` is the column.
    """
    conditions, share = ClaimReader(text).claim()
    metrics = [m for condition, _ in conditions for m in metrics_in(condition)]
    runs = tuple(dict.fromkeys(metric.run for metric in metrics))
    if not runs:
        raise complaint(text, 0, "this measures nothing.", "Expected at least one metric.")
    if len(runs) > MAX_RUNS:
        at = next(metric.at for metric in metrics if metric.run == runs[MAX_RUNS])
        raise complaint(text, at, f"this needs {len(runs)} runs.", f"The limit is {MAX_RUNS}.")
    return ParsedClaim(
        text=text,
        parts=tuple(Part(words, condition, text) for condition, words in conditions),
        failure_share=DEFAULT_FAILURE_SHARE if share is None else share,
        runs=runs,
        metrics=tuple(dict.fromkeys((metric.run, metric.name) for metric in metrics)),
        expected_errors=MappingProxyType(_expected_errors(c for c, _ in conditions)),
    )


def _expected_errors(conditions: Iterable[Condition]) -> dict[Overlay, frozenset[str]]:
    expected: dict[Overlay, frozenset[str]] = {}
    for condition in conditions:
        if not isinstance(condition, Comparison):
            continue
        for left, _, right in condition.pairs():
            for metric, literal in ((left, right), (right, left)):
                match metric, literal:
                    case Metric("error", run), Constant(str(name)):
                        expected[run] = expected.get(run, frozenset()) | ({name} - {"none"})
    return expected
