"""Which chains on plain items are shown, and why: what probes tell of them, and some drawn at random.

In: rows of some items at a time, and the probes' words. Out: a few candidates of each model, task, strategy and reason
(``first_told``), whose number does not grow with the items; and the chosen ones (``chosen``), whose number is bounded.
The choice depends only on the run's id and on the rows.
"""

from collections.abc import Iterable, Mapping
from itertools import chain, zip_longest
from typing import Any

import polars as pl

from cotfaith.cluster.report.reasons import ORDER, Reason
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, GROUP
from cotfaith.cluster.stats.metrics.lib.tells import TELLS
from cotfaith.cluster.stats.metrics.lib.words import AGAIN, Words
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.plugins import faults_named

Row = dict[str, Any]
KEY = ["model", "task", "strategy", "item_id", "chain_index"]
"""What names a chain on a plain item."""
TOLD, DRAWN = 12, 8
"""The most that are shown for what a probe tells of them, and of those drawn at random."""
EACH = 2
"""The candidates of each model, task, strategy, channel and ``Tell``."""
_TOLD = {**dict.fromkeys(CHAIN, pl.String), "chain_index": pl.Int32, "tell": pl.String, "step": pl.Int32}


def tellings(chains: pl.DataFrame, observations: pl.DataFrame, words: Mapping[str | None, Words]) -> pl.DataFrame:
    """Return what the probes tell of the chains, all variants: ``CHAIN``, "tell" and "step".

    Both tables have a variant and a channel (``groups.py``).
    """
    parts = [pl.DataFrame(schema=_TOLD)]
    for probe in observations["probe"].unique().drop_nulls().cast(pl.String).sort().to_list():
        say = words[probe].tells if probe in words else None
        if say is not None:
            with faults_named(f"What is told of chains by {probe}", say, AGAIN):
                parts.append(_checked(say(chains, observations.filter(pl.col("probe") == probe))))
    return pl.concat(parts).unique([*CHAIN, "tell"], keep="first", maintain_order=True)


def _checked(found: pl.DataFrame) -> pl.DataFrame:
    told = found.select(pl.col(name).cast(kind) for name, kind in _TOLD.items())
    if unknown := set(told["tell"]) - {*TELLS}:
        raise ValueError(f"It tells {', '.join(map(str, unknown))}; known are {', '.join(TELLS)}")
    return told


def first_told(told: pl.DataFrame) -> pl.DataFrame:
    """Return the first few chains of plain items, of each group and ``Tell``, in a fixed random order of the items."""
    own = told.filter(pl.col("variant") == PLAIN)
    items = own.select("task", "item_id").unique()
    order = pl.Series("_order", [derive_seed("chains", *place) for place in items.iter_rows()], pl.Int64)
    ordered = own.join(items.with_columns(order), on=["task", "item_id"]).sort("_order", *CHAIN, "tell")
    return ordered.group_by([*GROUP, "tell"], maintain_order=True).head(EACH).select(list(_TOLD)).sort([*CHAIN, "tell"])


def chosen(run_id: str, chains: pl.DataFrame, told: pl.DataFrame) -> list[Row]:
    """Return the chains to show: ``KEY``, and ``why``: the ``Reason`` for which it is chosen.

    Args:
        run_id: the run's id.
        chains: all chains of the run: ``KEY``, ``variant``, ``status`` and ``correct``.
        told: the candidates.

    """
    found = _told(run_id, told)
    taken = {_name(key) for key in found}
    drawn = [key for key in drawn_chains(run_id, chains, DRAWN + len(found)) if _name(key) not in taken]
    return found + [{**key, "why": Reason("drawn")} for key in drawn[:DRAWN]]


def _told(run_id: str, told: pl.DataFrame) -> list[Row]:
    """Return candidates, all reasons in turn, and for each all models and tasks in turn; a chain only once."""
    cells: dict[str, dict[tuple[str, ...], list[Row]]] = {}
    for row in told.iter_rows(named=True):
        cells.setdefault(row["tell"], {}).setdefault(tuple(row[name] for name in GROUP), []).append(row)
    queues = [_in_turn(run_id, tell, cells[tell]) for tell in TELLS if tell in cells]
    once: dict[tuple[str, ...], Row] = {}
    for row in _turns(queues):
        once.setdefault(_name(row), {**row, "why": Reason(row["tell"], row["step"])})
    return sorted(list(once.values())[:TOLD], key=lambda row: (ORDER.index(row["why"].why), _name(row)))


def _in_turn(run_id: str, tell: str, cells: Mapping[tuple[str, ...], list[Row]]) -> list[Row]:
    names = sorted(cells, key=lambda cell: derive_seed(run_id, tell, *cell))
    return list(_turns([cells[name] for name in names]))


def _turns(queues: Iterable[Iterable[Row]]) -> Iterable[Row]:
    return (row for row in chain.from_iterable(zip_longest(*queues)) if row is not None)


def _name(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("task", "model", "strategy", "item_id", "chain_index"))


def drawn_chains(run_id: str, chains: pl.DataFrame, n: int) -> list[Row]:
    """Return ``n`` chains drawn at random: models and tasks in turn, right and wrong in turn, a failed one first."""
    own = chains.filter(pl.col("variant").fill_null(PLAIN) == PLAIN)
    keys = own.select(*KEY, "status", "correct").sort(KEY).to_dicts()
    keys.sort(key=lambda key: derive_seed(run_id, *(str(key[name]) for name in KEY)))
    return _spread(keys, n)


def _spread(keys: list[Row], n: int) -> list[Row]:
    """Take the first failed chain, then one of each (task, model, strategy) in turn, alternating right and wrong."""
    failed = [key for key in keys if key["status"] != "ok"]
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for key in keys:
        if key["status"] == "ok":
            groups.setdefault((key["task"], key["model"], key["strategy"]), []).append(key)
    queues = [_alternate(group, odd % 2 == 0) for odd, (_, group) in enumerate(sorted(groups.items()))]
    return [*failed[:1], *_turns(queues), *failed[1:]][:n]


def _alternate(group: list[Row], right_first: bool) -> list[Row]:
    right, wrong = [k for k in group if k["correct"]], [k for k in group if not k["correct"]]
    first, second = (right, wrong) if right_first else (wrong, right)
    return list(_turns([first, second]))
