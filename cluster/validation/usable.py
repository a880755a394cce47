"""A run's tables -> its usable chains: those that were sampled completely and answered, each with its item.

In: ITEMS and CHAINS rows. Out: ``WholeChain`` in the table's order, and what is kept of each: a ``UsableChain``, which
has no texts of the chain. Knows nothing about probes or labels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from cotfaith.schemas.records import Chain, Item
from cotfaith.schemas.status import Status
from cotfaith.workers.shard.rows import chains_from_table, item_from_row

ChainKey = tuple[str, str, str, str, str, int]
"""Model, task, strategy, variant, item and chain index: the key of a chain's scores."""
KEY = ["model", "task", "strategy", "variant", "item_id", "chain_index"]
"""Its columns."""


@dataclass(frozen=True, slots=True)
class UsableChain:
    """One chain whose status is ok."""

    model: str
    task: str
    strategy: str
    variant: str
    item_id: str
    index: int
    question: str
    is_hinted: bool
    """Whether its item has a hint, or its variant a target."""
    n_steps: int

    @classmethod
    def of(cls, model: str, task: str, item: Item, chain: Chain) -> "UsableChain":
        """Return what is kept of a chain."""
        about = (model, task, chain.strategy, chain.variant, chain.item_id, chain.index)
        hinted = item.hint is not None or chain.target is not None
        return cls(*about, item.question, hinted, len(chain.steps))

    @property
    def key(self) -> ChainKey:
        """The key of the chain in a frame of scores."""
        return self.model, self.task, self.strategy, self.variant, self.item_id, self.index


class WholeChain(NamedTuple):
    """A usable chain with its texts."""

    usable: UsableChain
    item: Item
    chain: Chain


def whole_chains(items: pl.DataFrame, chains: pl.DataFrame) -> Iterator[WholeChain]:
    """Yield every chain whose status is ok."""
    rows = chains.filter(pl.col("status") == Status.OK)
    by_key = {(row["model"], row["task"], row["item_id"]): item_from_row(row) for row in items.iter_rows(named=True)}
    keys = rows.select("model", "task", "item_id").iter_rows()
    for key, chain in zip(keys, chains_from_table(rows.to_arrow()), strict=True):
        yield WholeChain(UsableChain.of(key[0], key[1], by_key[key], chain), by_key[key], chain)


def usable_chains(items: pl.DataFrame, chains: pl.DataFrame) -> list[UsableChain]:
    """Return what is kept of every chain whose status is ok."""
    return [one.usable for one in whole_chains(items, chains)]
