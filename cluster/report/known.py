"""A run's estimates, found by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cotfaith.cluster.stats.estimates import Estimate


@dataclass(frozen=True)
class Known:
    """The estimates."""

    rows: Sequence[Estimate]

    def find(self, series: str, task: str, metric: str, method: str | None = None) -> Estimate | None:
        """Return the estimate that is not part of a curve, if it has a value."""
        return self._single.get((series, task, metric, method))

    def of(self, task: str, metric: str) -> Sequence[Estimate]:
        """Return the estimates of one metric on one task that are not part of a curve, also those without a value."""
        return [row for row in self._named.get((task, metric), ()) if row.position is None]

    def named(self, task: str, metric: str) -> Sequence[Estimate]:
        """Return the estimates of one metric on one task, of all series, methods and positions, that have a value."""
        return [row for row in self._named.get((task, metric), ()) if row.value is not None]

    @cached_property
    def _single(self) -> dict[tuple[str, str, str, str | None], Estimate]:
        found: dict[tuple[str, str, str, str | None], Estimate] = {}
        for row in self.rows:
            if row.position is None and row.value is not None:
                found.setdefault((row.series, row.task, row.metric, row.method), row)
        return found

    @cached_property
    def _named(self) -> dict[tuple[str, str], list[Estimate]]:
        found: dict[tuple[str, str], list[Estimate]] = {}
        for row in self.rows:
            found.setdefault((row.task, row.metric), []).append(row)
        return found
