"""The serial depth of a run's models in words, and beside the measured horizon.

In: run.json, and estimates. Out: texts, and ``DepthLine`` objects. Depth and horizon have different units: operations
that wait for each other, and the task's difficulty. Nothing here turns one into the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.words import reason
from cotfaith.schemas.run_objects import RunRecord, SerialDepth

HORIZON = "no_cot_horizon"


@dataclass(frozen=True)
class DepthLine:
    """A model on a task: what it did without a chain, and what it could do at most."""

    model: str
    task: str
    horizon: str
    depth: str
    positions: int | None
    """The most tokens, of prompt and text, that the depth holds for."""


def depth_lines(run: RunRecord, rows: Sequence[Estimate]) -> list[DepthLine]:
    """Return a line for each horizon among ``rows``; none if the run knows no serial depths."""
    if not run.serial_depth:
        return []
    horizons = [row for row in rows if (row.metric, row.method, row.position) == (HORIZON, None, None)]
    ordered = sorted(horizons, key=lambda row: (row.task, row.series))
    return [_line(row, run.serial_depth.get(row.model)) for row in ordered]


def _line(row: Estimate, depth: SerialDepth | None) -> DepthLine:
    return DepthLine(row.series, row.task, _horizon(row), in_words(depth), None if depth is None else depth.positions)


def _horizon(row: Estimate) -> str:
    if row.value is None:
        return "withheld" if row.withheld else reason(row.interval) or "not known"
    low, high = horizon_ends(row)
    return f"{row.value:.1f} [{low}, {high}]"


def horizon_ends(row: Estimate) -> tuple[str, str]:
    """Return the ends of a horizon's interval in words: one beyond the tested difficulties is not known."""
    low, high = (f"{end:.1f}" if end is not None else "?" for end in (row.ci_low, row.ci_high))
    return low, high


def in_words(depth: SerialDepth | None) -> str:
    """Return the most operations in a row and the number of layers, or why they are not known."""
    if depth is None or depth.operations is None:
        return f"not known: {depth.why}" if depth is not None and depth.why else "not known"
    recurrent = f", {depth.recurrent_layers:,} of them recurrent" if depth.recurrent_layers else ""
    layers = f" ({depth.layers:,} layers{recurrent})" if depth.layers else ""
    return f"at most {depth.operations:,}{layers}"


def depths_in_words(run: RunRecord) -> str:
    """Return the serial depth of each model that is measured; "" if the run knows none."""
    known = {name: run.serial_depth[name] for name in run.spec.subjects if name in run.serial_depth}
    said = "; ".join(f"{name}: {in_words(depth)}" for name, depth in known.items())
    return f"operations in a row before a token: {said}" if said else ""


def depth_data(run: RunRecord, models: Sequence[str] = ()) -> dict[str, Any]:
    """Return each model's serial depth as plain data, for JSON; null if the run does not say it.

    ``models``: the only ones; empty: all.
    """
    names = [name for name in run.identity.models if not models or name in models]
    found = {name: run.serial_depth.get(name) for name in names}
    return {"serial_depth": {name: None if one is None else one.model_dump() for name, one in found.items()}}
