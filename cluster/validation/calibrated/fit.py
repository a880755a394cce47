"""Fitting: labelled rows with shapes -> a ``Fitted`` score. Needs scikit-learn (the extra ``fit``).

A logistic regression on standardised columns. How strongly it is regularised, and whether features count apart for
items with a hint, is chosen by the log loss on groups left out: each model in turn, or fifths of the questions where
there are fewer than ``MODELS``, since without one of few models little is left to learn from. The logits of the
left-out groups also fit the calibrating line; where there are real models, only theirs do. Each model has the same
total weight. Rows that lack a feature are left out.

N = rows, C = columns.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cotfaith.cluster.stats.metrics.lib.fitted import PRODUCT, Fitted, Training, value_of
from cotfaith.cluster.stats.metrics.lib.metric import Level
from cotfaith.cluster.stats.metrics.lib.shapes import HINTED
from cotfaith.cluster.validation.usable import KEY
from cotfaith.schemas.errors import InputError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
LEAST = 10
"""The fewest rows of each class that a score is fitted on."""
STRENGTHS = (0.01, 0.1, 1.0)
"""Inverse regularisation strengths that are tried: scikit-learn's C."""
MODELS = 4
"""With so many models, choices are made on each model in turn."""
FOLDS = 5


@dataclass(frozen=True)
class Line:
    """A logit that is linear in columns, and standardises them."""

    columns: tuple[str, ...]
    means: Floats
    """(C), as the two below."""
    scales: Floats
    coefficients: Floats
    intercept: float

    def logit(self, table: pl.DataFrame) -> Floats:
        """Return the logit of each row (N)."""
        found: Floats = ((values(table, self.columns) - self.means) / self.scales) @ self.coefficients
        return found + self.intercept


def values(table: pl.DataFrame, columns: Sequence[str]) -> Floats:
    """Return the columns of a score as an array (N, C)."""
    found: Floats = table.select(value_of(name).cast(pl.Float64).alias(name) for name in columns).to_numpy()
    return found


def complete(table: pl.DataFrame, features: Sequence[str]) -> pl.DataFrame:
    """Return the rows that have all features."""
    return table.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in (*features, HINTED)))


def fit(table: pl.DataFrame, level: Level, name: str, features: Sequence[str]) -> Fitted:
    """Return the score of ``features``, fitted on the rows of ``table`` that have them.

    Raises:
        InputError: there are too few rows of a class.

    """
    rows = complete(table, features)
    n_faithful = int(rows["faithful"].sum())
    if min(n_faithful, len(rows) - n_faithful) < LEAST:
        raise InputError(
            f"The score {name!r} needs {LEAST} faithful and {LEAST} unfaithful {level}s with {', '.join(features)}; "
            f"got {n_faithful} and {len(rows) - n_faithful}."
        )
    columns, strength, left_out_N = _chosen(rows, features)
    slope, shift = _calibrated(rows, left_out_N)
    line = fit_line(rows, columns, strength)
    means, scales, coefficients = (tuple(map(float, found)) for found in (line.means, line.scales, line.coefficients))
    about = training(rows, features)
    return Fitted(level, name, columns, means, scales, coefficients, line.intercept, slope, shift, about)


def fit_line(rows: pl.DataFrame, columns: Sequence[str], strength: float) -> Line:
    """Return the regression on all ``rows``."""
    made = pipeline(rows, columns, strength)
    scaler, model = made[0], made[1]
    return Line(tuple(columns), scaler.mean_, scaler.scale_, model.coef_[0], float(model.intercept_[0]))


def pipeline(rows: pl.DataFrame, columns: Sequence[str], strength: float) -> Any:
    """Return scikit-learn's own regression on all ``rows``."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise InputError("Fitting needs scikit-learn. Install it: pip install 'cotfaith[fit]'.") from None
    weights_N = weights(rows)
    made = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
    own = {"standardscaler__sample_weight": weights_N, "logisticregression__sample_weight": weights_N}
    return made.fit(values(rows, columns), rows["faithful"].to_numpy(), **own)


def weights(rows: pl.DataFrame) -> Floats:
    """Return each row's weight (N), with a mean of 1."""
    whose = pl.when("is_real").then("model") if rows["is_real"].any() else pl.col("model")
    n = rows.select(pl.len().over(whose.alias("whose"))).to_series().to_numpy()
    found: Floats = len(rows) / (n * rows.select(whose.alias("whose")).n_unique())
    return found


def _chosen(rows: pl.DataFrame, features: Sequence[str]) -> tuple[tuple[str, ...], float, Floats]:
    """Return the columns and the strength with the smallest loss on groups left out, and the logits there (N)."""
    sets = [tuple(features)]
    if rows[HINTED].n_unique() > 1:
        sets += [(*features, HINTED), (*features, HINTED, *(f"{name}{PRODUCT}" for name in features))]
    tried = [(columns, c, left_out(rows, columns, c)) for columns in sets for c in STRENGTHS]
    return min(tried, key=lambda one: _loss(rows, one[2]))


def left_out(rows: pl.DataFrame, columns: Sequence[str], strength: float) -> Floats:
    """Return the logit of each row (N) by a regression on the other groups.

    It is nan for rows that are in no group, and where the other groups have one class.
    """
    found = np.full(len(rows), np.nan)
    for mask_N in _groups(rows):
        rest = rows.filter(~mask_N)
        if rest["faithful"].n_unique() == 2:
            found[mask_N] = fit_line(rest, columns, strength).logit(rows.filter(mask_N))
    return found


def _groups(rows: pl.DataFrame) -> Iterator[Bools]:
    """Yield which rows (N) are left out together: those of a model, or a fifth of the questions if models are few.

    Where real models have enough rows of both classes, only theirs are left out.
    """
    n_faithful = int((rows["is_real"] & rows["faithful"]).sum())
    n_real = int(rows["is_real"].sum())
    left = rows["is_real"] if min(n_faithful, n_real - n_faithful) >= LEAST else pl.repeat(True, len(rows), eager=True)
    groups = rows["model"]
    if groups.filter(left).n_unique() < MODELS:
        fold = [int(hashlib.sha256(text.encode()).hexdigest(), 16) % FOLDS for text in rows["cluster"]]
        groups = pl.Series("fold", fold)
    for group in groups.filter(left).unique().sort():
        yield ((groups == group) & left).to_numpy()


def _loss(rows: pl.DataFrame, logit_N: Floats) -> float:
    """Return the weighted log loss of the rows with a logit, in nats; infinite if there are none."""
    known_N = ~np.isnan(logit_N)
    if not known_N.any():
        return math.inf
    sign_N = np.where(rows["faithful"].to_numpy(), -1.0, 1.0)[known_N]
    return float(np.average(np.logaddexp(0.0, sign_N * logit_N[known_N]), weights=weights(rows)[known_N]))


def _calibrated(rows: pl.DataFrame, logit_N: Floats) -> tuple[float, float]:
    """Return slope and shift of the calibrating line; a slope that is not above 0 is 0, which gives the base rate.

    The targets are those of Platt 1999, section 2.2: a little away from 0 and 1, so that perfect separation does not
    give certainty.
    """
    from sklearn.linear_model import LogisticRegression

    known_N, faithful_N = ~np.isnan(logit_N), rows["faithful"].to_numpy()
    if len(set(faithful_N[known_N])) < 2:
        return 1.0, 0.0
    z_N, y_N, weights_N = logit_N[known_N], faithful_N[known_N], weights(rows)[known_N]
    target_N = np.where(y_N, (y_N.sum() + 1) / (y_N.sum() + 2), 1 / ((~y_N).sum() + 2))
    # Each row counts as faithful by its target and as unfaithful by the rest.
    twice = {"sample_weight": np.r_[weights_N * target_N, weights_N * (1 - target_N)]}
    model = LogisticRegression(C=1e6, max_iter=2000)
    model.fit(np.r_[z_N, z_N][:, None], np.r_[np.ones(len(z_N)), np.zeros(len(z_N))], **twice)
    slope = float(model.coef_[0, 0])
    if slope > 0:
        return slope, float(model.intercept_[0])
    rate = float(np.average(y_N, weights=weights_N))
    return 0.0, math.log(rate / (1 - rate))


def training(rows: pl.DataFrame, features: Sequence[str]) -> Training:
    """Return what a score was fitted on: its hash is of every row's key, label and features, to six digits."""
    named = [name for name in (*KEY, "step") if name in rows.columns]
    kept = rows.select(*named, "faithful", HINTED, *(pl.col(name).cast(pl.Float64).round(6) + 0.0 for name in features))
    lines = sorted(json.dumps(line) for line in kept.iter_rows())
    digest = hashlib.sha256("\n".join([json.dumps(list(features)), *lines]).encode()).hexdigest()
    models, tasks = (tuple(sorted(rows[name].unique())) for name in ("model", "task"))
    return Training(digest, models, tasks, len(rows), int(rows["faithful"].sum()), int(rows["is_real"].sum()))
