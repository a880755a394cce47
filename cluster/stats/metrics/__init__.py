"""The registry of metrics: what each probe's rows mean. One file per probe, found by the probe's name.

A plug-in adds metrics in one of two ways. A module that the spec's ``plugins`` names calls ``register``. Or an
installed package has an entry point in the group ``cotfaith.metrics`` under its probe's name; it is loaded when a spec
uses that probe. Each file names its paper. See docs/add-a-probe.md.
"""

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from math import isfinite
from typing import Any, TypeVar

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.by_item import ByItem
from cotfaith.cluster.stats.metrics.lib.effects import effects
from cotfaith.cluster.stats.metrics.lib.frame import GROUP, SCORE
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Ends, Metric, ProbeMetrics, Rows, title
from cotfaith.cluster.stats.metrics.lib.needed import LABELLED, NEEDED
from cotfaith.cluster.stats.metrics.lib.words import AGAIN
from cotfaith.cluster.stats.tally import CURVE, LINE, Tally, tally
from cotfaith.cluster.stats.weights import by_weight, has_weights
from cotfaith.schemas.errors import SpecError
from cotfaith.workers.plugins import faults_named, offered
from cotfaith.workers.probes import PROBES
from cotfaith.workers.registry import Registry, found_in, handles


class MetricsRegistry(Registry[ProbeMetrics]):
    """The metrics of each probe, by the probe's name."""

    @cached_property
    def by_probe(self) -> dict[str | None, ProbeMetrics]:
        """Probe -> its metrics; None: the metrics of the chains themselves; the name of a theme: its metrics."""
        return {one.probe or one.theme: one for one in self.built_in}

    def register(self, thing: ProbeMetrics) -> None:
        """Register a plug-in's metrics; registering them again changes nothing.

        Raises:
            SpecError: the probe already has other metrics, or another probe has a metric with one of their names.

        """
        if self.by_probe.get(thing.probe, thing) is not thing:
            raise SpecError(
                f"A plug-in registers metrics for the probe {thing.probe!r}, which already has metrics. Rename one "
                "probe."
            )
        others = [one for one in self.by_probe.values() if one is not thing]
        taken = {(metric.name, metric.method): one.name for one in others for metric in one.metrics}
        for metric in thing.metrics:
            if (metric.name, metric.method) in taken:
                raise SpecError(
                    f"A plug-in registers the metric {metric.title!r} for the probe {thing.probe!r}, but the probe "
                    f"{taken[metric.name, metric.method]!r} already has a metric of that name. Rename one."
                )
        self.by_probe[thing.probe] = self.things[thing.name] = thing


REGISTRY = MetricsRegistry(ProbeMetrics, "metric", lambda: found_in(__name__, "METRICS", ProbeMetrics))
handles(REGISTRY)
T = TypeVar("T")
_ROUNDING = 1e-9
Declared = Mapping[str, tuple[str, ...]]
"""Name under which metrics are registered -> their titles."""
METRICS = REGISTRY.by_probe
"""Probe -> its metrics: those of the package, and those registered in this process."""


def register(metrics: ProbeMetrics) -> None:
    """Make ``metrics`` known under their probe's name; see ``MetricsRegistry.register``."""
    REGISTRY.register(metrics)


def all_metrics() -> list[Metric]:
    """Return every declared metric."""
    return [metric for one in METRICS.values() for metric in one.metrics]


def metrics_of(probe: str | None) -> ProbeMetrics | None:
    """Return the metrics of a probe; None: there are none, so only the statuses of its rows are counted.

    Raises:
        SpecError: an installed package offers metrics for it that cannot be used.

    """
    # A package is only loaded for a probe that this process uses: the names in a run's folder import nothing.
    if probe is not None and probe not in METRICS and probe in PROBES and probe in offered(REGISTRY.group):
        REGISTRY.find(probe, "metrics")
    found = METRICS.get(probe)
    return found if found is None or found.probe == probe else None


def needed_columns(probes: Iterable[str], *, labelled: bool = False) -> dict[str, frozenset[str]] | None:
    """Return the columns of each table that the metrics of ``probes`` read; None: all, as a plug-in may read any.

    ``labelled``: whether people have labelled the run's texts.
    """
    known = [metrics_of(probe) for probe in probes]
    if not all(one is None or one in REGISTRY.built_in for one in known):
        return None
    return LABELLED if labelled else NEEDED


def only_built_in(probes: Iterable[str]) -> bool:
    """Return whether the scores of a run with ``probes`` come from the package's own code."""
    return all(one in REGISTRY.built_in for one in _known(probes))


def declared(probes: Iterable[str]) -> Declared:
    """Return the titles of the metrics that this process has for the chains, for all themes and for ``probes``."""
    return {known.name: tuple(one.title for one in known.metrics) for known in _known(probes)}


def check_declared(wanted: Declared) -> None:
    """Raise ``SpecError`` unless this process has these metrics: another process has made the rest of the sums."""
    found = declared(wanted)
    for name, titles in wanted.items():
        if found.get(name, ()) != titles:
            raise SpecError(
                f"Machine {socket.gethostname()} has other metrics of {name!r} than the driver: "
                f"{', '.join(found.get(name, ())) or 'none'}; expected {', '.join(titles)}. Install the same version "
                "of the package that declares them on all nodes, name its module with --plugin or in the spec's "
                "plugins, or aggregate without --ray."
            )


def unknown_probes(observations: pl.DataFrame) -> list[str]:
    """Return the probes that have rows but no metrics; metrics that packages offer are loaded first."""
    probes = observations["probe"].drop_nulls().unique().sort().to_list()
    return [probe for probe in probes if metrics_of(probe) is None]


@lru_cache(maxsize=4)
def _by_title(_ids: tuple[int, ...]) -> tuple[list[ProbeMetrics], dict[tuple[str, str | None], Metric]]:
    """Return what is registered, and its metrics by name and method.

    The ids tell when something else is registered; what is returned is kept, so no id is given to another.
    """
    return list(METRICS.values()), {(metric.name, metric.method): metric for metric in all_metrics()}


def find_metric(name: str, method: str | None) -> Metric:
    """Return the declaration of a metric.

    Raises:
        SpecError: no such metric is declared.

    """
    _, found = _by_title(tuple(map(id, METRICS.values())))
    for key in ((name, method), (name, ANY)):
        if key in found:
            return found[key]
    raise SpecError(
        f"The metric {title(name, method)!r} is not declared, so its bounds are not known. Add it to `metrics` of its "
        "probe's ProbeMetrics."
    )


def bounds_of(name: str, method: str | None) -> Bounds | None:
    """Return the smallest and largest value of one item in a metric, or None if it has no bounds."""
    return find_metric(name, method).bounds


def all_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield the scores of everything that was measured, one frame per metric and method; ``rows``: all of a run's.

    Raises:
        SpecError: a metric is not declared, or has scores outside its bounds, or a plug-in's code fails.

    """
    frames = [*part_scores(rows), *together_scores(kept_of(rows))]
    lines = settled(tally(effects(frames))).select(LINE)
    yield from (_counted(frame, lines) for frame in frames)


def _counted(frame: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return the scores that count in the estimates, and those of the same metrics' steps."""
    known = frame.filter(~pl.col("optional") | (pl.col("value").count().over(GROUP) > 0))
    of_step = pl.col("step").is_not_null()
    whole = known.filter(~of_step).join(lines, on=LINE, how="semi", nulls_equal=True, maintain_order="left")
    return pl.concat([whole, known.filter(of_step)])


def settled(found: Tally) -> pl.DataFrame:
    """Return the lines of sums over all items that are estimated: what no item decides alone."""
    measured = ~pl.col("optional") | (pl.col("n_ok").sum().over(CURVE) > 0)
    lines = found.lines().filter(measured)
    for known in METRICS.values():
        if known.settled is not None:
            own = pl.col("metric").is_in([metric.name for metric in known.metrics])
            lines = pl.concat([lines.filter(~own), known.settled(lines.filter(own))])
    return lines


def tally_of(rows: Rows) -> Tally:
    """Return the sums of everything that was measured on some items; ``rows``: all rows of these items.

    Raises:
        SpecError: as for ``all_scores``.

    """
    noted = by_item(rows)
    sums = sum(_weighted(rows, noted), start=Tally()) if has_weights(rows.items) else _tally(rows, noted)
    return replace(sums, kept=kept_of(rows, noted))


def _tally(rows: Rows, noted: ByItem) -> Tally:
    return tally(noted.passing(effects(part_scores(rows))), part_vectors(rows))


def _weighted(rows: Rows, noted: ByItem) -> Iterator[Tally]:
    """Yield the sums of parts of the rows; items of pairs are no counts, so that nothing kept has a weight."""
    for own, n, are_counts in by_weight(rows):
        yield _tally(own, noted).times(n, are_counts)


def by_item(rows: Rows) -> ByItem:
    """Return what notes the sums by item that are kept."""
    kept = [known.together for known in _known(rows.probes) if known.together is not None]
    return ByItem(metric for one in kept for metric in one.by_item)


def with_together(found: Tally) -> Tally:
    """Return the sums over all items, with those of scores that several items decide together."""
    return found + tally(effects(together_scores(found.kept)))


def part_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield the scores of some items, one frame per metric and method; ``settled`` decides which of them count."""
    for known in _known(rows.probes):
        yield from _checked(known, known.scores, rows)


def kept_of(rows: Rows, noted: ByItem | None = None) -> dict[str, pl.DataFrame]:
    """Return what is kept of some items, by the name of the metrics.

    ``noted``: their sums by item, where they are needed; scores are made without them.
    """
    found: dict[str, pl.DataFrame] = {}
    for known in _known(rows.probes):
        if (own := known.together) is not None:
            with faults_named(f"Scoring {known.name}", own.keep, AGAIN):
                rest = own.keep(rows)
                found[known.name] = noted.joined(rest, own.by_item) if noted is not None else rest
    return {name: kept for name, kept in found.items() if len(kept)}


def together_scores(kept: Mapping[str, pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield the scores from what was kept of all items."""
    for known in METRICS.values():
        if known.together is not None and known.name in kept:
            yield from _checked(known, known.together.scores, kept[known.name])


def together_estimates(kept: Mapping[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """Yield the estimates that are no sums over items, from what was kept of all items."""
    for known in METRICS.values():
        if known.together is not None and known.together.estimates is not None and known.name in kept:
            with faults_named(f"Estimating {known.name}", known.together.estimates, AGAIN):
                yield from known.together.estimates(kept[known.name])


def derived_estimates(lines: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the estimates that rest on several lines of sums; ``lines``: settled, with the ends of their intervals."""
    for known in METRICS.values():
        if known.derived is not None:
            with faults_named(f"Estimating {known.name}", known.derived, AGAIN):
                yield from known.derived(lines)


def levels(kept: Mapping[str, pl.DataFrame]) -> Iterator[tuple[dict[str, Any], Ends]]:
    """Yield the estimates that are no sums over items and that verdicts may rest on, with their ends at any level."""
    for known in METRICS.values():
        if known.together is not None and known.together.levels is not None and known.name in kept:
            with faults_named(f"Estimating {known.name}", known.together.levels, AGAIN):
                yield from known.together.levels(kept[known.name])


def _checked(known: ProbeMetrics, code: Callable[[T], Iterable[pl.DataFrame]], given: T) -> Iterator[pl.DataFrame]:
    """Yield the frames that ``code`` makes, each checked."""
    whose = f"The scores of {known.name} (module {known.module})"
    with faults_named(f"Scoring {known.name}", code, AGAIN):
        for frame in code(given):
            _check_frame(frame, whose)
            yield frame


def _known(probes: Iterable[str]) -> list[ProbeMetrics]:
    """Return the metrics of the chains, of all themes and of ``probes``."""
    themes = [one for one in METRICS.values() if one.theme is not None]
    found = [metrics_of(None), *themes, *(metrics_of(probe) for probe in probes)]
    return [one for one in found if one is not None]


def part_vectors(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield the vectors of some items."""
    for known in _known(rows.probes):
        if known.vectors is not None:
            with faults_named(f"Scoring {known.name}", known.vectors, AGAIN):
                yield from known.vectors(rows)


def _check_frame(frame: object, whose: str) -> None:
    """Raise ``SpecError`` unless it is a frame of scores of one metric and method: a plug-in may yield anything."""
    if not isinstance(frame, pl.DataFrame) or not set(SCORE) <= set(frame.columns):
        lacking = sorted(set(SCORE) - set(frame.columns)) if isinstance(frame, pl.DataFrame) else []
        got = f"a frame without {', '.join(lacking)}" if lacking else f"a {type(frame).__name__}"
        raise SpecError(f"{whose} hold {got}. Yield what `scores` returns.")
    if frame.is_empty():
        return
    value = pl.col("value")
    found = frame.select(
        *(pl.col(name).n_unique().alias(f"n_{name}") for name in ("metric", "method")),
        pl.col("metric", "method").first(),
        value.sum().alias("total"),
        value.min().alias("least"),
        value.max().alias("most"),
    ).row(0, named=True)
    if max(found["n_metric"], found["n_method"]) > 1:
        raise SpecError(f"{whose} hold several metrics or methods in one frame. Yield one frame for each.")
    if not isfinite(found["total"]) and len(odd := frame.filter(~value.is_finite())):
        raise SpecError(
            f"The metric {title(found['metric'], found['method'])!r} has a score of {odd['value'][0]}. "
            "A score is a finite number, or null if its row failed."
        )
    _check_bounds(found["least"], found["most"], find_metric(found["metric"], found["method"]))


def _check_bounds(least: float | None, most: float | None, metric: Metric) -> None:
    """Raise ``SpecError`` if a score lies outside its metric's bounds: intervals would rest on wrong ones."""
    if metric.bounds is None or metric.ratio or least is None or most is None:
        return
    low, high = metric.bounds
    if least < low - _ROUNDING or most > high + _ROUNDING:
        outside = least if least < low - _ROUNDING else most
        raise SpecError(
            f"The metric {metric.title!r} has a score of {outside:g}, outside its bounds, {low:g} to {high:g}. Set "
            "`bounds` of its Metric to the smallest and the largest value of one score."
        )


def all_effects(items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame) -> pl.DataFrame:
    """Return the effects of everything that was measured; a probe without rows has none."""
    parts = [one.frame() for one in effects(all_scores(Rows(items, chains, observations)))]
    return pl.concat(parts).sort(*GROUP, "probe", "metric", "method", "position", "item_id")
