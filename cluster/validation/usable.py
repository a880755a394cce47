"""A run's tables -> its usable chains: those that were sampled completely and answered, each with its item.

In: ITEMS and CHAINS rows. Out: ``UsableChain`` in the table's order. Knows nothing about probes or labels.
"""

from dataclasses import dataclass

import polars as pl

from cotfaith.schemas.records import Chain, Item
from cotfaith.schemas.status import Status
from cotfaith.workers.shard.rows import chains_from_table, item_from_row

ChainKey = tuple[str, str, str, str, str, int]
"""Model, task, strategy, variant, item and chain index: the key of a chain's scores."""
KEY = ["model", "task", "strategy", "variant", "item_id", "chain_index"]
"""Its columns."""


@dataclass(frozen=True)
class UsableChain:
    """One chain whose status is ok."""

    model: str
    task: str
    item: Item
    chain: Chain

    @property
    def key(self) -> ChainKey:
        """The key of the chain in a frame of scores."""
        return self.model, self.task, self.chain.strategy, self.chain.variant, self.chain.item_id, self.chain.index


def usable_chains(items: pl.DataFrame, chains: pl.DataFrame) -> list[UsableChain]:
    """Return every chain whose status is ok."""
    rows = chains.filter(pl.col("status") == Status.OK)
    by_key = {(row["model"], row["task"], row["item_id"]): item_from_row(row) for row in items.iter_rows(named=True)}
    keys = rows.select("model", "task", "item_id").iter_rows()
    found = chains_from_table(rows.to_arrow())
    return [UsableChain(key[0], key[1], by_key[key], chain) for key, chain in zip(keys, found, strict=True)]
