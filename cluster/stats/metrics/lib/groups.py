"""The variant and the channel of rows, never null: scores are grouped, and rows are joined, by both.

In: CHAINS and OBSERVATIONS rows; both columns may be null or missing. Out: the same rows. The variant of a row without
one is ``plain``. A row on a chain has the chain's channel, unless it names its own. A row on an item counts in each
channel in which the item has chains. A chain without a channel (it failed) has the channel of its item's other chains,
if they have one in common; where nothing is known, the channel is ``NOT_TOLD``. All of it is decided item by item.
"""

import polars as pl

from cotfaith.schemas.variants import PLAIN

NOT_TOLD = ""
"""In place of a null channel: the text is not told apart."""
_SUBJECT = ["model", "task", "strategy", "item_id"]
_ITEM = [*_SUBJECT, "variant"]
_CHAIN = [*_ITEM, "chain_index"]


def grouped(chains: pl.DataFrame, observations: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return chains and observations with ``variant`` and ``channel``; rows that have both are returned as they are."""
    chains, observations = (_filled(table, "variant", PLAIN) for table in (chains, observations))
    if any("channel" in table.columns and table["channel"].drop_nulls().len() for table in (chains, observations)):
        chains = _of_chains(chains)
        observations = _of_observations(observations, chains)
    return _filled(chains, "channel", NOT_TOLD), _filled(observations, "channel", NOT_TOLD)


def _filled(table: pl.DataFrame, name: str, text: str) -> pl.DataFrame:
    """Return the table with ``text`` where the column is null; the column is added if it is missing."""
    if name not in table.columns:
        kind = table.schema.get("strategy", pl.String())
        return table.with_columns(pl.lit(text).cast(kind).alias(name))
    return table.with_columns(pl.col(name).fill_null(text)) if table[name].null_count() else table


def _of_chains(chains: pl.DataFrame) -> pl.DataFrame:
    if not chains["channel"].null_count():
        return chains
    own, others = pl.col("channel"), pl.col("channel").drop_nulls()
    common = pl.when(others.n_unique().over(_SUBJECT) == 1).then(others.first().over(_SUBJECT))
    return chains.with_columns(pl.coalesce(own, common).fill_null(NOT_TOLD).alias("channel"))


def _of_observations(observations: pl.DataFrame, chains: pl.DataFrame) -> pl.DataFrame:
    if "channel" in observations.columns and not observations["channel"].null_count():
        return observations
    known = observations if "channel" in observations.columns else _filled(observations, "channel", NOT_TOLD)
    order, index = pl.int_range(pl.len()).alias("_order"), pl.col("chain_index")
    rows = known.with_columns(order)
    told = rows.filter(pl.col("channel").is_not_null() & (pl.col("channel") != NOT_TOLD))
    rest = rows.join(told, on="_order", how="anti").drop("channel")
    of_chain = _joined(rest.filter(index.is_not_null()), chains, _CHAIN)
    of_item = _joined(rest.filter(index.is_null()), chains, _ITEM)
    found = pl.concat([told, of_chain, of_item], how="diagonal_relaxed")
    return found.sort("_order", maintain_order=True).drop("_order")


def _joined(rows: pl.DataFrame, chains: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Return the rows with the channel of their chains; a row of several channels occurs in each."""
    found = chains.select(*key, "channel").unique(maintain_order=True)
    return rows.join(found, on=key, how="left", maintain_order="left")
