"""A figure of the report, and those over one axis: curves by position, and chain lengths.

In: estimates (``series`` is the name of a line), chains, and the drawings in a probe's words. Out: ``Figure`` objects,
one for each small multiple. Figures that compare whole models are in ``paired.py`` and ``comparisons.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cotfaith.cluster.stats.estimates import Estimate


@dataclass(frozen=True)
class Figure:
    """One picture."""

    title: str
    """Plain text, not escaped."""
    svg: Markup
    """A whole SVG element; texts in it are escaped."""
    note: str = ""
    """One sentence: what the picture means and does not."""


def find(rows: Sequence[Estimate], series: str, task: str, metric: str, method: str | None = None) -> Estimate | None:
    """Return the estimate that is not part of a curve, if it has a value."""
    wanted = (series, task, metric, method, None)
    found = (r for r in rows if (r.series, r.task, r.metric, r.method, r.position) == wanted)
    return next((r for r in found if r.value is not None), None)


def bounds_text(row: Estimate, form: str) -> str:
    """Return the interval as a prefix for other text; "" if there is none."""
    return "" if row.ci_low is None or row.ci_high is None else f"{row.ci_low:{form}} to {row.ci_high:{form}}; "


def with_bounds(row: Estimate, form: str) -> str:
    """Return the value, with its interval if there is one."""
    bounds = bounds_text(row, form).rstrip("; ")
    return f"{row.value:{form}} ({bounds})" if bounds else f"{row.value:{form}}"


def counted(row: Estimate) -> str:
    """Return on how many rows it rests."""
    return f"{row.n_ok} of {row.n_total} ok, {row.n_items} items"
