"""Estimates as records: one typed object per table row, with the name of its line in tables and figures.

In: a table in the ESTIMATES schema. Out: ``Estimate`` objects, in the table's order. A column that an older table lacks
is null, except that the variant of older rows is "plain". Knows nothing about single metrics.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from cotfaith.cluster.stats.series import with_series
from cotfaith.schemas.variants import PLAIN

ALL_OF = "*."
"""Before an arm, in place of a variant: all variants of that arm."""


@dataclass(frozen=True)
class Estimate:
    """One metric of a model, task, strategy, variant and channel, with interval and counts. Units: its metric's."""

    schema_version: int
    run_id: str
    model: str
    task: str
    strategy: str
    probe: str | None
    """None: the metric describes the chains."""
    metric: str
    method: str | None
    position: float | None
    """Its place on the probe's axis, for curves."""
    value: float | None
    """None: no row was ok, or it is withheld."""
    ci_low: float | None
    ci_high: float | None
    interval: str | None
    """How the interval was made, or why there is none."""
    n_total: int
    """Rows that should have given a value."""
    n_ok: int
    n_items: int
    clear_value: float | None
    """The value without near ties; the four ``clear_*`` are None if near ties make no difference."""
    clear_low: float | None
    clear_high: float | None
    clear_n_ok: int | None
    least: float | None
    """The value if all failed rows had had the smallest possible value; ``most``: the largest."""
    most: float | None
    n_arms: int | None
    n_arms_ok: int | None
    variant: str
    """The intervention's arm that the rows are of; "plain": none; ``ALL_OF`` and an arm: all interventions'."""
    channel: str | None
    """What the chains' texts are; None: not told apart."""
    reader: str | None
    """Who read what the figure rests on, a model or "rules"; None: nobody, or two, whom the method names."""
    n_eff: float | None
    """The number of independent items with as much information; None: not computed."""
    withheld: str | None
    """Why the value is withheld: then it is None, as are its interval and its bounds. None: it is not withheld."""
    band_low: float | None
    """The interval that holds at all positions of a curve at once; ``ci_low`` and ``ci_high`` hold at each alone."""
    band_high: float | None
    detectable: float | None
    """The smallest distance from a fixed value that a test at level .05 finds with a probability of .8."""
    series: str
    """The model, with the strategy and the channel if the table has several."""

    @property
    def is_plain(self) -> bool:
        """Whether its rows are of items without an intervention."""
        return self.variant == PLAIN


def read_estimates(table: pa.Table) -> list[Estimate]:
    """Return the rows of ``table`` as objects."""
    names = [name for name in Estimate.__dataclass_fields__ if name != "series"]
    rows: list[dict[str, Any]] = with_series(table.to_pylist())
    records: list[dict[str, Any]] = [{name: row.get(name) for name in [*names, "series"]} for row in rows]
    return [Estimate(**record | {"variant": record["variant"] or PLAIN}) for record in records]


def plain(rows: Iterable[Estimate]) -> list[Estimate]:
    """Return the estimates of items without an intervention."""
    return [row for row in rows if row.is_plain]


def by_kind(rows: Iterable[Estimate]) -> dict[str, list[Estimate]]:
    """Return what is not plain: "variants", each under a series of its own; "settings", over the wrong arms of all."""
    others = [row for row in rows if not row.is_plain]
    variants = [row for row in others if not row.variant.startswith(ALL_OF)]
    named = [replace(row, series=f"{row.series} · {row.variant}") for row in variants]
    return {"variants": named, "settings": [row for row in others if row.variant == f"{ALL_OF}wrong"]}
