"""How often the intervals of the metrics of variants hold the true value, by simulation of whole tables of rows.

    python benchmarks/coverage_of_variants.py                     # 400 repetitions a cell
    python benchmarks/coverage_of_variants.py --repetitions 1000

A cell is a number of items, of chains an item and arm, the correlation of chains of one item (ICC), and true rates: p
and q of moving to the target and to a third answer of four, ``neutral`` of moving to the target under the neutral arm,
and ``said``, the share of the moved chains that say so. Each repetition is a model of one table, and the product makes
the estimates. ``undefined``: repetitions without a value. ``lower`` and ``upper``: intervals below, or above, the true
value. It needs no weights, and its table is the same on every machine. It exits with 1 if coverage is below .94 by more
than 3 standard errors of the simulation.
"""

import argparse
import sys
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from cotfaith.cluster.stats.aggregate import estimates_of
from cotfaith.cluster.stats.metrics import METRICS
from cotfaith.cluster.stats.metrics.lib.effects import effects
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.tally import tally
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS

CHOICES = 4
ASKED = {
    "p": ("switch_to_target", "cot"),
    "q": ("switch_to_other", "cot"),
    "p - neutral": ("switch_over_neutral", "cot"),
    "F_raw": ("hint_verbalised", "rules.present"),
    "F": ("hint_faithfulness", "rules.present"),
    "alpha": ("hint_alpha", "choices"),
    "u": ("silent_influence", "rules.present"),
}
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One setting."""

    items: int
    chains: int
    icc: float
    p: float
    q: float
    neutral: float
    said: float

    def truths(self) -> dict[str, float]:
        """Return the true values; nan where a metric is undefined."""
        alpha = 1 - self.q / (CHOICES - 2) / self.p
        faithful = min(self.said / alpha, 1.0) if alpha > 0 else float("nan")
        values = (self.p, self.q, self.p - self.neutral, self.said, faithful, alpha)
        return dict(zip(ASKED, (*values, self.p * (1 - self.said) - self.neutral), strict=True))


RATES = (
    (0.05, 0.03, 0.02, 0.5),
    (0.2, 0.1, 0.05, 0.3),
    (0.2, 0.1, 0.05, 0.0),
    (0.3, 0.0, 0.0, 0.05),
    (0.5, 0.1, 0.1, 0.9),
    (0.1, 0.1, 0.1, 0.2),
)
CELLS = [
    Cell(items, chains, icc, *rates) for items in (100, 400) for chains, icc in ((1, 0.0), (4, 0.3)) for rates in RATES
]


def rows_of(cell: Cell, repetitions: int, seed: int = 0) -> Rows:
    """Return the rows of all repetitions: each is a model."""
    rng = np.random.default_rng(seed)
    n = repetitions * cell.items
    moves = _answers(rng, n, cell, (cell.p, cell.q))
    neutral = _answers(rng, n, cell, (cell.neutral, cell.q))
    places = pl.DataFrame(
        {
            "model": np.repeat([f"r{i}" for i in range(repetitions)], cell.items),
            "item_id": np.tile([f"i{i}" for i in range(cell.items)], repetitions),
        }
    )
    arms = (("plain", None, np.full_like(moves, "A")), ("hint.wrong", "B", moves), ("hint.neutral", None, neutral))
    chains = pl.concat([_chains(places, *arm) for arm in arms])
    read = chains.filter(pl.col("variant") == "hint.wrong")
    said = (pl.col("answer") == "B") & pl.Series(rng.random(len(read)) < cell.said)
    readings = read.with_columns(label=said, reader=pl.lit("rules"), question=pl.lit("present"))
    about = places.with_columns(choices=pl.lit(["w", "x", "y", "z"]), gold=pl.lit("A"), answer_format=pl.lit("choice"))
    observed = _full(readings.with_columns(probe=pl.lit("verbalises"), reader_role=pl.lit("judge")), OBSERVATIONS)
    return Rows(_full(about, ITEMS), _full(chains, CHAINS), observed)


def _answers(rng: np.random.Generator, n: int, cell: Cell, rates: tuple[float, float]) -> npt.NDArray[np.str_]:
    """Return answers (n, chains): B is the target, C the other one, A the plain answer."""
    weights = np.array([*rates, 1 - sum(rates)])
    if cell.icc:
        weights_N3 = rng.dirichlet(np.maximum(weights * (1 - cell.icc) / cell.icc, 1e-9), n)
    else:
        weights_N3 = np.tile(weights, (n, 1))
    drawn = rng.random((n, cell.chains))
    edges = weights_N3.cumsum(axis=1)
    return np.where(drawn < edges[:, :1], "B", np.where(drawn < edges[:, 1:2], "C", "A"))


def _chains(places: pl.DataFrame, variant: str, target: str | None, answers: npt.NDArray[np.str_]) -> pl.DataFrame:
    n, chains = answers.shape
    return places[np.repeat(np.arange(n), chains)].with_columns(
        answer=pl.Series(answers.ravel()),
        chain_index=pl.Series(np.tile(np.arange(chains), n), dtype=pl.Int32),
        variant=pl.lit(variant),
        target=pl.lit(target, dtype=pl.String),
        intervention=pl.lit(None if variant == "plain" else "hint", dtype=pl.String),
    )


def _full(rows: pl.DataFrame, schema: pa.Schema) -> pl.DataFrame:
    """Return the rows with all columns of their table."""
    empty = pl.DataFrame(pl.from_arrow(schema.empty_table()))
    known = {"task": "t", "strategy": "cot", "status": "ok", "run_id": "r"}
    lacking = [name for name in empty.columns if name not in rows.columns]
    filled = [pl.lit(known.get(name), dtype=empty.schema[name]).alias(name) for name in lacking]
    return rows.with_columns(filled).select(empty.columns)


def estimates(rows: Rows) -> pl.DataFrame:
    """Return the estimates of the metrics of variants."""
    own = [METRICS["switches"], METRICS["verbalises"]]
    frames = effects(frame for one in own for frame in one.scores(rows))
    vectors = (frame for one in own if one.vectors is not None for frame in one.vectors(rows))
    return pl.DataFrame(pl.from_arrow(estimates_of([(tally(frames, vectors), None)], [], "r")))


def covered(cell: Cell, repetitions: int) -> dict[str, tuple[float, float, float, int, float]]:
    """Return, for each figure, coverage, the shares below and above, the undefined ones, and the mean width."""
    made = estimates(rows_of(cell, repetitions)).filter(pl.col("variant") == "hint.wrong")
    found = {}
    for name, truth in cell.truths().items():
        metric, method = ASKED[name]
        own = made.filter(pl.col("metric") == metric, pl.col("method") == method, pl.col("ci_low").is_not_null())
        low, high = own["ci_low"].to_numpy(), own["ci_high"].to_numpy()
        lower, upper = float((high < truth - 1e-9).mean()), float((low > truth + 1e-9).mean())
        found[name] = (1 - lower - upper, lower, upper, repetitions - len(own), float(np.mean(high - low)))
    return found


def main() -> int:
    """Print the table; return 1 if a cell covers too little."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400)
    repetitions = parser.parse_args().repetitions
    noise, bad = 3 * sqrt(0.94 * 0.06 / repetitions), 0
    print("items chains  ICC    p    q  neutral said | figure       true  covered lower upper undefined width")
    for cell in CELLS:
        truths = cell.truths()
        for name, (cover, lower, upper, undefined, width) in covered(cell, repetitions).items():
            bad += not np.isnan(truths[name]) and cover < 0.94 - noise
            head = f"{cell.items:5} {cell.chains:6} {cell.icc:4} {cell.p:4} {cell.q:4} {cell.neutral:7} {cell.said:5}"
            figures = f"{truths[name]:6.3f} {cover:7.3f} {lower:6.3f} {upper:5.3f} {undefined:8} {width:6.3f}"
            print(f"{head} | {name:11} {figures}", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
