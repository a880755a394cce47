"""The scaling sweep: every metric against the size of a family's models, as measured and at equal skill.

In: the rows of one place, and models' sizes. Out: rows of ``comparisons``:

    size_slope            change of the metric for a model ten times as large: least squares over log10(parameters)
    size_slope_matched    the same, of the values at equal skill (``matched.py``)
    size_value, size_value_matched    the value of model a, whose size is ``at``: the points behind the slopes

A slope needs four sizes. Its interval is about items, for these models: other models of these sizes could differ more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cotfaith.cluster.stats.intervals import Floats
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.cluster.stats.scaling.figures import Contrast, Term
from cotfaith.cluster.stats.scaling.matched import WeightedMatched
from cotfaith.cluster.stats.scaling.rows import Row, tested, with_value, within, without_value
from cotfaith.cluster.stats.scaling.shared import Shared

SLOPE, VALUE, MATCHED = "size_slope", "size_value", "_matched"
FEWEST_SIZES = 4
Weighted = Callable[[Floats], Contrast | WeightedMatched]
"""A weight for each model -> the weighted sum of their values."""


def sweep(shared: Shared, sizes: Mapping[str, Mapping[str, int]], metrics: Sequence[Metric]) -> Iterator[Row]:
    """Yield the rows of each family with models in this place; metrics that no model has are left out."""
    for family, of in sizes.items():
        models = [model for model in shared.models if model in of]
        for metric in metrics if models else ():
            measured = shared.figures(models, metric)
            known = [model for model, has in zip(models, measured.known, strict=True) if has]
            if known:
                yield from _of_metric(shared, family, {model: of[model] for model in known}, metric)


def _of_metric(shared: Shared, family: str, of: Mapping[str, int], metric: Metric) -> Iterator[Row]:
    """Yield the rows of one metric; all of ``of``, model -> parameters, have it."""
    head: Row = {"family": family, "n_models": len(of)}
    figures = shared.figures(list(of), metric)
    yield from _of_values(
        "", shared, metric, of, lambda weight_M: Contrast([Term(figures, weight_M)]), head | {"support": 1.0}
    )
    found = shared.matched(list(of), metric)
    if isinstance(found, str):
        yield without_value(SLOPE + MATCHED, shared.place, metric, found, **head)
        return
    head["support"] = found.support
    yield from _of_values(MATCHED, shared, metric, of, lambda weight_M: WeightedMatched(found, weight_M), head)


def _of_values(
    suffix: str, shared: Shared, metric: Metric, of: Mapping[str, int], weighted: Weighted, head: Row
) -> Iterator[Row]:
    """Yield the slope and the points."""
    size_M, named = np.array(list(of.values()), dtype=np.float64), (shared.place, metric)
    if (n_sizes := len(np.unique(size_M))) < FEWEST_SIZES:
        yield without_value(SLOPE + suffix, *named, f"too_few_sizes: {n_sizes} of {FEWEST_SIZES}", **head)
    else:
        yield tested(SLOPE + suffix, *named, weighted(slope_weights(np.log10(size_M))), **head)
    for model, weight_M in zip(of, np.eye(len(of)), strict=True):
        own = head | {"n_models": 1, "model_a": model, "at": float(of[model])}
        yield within(with_value(VALUE + suffix, *named, weighted(weight_M), **own), metric.bounds)


def slope_weights(x_M: Floats) -> Floats:
    """Return what the least-squares slope over ``x_M`` multiplies each value by."""
    centred_M = x_M - x_M.mean()
    found: Floats = centred_M / (centred_M @ centred_M)
    return found
