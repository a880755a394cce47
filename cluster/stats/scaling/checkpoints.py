"""Two sizes compared at equal performance: a metric as a function of the loss over each size's checkpoints.

In: the rows of one place, and trainings. Out: rows of ``comparisons``, model a being the larger:

    iso_performance    value of a minus value of b, where both have the loss ``at``
    iso_accuracy       the same where both have the accuracy ``at`` without a chain: if some checkpoint has no loss

Between checkpoints values are interpolated linearly. Read at a quarter, a half and three quarters of the range of
losses that both cover: nothing is extrapolated. The error of an accuracy counts; a loss is taken as known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cotfaith.cluster.stats.intervals import Floats
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.cluster.stats.scaling.figures import Contrast, Figures, Term
from cotfaith.cluster.stats.scaling.models import Families, Training
from cotfaith.cluster.stats.scaling.rows import Row, tested, without_value
from cotfaith.cluster.stats.scaling.shared import Shared

AT_LOSS, AT_ACCURACY = "iso_performance", "iso_accuracy"
READ_AT = (0.25, 0.5, 0.75)
"""Where values are read, as shares of the common range."""
LEAST_RANGE = 1e-9


@dataclass(frozen=True)
class Curve:
    """A metric over the checkpoints of one training. C = checkpoints, M = models of the figures."""

    x_M: Floats  # noqa: N815
    """The loss or accuracy of every model of the figures."""
    places: Sequence[int]
    """Which of them are the checkpoints."""

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest loss or accuracy."""
        x_C = self.x_M[list(self.places)]
        return float(x_C.min()), float(x_C.max())

    def weights(self, at: float) -> Floats:
        """Return what the interpolated value at ``at`` multiplies each model's value by (M)."""
        x_C = self.x_M[list(self.places)]
        knots, knot_C, count = np.unique(x_C, return_inverse=True, return_counts=True)
        share = np.array([np.interp(at, knots, one) for one in np.eye(len(knots))])
        found = np.zeros(len(self.x_M))
        found[list(self.places)] = (share / count)[knot_C]  # checkpoints that are equally good count alike
        return found

    def slope(self, at: float, value_M: Floats) -> float:
        """Return how steep the interpolated line is at ``at``."""
        knots = np.unique(self.x_M[list(self.places)])
        right = int(np.clip(np.searchsorted(knots, at), 1, len(knots) - 1))
        low, high = (float(self.weights(float(knots[i])) @ value_M) for i in (right - 1, right))
        return (high - low) / float(knots[right] - knots[right - 1])


def at_equal_performance(
    shared: Shared, families: Families, metrics: Sequence[Metric], accuracy: Metric
) -> Iterator[Row]:
    """Yield the rows of each two sizes of a family, of which one has checkpoints; metrics without values are left out.

    ``accuracy``: what stands in for the loss where a checkpoint has none.
    """
    present = set(shared.models)
    for a, b in combinations((one for one in families.trainings if present & {*one.checkpoints}), 2):
        counts = [len(one.checkpoints) for one in (a, b)]
        if a.family == b.family and (max(counts) if a.family else min(counts)) > 1:
            for metric in metrics:
                yield from _of_pair(shared, a, b, families.losses, metric, accuracy)


def _of_pair(
    shared: Shared, a: Training, b: Training, losses: Mapping[str, float], metric: Metric, accuracy: Metric
) -> Iterator[Row]:
    models = [model for one in (a, b) for model in one.checkpoints if model in shared.models]
    by_loss = all(model in losses for model in models)
    found, skill = shared.figures(models, metric), shared.figures(models, accuracy)
    x_M = np.array([losses[model] for model in models]) if by_loss else skill.value_M
    usable = [model for model, *ok in zip(models, found.known, ~np.isnan(x_M), strict=True) if all(ok)]
    curves = [Curve(x_M, [models.index(model) for model in one.checkpoints if model in usable]) for one in (a, b)]
    if not usable:
        return
    kind = AT_LOSS if by_loss else AT_ACCURACY
    common = {"model_a": a.model, "model_b": b.model, "family": a.family, "n_models": len(usable)}
    points, why = _read_at(curves)
    if why:
        yield without_value(kind, shared.place, metric, why, **common)
    for at in points:
        terms = _terms(curves, at, found, None if by_loss else skill)
        yield tested(kind, shared.place, metric, Contrast(terms), at=at, **common)


def _read_at(curves: Sequence[Curve]) -> tuple[list[float], str]:
    """Return where the curves are read, or why nowhere."""
    if any(len(curve.places) < 2 for curve in curves):
        return [], "one_checkpoint"
    lows, highs = zip(*(curve.ends for curve in curves), strict=True)
    low, high = max(lows), min(highs)
    if high - low < LEAST_RANGE:
        return [], "no_common_range"
    return [low + share * (high - low) for share in READ_AT], ""


def _terms(curves: Sequence[Curve], at: float, found: Figures, skill: Figures | None) -> list[Term]:
    """Return the difference of the interpolated values, and what the error of the accuracies adds to it."""
    weights = [sign * curve.weights(at) for sign, curve in zip((1, -1), curves, strict=True)]
    terms = [Term(found, sum(weights, start=np.zeros(len(found.value_M))))]
    if skill is not None:
        value_M = np.nan_to_num(found.value_M)
        moved = [-curve.slope(at, value_M) * own for curve, own in zip(curves, weights, strict=True)]
        terms.append(Term(skill, sum(moved, start=np.zeros(len(found.value_M)))))
    return terms
