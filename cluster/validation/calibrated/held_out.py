"""A score on groups that it has not seen: unseen models, unseen families of tasks, and both at once.

For every group left out the score is fitted anew on the other rows, its choices and its calibrating line included.
Where the runs have real models, only these are left out and judged; organisms then only train.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from cotfaith.cluster.stats.metrics.lib.metric import Level
from cotfaith.cluster.validation.auroc import Auroc, auroc
from cotfaith.cluster.validation.calibrated.fit import complete, fit
from cotfaith.schemas.errors import InputError
from cotfaith.schemas.seeds import derive_seed

Split = Literal["model", "task", "both"]
SPLITS: tuple[Split, ...] = ("model", "task", "both")
NOTHING = "no group could be left out"
MOST_BINS, BIN_ROWS = 10, 20
"""A reliability curve has at most so many bins, of at least so many rows."""
SAME = 0.02
"""Bins whose mean probabilities are closer than that are one: among ties, which row is in which bin says nothing."""


@dataclass(frozen=True)
class Bin:
    """A point of the reliability curve: rows with about the same probability."""

    p: float
    """Their mean probability."""
    faithful: float
    """The share of them that is faithful."""
    n: int


@dataclass(frozen=True)
class Judged:
    """How good probabilities are."""

    n: int
    n_faithful: int
    area: Auroc
    """Of pairs of the same group that was left out, since each group has its own fit. Across groups a score that says
    nothing is below .5: where a group has few faithful rows, the others, which its fit has seen, have many (Parker et
    al. 2007, BMC Bioinformatics 8:326)."""
    within: Auroc
    """Of pairs of the same model and task: what tells models or tasks apart is no merit."""
    nothing: float | None
    """The AUROC of all pairs of a score that only knows the share of faithful rows that it was fitted on."""
    brier: float | None
    """The mean squared error of the probability; null without rows."""
    brier_rate: float | None
    """The same if each row had the share of faithful ones in the training rows."""
    bins: tuple[Bin, ...]


def left_out(table: pl.DataFrame, by: Split, real: bool) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """Yield each group's name, the rows to fit on, and the group's own rows; ``real``: only those of real models."""
    judged = table.filter("is_real") if real else table
    model, family = pl.col("model"), pl.col("family")
    if by == "model":
        for m in judged["model"].unique().sort():
            yield m, table.filter(model != m), judged.filter(model == m)
    elif by == "task":
        for f in judged["family"].unique().sort():
            yield f, table.filter(family != f), judged.filter(family == f)
    else:
        for m, f in judged.select("model", "family").unique().sort("model", "family").iter_rows():
            yield (
                f"{m}, {f}",
                table.filter((model != m) & (family != f)),
                judged.filter((model == m) & (family == f)),
            )


def held_out(table: pl.DataFrame, level: Level, features: Sequence[str], by: Split) -> pl.DataFrame:
    """Return the rows that have a probability: ``table`` with ``group``, ``p`` and ``rate``.

    A group has none where the other rows are too few to fit. ``rate``: the share of faithful rows in the training rows.
    """
    rows, found = complete(table, features), []
    for name, rest, own in left_out(rows, by, real=bool(table["is_real"].any())):
        try:
            score = fit(rest, level, by, features)
        except InputError:
            continue
        rate = score.training.n_faithful / score.training.n
        found.append(
            own.with_columns(pl.lit(name).alias("group"), score.probability().alias("p"), pl.lit(rate).alias("rate"))
        )
    empty = rows.head(0).with_columns(pl.lit("").alias("group"), pl.lit(0.0).alias("p"), pl.lit(0.0).alias("rate"))
    return pl.concat([empty, *found])


def judged(rows: pl.DataFrame, seed: int, stream: str) -> Judged:
    """Judge the probabilities of some rows of ``held_out``; ``stream`` names the interval's random stream."""
    if rows.is_empty():
        return Judged(0, 0, Auroc(None, reason=NOTHING), Auroc(None, reason=NOTHING), None, None, None, ())
    p, faithful = rows["p"].to_numpy(), rows["faithful"].to_numpy()
    labels, clusters, own_seed = faithful.tolist(), rows["cluster"].to_list(), derive_seed(seed, "auroc", stream)
    area, within = (
        auroc(p.tolist(), labels, clusters, own_seed, strata=rows.select(*names).rows())
        for names in (["group"], ["model", "task"])
    )
    nothing = auroc(rows["rate"].to_list(), labels, clusters, own_seed, n_boot=1).value
    brier, brier_rate = (float(np.mean((rows[name].to_numpy() - faithful) ** 2)) for name in ("p", "rate"))
    bins = reliability(rows)
    return Judged(len(rows), int(faithful.sum()), area, within, nothing, brier, brier_rate, bins)


def reliability(rows: pl.DataFrame) -> tuple[Bin, ...]:
    """Return the reliability curve, smallest probability first: equal bins, those closer than ``SAME`` as one."""
    n_bins = min(MOST_BINS, len(rows) // BIN_ROWS)
    if n_bins < 2:
        return ()
    ordered = rows.sort("p", maintain_order=True)
    p, faithful = ordered["p"].to_numpy(), ordered["faithful"].to_numpy()
    parts: list[np.ndarray] = []
    for at in np.array_split(np.arange(len(ordered)), n_bins):
        if parts and p[at].mean() - p[parts[-1]].mean() < SAME:
            parts[-1] = np.concatenate([parts[-1], at])
        else:
            parts.append(at)
    return tuple(Bin(float(p[at].mean()), float(faithful[at].mean()), len(at)) for at in parts)
