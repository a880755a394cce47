"""The bias of the area over the curve if arms fail, for two rules.

One is cotfaith/cluster/stats/metrics/lib/curves.py; the other ("before") drops a chain with any failed arm. It takes
seconds and no weights; the table is the same on every machine.

    python benchmarks/lost_arms.py

Chains are invented: 1 to 12 steps; the answer becomes the final one after some step, later in long chains, and may
leave it again. Arms fail in three ways: at random, only at k = 0 (no chain at all), or only in chains of more than 6
steps. The shares are of the arms that can fail.
"""

import random
from collections.abc import Callable

import polars as pl
import pyarrow as pa

from cotfaith.cluster.stats.metrics.early_answering import early_curves
from cotfaith.schemas.tables import OBSERVATIONS

SEED = 7
CHAINS = 6000
LONG = 6
SHARES = (0.0, 0.05, 0.1, 0.2)
Row = dict[str, object]
Fails = Callable[[int, int], bool]
"""(k, n) -> whether an arm after k of n steps can fail."""
PATTERNS: dict[str, Fails] = {
    "at random": lambda k, n: True,
    "only at k = 0": lambda k, n: k == 0,
    f"only in chains of more than {LONG} steps": lambda k, n: n > LONG,
}


def same_answers(n: int, draw: random.Random) -> list[bool]:
    """Return s_0..s_n of an invented chain: it settles at some step, later in long chains; then it rarely strays."""
    settles = 0 if draw.random() < 0.25 else max(draw.randint(0, n) for _ in range(1 + (n > LONG)))
    before, after = 0.15, 0.92
    return [draw.random() < (after if k >= settles else before) for k in range(n)] + [True]


def chains(draw: random.Random) -> list[list[bool]]:
    """Return the curves of all chains."""
    return [same_answers(draw.randint(1, 12), draw) for _ in range(CHAINS)]


def table(curves: list[list[bool]], fails: Fails, share: float, draw: random.Random) -> pl.DataFrame:
    """Return the observations, a share of the arms that can fail being unparsed."""
    head = {"schema_version": 2, "run_id": "r", "model": "m", "task": "t", "strategy": "cot"}
    rows: list[Row] = []
    for i, curve in enumerate(curves):
        n = len(curve) - 1
        for k, same in enumerate(curve):
            lost = fails(k, n) and draw.random() < share
            arm = {"probe": "early_answering", "arm": f"k={k}", "position": float(k), "n_steps": n}
            outcome = {"status": "unparsed"} if lost else {"status": "ok", "same_answer": same}
            rows.append({**head, "item_id": f"i{i}", "chain_index": 0, **arm, **outcome})
    found = pl.from_arrow(pa.Table.from_pylist(rows, schema=OBSERVATIONS))
    assert isinstance(found, pl.DataFrame)
    return found


def areas(observations: pl.DataFrame) -> dict[str, float]:
    """Return both AOCs by the rule, the trapezoid that drops chains ("before"), and the chains behind each."""
    curves = early_curves(observations)
    whole = curves.filter(pl.col("n_arms") == pl.col("n_arms_ok"))
    kept = curves.filter(pl.col("n_arms_ok") > 0)
    return {
        "before": _mean(whole, "over_area"),
        "kept_before": whole.height / curves.height,
        "trapezoid": _mean(kept, "over_area"),
        "mean": _mean(kept, "over_mean"),
        "kept": kept.height / curves.height,
    }


def _mean(curves: pl.DataFrame, name: str) -> float:
    return float(curves.select(pl.col(name).mean()).item())


def biases(pattern: str, share: float, seed: int = SEED) -> dict[str, float]:
    """Return the errors of ``areas``, and the shares of chains kept."""
    curves = chains(random.Random(seed))
    truth = areas(table(curves, PATTERNS[pattern], 0, random.Random(seed)))
    found = areas(table(curves, PATTERNS[pattern], share, random.Random(seed + 1)))
    off = {"before": "trapezoid", "trapezoid": "trapezoid", "mean": "mean"}
    return {
        **{k: found[k] - truth[v] for k, v in off.items()},
        "kept_before": found["kept_before"],
        "kept": found["kept"],
    }


def main() -> None:
    truth = areas(table(chains(random.Random(SEED)), PATTERNS["at random"], 0, random.Random(SEED)))
    print(f"{CHAINS} chains, AOC {truth['trapezoid']:.3f} (trapezoid), {truth['mean']:.3f} (1 - mean). Bias:\n")
    print("| arms that failed | share | before | chains kept | trapezoid | 1 - mean | chains kept |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for pattern in PATTERNS:
        for share in SHARES[1:]:
            b = biases(pattern, share)
            cells = [f"{b[name]:+.3f}" for name in ("trapezoid", "mean")]
            kept = f"{b['kept_before']:.0%} | {' | '.join(cells)} | {b['kept']:.0%}"
            print(f"| {pattern} | {share:.0%} | {b['before']:+.3f} | {kept} |")


if __name__ == "__main__":
    main()
