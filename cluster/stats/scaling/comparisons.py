"""All rows of ``comparisons`` about sizes, checkpoints and tasks.

In: the kept rows of the conditioned theme, and the spec's models. Out: rows, without run_id and schema_version.
"""

from collections.abc import Iterable, Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.chains import ACCURACY
from cotfaith.cluster.stats.metrics.conditioned import CONDITIONED, RELIANCE
from cotfaith.cluster.stats.metrics.no_cot import ACCURACY as PERFORMANCE
from cotfaith.cluster.stats.scaling.checkpoints import at_equal_performance
from cotfaith.cluster.stats.scaling.models import Families
from cotfaith.cluster.stats.scaling.plane import plane
from cotfaith.cluster.stats.scaling.rows import Row
from cotfaith.cluster.stats.scaling.shared import places
from cotfaith.cluster.stats.scaling.sweep import sweep
from cotfaith.schemas.run_objects import ModelEntry


def scaling_rows(kept: pl.DataFrame, models: Iterable[ModelEntry]) -> Iterator[Row]:
    """Yield the rows of a run; a run without families, checkpoints and several tasks has next to none."""
    found, families = places(kept), Families.of(models)
    for shared in found:
        yield from sweep(shared, families.sizes, CONDITIONED)
        yield from at_equal_performance(shared, families, (*RELIANCE, ACCURACY), PERFORMANCE)
    yield from plane(found, RELIANCE, PERFORMANCE)
