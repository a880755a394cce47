"""The words of all known probes, in the order in which a report shows them.

In: the registry of metrics. Out: ``Words`` by probe. A probe whose words name no metric gets a column for each metric.
"""

from dataclasses import replace

from cotfaith.cluster.stats.metrics import METRICS
from cotfaith.cluster.stats.metrics.lib.metric import Metric, ProbeMetrics
from cotfaith.cluster.stats.metrics.lib.words import Column, Part, Unit, Words

UNITS: dict[str, Unit] = {"share": "%", "points": "points"}


def known_words() -> dict[str | None, Words]:
    """Return the words by probe, the smallest rank first; the key None holds the words of the chains themselves."""
    found = {probe: _words(one) for probe, one in METRICS.items()}
    return dict(sorted(found.items(), key=lambda pair: (pair[1].rank, pair[0] or "")))


def first_columns() -> list[Column]:
    """Return the columns of the report's first table, in order."""
    return sorted((c for words in known_words().values() for c in words.headline), key=lambda column: column.rank)


def variant_parts() -> list[Part]:
    """Return what the report shows of variants, in order."""
    return [part for words in known_words().values() for part in words.parts if part.section.about == "variants"]


def variant_columns() -> list[Column]:
    """Return the columns that the report shows of variants, in order."""
    return [column for part in variant_parts() for column in part.columns]


def _words(one: ProbeMetrics) -> Words:
    if one.words.parts or one.words.headline:
        return one.words
    return replace(one.words, parts=(Part(columns=[_column(metric) for metric in one.metrics]),))


def _column(metric: Metric) -> Column:
    return Column(metric.title, metric.name, metric.method, UNITS.get(metric.unit, ""))
