"""The table of compared models in the terminal: their difference as it is, over one distribution of skill, and matched.

In: rows of COMPARISONS. Out: a table for a rich console, empty if no two models were compared. A difference without a
value has its reason.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from cotfaith.cluster.cli.fit import fits
from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.cli.view import View
from cotfaith.cluster.stats.conditioned.pairs import KINDS, STANDARDISED
from cotfaith.cluster.stats.metrics.lib.metric import title
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.terminal import safe_text
from cotfaith.schemas import keys
from cotfaith.schemas.parquet import read_parquet

Row = Mapping[str, Any]
_KEY = ("task", "strategy", "channel", "metric", "method", "model_a", "model_b")
_METHODS = (None, "trapezoid")
"""The methods that are shown; ``comparisons.parquet`` has all."""
_HEADERS = ("difference", "at equal\nskill", "on items of\nequal skill", "common\nsupport")


def comparisons_table(rows: Sequence[Row]) -> Table:
    """Return a line per metric, task and two models: the first model minus the second."""
    table = new_table("Models compared, with 95% intervals (docs/skill.md)", ["models", "task", "metric"], [])
    for header in _HEADERS:
        table.add_column(header, overflow="fold")
    found: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        if row["kind"] in KINDS and row["method"] in _METHODS:
            found.setdefault(tuple(row[name] for name in _KEY), {})[row["kind"]] = row
    several = len({key[1] for key in found}) > 1
    for key, kinds in found.items():
        task, strategy, channel, metric, method, a, b = key
        named = " · ".join(name for name in (task, strategy if several else None, channel) if name)
        support = f"{kinds[STANDARDISED]['support']:.0%}"
        cells = [_cell(kinds[kind]) for kind in KINDS]
        table.add_row(*map(safe_text, (f"{a} − {b}", named, title(metric, method))), *cells, support)
    return table


def print_comparisons(store: Store, console: Console, shown: View) -> None:
    """Print the comparisons of the models and tasks shown, if there are any and they fit or are asked for."""
    data = store.get(keys.COMPARISONS)
    rows = [] if data is None else read_parquet(data).to_pylist()
    pairs = [row for row in rows if row["kind"] in KINDS]
    own = [row for row in pairs if all(shown.shows(row[side], row["task"]) for side in ("model_a", "model_b"))]
    if not (table := comparisons_table(own)).row_count:
        return
    console.print()
    console.print(table if shown.in_full or fits(table, console) else f"{table.row_count:,} comparisons: --details")


def _cell(row: Row) -> str:
    if row["value"] is None:
        return safe_text((row["interval"] or "-").replace("_", " "))
    if row["ci_low"] is None:
        return f"{row['value']:+.2f}"
    return f"{row['value']:+.2f}\n{row['ci_low']:+.2f} to {row['ci_high']:+.2f}"
