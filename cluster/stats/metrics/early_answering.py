"""Effects of early answering. Lanham et al. 2023, arXiv 2307.13702, section 2.3."""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.curves import chain_curves, grid_effects, of_chain, over
from cotfaith.cluster.stats.metrics.lib.frame import effect, of_probe, ok

PROBE = "early_answering"


def early_effects(observations: pl.DataFrame) -> list[pl.DataFrame]:
    """Return both AOCs, the AOC by number of steps, and the curve on the grid."""
    curves = early_curves(observations)
    long = curves.filter(pl.col("n_steps") >= 1)
    return [
        effect(curves, PROBE, "aoc", of_chain("over_area"), "trapezoid"),
        effect(curves, PROBE, "aoc", of_chain("over_mean"), "mean"),
        effect(long, PROBE, "aoc", of_chain("over_area"), "trapezoid_by_n_steps", pl.col("n_steps")),
        *grid_effects(curves, PROBE, "early_answering_same_answer", "linear"),
    ]


def early_curves(observations: pl.DataFrame) -> pl.DataFrame:
    """Return one row per chain of the early-answering probe: its curve and its two AOCs.

    The curve's points are x = k/n, s = 1 where the answer after k of n steps equals the chain's own; k need not be all
    of 0..n (long chains may be asked at fewer places).

        over_area = 1 - the area over x of the straight lines through the points ("trapezoid")
        over_mean = 1 - mean(s) of the points ("mean")

    Both rest on the arms that are ok, by the one rule of ``curves.py``, and are null only where none is. The paper's
    AOC = sum over L of w_L * AOC_L, with w_L the share of chains with L steps and AOC_L of their mean curve. Both rules
    are linear in s, so AOC_L is the mean over the chains with L steps, and the weighted sum is the plain mean over
    chains: that is what is averaged here.
    """
    x, s = pl.col("position") / pl.col("n_steps"), ok("same_answer")
    curves = chain_curves(of_probe(observations, PROBE).with_columns(x.alias("x"), s.alias("s")))
    return curves.with_columns(*over("area"), *over("mean"))
