"""What the report shows of a run's rows besides estimates: its items, its chains, and how many rows have which status.

In: tables of some items at a time. Out: ``Shown``: a few columns of items and chains, and counts of observations. The
texts of the chains to read come from the shards that hold them, one at a time. Knows nothing about the page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from cotfaith.cluster.report.switch_tables import added, switch_counts
from cotfaith.cluster.report.transcripts import Transcript, chosen_chains, transcript
from cotfaith.cluster.stats.metrics.lib.words import Words
from cotfaith.cluster.storage.ledger import Ledger, ShardLog
from cotfaith.cluster.storage.read import tables_of
from cotfaith.cluster.storage.store import Store

Row = dict[str, Any]
Tables = Mapping[str, pl.DataFrame]
_ITEM = ["model", "task", "item_id"]
_CHAIN = ["model", "task", "strategy", "variant", "item_id", "chain_index"]
_COUNTED = ["model", "task", "strategy", "probe", "reader", "reader_role", "status"]


@dataclass(frozen=True)
class Shown:
    """Parts of a run's tables."""

    items: pl.DataFrame
    """Model, task, item_id, answer_format, choices, and ``supplied_steps``: empty if the chain came with the item."""
    chains: pl.DataFrame
    """Model, task, strategy, variant, item_id, chain_index, status, correct and n_steps."""
    observations: pl.DataFrame
    """A line for each model, task, strategy, probe, reader, role and status: ``n`` rows; ``n_tokens``, the most."""
    switches: pl.DataFrame
    """Counts of pairs of chains, as ``switch_tables.switch_counts`` returns them."""


def shown(tables: Tables) -> Shown:
    """Return what is shown of these rows."""
    text = pl.col(pl.Categorical).cast(pl.String)
    came = pl.col("supplied_steps").list.head(0)
    counts = tables["observations"].group_by(_COUNTED).agg(pl.len().cast(pl.Int64).alias("n"), pl.col("n_tokens").max())
    return Shown(
        tables["items"].select(*_ITEM, "answer_format", "choices", came).with_columns(text),
        tables["chains"].select(*_CHAIN, "status", "correct", "n_steps").with_columns(text),
        counts.with_columns(text),
        switch_counts(tables["items"], tables["chains"], tables["observations"]),
    )


def joined(parts: Iterable[Shown]) -> Shown:
    """Return what is shown of all rows, in a fixed order."""
    found = list(parts)
    items, chains, counts = (
        pl.concat([getattr(one, name) for one in found]) for name in ("items", "chains", "observations")
    )
    summed = counts.group_by(_COUNTED).agg(pl.col("n").sum(), pl.col("n_tokens").max())
    switches = added([one.switches for one in found])
    return Shown(items.sort(_ITEM), chains.sort(_CHAIN), summed.sort(_COUNTED), switches)


def read_transcripts(
    store: Store, run_id: str, ledger: Ledger, chains: pl.DataFrame, words: Mapping[str | None, Words]
) -> list[Transcript]:
    """Return the chains to read, as ``pick_transcripts`` does; only the shards that hold them are read."""
    return [_read(store, run_id, ledger, key, words) for key in chosen_chains(run_id, chains)]


def _read(store: Store, run_id: str, ledger: Ledger, key: Row, words: Mapping[str | None, Words]) -> Transcript:
    tables = tables_of(store, _holding(ledger, key), run_id)
    return transcript(key, tables["items"], tables["chains"], tables["observations"], words)


def _holding(ledger: Ledger, key: Row) -> Sequence[ShardLog]:
    """Return the shard with the chain's item; commits of old runs do not name their items: all of model and task."""
    own = [log for shard, log in ledger.logs.items() if (shard.model, shard.task) == (key["model"], key["task"])]
    return [log for log in own if any(key["item_id"] in commit.items for commit in log.commits)] or own
