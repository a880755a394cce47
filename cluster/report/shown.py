"""What the report shows of a run's rows besides estimates: its items, its chains, and how many rows have which status.

In: tables of some items at a time. Out: ``Shown``: a few columns of items and chains, and counts of observations. The
texts of the chains to read come from the shards that hold them, a few at a time. Knows nothing about the page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from cotfaith.cluster.report.choice import chosen, first_told, tellings
from cotfaith.cluster.report.moves import added, counted, pairs_of_chains, readings
from cotfaith.cluster.report.side_by_side import SideBySide, beside_plain, two_items
from cotfaith.cluster.report.spoken import known_words
from cotfaith.cluster.report.to_compare import candidates, chosen_moves, chosen_pairs, first_few
from cotfaith.cluster.report.transcript import Transcript
from cotfaith.cluster.report.transcripts import transcript
from cotfaith.cluster.stats.metrics.lib.groups import grouped
from cotfaith.cluster.stats.metrics.lib.words import Words
from cotfaith.cluster.storage.ledger import Ledger, ShardLog
from cotfaith.cluster.storage.read import tables_of
from cotfaith.cluster.storage.store import Store

Row = dict[str, Any]
Tables = Mapping[str, pl.DataFrame]
_ITEM = ["model", "task", "item_id"]
_CHAIN = ["model", "task", "strategy", "variant", "item_id", "chain_index"]
_COUNTED = ["model", "task", "strategy", "probe", "reader", "reader_role", "status", "no_cot_mechanism"]


@dataclass(frozen=True)
class Shown:
    """Parts of a run's tables."""

    items: pl.DataFrame
    """Model, task, item_id, pair, side, answer_format, choices; ``supplied_steps``, empty if the chain came with it."""
    chains: pl.DataFrame
    """Model, task, strategy, variant, item_id, chain_index, channel, status, correct and n_steps."""
    observations: pl.DataFrame
    """A line for each model, task, strategy, probe, reader, role, status and ``no_cot_mechanism``: ``n`` rows;
    ``n_tokens``, the most."""
    moves: pl.DataFrame
    """How often answers moved under each variant: ``moves.COUNTS`` rows."""
    moved: pl.DataFrame
    """A few chains that moved: ``to_compare.CANDIDATES`` rows."""
    told: pl.DataFrame
    """A few chains on plain items of which probes tell something: the rows of ``choice.first_told``."""


def shown(tables: Tables) -> Shown:
    """Return what is shown of these rows."""
    text = pl.col(pl.Categorical).cast(pl.String)
    items, (chains, observations) = tables["items"], grouped(tables["chains"], tables["observations"])
    came = pl.col("supplied_steps").list.head(0)
    counts = observations.group_by(_COUNTED).agg(pl.len().cast(pl.Int64).alias("n"), pl.col("n_tokens").max())
    pairs, read = pairs_of_chains(items, chains), readings(chains, observations)
    told = tellings(chains, observations, known_words())
    return Shown(
        items.select(*_ITEM, "pair", "side", "answer_format", "choices", came).with_columns(text),
        chains.select(*_CHAIN, "channel", "status", "correct", "n_steps").with_columns(text),
        counts.with_columns(text),
        counted(pairs, read),
        candidates(pairs, read, told),
        first_told(told),
    )


def joined(parts: Iterable[Shown]) -> Shown:
    """Return what is shown of all rows, in a fixed order."""
    found = list(parts)
    items, chains, counts = (
        pl.concat([getattr(one, name) for one in found]) for name in ("items", "chains", "observations")
    )
    summed = counts.group_by(_COUNTED).agg(pl.col("n").sum(), pl.col("n_tokens").max())
    moves, moved = added([one.moves for one in found]), first_few(pl.concat([one.moved for one in found]))
    told = first_told(pl.concat([one.told for one in found]))
    return Shown(items.sort(_ITEM), chains.sort(_CHAIN), summed.sort(_COUNTED), moves, moved, told)


def read_transcripts(
    store: Store, run_id: str, ledger: Ledger, rows: Shown, words: Mapping[str | None, Words]
) -> list[Transcript]:
    """Return the chains to read, as ``pick_transcripts`` does; each shard that holds some is read once."""
    keys = chosen(run_id, rows.chains, rows.told)
    together: dict[tuple[int, ...], list[int]] = {}
    for at, key in enumerate(keys):
        together.setdefault(tuple(map(id, _holding(ledger, key))), []).append(at)
    made: dict[int, Transcript] = {}
    for places in together.values():
        tables = tables_of(store, _holding(ledger, keys[places[0]]), run_id)
        made |= {at: transcript(keys[at], **tables, words=words) for at in places}
    return [made[at] for at in range(len(keys))]


def read_side_by_side(store: Store, run_id: str, ledger: Ledger, rows: Shown) -> list[SideBySide]:
    """Return the chains to read side by side; only the shards that hold them are read."""
    found = list[SideBySide]()
    for key in chosen_moves(rows.moved):
        tables = tables_of(store, _holding(ledger, key), run_id)
        found.append(beside_plain(key, tables["items"], tables["chains"], tables["observations"]))
    for key in chosen_pairs(rows.items, rows.chains):
        logs = [log for item in key["item_id"] for log in _holding(ledger, {**key, "item_id": item})]
        both = [log for at, log in enumerate(logs) if log not in logs[:at]]
        tables = tables_of(store, both, run_id)
        found.append(two_items(key, tables["items"], tables["chains"]))
    return found


def pick_side_by_side(rows: Shown, tables: Tables) -> list[SideBySide]:
    """Return the same, from tables that are at hand."""
    items, chains, observations = tables["items"], tables["chains"], tables["observations"]
    moved = [beside_plain(key, items, chains, observations) for key in chosen_moves(rows.moved)]
    return moved + [two_items(key, items, chains) for key in chosen_pairs(rows.items, rows.chains)]


def _holding(ledger: Ledger, key: Row) -> Sequence[ShardLog]:
    """Return the shard with the chain's item; commits of old runs do not name their items: all of model and task."""
    own = [log for shard, log in ledger.logs.items() if (shard.model, shard.task) == (key["model"], key["task"])]
    return [log for log in own if any(key["item_id"] in commit.items for commit in log.commits)] or own
