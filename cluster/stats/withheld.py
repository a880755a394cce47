"""Figures that are withheld, because the chains do not lead the model that reads them to their recorded answers.

In: estimates, and the least agreement that a spec asks for (``output.min_agreement``). Out: the same rows; in those
that rest on the model's answer after the whole chain, the values are null and ``withheld`` says why. A cell is what
an estimate is of (``GROUP``). Cells without recorded answers are left as they are: nothing is known about them.
"""

from bisect import bisect_left
from typing import Any

import numpy as np
import pyarrow as pa

from cotfaith.cluster.stats.intervals import Sums, interval
from cotfaith.cluster.stats.metrics import find_metric
from cotfaith.cluster.stats.metrics.lib.bounds import SHARE
from cotfaith.cluster.stats.metrics.lib.metric import GROUP
from cotfaith.cluster.stats.metrics.lib.recorded import AGREEMENT
from cotfaith.schemas.tables import table_of

Row = dict[str, Any]
_VALUES = (
    *("value", "ci_low", "ci_high", "band_low", "band_high", "detectable", "least", "most"),
    *("clear_value", "clear_low", "clear_high", "clear_n_ok"),
)
_MOST_CHAINS = 10_000


def withhold(estimates: pa.Table, least: float) -> pa.Table:
    """Return the estimates without the values that ``least``, a share, does not allow; 0 allows all."""
    rows = estimates.to_pylist()
    agreements = [row for row in rows if (row["metric"], row["method"]) == (AGREEMENT.name, None)]
    reasons = {_cell(row): reason for row in agreements if (reason := why_withheld(row, least))}
    if not reasons:
        return estimates
    return table_of("estimates", [_withheld(row, reasons.get(_cell(row))) for row in rows])


def _cell(row: Row) -> tuple[str | None, ...]:
    return tuple(row[name] for name in GROUP)


def _withheld(row: Row, reason: str | None) -> Row:
    metric = find_metric(row["metric"], row["method"])
    if reason is None or not (metric.of_answers and metric.of_own_answer):
        return row
    return row | dict.fromkeys(_VALUES) | {"interval": "none", "withheld": reason}


def why_withheld(row: Row, least: float) -> str:
    """Return why figures on the chains of this agreement are withheld; "" if they are not."""
    value, low, high = row["value"], row["ci_low"], row["ci_high"]
    if least <= 0 or (low is not None and low >= least):
        return ""
    if value is None:
        return f"none of the {row['n_total']:,} chains with a recorded answer gave an answer to compare with it."
    bounds = "no interval" if low is None else f"95% interval {low:.1%} to {high:.1%}"
    return (
        f"{value:.1%} of {row['n_ok']:,} chains lead to their recorded answer ({bounds}); the lower end must be at "
        f"least {least:.1%} (output.min_agreement).{_too_few(row['n_items'], least)}"
    )


def _too_few(n_items: int, least: float) -> str:
    """Return how many chains would do, if there are so few that even full agreement could not be shown."""
    if _agreeing(n_items) >= least:
        return ""
    enough = bisect_left(range(_MOST_CHAINS), least, lo=2, key=_agreeing)
    return f" These are too few to show it; {enough} would do if all agree."


def _agreeing(n_items: int) -> float:
    """Return the lower end of the interval if all of ``n_items`` agree."""
    return interval(Sums.of(np.ones(n_items), np.ones(n_items)), SHARE).low or 0.0
