"""Rows of several kinds, summed in one go: a mark at the end of each row's strategy keeps their sums apart.

In: tables, and the mark of each of their items. Out: the tables under marked strategies; and, from their sums, those of
each mark under the strategies' own names. No strategy has a mark of its own: names have no null character.
"""

from collections import defaultdict
from dataclasses import replace

import polars as pl

from cotfaith.cluster.stats.tally import CURVE, Crosses, Key, Tally

Mark = tuple[int, str]
"""The number of a range of items, and the kind of the rows."""
_END = "\0"
_MARK = ["_range", "_kind"]


def marked(table: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
    """Return the rows under marked strategies, once for each mark of theirs.

    ``marks``: ``range``, ``kind``, and the columns of the table that a mark belongs to, such as task and item_id.
    """
    key = [name for name in marks.columns if name not in ("range", "kind")]
    typed = marks.select(
        pl.format("{}{}{}{}", pl.lit(_END), "range", pl.lit(_END), "kind").alias("_mark"),
        *(pl.col(name).cast(table.schema[name]) for name in key),
    )
    name, kind = pl.col("strategy").cast(pl.String), table.schema["strategy"]
    joined = table.join(typed, on=key, how="inner", maintain_order="left")
    return joined.with_columns((name + pl.col("_mark")).cast(kind).alias("strategy")).drop("_mark")


def by_mark(found: Tally) -> dict[Mark, Tally]:
    """Return the sums of each mark."""
    sums, vectors = _apart(found.sums), _apart(found.vectors)
    kept, crosses = defaultdict[Mark, dict[str, pl.DataFrame]](dict), defaultdict[Mark, dict[Key, Crosses]](dict)
    for name, rows in found.kept.items():
        for mark, own in _apart(rows).items():
            kept[mark][name] = own
    for key, one in found.crosses.items():
        own_key, mark = _without_mark(key)
        crosses[mark][own_key] = one
    nothing = Tally()
    return {
        mark: replace(
            nothing,
            sums=sums.get(mark, nothing.sums),
            vectors=vectors.get(mark, nothing.vectors),
            crosses=crosses.get(mark, {}),
            kept=kept.get(mark, {}),
        )
        for mark in sorted({*sums, *vectors, *kept, *crosses})
    }


def _apart(rows: pl.DataFrame) -> dict[Mark, pl.DataFrame]:
    """Return the rows of each mark."""
    parts = pl.col("strategy").str.split_exact(_END, 2).struct
    named = rows.with_columns(
        parts.field("field_0").alias("strategy"), *(parts.field(f"field_{n}").alias(_MARK[n - 1]) for n in (1, 2))
    )
    found = named.partition_by(_MARK, as_dict=True, include_key=False, maintain_order=True)
    return {(int(mark[0]), mark[1]): own for mark, own in found.items()}


def _without_mark(key: Key) -> tuple[Key, Mark]:
    place = CURVE.index("strategy")
    name, number, kind = key[place].split(_END)
    return (*key[:place], name, *key[place + 1 :]), (int(number), kind)
