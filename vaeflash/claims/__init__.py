"""Claims: comparisons of metrics, read without `eval` and evaluated on what runs measured.

    text -> tokens -> tree -> ParsedClaim -> which runs it needs
                                          -> yes or no, given what they measured

The grammar stands in `vaeflash.claims.parser`, that of parameters in `vaeflash.claims.params`.
"""

from __future__ import annotations

from vaeflash.claims.claim import ParsedClaim, Part, parse_claim
from vaeflash.claims.params import (
    format_params,
    metric_label,
    parse_params,
    parse_settings,
    to_overlay,
)
from vaeflash.claims.statistic import (
    RelationStatistics,
    Statistic,
    numbers_near,
    relation_statistics,
    rewritten,
    short_number,
)
from vaeflash.claims.tree import Overlay

__all__ = [
    "Overlay",
    "ParsedClaim",
    "Part",
    "RelationStatistics",
    "Statistic",
    "format_params",
    "metric_label",
    "numbers_near",
    "parse_claim",
    "parse_params",
    "parse_settings",
    "relation_statistics",
    "rewritten",
    "short_number",
    "to_overlay",
]
