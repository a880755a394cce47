"""How each chain ended, and what readers say of it: what can flip between two models.

In: rows of some items, of one model and task. Out: a line for each chain with an answer (``OUTCOMES``), and a line for
each reading of a chain that follows its variant's target (``SAID``).
"""

import polars as pl

from cotfaith.cluster.report.moves import readings
from cotfaith.cluster.stats.metrics.lib.frame import ok
from cotfaith.cluster.stats.metrics.lib.metric import Rows

CHAIN = ["strategy", "variant", "item_id", "chain_index"]
_KEY = {"strategy": pl.String(), "variant": pl.String(), "item_id": pl.String(), "chain_index": pl.Int32()}
OUTCOMES = pl.Schema(
    _KEY | {"answer": pl.String(), "gold": pl.String(), "target": pl.String(), "correct": pl.Boolean()}
)
SAID = pl.Schema(_KEY | {"reader": pl.String(), "question": pl.String(), "label": pl.Boolean()})


def outcomes(rows: Rows) -> pl.DataFrame:
    """Return ``OUTCOMES`` of the chains that are ok."""
    golds = rows.items.select("item_id", "gold").unique("item_id")
    found = rows.chains.filter(ok("answer").is_not_null()).join(golds, on="item_id", how="left")
    return _as(found, OUTCOMES)


def said(rows: Rows) -> pl.DataFrame:
    """Return ``SAID``."""
    return _as(readings(rows.chains, rows.observations), SAID)


def _as(found: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return found.select(pl.col(name).cast(kind) for name, kind in schema.items())
