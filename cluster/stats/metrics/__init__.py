"""The registry of metrics: what each probe's rows mean, one file a probe, found by the file and by the probe's name.

From outside: a module that calls ``register`` and is named by the spec's ``plugins``, or an installed package with an
entry point in the group ``cotfaith.metrics`` under its probe's name, which is loaded where a spec uses that probe.
Formulas: methods.md. See docs/add-a-probe.md.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.frame import GROUP, summed
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric, ProbeMetrics, Rows, title
from cotfaith.schemas.errors import InputError, SpecError
from cotfaith.workers.plugins import offered
from cotfaith.workers.probes import PROBES

ENTRY_POINTS = "cotfaith.metrics"


def _built_in() -> dict[str | None, ProbeMetrics]:
    """Return the metrics of each module beside this one."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg]
    found: list[ProbeMetrics] = [importlib.import_module(f"{__name__}.{name}").METRICS for name in names]
    return {one.probe: one for one in found}


METRICS: dict[str | None, ProbeMetrics] = _built_in()
"""By probe; those of the package, and those that were registered in this process."""


def register(metrics: ProbeMetrics) -> None:
    """Make ``metrics`` known under their probe's name; the same ones again change nothing.

    Raises:
        SpecError: the probe has others, or another probe has a metric of one of their names.

    """
    if METRICS.get(metrics.probe, metrics) is not metrics:
        raise SpecError(f"A plug-in registers metrics of the probe {metrics.probe!r}, which has others. Rename one.")
    taken = {(m.name, m.method): one.probe for one in METRICS.values() if one is not metrics for m in one.metrics}
    for metric in metrics.metrics:
        if (owner := taken.get((metric.name, metric.method), metrics)) is not metrics:
            raise SpecError(
                f"A plug-in registers a metric {metric.title!r} of the probe {metrics.probe!r}, but there is one of "
                f"{owner!r}. Rename one."
            )
    METRICS[metrics.probe] = metrics


def all_metrics() -> list[Metric]:
    """Return every metric that is declared."""
    return [metric for one in METRICS.values() for metric in one.metrics]


def metrics_of(probe: str | None) -> ProbeMetrics | None:
    """Return what is declared of a probe; None: only how its rows ended is said.

    Raises:
        SpecError: an installed package offers metrics of it that cannot be used.

    """
    # Only of a probe that this process uses: a run's folder names nothing that is imported.
    if probe is not None and probe not in METRICS and probe in PROBES and probe in offered(ENTRY_POINTS):
        register(_load(offered(ENTRY_POINTS)[probe]))
    return METRICS.get(probe)


def unknown_probes(observations: pl.DataFrame) -> list[str]:
    """Return the probes of which there are rows and no metrics; metrics that packages offer are loaded first."""
    return [probe for probe in observations["probe"].unique().sort().to_list() if metrics_of(probe) is None]


def find_metric(name: str, method: str | None) -> Metric:
    """Return the declaration of a metric.

    Raises:
        SpecError: there is none.

    """
    found = {(metric.name, metric.method): metric for metric in all_metrics()}
    for key in ((name, method), (name, ANY)):
        if key in found:
            return found[key]
    raise SpecError(
        f"The metric {title(name, method)!r} is declared nowhere, so its bounds are not known. Add it to `metrics` of "
        "its probe's ProbeMetrics."
    )


def bounds_of(name: str, method: str | None) -> Bounds | None:
    """Return the smallest and largest value of one item in a metric, or None where there are none."""
    return find_metric(name, method).bounds


def all_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield the scores of everything that was measured, one frame a metric and method.

    Raises:
        SpecError: a metric is declared nowhere.

    """
    probes = [None, *rows.observations["probe"].unique().sort().to_list()]
    for known in (metrics_of(probe) for probe in probes):
        for frame in known.scores(rows) if known is not None else ():
            if len(frame):
                find_metric(frame["metric"][0], frame["method"][0])
            yield frame


def all_effects(items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame) -> pl.DataFrame:
    """Return the effects of everything that was measured; a probe without rows has none."""
    parts = [summed(scores) for scores in all_scores(Rows(items, chains, observations))]
    return pl.concat(parts).sort(*GROUP, "probe", "metric", "method", "position", "item_id")


def _load(entries: Sequence[EntryPoint]) -> ProbeMetrics:
    name = entries[0].name
    origins = [f"{entry.value} (package {entry.dist.name if entry.dist else 'unknown'})" for entry in entries]
    if len(entries) > 1:
        raise SpecError(f"Several packages offer metrics of {name!r}: {', '.join(origins)}. Remove all but one.")
    try:
        found = entries[0].load()
    except InputError:
        raise
    except Exception as error:
        raise SpecError(f"Metrics of {name!r} from {origins[0]} cannot be loaded: {error!r}") from error
    if not isinstance(found, ProbeMetrics) or found.probe != name:
        raise SpecError(f"{origins[0]} is no metrics. Expected a ProbeMetrics whose probe is {name!r}.")
    return found
