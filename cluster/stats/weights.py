"""Items that stand for several alike ones: counts that others published, in place of single answers.

In: rows, with the column ``weight`` of ITEMS. Out: parts of them, and how often each part counts. Sums are linear,
so an item of weight 13 is in the parts that count 8, 4 and 1 times: there are never more parts than bits. Trials that
are counted are taken as independent, because nothing is known of what they share.
"""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from cotfaith.cluster.stats.metrics.lib.metric import Rows

ASSUMED = "independent trials assumed"
"""What an interval over counts says."""
_ITEM = ["task", "item_id"]


def has_weights(items: pl.DataFrame) -> bool:
    """Return whether an item stands for another number of items than one."""
    return "weight" in items.columns and bool((items["weight"] != 1).any())


def by_weight(rows: Rows) -> Iterator[tuple[Rows, int, bool]]:
    """Yield parts of the rows, how often each counts, and whether its items are counts."""
    weight = pl.col("weight").fill_null(1)
    single = rows.items.filter(weight == 1)
    yield _of(rows, single), 1, False
    counts = rows.items.filter(weight != 1)
    most = int(counts["weight"].max() or 0)  # type: ignore[arg-type]
    for bit in range(most.bit_length()):
        own = counts.filter((pl.col("weight") // 2**bit) % 2 == 1)
        yield _of(rows, own), 2**bit, True


def _of(rows: Rows, items: pl.DataFrame) -> Rows:
    """Return the rows of some items, of all models: a reader's rows count in those of the subjects."""
    ids = items.select(_ITEM).unique()
    chains, observations = (
        table.join(ids, on=_ITEM, how="semi", maintain_order="left") for table in (rows.chains, rows.observations)
    )
    return replace(rows, items=items, chains=chains, observations=observations, whole=rows.occurring())
