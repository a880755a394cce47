"""The table ``comparisons``: figures of two or more models of one run. A value is that of model a minus that of b.

In: what is kept of each item (``metrics/conditioned.py``), and the run's estimates. Out: a table in the COMPARISONS
schema. A figure that cannot be had is null, and ``interval`` says why. It is null, too, if the figures of one of its
models are withheld.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from cotfaith.cluster.stats.conditioned.pairs import pair_rows
from cotfaith.cluster.stats.metrics.conditioned import THEME
from cotfaith.cluster.stats.scaling.comparisons import scaling_rows
from cotfaith.schemas.run_objects import ModelEntry
from cotfaith.schemas.tables import SCHEMA_VERSION, table_of

Row = dict[str, Any]
Kind = Callable[[pl.DataFrame], Iterable[Row]]
"""Kept rows -> comparisons, without run_id and schema_version."""
KINDS: tuple[Kind, ...] = (pair_rows,)
WITHHELD = "withheld"
_PLACE = ("task", "strategy", "channel")
_FIGURES = ("value", "ci_low", "ci_high", "p_value")


def comparisons_of(
    kept: Mapping[str, pl.DataFrame], estimates: pa.Table, run_id: str, models: Sequence[ModelEntry] = ()
) -> pa.Table:
    """Return the comparisons of a run.

    Args:
        kept: what is kept of all its items, by the name of the metrics.
        estimates: its estimates, from which some may be withheld.
        run_id: its id.
        models: those of its spec, whose sizes are compared.

    """
    withheld = _withheld(estimates)
    found = [_shown(row, withheld) for row in _rows(kept[THEME])] if THEME in kept else []
    if THEME in kept:
        found += [_told(row) for row in scaling_rows(_not_withheld(kept[THEME], withheld), models)]
    return table_of("comparisons", [{"schema_version": SCHEMA_VERSION, "run_id": run_id} | row for row in found])


def _not_withheld(items: pl.DataFrame, withheld: set[tuple[Any, ...]]) -> pl.DataFrame:
    """Return the items without those of figures that are withheld: sizes are compared as if those were not there."""
    places = pl.DataFrame(
        sorted((*name[:-1], name[-1] or "") for name in withheld), ["model", *_PLACE], orient="row"
    ).cast(pl.String)
    return items.join(places, on=["model", *_PLACE], how="anti", maintain_order="left")


def _rows(items: pl.DataFrame) -> Iterator[Row]:
    """Yield all comparisons; the order of the items does not matter."""
    ordered = items.sort(*_PLACE, "item_id", "model")
    for kind in KINDS:
        yield from kind(ordered)


def _withheld(estimates: pa.Table) -> set[tuple[Any, ...]]:
    """Return model and place of figures that are withheld."""
    found = estimates.select(["model", *_PLACE, WITHHELD]).to_pylist()
    return {tuple(row[name] for name in ("model", *_PLACE)) for row in found if row[WITHHELD] is not None}


def _shown(row: Row, withheld: set[tuple[Any, ...]]) -> Row:
    """Return the row as it is written: a channel that is not told apart is null."""
    row = _told(row)
    place = tuple(row[name] for name in _PLACE)
    if any((model, *place) in withheld for model in (row["model_a"], row.get("model_b"))):
        return row | dict.fromkeys(_FIGURES) | {"interval": WITHHELD}
    return row


def _told(row: Row) -> Row:
    return row | {"channel": row["channel"] or None}
