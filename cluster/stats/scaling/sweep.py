"""The scaling sweep: every metric against the size of a family's models, as measured and at equal skill.

In: the rows of one place, and models' sizes. Out: rows of ``comparisons``:

    size_slope            change of the metric for a model ten times as large: least squares over log10(parameters)
    size_slope_matched    the same, of the values at equal skill (``figures.at_equal_skill``)
    size_value, size_value_matched    the value of model a, whose size is ``at``: the points behind the slopes

A slope needs four sizes. Its interval is about items, for these models: other models of these sizes could differ more.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cotfaith.cluster.stats.intervals import Floats
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.cluster.stats.scaling.figures import Contrast, Figures, Term
from cotfaith.cluster.stats.scaling.rows import Row, with_value, without_value
from cotfaith.cluster.stats.scaling.shared import Shared

SLOPE, VALUE, MATCHED = "size_slope", "size_value", "_matched"
FEWEST_SIZES = 4


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
    models, place = list(of), shared.place
    size_M = np.array([of[model] for model in models], dtype=np.float64)
    for suffix, found in (("", shared.figures(models, metric)), (MATCHED, shared.matched(models, metric))):
        common = {"family": family, "n_models": len(models)}
        if isinstance(found, str):
            yield without_value(SLOPE + suffix, place, metric, found, **common)
            continue
        common["support"] = found.support
        yield _slope(SLOPE + suffix, place, metric, found, size_M, common)
        for at, model in enumerate(models):
            one = Contrast([Term(found, np.eye(len(models))[at])])
            own = common | {"n_models": 1, "model_a": model, "at": float(size_M[at])}
            yield with_value(VALUE + suffix, place, metric, one, **own) | {"p_value": None}


def _slope(
    kind: str, place: Mapping[str, str], metric: Metric, found: Figures, size_M: Floats, common: Mapping[str, object]
) -> Row:
    if (n_sizes := len(np.unique(size_M))) < FEWEST_SIZES:
        return without_value(kind, place, metric, f"too_few_sizes: {n_sizes} of {FEWEST_SIZES}", **common)
    return with_value(kind, place, metric, Contrast([Term(found, slope_weights(np.log10(size_M)))]), **common)


def slope_weights(x_M: Floats) -> Floats:
    """Return what the least-squares slope over ``x_M`` multiplies each value by."""
    centred_M = x_M - x_M.mean()
    found: Floats = centred_M / (centred_M @ centred_M)
    return found
