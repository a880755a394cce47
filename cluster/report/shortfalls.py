"""Estimates that rest on too few rows: more than 5% of the rows, or of the arms behind them, failed.

In: estimates. Out: ``Shortfall`` objects, one for each metric and method; a curve is represented by its worst position.
Each has a worst and a best case: the value if all failed rows had the smallest or the largest possible value.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cotfaith.cluster.stats.estimates import Estimate

ENOUGH = 0.95
"""The share of rows, or of arms, below which the report shows a warning."""


@dataclass(frozen=True)
class Shortfall:
    """One estimate with too many failed rows."""

    series: str
    task: str
    name: str
    """Metric, method and position, as in estimates.parquet."""
    position: float | None
    value: float | None
    n_ok: int
    n_total: int
    n_arms_ok: int | None
    n_arms: int | None
    least: float | None
    most: float | None
    share: float
    """Of the rows or arms, those that did not fail."""

    @property
    def is_curve(self) -> bool:
        """Whether the estimate belongs to a position of a curve."""
        return self.position is not None

    @property
    def rests_on(self) -> str:
        """Return the number of ok rows and of all rows, such as "20/24" or "24/24, 80/96 arms"."""
        arms = f", {self.n_arms_ok}/{self.n_arms} arms" if self.n_arms else ""
        return f"{self.n_ok}/{self.n_total}{arms}"

    @property
    def shown(self) -> str:
        """Return the value; a dash if there is none."""
        return "–" if self.value is None else f"{self.value:z.2f}"

    @property
    def cases(self) -> str:
        """Return the worst and the best case; a metric without bounds has none."""
        return "no bounds" if self.least is None else f"{self.least:z.2f} to {self.most:z.2f}"


def is_short(row: Estimate) -> bool:
    """Return whether more than 5% of the estimate's rows or arms failed; what is withheld is not shown at all."""
    return row.withheld is None and share_counted(row) < ENOUGH


def shortfalls(rows: Iterable[Estimate]) -> list[Shortfall]:
    """Return the estimates with too many failed rows, in the order of the tables."""
    worst: dict[tuple[str, str, str, str | None], Estimate] = {}
    for row in filter(is_short, rows):
        key = (row.task, row.series, row.metric, row.method)
        if key not in worst or share_counted(row) < share_counted(worst[key]):
            worst[key] = row
    return [_shortfall(row) for _, row in sorted(worst.items(), key=lambda pair: (*pair[0][:2], _place(pair[1])))]


def _place(row: Estimate) -> tuple[bool, str, str]:
    """Sort plain figures before curves, then by name."""
    return row.position is not None, row.metric, row.method or ""


def share_counted(row: Estimate) -> float:
    """Return the share of the estimate's rows, or of its arms if that is less, that did not fail; 1 if it has none."""
    arms = (row.n_arms_ok or 0) / row.n_arms if row.n_arms else 1.0
    return min(row.n_ok / row.n_total if row.n_total else 1.0, arms)


def _shortfall(row: Estimate) -> Shortfall:
    at = "" if row.position is None else f" at {row.position:g}"
    name = row.metric if row.method is None else f"{row.metric}/{row.method}"
    return Shortfall(
        row.series,
        row.task,
        f"{name}{at}",
        row.position,
        row.value,
        row.n_ok,
        row.n_total,
        row.n_arms_ok,
        row.n_arms,
        row.least,
        row.most,
        share_counted(row),
    )
