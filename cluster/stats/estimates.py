"""Estimates as records: one typed object a row of the table, with the name of its line in tables and figures.

In: a table in the ESTIMATES schema. Out: ``Estimate`` objects, in the table's order. A column that an older table lacks
is null. Knows nothing about single metrics.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cotfaith.cluster.stats.series import with_series


@dataclass(frozen=True)
class Estimate:
    """One metric of one model, task and strategy, with its interval and what it rests on. Units: its metric's."""

    schema_version: int
    run_id: str
    model: str
    task: str
    strategy: str
    probe: str | None
    """None: the metric belongs to the chains."""
    metric: str
    method: str | None
    position: float | None
    """Where on the probe's axis, for curves."""
    value: float | None
    """None: no row was ok."""
    ci_low: float | None
    ci_high: float | None
    interval: str | None
    """How the interval was made."""
    n_total: int
    """Rows that should have counted."""
    n_ok: int
    n_items: int
    clear_value: float | None
    """The value without near ties; the four ``clear_*`` are None where that changes nothing."""
    clear_low: float | None
    clear_high: float | None
    clear_n_ok: int | None
    least: float | None
    """The value if all that failed had been as small as it can be."""
    most: float | None
    n_arms: int | None
    n_arms_ok: int | None
    variant: str | None
    """None: the plain items."""
    channel: str | None
    reader: str | None
    """The model that answered; None: the subject."""
    n_eff: float | None
    """Independent items that would carry as much; None: not worked out."""
    series: str
    """The model, with the strategy where the table has several."""


def read_estimates(table: pa.Table) -> list[Estimate]:
    """Return the rows of ``table`` as objects."""
    names = [name for name in Estimate.__dataclass_fields__ if name != "series"]
    rows: list[dict[str, Any]] = with_series(table.to_pylist())
    records: list[dict[str, Any]] = [{name: row.get(name) for name in [*names, "series"]} for row in rows]
    return [Estimate(**record) for record in records]
