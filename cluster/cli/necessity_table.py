"""The table of needs in the terminal: whether each task needs its chains, in words.

In: plain estimates, and serial depths. Out: a table for a rich console, empty if nothing is known. What has no value
has its reason.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from rich.table import Table

from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.report.columns import ByName, by_name
from cotfaith.cluster.report.depths import HORIZON, horizon_ends
from cotfaith.cluster.report.depths import in_words as depth_in_words
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.necessity import KINDS
from cotfaith.cluster.stats.metrics.lib.words import reason
from cotfaith.cluster.terminal import safe_text
from cotfaith.schemas.run_objects import SerialDepth

WHOLE, SHARES, NEED = "necessity", "necessity_share", "need_share"


def necessity_table(rows: Sequence[Estimate], depths: Mapping[str, SerialDepth] = MappingProxyType({})) -> Table:
    """Return a line for each model and task: its kind, its items that need the chain, their kinds, and its horizon.

    ``depths``: model -> its serial depth, which has a column beside the horizon if there are any.
    """
    table = new_table("Does the task need its chains?", ["model", "task"], [])
    beside = ["serial depth\n(operations)"] if depths else []
    for header in ("as a whole", "items that\nneed it", "by difficulty", "horizon\n(difficulty)", *beside):
        table.add_column(header, overflow="fold")
    found = by_name(rows)
    for task, series, _, method in sorted(name for name in found if name[2] == WHOLE):
        whole = found[task, series, WHOLE, method]
        if whole.value is None and not whole.withheld:
            continue
        kind = "withheld" if whole.withheld else in_words(method or "")
        need = found.get((task, series, NEED, None)) or found.get((task, series, NEED, "answers"))
        cells = kind, _share(need), _kinds(found, task, series), _horizon(found.get((task, series, HORIZON, None)))
        depth = [depth_in_words(depths.get(whole.model))] if depths else []
        table.add_row(*map(safe_text, (series, task, *cells, *depth)))
    return table


def in_words(kind: str) -> str:
    """Return the kind in words."""
    return kind.replace("_", " ")


def _share(row: Estimate | None) -> str:
    if row is None or row.value is None:
        return "-" if row is None else reason(row.interval) or "-"
    return f"{row.value:.0%}" if row.ci_low is None else f"{row.value:.0%}\n{row.ci_low:.0%}–{row.ci_high:.0%}"


def _kinds(found: ByName, task: str, series: str) -> str:
    """Return the kinds that occur, each with its share of the items."""
    rows = {kind: found.get((task, series, SHARES, kind)) for kind in KINDS}
    return "\n".join(f"{in_words(kind)} {row.value:.0%}" for kind, row in rows.items() if row and row.value) or "-"


def _horizon(row: Estimate | None) -> str:
    if row is None or row.value is None:
        return "-" if row is None else reason(row.interval) or "-"
    low, high = horizon_ends(row)
    return f"{row.value:.1f}\n{low}–{high}"
