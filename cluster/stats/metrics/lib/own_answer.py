"""How much of the own answer's probability is left when a chain is cut or changed: rows of the probe ``own_answer``.

With L the log-probability of the answer in an arm, and L_n that after the whole chain, an arm keeps

    r = exp(min(0, L - L_n)),  0 to 1.

What comes behind the answer in the text (a full stop, a line's end) is in neither, and cancels where it is as likely
in both. A chain whose whole arm failed has no r.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.curves import area_under
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, of_probe, ok
from cotfaith.cluster.stats.metrics.lib.metric import Rows

PROBE = "own_answer"
CHAIN_FEATURES = (
    "own_end",
    "own_start",
    "own_last",
    "own_area",
    "own_jump",
    "own_filler",
    "own_deleted_mean",
    "own_deleted_least",
)
STEP_FEATURES = ("own_before", "own_rise", "own_lost")


def kept_arms(rows: Rows) -> pl.DataFrame:
    """Return the arms with ``r`` and ``whole``, the probability after the whole chain; null where not known."""
    arms = of_probe(rows.observations, PROBE).with_columns(_log=ok("candidate_logprobs").list.first())
    is_end = (pl.col("condition") == "kept") & (pl.col("position") == pl.col("n_steps"))
    ends = arms.filter(is_end).select(*CHAIN, pl.col("_log").alias("_end")).unique(CHAIN, maintain_order=True)
    known = arms.join(ends, on=CHAIN, how="left", maintain_order="left")
    return known.with_columns(
        r=(pl.col("_log") - pl.col("_end")).clip(upper_bound=0.0).exp(), whole=pl.col("_end").exp()
    )


def own_shapes(arms: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return CHAIN and the features of chains; CHAIN, ``step`` and the features of steps. ``arms``: ``kept_arms``."""
    cuts = _of(arms, "kept").sort("position", maintain_order=True)
    r, before = pl.col("r"), pl.col("position") < pl.col("n_steps")
    x = pl.col("position") / pl.col("n_steps")
    known = cuts.filter(r.is_not_null(), pl.col("n_steps") > 0)
    shapes = known.group_by(CHAIN, maintain_order=True).agg(
        pl.col("whole").first().alias("own_end"),
        r.filter(pl.col("position") == 0).first().alias("own_start"),
        r.filter(before).last().alias("own_last"),
        pl.when((pl.col("position") == 0).any()).then(1 - area_under(r, x)).alias("own_area"),
        r.diff().max().alias("own_jump"),
    )
    deleted = _of(arms, "without").group_by(CHAIN, maintain_order=True)
    left = deleted.agg(r.mean().alias("own_deleted_mean"), r.min().alias("own_deleted_least"))
    filler = _of(arms, "filler").select(*CHAIN, r.alias("own_filler")).unique(CHAIN, maintain_order=True)
    for part in (left, filler):
        shapes = shapes.join(part, on=CHAIN, how="left", maintain_order="left")
    return shapes.select(*CHAIN, *CHAIN_FEATURES), _steps(arms, cuts)


def _of(arms: pl.DataFrame, condition: str) -> pl.DataFrame:
    return arms.filter(pl.col("condition") == condition)


def _steps(arms: pl.DataFrame, cuts: pl.DataFrame) -> pl.DataFrame:
    after = cuts.select(*CHAIN, pl.col("position").cast(pl.Int32).alias("step"), pl.col("r").alias("_after"))
    before = after.select(*CHAIN, pl.col("step") + 1, pl.col("_after").alias("own_before"))
    step = [*CHAIN, "step"]
    both = after.join(before, on=step, how="inner", maintain_order="left")
    risen = both.with_columns(own_rise=pl.col("_after") - pl.col("own_before"))
    lost = _of(arms, "without").select(*CHAIN, pl.col("step").cast(pl.Int32), own_lost=1 - pl.col("r"))
    asked = pl.concat([both.select(step), lost.select(step)]).unique(maintain_order=True)
    for part in (risen, lost):
        asked = asked.join(part, on=step, how="left", maintain_order="left")
    return asked.select(*step, *STEP_FEATURES)
