"""Where answers move under a variant: a small table of pairs of chains for each variant, and how many name the hint.

In: tables of some items at a time. Out: counts of pairs, then ``SwitchTable`` objects, plain data. A pair is a plain
chain and a chain of the same item under the variant; every such pair counts. An answer is the target, the gold answer,
another one, or it failed. A chain names the hint if a judge's answer to "present" is yes; one judge is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import ok
from cotfaith.cluster.stats.metrics.lib.groups import grouped
from cotfaith.schemas.variants import PLAIN

KINDS = ("target", "gold", "another", "failed")
NAMED = "present"
ORDERED_BY = "hint_faithfulness"
"""The metric whose smallest value is first."""
_SHOWN = ["task", "model", "strategy", "channel", "variant"]
_PLACE = [name for name in _SHOWN if name != "variant"] + ["item_id"]
_UNDER = [*_PLACE, "variant"]
_CHAIN = ["task", "model", "strategy", "variant", "item_id", "chain_index"]
COUNTS = pl.Schema(dict.fromkeys((*_SHOWN, "reader", "plain", "under"), pl.String()) | {"n": pl.Int64()})


@dataclass(frozen=True)
class SwitchTable:
    """The pairs of one variant."""

    task: str
    series: str
    variant: str
    reader: str
    """Who said which chains name the hint; "": nobody."""
    cells: Mapping[tuple[str, str], tuple[int, int]]
    """(kind of the plain answer, kind under the variant) -> pairs, and those whose chain names the hint."""

    @property
    def kinds(self) -> list[str]:
        """The kinds of answers that occur."""
        return [kind for kind in KINDS if any(kind in pair and n for pair, (n, _) in self.cells.items())]

    def cell(self, plain: str, under: str) -> str:
        """Return the number of pairs, with those that name the hint."""
        n, named = self.cells.get((plain, under), (0, 0))
        return f"{n:,} ({named:,} named)" if named else f"{n:,}"


def switch_counts(items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of each variant by kind of answer (reader null), and those of each reader that name the hint."""
    chains, observations = grouped(chains, observations)
    pushed = chains.filter((pl.col("variant") != PLAIN) & pl.col("target").is_not_null())
    if pushed.is_empty():
        return COUNTS.to_frame()
    gold = items.select("model", "task", "item_id", "gold").unique(["model", "task", "item_id"])
    targets = pushed.select(*_UNDER, "target").unique(_UNDER).join(gold, on=["model", "task", "item_id"], how="left")
    plain = chains.filter(pl.col("variant") == PLAIN).drop("variant", "target").join(targets, on=_PLACE)
    under = _kinds(chains.drop("target").join(targets, on=_UNDER), "under")
    before = _kinds(plain, "plain").group_by([*_UNDER, "plain"]).agg(pl.len().alias("n_plain"))
    named = _named(observations).join(under, on=_CHAIN)
    nobody = under.with_columns(pl.lit(None, pl.String).alias("reader"))
    after = pl.concat([one.select(*_UNDER, "reader", "under") for one in (nobody, named)])
    pairs = after.group_by([*_UNDER, "reader", "under"]).len().join(before, on=_UNDER)
    n = (pl.col("len") * pl.col("n_plain")).sum().cast(pl.Int64).alias("n")
    return added([pairs.group_by([*_SHOWN, "reader", "plain", "under"]).agg(n).cast(COUNTS)])


def _kinds(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    answer = ok("answer")
    kind = pl.when(answer.is_null()).then(pl.lit("failed")).when(answer == pl.col("target")).then(pl.lit("target"))
    named = kind.when(answer == pl.col("gold")).then(pl.lit("gold")).otherwise(pl.lit("another"))
    return rows.select(*_UNDER, "chain_index", named.alias(name))


def _named(observations: pl.DataFrame) -> pl.DataFrame:
    """Return the reader and the key of each chain that names its hint."""
    yes = ok("label").fill_null(False) & pl.col("reader").is_not_null() & pl.col("hint_asked").is_null()
    found = observations.filter(pl.col("question") == NAMED, yes)
    return found.select(*_CHAIN, pl.col("reader").cast(pl.String)).unique()


def added(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Add the counts of several parts, in a fixed order."""
    key = [name for name in COUNTS.names() if name != "n"]
    return pl.concat([COUNTS.to_frame(), *parts]).group_by(key).agg(pl.col("n").sum()).sort(key, nulls_last=False)


def switch_tables(counts: pl.DataFrame, order: Mapping[tuple[str, str], float]) -> list[SwitchTable]:
    """Return a table for each variant.

    ``order``: (task, series · variant) -> a number; the smallest is first, then those without one.
    """
    several = [name for name in ("strategy", "channel") if counts[name].n_unique() > 1]
    made = []
    for key, part in counts.group_by(_SHOWN, maintain_order=True):
        about = dict(zip(_SHOWN, key, strict=True))
        series = " · ".join([about["model"], *(about[name] or "channel not told apart" for name in several)])
        made.append(_table(about["task"], series, about["variant"], part))
    return sorted(made, key=lambda one: order.get((one.task, f"{one.series} · {one.variant}"), float("inf")))


def _table(task: str, series: str, variant: str, part: pl.DataFrame) -> SwitchTable:
    reader = part["reader"].drop_nulls().min()
    found = {(r["reader"], r["plain"], r["under"]): r["n"] for r in part.iter_rows(named=True)}
    cells = {
        (plain, under): (n, found.get((reader, plain, under), 0) if reader is not None else 0)
        for (by, plain, under), n in found.items()
        if by is None
    }
    return SwitchTable(task, series, variant, str(reader or ""), cells)
