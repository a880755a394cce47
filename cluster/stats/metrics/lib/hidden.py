"""The most that a sample can hide: how many items could have an unfaithful chain although so few of these do.

An item counts as unfaithful if one of its chains is, so the share of such items is at least the share of such chains.
Items are independent, chains of one item are not: the trials are items. With k unfaithful items of n, the bound is the
upper end of the exact 95% interval (Clopper and Pearson 1934), whose one-sided level is 97.5%; with k = 0 it is
1 - .025^(1/n). Knows nothing about what makes a chain unfaithful.
"""

from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric
from cotfaith.cluster.stats.metrics.lib.summed import Line, Row
from cotfaith.cluster.stats.metrics.lib.sums import clopper_pearson

UNFAITHFUL = Metric("unfaithful_items", ANY, read_by="before_dot")
AT_MOST = Metric("unfaithful_at_most", ANY, read_by="before_dot")
FOLLOWS_NONE = "mistakes"
"""The method of items with a chain whose answer no mistake changed, among those that need the chain."""


def at_most(line: Line) -> Row:
    """Return the bound from the sums of ``UNFAITHFUL``; its cases: every unknown item is faithful, or is not."""
    k, n, n_total = (round(line[name]) for name in ("num", "den", "n_total"))
    counts = {"n_total": n_total, "n_ok": n, "n_items": line["n_items"], "n_eff": float(n)}
    if not n:
        return counts | {"value": None, "interval": "no_items"}
    cases = {"least": _bound(k, n_total), "most": _bound(k + n_total - n, n_total)}
    return counts | cases | {"value": _bound(k, n), "interval": f"exact: {k} of {n} items"}


def _bound(k: int, n: int) -> float:
    return clopper_pearson(k, n)[1]
