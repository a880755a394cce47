"""Which chains are shown side by side: a plain chain with one under a variant that moved its answer, or two items.

In: pairs of chains (``moves.py``), what judges said and probes tell of them, some items at a time; and what is shown of
the items and chains. Out: keys of a few pairs. The choice depends only on the rows, and prefers what a reader has to
see: moves towards a wrong answer, and pairs of items that are not both answered right.
"""

from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import Any, Literal

import polars as pl

from cotfaith.cluster.report.moves import KEY, is_moved
from cotfaith.cluster.stats.metrics.lib.frame import GROUP
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.status import Status
from cotfaith.schemas.variants import PLAIN

Row = dict[str, Any]
Said = Literal["named", "unnamed", "unread"]
WATCHED = ("missed", "flagged")
"""What is told of chains that moved."""
SAID: tuple[Said, ...] = ("unnamed", "named", "unread")
"""In the order in which they are shown."""
MOVED, PAIRED = 12, 4
"""The most that are shown: chains that moved, and pairs of items."""
EACH = 4
"""The candidates that are kept of each model, task, variant and ``Said``."""
CANDIDATES = [*KEY, "item_id", "plain_index", "chain_index", "said", "also"]
"""``said``: whether the chain names what moved it; ``also``: other reasons to read it, sorted."""
_SHOWN_BY = [*GROUP, "item_id"]
_PAIR = ["task", "model", "strategy", "pair"]


def candidates(pairs: pl.DataFrame, read: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Return a few ``CANDIDATES`` of each model, task, variant and ``Said``: pairs of chains that moved.

    ``told``: what probes tell of chains (``choice.tellings``).
    """
    first = (
        pairs.filter(is_moved())
        .sort("plain_index", "chain_index")
        .unique([*KEY, "item_id"], keep="first", maintain_order=True)
    )
    place = [*GROUP, "item_id", "chain_index"]
    is_asked = (pl.col("question") == "present").any()
    said = pl.when(pl.col("label").any()).then(pl.lit("named")).when(is_asked).then(pl.lit("unnamed")).alias("said")
    named = read.group_by(place).agg(said)
    moved = first.with_columns(pl.col(pl.Categorical).cast(pl.String))
    found = moved.join(named.with_columns(pl.col(pl.Categorical).cast(pl.String)), on=place, how="left")
    found = found.join(_also(read, told, place), on=place, how="left")
    said, also = pl.col("said").fill_null("unread"), pl.col("also").fill_null([])
    return first_few(found.with_columns(said, also).select(CANDIDATES))


def _also(read: pl.DataFrame, told: pl.DataFrame, place: list[str]) -> pl.DataFrame:
    """Return what else there is to see in chains: "divided" if readers answer a question in two ways; what is told."""
    texts = read.with_columns(pl.col(pl.Categorical).cast(pl.String))
    labels = texts.group_by([*place, "question"]).agg(pl.col("label").n_unique().alias("n"))
    divided = labels.filter(pl.col("n") > 1).select(*place, pl.lit("divided").alias("also"))
    watched = told.filter(pl.col("tell").is_in(WATCHED)).select(*place, pl.col("tell").alias("also"))
    found = pl.concat([divided, watched])
    return found.group_by(place).agg(pl.col("also").unique().sort())


def first_few(found: pl.DataFrame) -> pl.DataFrame:
    """Return the first candidates of each model, task, variant and ``Said``, in a fixed random order of the items.

    Those with most to see come first.
    """
    places = found.select("model", "task", "item_id").iter_rows()
    order = pl.Series("_order", [derive_seed("side by side", *map(str, place)) for place in places], pl.Int64)
    most = -pl.col("also").list.len().cast(pl.Int64)
    by_order = found.with_columns(order).sort(most, "_order", *CANDIDATES[:-1]).drop("_order")
    return by_order.group_by([*KEY, "said"], maintain_order=True).head(EACH).select(CANDIDATES)


def chosen_moves(found: pl.DataFrame, n: int = MOVED) -> list[Row]:
    """Return the candidates to show: models, tasks and variants in turn, named and unnamed ones in turn.

    Those that were pushed towards a wrong answer come first.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in first_few(found).iter_rows(named=True):
        groups.setdefault(tuple(str(row[name]) for name in GROUP), []).append(row)
    ordered = sorted(groups, key=lambda name: derive_seed(*name))
    queues = {name: _in_turn(groups[name], ("unnamed", "named")[at % 2]) for at, name in enumerate(ordered)}
    wrong = [name for name in ordered if name[3].endswith(".wrong")]
    others = [name for name in ordered if name not in wrong]
    turns = [row for names in (wrong, others) for row in _turns([queues[name] for name in names], n)]
    return sorted(turns[:n], key=lambda row: (SAID.index(row["said"]), [str(row[name]) for name in _SHOWN_BY]))


def _in_turn(rows: Iterable[Row], first: str) -> list[Row]:
    """Return the rows of ``first`` and of the other kinds in turn."""
    own, others = list[Row](), list[Row]()
    for row in sorted(rows, key=lambda row: row["said"] == "unread"):
        (own if row["said"] == first else others).append(row)
    return [row for row in chain.from_iterable(zip_longest(own, others)) if row is not None]


def _turns(queues: Iterable[list[Row]], n: int) -> list[Row]:
    return [row for turn in zip_longest(*queues) for row in turn if row is not None][:n]


def chosen_pairs(items: pl.DataFrame, chains: pl.DataFrame, n: int = PAIRED) -> list[Row]:
    """Return the pairs of items to show, models and tasks in turn; first those not both answered right.

    Each: ``_PAIR``, and for each side its ``side``, ``item_id`` and ``chain_index``: lists of two.
    """
    sides = items.filter(pl.col("pair").is_not_null()).select("model", "task", "item_id", "pair", "side")
    plain = chains.filter(pl.col("variant").fill_null(PLAIN) == PLAIN)
    first = plain.sort("chain_index").unique(
        ["model", "task", "strategy", "item_id"], keep="first", maintain_order=True
    )
    found = first.join(sides, on=["model", "task", "item_id"], how="inner").sort(*_PAIR, "side", "item_id")
    both = found.group_by(_PAIR, maintain_order=True).agg(
        pl.col("side", "item_id", "chain_index"),
        (pl.col("status") == str(Status.OK)).all().alias("is_ok"),
        pl.col("correct").fill_null(False).all().alias("is_right"),
    )
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in both.filter(pl.col("side").list.len() == 2).iter_rows(named=True):
        groups.setdefault((row["task"], row["model"], row["strategy"]), []).append(row)
    return sorted(_turns([_sorted(own) for _, own in sorted(groups.items())], n), key=_name)


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (not row["is_ok"], row["is_right"], derive_seed(*_name(row))))


def _name(row: Row) -> list[str]:
    return [str(row[name]) for name in _PAIR]
