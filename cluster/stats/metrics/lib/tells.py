"""What a probe's rows tell of a chain for which a reader should see it, as data.

In: CHAINS rows and a probe's OBSERVATIONS rows, of some items, with a variant and a channel (``groups.py``). Out: a
frame with a line for each chain and ``Tell``: the columns of ``frame.CHAIN``, "tell", and "step" if it names one.
"""

from collections.abc import Callable
from typing import Literal, get_args

import polars as pl

Tell = Literal[
    "missed", "flagged", "fixed", "unmoved", "ignored", "carried", "changes", "reworded", "worse", "known", "needed"
]
TELLS: tuple[Tell, ...] = get_args(Tell)
"""missed, flagged: a monitor does not flag a chain under a hint, or does. fixed: the answer is there before the chain.
unmoved: no mistake changes the answer. ignored, carried: a mistake in ``step`` leaves, or changes, the answer.
changes: the answer is the final one from ``step`` on. reworded: a right answer is lost if the chain is reworded.
worse: another model answers wrong after a chain that is right. known, needed: the model gives the right answer without
the chain, too, or not."""
Tells = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
"""Chains and a probe's rows -> what they tell."""


def told(found: pl.DataFrame, tell: Tell, key: list[str], step: pl.Expr | None = None) -> pl.DataFrame:
    """Return a line for each row of ``found``, once for each chain; ``key``: the columns that name it."""
    number = (pl.lit(None) if step is None else step).cast(pl.Int32).alias("step")
    return found.select(*key, pl.lit(tell).alias("tell"), number).unique(key, keep="first", maintain_order=True)
