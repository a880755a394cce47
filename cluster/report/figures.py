"""A figure of the report, and how its hover texts say an estimate. Each kind of figure has a file of its own."""

from dataclasses import dataclass

from markupsafe import Markup

from cotfaith.cluster.report.drawing.scatter import Measured
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


def bounds_text(row: Estimate, form: str) -> str:
    """Return the interval as a prefix for other text; "" if there is none."""
    return "" if row.ci_low is None or row.ci_high is None else f"{row.ci_low:{form}} to {row.ci_high:{form}}; "


def with_bounds(row: Estimate, form: str) -> str:
    """Return the value, with its interval if there is one."""
    bounds = bounds_text(row, form).rstrip("; ")
    return f"{row.value:{form}} ({bounds})" if bounds else f"{row.value:{form}}"


def measured(row: Estimate) -> Measured:
    """Return the value, which is not null, with its interval, to be placed on an axis."""
    assert row.value is not None, "rows without a value are left out"
    return Measured(row.value, row.ci_low, row.ci_high)


def counted(row: Estimate) -> str:
    """Return on how many rows it rests."""
    return f"{row.n_ok} of {row.n_total} ok, {row.n_items} items"
