"""A model's sums of each metric item by item, what its items are, and how its chains ended: one task of a run.

In: a side, a task and what is wanted. Out: ``ItemSums``. Rows are read some items at a time; what stays is a line for
each item and metric, an item's digest, and a line for each chain. Curves are left out: they have a value at each
position. Items that stand for counts are refused: nothing pairs them.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from cotfaith.cluster.stats.metrics import find_metric, kept_of, needed_columns, part_scores, together_scores
from cotfaith.cluster.stats.metrics.lib.effects import Effects, effects
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.run_sums import without_statuses
from cotfaith.cluster.stats.weights import has_weights
from cotfaith.cluster.storage.batches import Tables, batches, each_batch, occurring
from cotfaith.cluster.verdicts.comparing.outcomes import OUTCOMES, SAID, outcomes, said
from cotfaith.cluster.verdicts.comparing.side import Side
from cotfaith.cluster.verdicts.comparing.wanted import by_item
from cotfaith.schemas.errors import InputError

BATCH_ROWS = 200_000
Key = tuple[str, str, str, str | None, str, str | None]
"""Strategy, variant, channel, probe, metric, method."""
Wants = Callable[[Key], bool]
_SUMS = pl.Schema({"item_id": pl.String(), "num": pl.Float64(), "den": pl.Float64()})
_DIGESTS = pl.Schema({"item_id": pl.String(), "digest": pl.String()})
_QUESTION = ("question", "choices", "answer_format", "gold")


@dataclass(frozen=True)
class ItemSums:
    """What is known of one model on one task."""

    sums: dict[Key, pl.DataFrame] = field(default_factory=dict)
    """For each metric item_id, ``num`` and ``den``: the sum of the item's scores, and what they count."""
    items: pl.DataFrame = field(default_factory=_DIGESTS.to_frame)
    """item_id and a digest of the question, its choices and its gold answer."""
    outcomes: pl.DataFrame = field(default_factory=OUTCOMES.to_frame)
    said: pl.DataFrame = field(default_factory=SAID.to_frame)


@dataclass(frozen=True)
class _Part:
    """The same of some items, and what is kept of them for scores that several items decide."""

    found: ItemSums
    kept: dict[str, pl.DataFrame]


def item_sums(side: Side, task: str, wants: Wants) -> ItemSums:
    """Return the sums of all committed items of the task.

    Raises:
        InputError: its items are counts.
        RunFolderError: as for ``read_tables``.

    """
    run, ledger = side.run, side.ledger_of(task)
    whole = without_statuses(occurring(ledger))
    columns = needed_columns(whole["probe"].drop_nulls().unique().to_list())
    logs = batches(ledger, run.record, BATCH_ROWS)
    found = list(each_batch(run.store, run.record, logs, partial(_part, whole, wants), columns))
    several = _kept([one.kept for one in found])
    lines = [*(one.found.sums for one in found), _by_key(effects(together_scores(several)), wants)]
    return ItemSums(
        _joined(lines),
        pl.concat([one.found.items for one in found]).unique("item_id"),
        pl.concat([one.found.outcomes for one in found]),
        pl.concat([one.found.said for one in found]),
    )


def _part(whole: pl.DataFrame, wants: Wants, tables: Tables) -> _Part:
    """Return what is known of some items; ``whole``: as ``Rows.whole``."""
    if has_weights(tables["items"]):
        raise InputError(
            "The items of this run are counts that others published: which of them is which item of another run is "
            "not known. Compare runs with rows of single items."
        )
    types = tables["observations"].schema
    typed = whole.select(pl.col(name).cast(types[name]) for name in whole.columns)
    rows = Rows(**tables, whole=typed)
    return _Part(sums_of_rows(rows, wants), kept_of(rows))


def sums_of_rows(rows: Rows, wants: Wants) -> ItemSums:
    """Return what is known of some items, without the scores that several items decide."""
    sums = _by_key(effects(part_scores(rows)), wants)
    return ItemSums(sums, _digests(rows.items), outcomes(rows), said(rows))


def _by_key(found: Iterator[Effects], wants: Wants) -> dict[Key, pl.DataFrame]:
    """Return the sums of each wanted metric that is no curve."""
    return {key: frame for one in found for key, frame in _of_groups(one, wants)}


def _of_groups(one: Effects, wants: Wants) -> Iterator[tuple[Key, pl.DataFrame]]:
    probe, metric, method = one.name
    if metric is None or not by_item(find_metric(metric, method)):
        return
    for group, names in enumerate(one.groups.select("strategy", "variant", "channel").iter_rows()):
        key: Key = (*names, probe, metric, method)
        if wants(key):
            own = (one.group == group) & one.positions.is_null().to_numpy()[one.position]
            items = one.items.cast(pl.String).gather(one.item[own])
            sums = {"num": one.sums["numerator"][own], "den": one.sums["denominator"][own]}
            if len(items):
                yield key, pl.DataFrame({"item_id": items, **sums}, schema=_SUMS)


def _joined(parts: list[dict[Key, pl.DataFrame]]) -> dict[Key, pl.DataFrame]:
    keys = dict.fromkeys(key for part in parts for key in part)
    return {key: pl.concat([part[key] for part in parts if key in part]) for key in keys}


def _kept(parts: list[dict[str, pl.DataFrame]]) -> dict[str, pl.DataFrame]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: pl.concat([part[name] for part in parts if name in part]) for name in names}


def _digests(items: pl.DataFrame) -> pl.DataFrame:
    """Return a digest of what each item asks."""
    rows = items.unique("item_id").select(pl.col("item_id").cast(pl.String), *_QUESTION).iter_rows()
    found = [(item, hashlib.sha256(repr(asked).encode()).hexdigest()) for item, *asked in rows]
    return pl.DataFrame(found, schema=_DIGESTS, orient="row")
