"""The items that models share, in one task, strategy and channel: the kept rows of the conditioned theme as arrays.

In: kept rows, a row an item and model. Out: ``Shared``, which gives the figures of a metric for some models. Knows
nothing about sizes.

Shapes: M = models, I = items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from cotfaith.cluster.stats.intervals import Floats
from cotfaith.cluster.stats.metrics.lib.bounds import SHARE
from cotfaith.cluster.stats.metrics.lib.by_item import columns
from cotfaith.cluster.stats.metrics.lib.measured import measured
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.cluster.stats.scaling.figures import Figures, as_measured
from cotfaith.cluster.stats.scaling.matched import Matched, matched

PLACE = ("task", "strategy", "channel")


@dataclass(frozen=True)
class Shared:
    """The rows of one place."""

    place: Mapping[str, str]
    """Task, strategy and channel."""
    rows: pl.DataFrame

    @property
    def models(self) -> list[str]:
        """The models with rows."""
        return sorted(self._by_model)

    def figures(self, models: Sequence[str], metric: Metric) -> Figures:
        """Return the values of a metric as measured."""
        num_MI, den_MI = self._parts(models, metric)
        return as_measured(num_MI, den_MI, metric.bounds)

    def matched(self, models: Sequence[str], metric: Metric) -> Matched | str:
        """Return the values of a metric at the models' shared skill, or why there are none."""
        return matched(measured(self.rows, models, metric), metric.bounds or SHARE)

    def _parts(self, models: Sequence[str], metric: Metric) -> tuple[Floats, Floats]:
        num_MI, den_MI = (np.nan_to_num(self._column(models, name)) for name in columns(metric))
        return np.where(den_MI > 0, num_MI, 0.0), den_MI

    def _column(self, models: Sequence[str], name: str) -> Floats:
        """Return a column of shape (M, I); nan where there is no number."""
        return np.array([self._by_model[model][name].fill_null(np.nan).to_numpy() for model in models])

    @cached_property
    def _by_model(self) -> dict[str, pl.DataFrame]:
        """Model -> its rows, one for each item of any model, in one order; null where it lacks the item."""
        items = self.rows.select("item_id").unique().sort("item_id")
        own = self.rows.partition_by("model", as_dict=True)
        return {
            str(model): items.join(rows, on="item_id", how="left", maintain_order="left")
            for (model,), rows in own.items()
        }


def places(kept: pl.DataFrame) -> list[Shared]:
    """Return the rows of each task, strategy and channel, in the order of their names."""
    found = kept.sort(*PLACE, "item_id", "model").group_by(PLACE, maintain_order=True)
    return [Shared(dict(zip(PLACE, map(str, name), strict=True)), rows) for name, rows in found]
